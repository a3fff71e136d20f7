//! Configurations in three layers: the program's defaults, a TOML file over them, and single fields set on the
//! command line over both.
//!
//! A configuration is any type that serde can write and read as a TOML table, best with
//! `#[serde(deny_unknown_fields)]`. Where a section is one of several kinds, tag the enum with
//! `#[serde(tag = "kind")]`: a layer that names another kind starts that section afresh, so that no field of the old
//! kind is left in it. What is set on the command line is one layer, so that its order does not matter.

mod advice;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use advice::Advice;

/// A configuration that cannot be used, and where it came from.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The defaults cannot be written as TOML, which is a fault of the program.
    #[error(
        "the default configuration cannot be written as TOML: make it a struct of sections, lists, text and numbers"
    )]
    Defaults(#[source] toml::ser::Error),
    /// The file cannot be read.
    #[error("cannot read the configuration {}: check the path and its permissions", path.display())]
    Read {
        /// The file that was named.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{}, line {line}: {reason}: mend the TOML there", path.display())]
    Syntax {
        /// The file that was named.
        path: PathBuf,
        /// Where the parser stopped, from 1.
        line: usize,
        /// What the parser expected.
        reason: String,
    },
    /// An override is not of the form `path.to.field=value`.
    #[error("`--set {0}` is not of the form path.to.field=value")]
    MalformedOverride(String),
    /// A layer names a field that the configuration does not have.
    #[error("{origin}: there is no field `{field}`; did you mean `{nearest}`?")]
    UnknownField {
        /// The layer that names it.
        origin: Origin,
        /// The dotted path that was named.
        field: String,
        /// The dotted path of an existing field that reads most like it.
        nearest: String,
    },
    /// A section lacks a field that has no default.
    #[error("{origin}: `{field}` is missing and has no default; give it a value, too")]
    MissingField {
        /// The layer that sets the section.
        origin: Origin,
        /// The dotted path of the field.
        field: String,
    },
    /// A layer gives a field a value that it cannot take.
    #[error("{origin}: field `{field}`: {reason}; {remedy}")]
    InvalidField {
        /// The layer that sets it.
        origin: Origin,
        /// The dotted path of the field, or of the section it is in.
        field: String,
        /// What is expected there.
        reason: String,
        /// What to write.
        remedy: String,
    },
}

/// The layer that a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The program's defaults.
    Defaults,
    /// A configuration file.
    File(PathBuf),
    /// A `--set` argument, as it was written.
    Override(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults => write!(formatter, "the defaults"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Override(text) => write!(formatter, "--set {text}"),
        }
    }
}

/// The configuration that results from `defaults`, then the TOML `file`, then the `overrides`.
///
/// The file holds only what differs from the defaults. Each override is `path.to.field=value`; the value is read as
/// TOML (`3`, `0.1`, `true`, `[1, 2]`, `"text"`), and taken as plain text where it is not TOML; so a text that looks like
/// a number needs its quotes. An optional field is set like any other.
///
/// # Errors
/// [`ConfigError`], which names the file or the override, the field and the remedy. A field is unknown where `C`
/// ignores it as well as where `C` refuses it.
pub fn load<C: Serialize + DeserializeOwned>(
    defaults: &C,
    file: Option<&Path>,
    overrides: &[String],
) -> Result<C, ConfigError> {
    let defaults = Table::try_from(defaults).map_err(ConfigError::Defaults)?;
    let mut layers = Vec::new();
    if let Some(path) = file {
        layers.push((Origin::File(path.to_owned()), read(path)?));
    }
    for text in overrides {
        layers.push((Origin::Override(text.clone()), parse_override(text)?));
    }

    let mut resolved = defaults.clone();
    let mut together = Table::new();
    for (origin, layer) in &layers {
        match origin {
            Origin::Override(_) => lay(&mut together, layer, &|_| ()),
            _ => lay(&mut resolved, layer, &Table::clear),
        }
    }
    lay(&mut resolved, &together, &Table::clear);
    decode(&resolved).map_err(|misfit| misfit.blamed_on(&layers, &defaults, &resolved))
}

fn read(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    text.parse().map_err(|failure: toml::de::Error| ConfigError::Syntax {
        path: path.to_owned(),
        line: failure.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count()),
        reason: failure.message().to_owned(),
    })
}

/// Reads `a.b=value` as the table `{a = {b = value}}`.
fn parse_override(text: &str) -> Result<Table, ConfigError> {
    let malformed = || ConfigError::MalformedOverride(text.to_owned());
    let (path, value) = text.split_once('=').ok_or_else(malformed)?;
    let value = value.trim();
    let mut nested = value.parse().unwrap_or_else(|_| Value::String(value.to_owned()));
    for key in path.trim().rsplit('.') {
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(malformed());
        }
        nested = Value::Table(Table::from_iter([(key.to_owned(), nested)]));
    }
    nested.try_into().map_err(|_| malformed())
}

/// Lays `upper` over `lower`: sections field by field, everything else as a whole. `renew` has a section of `lower` that becomes
/// one of another kind.
fn lay(lower: &mut Table, upper: &Table, renew: &dyn Fn(&mut Table)) {
    if let (Some(old), Some(new)) = (lower.get("kind"), upper.get("kind"))
        && old != new
    {
        renew(lower);
    }
    for (key, value) in upper {
        match (lower.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay(below, above, renew),
            _ => {
                lower.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Where a table does not fit the configuration type, and why.
enum Misfit {
    /// With the fields that its section has, where serde says so.
    Unknown {
        field: String,
        siblings: Vec<String>,
    },
    Missing {
        field: String,
    },
    Invalid {
        field: String,
        reason: String,
    },
}

fn decode<C: Serialize + DeserializeOwned>(given: &Table) -> Result<C, Misfit> {
    let mut ignored = None;
    let mut note = |path: serde_ignored::Path<'_>| ignored = Some(path.to_string());
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(Value::Table(given.clone()), &mut track);
    let decoded = C::deserialize(serde_ignored::Deserializer::new(tracked, &mut note));
    let unknown = |field| Misfit::Unknown { field, siblings: Vec::new() };
    match (decoded, ignored) {
        (Ok(config), None) => match passed_over(&config, given) {
            Some(field) => Err(unknown(field)),
            None => Ok(config),
        },
        // The path marks what lies in an `Option` by a question mark, which nobody writes in a file.
        (Ok(_), Some(field)) => Err(unknown(field.replace(".?", ""))),
        (Err(failure), _) => Err(Misfit::new(&track.path().to_string(), failure.message())),
    }
}

/// A given field that serde reads past, such as `extra` in `loss = { kind = "cross-entropy", extra = 3 }`: it buffers a section that has a `kind`, so that `serde_ignored` sees nothing of what is in
/// it, and beside a kind without fields it does so even where unknown fields are denied.
fn passed_over<C: Serialize + DeserializeOwned>(config: &C, given: &Table) -> Option<String> {
    let kept = Table::try_from(config).ok()?;
    let is_accepted = |given: Value| C::deserialize(given).is_ok();
    passed_over_in(&Value::Table(given.clone()), &Value::Table(kept), "", &is_accepted)
}

/// The first field of `given` that is not `kept` and takes any value; `is_accepted` tells whether the configuration could be read
/// with another value in place of `given`.
fn passed_over_in(
    given: &Value,
    kept: &Value,
    path: &str,
    is_accepted: &dyn Fn(Value) -> bool,
) -> Option<String> {
    match (given, kept) {
        (Value::Table(given), Value::Table(kept)) => given.iter().find_map(|(key, value)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let is_accepted = |value: Value| {
                let mut given = given.clone();
                given.insert(key.clone(), value);
                is_accepted(Value::Table(given))
            };
            match kept.get(key) {
                Some(kept) => passed_over_in(value, kept, &path, &is_accepted),
                // A field may be left out of what is written where it has its usual value.
                None => takes_anything(is_accepted).then_some(path),
            }
        }),
        (Value::Array(given), Value::Array(kept)) => {
            given.iter().zip(kept).enumerate().find_map(|(place, (value, kept))| {
                let is_accepted = |value: Value| {
                    let mut given = given.clone();
                    given[place] = value;
                    is_accepted(Value::Array(given))
                };
                passed_over_in(value, kept, &format!("{path}[{place}]"), &is_accepted)
            })
        }
        _ => None,
    }
}

/// Whether a field is passed over: one that is read has a type, and refuses a truth value or a number.
fn takes_anything(is_accepted: impl Fn(Value) -> bool) -> bool {
    [Value::Boolean(true), Value::Integer(1)].into_iter().all(is_accepted)
}

impl Misfit {
    /// Reads serde's message: it alone tells an unknown or a missing field from a wrong value.
    fn new(path: &str, message: &str) -> Self {
        // The root is written as a single dot.
        let path = path.trim_matches('.');
        let named = |beginning| message.strip_prefix(beginning)?.split('`').next();
        if let Some(name) = named("unknown field `") {
            let field = within(path, name);
            let section = field.strip_suffix(name).unwrap_or_default();
            // Behind the name serde lists those that it expected.
            let expected = message.split('`').skip(3).step_by(2);
            let siblings = expected.map(|name| format!("{section}{name}")).collect();
            return Self::Unknown { field, siblings };
        }
        if let Some(name) = named("missing field `") {
            return Self::Missing { field: within(path, name) };
        }
        let field = if path.is_empty() { "(top level)" } else { path };
        Self::Invalid { field: field.to_owned(), reason: message.to_owned() }
    }

    /// Names the layer that says most about the field; where several do, one whose value the message quotes, and the last.
    fn blamed_on(
        self,
        layers: &[(Origin, Table)],
        defaults: &Table,
        resolved: &Table,
    ) -> ConfigError {
        let (Self::Unknown { field, .. } | Self::Missing { field } | Self::Invalid { field, .. }) =
            &self;
        let is_quoted = |origin| match &self {
            Self::Invalid { reason, .. } => {
                advice::plain_text(origin).is_some_and(|text| advice::quotes(reason, text))
            }
            _ => false,
        };
        let culprit =
            layers.iter().max_by_key(|(origin, layer)| (depth_of(field, layer), is_quoted(origin)));
        let origin = culprit.map_or(Origin::Defaults, |(origin, _)| origin.clone());
        match self {
            Self::Unknown { field, siblings } => {
                let nearest = nearest_path(&field, siblings, defaults, resolved);
                ConfigError::UnknownField { origin, field, nearest }
            }
            Self::Missing { field } => ConfigError::MissingField { origin, field },
            Self::Invalid { field, reason } => {
                let Advice { reason, remedy } = Advice::new(&field, reason, &origin, resolved);
                ConfigError::InvalidField { origin, field, reason, remedy }
            }
        }
    }
}

/// The dotted path of a field of the section at `path`, which ends at the section if that is a tagged one.
fn within(path: &str, name: &str) -> String {
    let ends_with_name = path.rsplit('.').next() == Some(name);
    match path {
        "" => name.to_owned(),
        _ if ends_with_name => path.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

/// How many leading keys of the dotted path `field` the `layer` has.
fn depth_of(field: &str, layer: &Table) -> usize {
    let mut section = Some(layer);
    let found = field.split(['.', '[']).take_while(|key| {
        let value = section.and_then(|table| table.get(*key));
        section = value.and_then(Value::as_table);
        value.is_some()
    });
    found.count()
}

/// The path that reads most like `field`: of its `siblings`, or of the defaults less the fields of kinds that another has replaced.
fn nearest_path(field: &str, siblings: Vec<String>, defaults: &Table, resolved: &Table) -> String {
    let mut known = Vec::new();
    collect_paths(defaults, "", &mut known);
    known.retain(|path| path != field && depth_of(path, resolved) == path.split('.').count());
    known.extend(siblings);
    let likeness = |path: &String| strsim::jaro_winkler(path, field);
    known
        .into_iter()
        .max_by(|left, right| likeness(left).total_cmp(&likeness(right)))
        .unwrap_or_default()
}

fn collect_paths(table: &Table, prefix: &str, paths: &mut Vec<String>) {
    for (key, value) in table {
        let path = format!("{prefix}{key}");
        if let Value::Table(section) = value {
            collect_paths(section, &format!("{path}."), paths);
        }
        paths.push(path);
    }
}

#[cfg(test)]
mod tests;
