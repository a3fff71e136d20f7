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
    fn prompts_searched_together_end_as_each_by_itself(
        seeds in (0u64..100, 0u64..100),
        prompts in prop::collection::vec((prop::collection::vec(0u32..5, 1..4), 1usize..5, prop::bool::ANY), 1..7),
        beams in 1usize..6,
    ) {
        let models = (peaked(5, seeds.0), peaked(5, seeds.1));
        let read = |(tokens, limit, second): &(Vec<u32>, usize, bool)| {
            let model = if *second { &models.1 } else { &models.0 };
            (Prompt::read(model, tokens).unwrap(), Limit { tokens: *limit, end: END })
        };
        let prompts: Vec<_> = prompts.iter().map(read).collect();
        let search = BeamSearch { beams, length_penalty: 0.0 };
        let asked: Vec<_> = prompts.iter().map(|(prompt, limit)| (prompt, *limit)).collect();
        let together = beam_search_all(&asked, search).unwrap();
        for ((prompt, limit), found) in asked.into_iter().zip(together) {
            let alone = prompt.beam_search(search, limit).unwrap();
            prop_assert_eq!(found.len(), alone.len());
            for (found, alone) in found.iter().zip(&alone) {
                prop_assert_eq!((&found.tokens, found.finished), (&alone.tokens, alone.finished));
                prop_assert!((found.log_probability - alone.log_probability).abs() < 1e-5);
            }
        }
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

/// The paths of a search without batches: each continuation is read by itself.
fn read_one_by_one(prompt: &Prompt<'_, Flex>, beams: usize, limit: usize) -> Vec<Generated> {
    let mut live =
        vec![(prompt.clone(), Generated { tokens: vec![], log_probability: 0.0, finished: false })];
    let mut ended = Vec::new();
    let search = BeamSearch { beams, length_penalty: 0.0 };
    for length in 1..=limit {
        let mut longer: Vec<(Prompt<'_, Flex>, Generated)> = Vec::new();
        for (prompt, path) in &live {
            for (token, next) in prompt.next().iter().enumerate() {
                let mut tokens = path.tokens.clone();
                tokens.extend((token as u32 != END).then_some(token as u32));
                let log_probability = path.log_probability + next;
                let path = Generated { tokens, log_probability, finished: token as u32 == END };
                longer.push((prompt.clone(), path));
            }
        }
        longer.sort_by(|a, b| b.1.log_probability.total_cmp(&a.1.log_probability));
        let finished = longer.iter().take(beams).filter(|(_, path)| path.finished);
        ended.extend(finished.map(|(_, path)| path.clone()));
        let going_on = longer.into_iter().take(2 * beams).filter(|(_, path)| !path.finished);
        live = going_on
            .take(beams)
            .map(|(prompt, path)| {
                (prompt.then(&path.tokens[path.tokens.len() - 1..]).unwrap(), path)
            })
            .collect();
        if length == limit {
            ended.extend(live.iter().map(|(_, path)| path.clone()));
        }
    }
    search.keep_best(&mut ended);
    ended
}

#[test]
fn a_batch_finds_what_reading_one_by_one_finds() {
    for seed in 0..40 {
        let model = peaked(5, seed);
        let prompt = Prompt::read(&model, &[1, 2]).unwrap();
        let expected = read_one_by_one(&prompt, 3, 4);
        let search = BeamSearch { beams: 3, length_penalty: 0.0 };
        let found = prompt.beam_search(search, Limit { tokens: 4, end: END }).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.tokens, expected.tokens, "seed {seed}");
            assert!((found.log_probability - expected.log_probability).abs() < 1e-5);
        }
    }
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
