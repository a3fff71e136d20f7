//! What is said and asked, to tell whether a question is asked that was trained on.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{DataConfig, Source};
use crate::data::{Distractors, KnowledgeSet, Question};

/// A question and what is said before it, in whatever order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text {
    pub(super) facts: BTreeSet<String>,
    pub(super) question: String,
}

impl Text {
    /// One for each question of a set, in their order.
    pub fn of(set: &KnowledgeSet) -> impl Iterator<Item = Self> {
        let facts: BTreeSet<String> = set.facts.iter().map(|fact| fact.text.clone()).collect();
        let text = move |question: &Question| Self {
            facts: facts.clone(),
            question: question.text.clone(),
        };
        set.questions.iter().map(text)
    }

    /// The same with the facts that a question needs, and no others.
    fn alone(set: &KnowledgeSet) -> impl Iterator<Item = Self> {
        let text = |question: &Question| Self {
            facts: question.relevant.iter().map(|&fact| set.facts[fact].text.clone()).collect(),
            question: question.text.clone(),
        };
        set.questions.iter().map(text)
    }
}

/// Whether training tells a set of a file under names that are drawn each time.
pub(super) fn is_renamed(config: &DataConfig, set: &KnowledgeSet) -> bool {
    let is_of_letters = set.entities.iter().all(|name| name.len() == 1);
    config.rename
        && !matches!(config.source, Source::Rules(_))
        && !set.entities.is_empty()
        && (is_of_letters || config.stories > 1)
}

/// The questions of sets that are trained on under the names that they have, with as many distractors as are asked with.
pub(crate) struct TrainedTexts<'a> {
    /// Where training says the same of a question each time.
    fixed: BTreeSet<Text>,
    /// Where it samples the distractors.
    sampled: BTreeMap<&'a str, Vec<(&'a KnowledgeSet, &'a Question)>>,
    distractors: Option<Distractors>,
}

impl<'a> TrainedTexts<'a> {
    /// Those of `sets` that training does not rename: of a renamed set nobody knows beforehand what it will say.
    pub(crate) fn new(config: &DataConfig, sets: &'a [KnowledgeSet]) -> Self {
        let distractors = config.distractors;
        let mut texts = Self { fixed: BTreeSet::new(), sampled: BTreeMap::new(), distractors };
        for set in sets.iter().filter(|set| !is_renamed(config, set)) {
            match distractors {
                None | Some(Distractors::All) => texts.fixed.extend(Text::of(set)),
                Some(Distractors::UpTo(0)) => texts.fixed.extend(Text::alone(set)),
                Some(Distractors::UpTo(_) | Distractors::Any) => {
                    for question in &set.questions {
                        texts.sampled.entry(&question.text).or_default().push((set, question));
                    }
                }
            }
        }
        texts
    }

    /// The texts of `sets` that are trained on too. Where training samples distractors, those that it may draw.
    pub(crate) fn among(&self, sets: &[KnowledgeSet]) -> BTreeSet<Text> {
        sets.iter().flat_map(Text::of).filter(|text| self.contain(text)).collect()
    }

    fn contain(&self, text: &Text) -> bool {
        let sampled = self.sampled.get(text.question.as_str()).into_iter().flatten();
        self.fixed.contains(text)
            || sampled.into_iter().any(|(set, asked)| self.may_say(set, asked, text))
    }

    /// Whether a training example of the question `asked` of `set` may say what `text` says.
    fn may_say(&self, set: &KnowledgeSet, asked: &Question, text: &Text) -> bool {
        let is_told = |fact: &usize| text.facts.contains(&set.facts[*fact].text);
        if !asked.relevant.iter().all(is_told) {
            return false;
        }
        let all: BTreeSet<&str> = set.facts.iter().map(|fact| fact.text.as_str()).collect();
        let needed: BTreeSet<&str> =
            asked.relevant.iter().map(|&fact| set.facts[fact].text.as_str()).collect();
        let (others, told) = (all.len() - needed.len(), text.facts.len() - needed.len());
        let are_as_many = match self.distractors {
            Some(Distractors::UpTo(count)) => told == count.min(others),
            _ => true,
        };
        are_as_many && text.facts.iter().all(|fact| all.contains(fact.as_str()))
    }
}

/// What to tell the user about the questions of `tests` that are in `seen`, as far as is `known`; nothing where there are none.
pub(crate) fn remark_on_seen<'a>(
    tests: impl Iterator<Item = (&'a [KnowledgeSet], &'a BTreeSet<Text>)>,
    known: &str,
) -> Option<String> {
    let (mut again, mut all) = (0, 0);
    for (sets, seen) in tests {
        for text in sets.iter().flat_map(Text::of) {
            all += 1;
            again += usize::from(seen.contains(&text));
        }
    }
    (again > 0).then(|| {
        format!(
            "{again} of {all} questions say and ask the same as a training one{known}; they are scored apart from the others, too"
        )
    })
}
