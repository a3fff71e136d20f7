//! Which parameters of a module take part, chosen by path.

use std::fmt;
use std::sync::Arc;

/// A choice among a module's parameters by their paths (`"blocks.2.attention.output.weight"`).
#[derive(Clone, Default)]
pub enum Selection {
    /// Every parameter.
    #[default]
    All,
    /// No parameter.
    None,
    /// Parameters at or below any of these paths: `"blocks.2"` selects `"blocks.2.norm.gamma"`, not `"blocks.20"`.
    Below(Vec<String>),
    /// Parameters with this name anywhere in their path: `"lora"` selects `"blocks.0.lora.a"`.
    Named(String),
    /// Parameters whose path the function accepts.
    Where(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl Selection {
    /// Parameters at or below any of `paths`.
    pub fn below<S: Into<String>>(paths: impl IntoIterator<Item = S>) -> Self {
        Self::Below(paths.into_iter().map(Into::into).collect())
    }

    /// The last `count` of the `total` entries of the list at `path`: `last("blocks", 2, 6)` is `blocks.4` and `blocks.5`.
    pub fn last(path: &str, count: usize, total: usize) -> Self {
        Self::below((total.saturating_sub(count)..total).map(|index| format!("{path}.{index}")))
    }

    /// Parameters whose path `accepts`.
    pub fn by(accepts: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::Where(Arc::new(accepts))
    }

    /// Whether the parameter at `path` is chosen.
    pub fn contains(&self, path: &str) -> bool {
        let is_below = |root: &String| match path.strip_prefix(root.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with('.'),
            None => false,
        };
        match self {
            Self::All => true,
            Self::None => false,
            Self::Below(roots) => roots.iter().any(is_below),
            Self::Named(name) => path.split('.').any(|part| part == name),
            Self::Where(accepts) => accepts(path),
        }
    }

    /// An entry of the selection that none of `paths` is at, below or named.
    pub fn unmatched(&self, paths: &[String]) -> Option<String> {
        let matches_none = |one: &Self| !paths.iter().any(|path| one.contains(path));
        match self {
            Self::Below(roots) => {
                roots.iter().find(|root| matches_none(&Self::below([root.as_str()]))).cloned()
            }
            Self::Named(name) => matches_none(self).then(|| name.clone()),
            Self::All | Self::None | Self::Where(_) => None,
        }
    }

    /// One answer for each path.
    pub fn mask(&self, paths: &[String]) -> Vec<bool> {
        paths.iter().map(|path| self.contains(path)).collect()
    }
}

impl fmt::Debug for Selection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => write!(formatter, "All"),
            Self::None => write!(formatter, "None"),
            Self::Below(roots) => formatter.debug_tuple("Below").field(roots).finish(),
            Self::Named(name) => formatter.debug_tuple("Named").field(name).finish(),
            Self::Where(_) => write!(formatter, "Where(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_whole_names() {
        let last = Selection::last("blocks", 1, 21);
        assert!(last.contains("blocks.20.norm.gamma"));
        assert!(!last.contains("blocks.2.norm.gamma"));
        assert!(Selection::below(["head.weight"]).contains("head.weight"));
        assert!(!Selection::below(["head"]).contains("header.weight"));
        assert!(Selection::Named("lora".into()).contains("blocks.0.lora.a"));
        assert!(!Selection::Named("lora".into()).contains("blocks.0.loras.a"));
    }

    #[test]
    fn an_entry_that_matches_nothing_is_found() {
        let paths = ["network.weight", "shift"].map(String::from);
        assert_eq!(Selection::below(["network", "shift"]).unmatched(&paths), None);
        let misspelt = Selection::below(["network", "shfit"]);
        assert_eq!(misspelt.unmatched(&paths).as_deref(), Some("shfit"));
        assert_eq!(Selection::Named("lora".into()).unmatched(&paths).as_deref(), Some("lora"));
        assert_eq!(Selection::All.unmatched(&[]), None);
    }

    #[test]
    fn last_saturates() {
        assert!(Selection::last("blocks", 9, 2).contains("blocks.0.weight"));
    }
}
