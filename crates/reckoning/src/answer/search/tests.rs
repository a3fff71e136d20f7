//! Beam search against greedy search and against trying everything.

use burn::backend::Flex;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::model::{Gpt2, ModelConfig};

const END: u32 = 0;

/// A model of `vocabulary` tokens whose next-token distributions are far from even.
fn peaked(vocabulary: usize, seed: u64) -> Gpt2<Flex> {
    let config = ModelConfig {
        vocabulary,
        context: 8,
        width: 8,
        heads: 2,
        layers: 1,
        ..ModelConfig::default()
    };
    let mut model =
        Gpt2::<Flex>::new(&config, &mut ChaCha8Rng::seed_from_u64(seed), &Default::default());
    let head = model.head.as_mut().unwrap();
    head.weight = head.weight.clone().map(|weight| weight * 12.0);
    model
}

/// Every continuation within the limit, by trying all of them.
fn all_continuations(prompt: &Prompt<'_, Flex>, limit: usize) -> Vec<Generated> {
    let mut all = Vec::new();
    for (token, &next) in prompt.next().iter().enumerate() {
        let token = token as u32;
        if token == END || limit == 1 {
            let tokens = if token == END { vec![] } else { vec![token] };
            all.push(Generated { tokens, log_probability: next, finished: token == END });
            continue;
        }
        for rest in all_continuations(&prompt.then(&[token]).unwrap(), limit - 1) {
            let tokens = [vec![token], rest.tokens].concat();
            all.push(Generated { tokens, log_probability: next + rest.log_probability, ..rest });
        }
    }
    all
}

fn best_of_all(prompt: &Prompt<'_, Flex>, search: &BeamSearch, limit: usize) -> Generated {
    let mut all = all_continuations(prompt, limit);
    search.keep_best(&mut all);
    all.swap_remove(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn one_beam_is_greedy(seed in 0u64..1000, tokens in 1usize..6, first in 0u32..9) {
        let model = peaked(9, seed);
        let prompt = Prompt::read(&model, &[first, 3]).unwrap();
        let limit = Limit { tokens, end: END };
        let search = BeamSearch { beams: 1, length_penalty: 0.0 };
        prop_assert_eq!(prompt.beam_search(search, limit).unwrap(), [prompt.greedy(limit).unwrap()]);
    }

    #[test]
    fn enough_beams_find_the_best_of_all(seed in 0u64..1000, length_penalty in prop_oneof![Just(0.0), 0.0..2.0f64]) {
        let model = peaked(4, seed);
        let prompt = Prompt::read(&model, &[1]).unwrap();
        let search = BeamSearch { beams: 64, length_penalty };
        let found = prompt.beam_search(search, Limit { tokens: 3, end: END }).unwrap();
        let expected = best_of_all(&prompt, &search, 3);
        prop_assert_eq!(&found[0].tokens, &expected.tokens);
        prop_assert!((found[0].log_probability - expected.log_probability).abs() < 1e-5);
        prop_assert_eq!(found.len(), all_continuations(&prompt, 3).len());
    }

    #[test]
    fn sums_are_the_probabilities_of_the_tokens(seed in 0u64..1000) {
        let model = peaked(5, seed);
        let prompt = Prompt::read(&model, &[1, 2]).unwrap();
        for found in prompt.beam_search(BeamSearch::default(), Limit { tokens: 4, end: END }).unwrap() {
            let mut tokens = found.tokens.clone();
            tokens.extend(found.finished.then_some(END));
            let expected = prompt.log_probability(&tokens).unwrap();
            prop_assert!((found.log_probability - expected).abs() < 1e-4);
        }
    }
}

#[test]
fn few_beams_find_what_greedy_misses() {
    let search = BeamSearch { beams: 3, length_penalty: 0.0 };
    let limit = Limit { tokens: 3, end: END };
    let (mut misses, mut mended) = (0, 0);
    for seed in 0..60 {
        let model = peaked(5, seed);
        let prompt = Prompt::read(&model, &[1]).unwrap();
        let best = best_of_all(&prompt, &search, 3);
        let greedy = prompt.greedy(limit).unwrap();
        let found = prompt.beam_search(search, limit).unwrap();
        assert!(found.is_sorted_by(|a, b| a.log_probability >= b.log_probability));
        if greedy.tokens != best.tokens {
            misses += 1;
            mended += usize::from(found[0].tokens == best.tokens);
        }
    }
    assert!(misses > 5 && mended > misses / 2, "{mended} of {misses}");
}

#[test]
fn settings_are_checked() {
    let model = peaked(5, 0);
    let prompt = Prompt::read(&model, &[1; 6]).unwrap();
    let limit = |tokens| Limit { tokens, end: END };
    assert!(matches!(prompt.greedy(limit(0)), Err(AnswerError::Nothing { .. })));
    assert!(prompt.greedy(limit(3)).is_ok());
    assert!(matches!(
        prompt.greedy(limit(4)),
        Err(AnswerError::TooLong { read: 6, more: 3, context: 8 })
    ));
    let search =
        |beams, length_penalty| prompt.beam_search(BeamSearch { beams, length_penalty }, limit(2));
    assert!(matches!(search(0, 0.0), Err(AnswerError::Nothing { .. })));
    assert!(matches!(search(1, -1.0), Err(AnswerError::LengthPenalty(_))));
    assert!(matches!(search(1, f64::NAN), Err(AnswerError::LengthPenalty(_))));
}
