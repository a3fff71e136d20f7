//! Answer accuracy with intervals, by test set and by hops.

use std::collections::BTreeMap;

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor};
use experiment::statistics::{Interval, grouped_proportion_interval};
use inner_outer::tensors::to_f64;
use serde::{Deserialize, Serialize};

use crate::answer::AnswerError;
use crate::data::KnowledgeSet;
use crate::encoding::Encoder;
use crate::model::Gpt2;
use crate::task::{Rows, Sequence};
use crate::tokenizer::TokenizerError;

/// What questions are called that training says and asks, too.
pub(crate) const SEEN: &str = "asked in training, too";
/// What the others are called.
pub(crate) const UNSEEN: &str = "not asked in training";

/// Whether one question was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What it is about, as [`KnowledgeSet::theory`]; questions on the same are alike.
    pub theory: String,
    /// Length of the question's reasoning.
    pub hops: usize,
    /// Facts in its knowledge set that the question does not need.
    pub distractors: usize,
    /// Greedy decoding gives exactly the answer.
    pub correct: bool,
    /// The data that is trained on says and asks the same.
    #[serde(default)]
    pub seen: bool,
}

/// The questions of one knowledge set with the rows they are asked as.
pub struct Exam<B: Backend> {
    rows: Rows<B>,
    /// For each question: its flat predictions in `rows`, and what it is.
    questions: Vec<(std::ops::Range<usize>, Outcome)>,
}

impl<B: Backend> Exam<B> {
    /// The exam of several knowledge sets that are read by one model (one set where facts go through the inner loop).
    ///
    /// # Errors
    /// If a word is not in the vocabulary.
    pub fn new(
        encoder: &Encoder,
        sets: &[KnowledgeSet],
        device: &Device<B>,
    ) -> Result<Self, TokenizerError> {
        let (mut rows, mut questions, mut first) = (Vec::new(), Vec::new(), 0);
        for set in sets {
            for question in &set.questions {
                let prompt = encoder.prompted(set, question)?.prompt;
                // The answer must end where it ends: what follows it belongs to the exact match.
                let answer = encoder.whole_answer(&question.answer)?;
                let predictions = first..first + answer.len();
                first = predictions.end;
                let weights = [vec![0.0; prompt.len()], vec![1.0; answer.len()]].concat();
                rows.push(Sequence { tokens: [prompt, answer].concat(), weights });
                let distractors = set.facts.len().saturating_sub(question.relevant.len());
                let theory = set.theory().to_owned();
                let hops = question.hops;
                let outcome = Outcome { theory, hops, distractors, correct: false, seen: false };
                questions.push((predictions, outcome));
            }
        }
        Ok(Self { rows: Rows::new(&rows, encoder.tokenizer.padding(), device), questions })
    }

    /// The outcomes under `model`. Greedy decoding gives the answer exactly when every token of it is the most likely
    /// one after the tokens before, so one pass over question and answer decides.
    ///
    /// # Errors
    /// [`AnswerError::NotFinite`] if a score that decides is NaN or infinite.
    pub fn take(&self, model: &Gpt2<B>) -> Result<Vec<Outcome>, AnswerError> {
        let hidden = model.hidden(self.rows.tokens.clone()).select(0, self.rows.positions.clone());
        let logits = model.logits(hidden);
        self.require_finite(&logits)?;
        let best: Tensor<B, 2, burn::tensor::Int> = logits.argmax(1);
        let hits: Vec<bool> =
            best.equal(self.rows.targets.clone()).into_data().iter::<bool>().collect();
        let outcome = |(predictions, outcome): &(std::ops::Range<usize>, Outcome)| Outcome {
            correct: hits[predictions.clone()].iter().all(|hit| *hit),
            ..outcome.clone()
        };
        Ok(self.questions.iter().map(outcome).collect())
    }

    /// The largest of scores that are no numbers is any token, which would count as a wrong answer.
    fn require_finite(&self, logits: &Tensor<B, 2>) -> Result<(), AnswerError> {
        // Sums of zeros, unless one is zero times what is not finite.
        let sums = to_f64(&(logits.clone() * 0.0).sum_dim(1));
        let Some(index) = sums.iter().position(|sum| *sum != 0.0) else { return Ok(()) };
        let positions = self.rows.positions.to_data();
        let flat = positions.iter::<i64>().nth(index).expect("a score for each position");
        Err(AnswerError::NotFinite { read: flat as usize % self.rows.length() + 1 })
    }
}

/// Accuracy on one test set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accuracy {
    /// Name of the test set.
    pub name: String,
    /// Over all questions, 95 % interval over theories ([`grouped_proportion_interval`]).
    pub overall: Interval,
    /// By hops.
    pub by_hops: BTreeMap<usize, Interval>,
    /// By number of distractors.
    pub by_distractors: BTreeMap<usize, Interval>,
    /// Over the questions that training says and asks, too; `None` without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Interval>,
    /// Over the others, where there are questions of both kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Interval>,
}

impl Accuracy {
    /// Sums up outcomes; `None` without any.
    pub fn of(name: &str, outcomes: &[Outcome]) -> Option<Self> {
        let by = |key: fn(&Outcome) -> usize| {
            let mut groups: BTreeMap<usize, Vec<&Outcome>> = BTreeMap::new();
            outcomes
                .iter()
                .for_each(|outcome| groups.entry(key(outcome)).or_default().push(outcome));
            groups.into_iter().filter_map(|(key, group)| Some((key, interval(&group)?))).collect()
        };
        let all: Vec<&Outcome> = outcomes.iter().collect();
        let (seen, unseen): (Vec<_>, Vec<_>) =
            all.iter().copied().partition(|outcome| outcome.seen);
        let seen = interval(&seen);
        Some(Self {
            name: name.into(),
            overall: interval(&all)?,
            by_hops: by(|outcome| outcome.hops),
            by_distractors: by(|outcome| outcome.distractors),
            seen,
            unseen: seen.and_then(|_| interval(&unseen)),
        })
    }
}

fn interval(outcomes: &[&Outcome]) -> Option<Interval> {
    grouped_proportion_interval(outcomes.iter().map(|outcome| (&outcome.theory, outcome.correct)))
        .ok()
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::module::Param;

    use super::*;
    use crate::config::{Method, Objective};
    use crate::data::Question;
    use crate::test_systems::{VOCABULARY, model};
    use crate::tokenizer::{Tokenizer, WordTokenizer};

    #[test]
    fn scores_that_are_not_finite_are_an_error_and_no_wrong_answer() {
        let words = (0..VOCABULARY - 2).map(|word| format!("w{word}"));
        let tokenizer = Tokenizer::Word(WordTokenizer::from_words(words).unwrap());
        let objective = Objective::default();
        let encoder = Encoder { tokenizer, method: Method::NoFacts, objective };
        let question = |text: &str| Question {
            text: text.into(),
            answer: "w2".into(),
            relevant: Vec::new(),
            hops: 1,
        };
        let questions = vec![question("w0 w1 w3"), question("w0 w1")];
        let set = KnowledgeSet { id: "a".into(), questions, ..KnowledgeSet::default() };
        let exam = Exam::<Flex>::new(&encoder, &[set], &Default::default()).unwrap();
        let mut model = model(0);
        assert_eq!(exam.take(&model).unwrap().len(), 2);
        let scale = model.final_norm.gamma.val() * f32::NAN;
        model.final_norm.gamma = Param::from_tensor(scale);
        assert!(matches!(exam.take(&model), Err(AnswerError::NotFinite { read: 3 })));
    }

    #[test]
    fn questions_that_were_trained_on_are_scored_apart() {
        let outcome = |theory: usize, correct, seen| Outcome {
            theory: theory.to_string(),
            hops: 1,
            distractors: 0,
            correct,
            seen,
        };
        let outcomes = [outcome(0, true, true), outcome(1, false, false), outcome(2, true, true)];
        let accuracy = Accuracy::of("test", &outcomes).unwrap();
        let of = |interval: Option<Interval>| interval.map(|share| (share.mean, share.n));
        assert_eq!((of(accuracy.seen), of(accuracy.unseen)), (Some((1.0, 2)), Some((0.0, 1))));
        let none = Accuracy::of("test", &outcomes[1..2]).unwrap();
        assert_eq!((none.seen, none.unseen), (None, None));
        let json = serde_json::to_string(&none).unwrap();
        assert!(!json.contains("seen"), "as results were written before: {json}");
        let all = Accuracy::of("test", &outcomes[..1]).unwrap();
        assert_eq!((of(all.seen), all.unseen), (Some((1.0, 1)), None));
    }
}
