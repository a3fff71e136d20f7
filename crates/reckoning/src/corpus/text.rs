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
    by_question: BTreeMap<&'a str, Vec<(&'a KnowledgeSet, &'a Question)>>,
    distractors: Option<Distractors>,
}

impl<'a> TrainedTexts<'a> {
    /// Those of `sets` that training does not rename: of a renamed set nobody knows beforehand what it will say.
    pub(crate) fn new(config: &DataConfig, sets: &'a [KnowledgeSet]) -> Self {
        let mut by_question: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for set in sets.iter().filter(|set| !is_renamed(config, set)) {
            for question in &set.questions {
                by_question.entry(&question.text).or_default().push((set, question));
            }
        }
        Self { by_question, distractors: config.distractors }
    }

    /// The texts of `sets` that are trained on too. Where training samples distractors, those that it may draw.
    pub(crate) fn among(&self, sets: &[KnowledgeSet]) -> BTreeSet<Text> {
        sets.iter().flat_map(Text::of).filter(|text| self.contain(text)).collect()
    }

    fn contain(&self, text: &Text) -> bool {
        let alike = self.by_question.get(text.question.as_str());
        alike.is_some_and(|alike| alike.iter().any(|(set, asked)| self.may_say(set, asked, text)))
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
            Some(Distractors::All) | None => told == others,
            Some(Distractors::Any) => true,
        };
        are_as_many && text.facts.iter().all(|fact| all.contains(fact.as_str()))
    }
}

/// What to tell the user about the questions of `tests` that are in `seen`; nothing where there are none.
pub(crate) fn remark_on_seen<'a>(
    tests: impl Iterator<Item = (&'a [KnowledgeSet], &'a BTreeSet<Text>)>,
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
            "{again} of {all} questions say and ask the same as a training one; they are scored apart from the others, too"
        )
    })
}
