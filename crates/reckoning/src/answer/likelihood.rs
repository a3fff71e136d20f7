//! Choosing among labels by how likely the model would say each of them.

use burn::tensor::backend::Backend;
use serde::Serialize;

use super::{AnswerError, Prompt};

/// How likely each of several answers is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelLikelihood {
    /// `log p(answer | prompt)` of each, in the order asked for.
    ///
    /// Where no answer begins with another one, the probabilities sum to at most 1; what is missing is the
    /// probability that the model says something else.
    pub log_probabilities: Vec<f64>,
}

impl LabelLikelihood {
    /// Place of the most likely answer, the first among equals.
    pub fn best(&self) -> usize {
        let better = |best: usize, place: usize| match self.log_probabilities[place]
            > self.log_probabilities[best]
        {
            true => place,
            false => best,
        };
        (0..self.log_probabilities.len()).fold(0, better)
    }

    /// Probabilities of the answers, given that it is one of them; they sum to 1.
    pub fn probabilities(&self) -> Vec<f64> {
        let largest = self.log_probabilities[self.best()];
        let shares: Vec<f64> =
            self.log_probabilities.iter().map(|value| (value - largest).exp()).collect();
        let total: f64 = shares.iter().sum();
        shares.into_iter().map(|share| share / total).collect()
    }

    /// Probability that the model says any of the answers.
    pub fn coverage(&self) -> f64 {
        self.log_probabilities.iter().map(|value| value.exp()).sum()
    }
}

impl<B: Backend> Prompt<'_, B> {
    /// `log p(answer | prompt)` of each of several answers of one or more tokens. Whether the text must end after an
    /// answer is up to the caller, who may append the token for it.
    ///
    /// # Errors
    /// [`AnswerError::Nothing`] if there is no answer or one is empty, and as [`Prompt::log_probability`].
    pub fn label_likelihood<A: AsRef<[u32]>>(
        &self,
        answers: &[A],
    ) -> Result<LabelLikelihood, AnswerError> {
        if answers.is_empty() {
            return Err(AnswerError::Nothing { what: "the list of labels", value: "empty" });
        }
        let likelihood = |answer: &A| match answer.as_ref() {
            [] => Err(AnswerError::Nothing { what: "a label", value: "empty" }),
            tokens => self.log_probability(tokens),
        };
        let log_probabilities = answers.iter().map(likelihood).collect::<Result<_, _>>()?;
        Ok(LabelLikelihood { log_probabilities })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_systems::{VOCABULARY, model};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn answers_of_which_none_begins_with_another_share_one(
            seed in 0u64..9,
            prompt in prop::collection::vec(0..VOCABULARY as u32, 1..6),
            answers in prop::collection::hash_set([0..VOCABULARY as u32, 0..VOCABULARY as u32], 1..9),
        ) {
            let model = model(seed);
            let prompt = Prompt::read(&model, &prompt).unwrap();
            let answers: Vec<[u32; 2]> = answers.into_iter().collect();
            let likelihood = prompt.label_likelihood(&answers).unwrap();
            prop_assert!(likelihood.coverage() <= 1.0 + 1e-6);
            let probabilities = likelihood.probabilities();
            prop_assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let best = likelihood.best();
            prop_assert!(probabilities.iter().all(|probability| *probability <= probabilities[best]));
        }
    }

    #[test]
    fn all_pairs_of_tokens_cover_everything() {
        let model = model(2);
        let prompt = Prompt::read(&model, &[4, 2]).unwrap();
        let tokens = 0..VOCABULARY as u32;
        let pairs: Vec<[u32; 2]> = tokens
            .clone()
            .flat_map(|first| tokens.clone().map(move |second| [first, second]))
            .collect();
        assert!((prompt.label_likelihood(&pairs).unwrap().coverage() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn very_unlikely_answers_still_compare() {
        let likelihood = LabelLikelihood { log_probabilities: vec![-2000.0, -1999.0, -1999.0] };
        assert_eq!(likelihood.best(), 1);
        let share = 1.0 / (2.0 + (-1.0f64).exp());
        assert!((likelihood.probabilities()[1] - share).abs() < 1e-12);
    }

    #[test]
    fn nothing_has_no_likelihood() {
        let model = model(0);
        let prompt = Prompt::read(&model, &[1]).unwrap();
        assert!(matches!(
            prompt.label_likelihood::<[u32; 1]>(&[]),
            Err(AnswerError::Nothing { .. })
        ));
        assert!(matches!(
            prompt.label_likelihood(&[vec![1], vec![]]),
            Err(AnswerError::Nothing { .. })
        ));
        let long = vec![1; 13];
        assert!(matches!(prompt.label_likelihood(&[long]), Err(AnswerError::TooLong { .. })));
    }
}
