//! Memories come back bit for bit, and only for the system that made them.

use burn::backend::Flex;
use burn::tensor::TensorData;
use inner_outer::named_tensors::{parameters, write};
use inner_outer::{InnerLoop, RateScope, Sgd};
use proptest::prelude::*;
use safetensors::SafeTensors;
use tempfile::TempDir;

use super::*;
use crate::InnerScope;
use crate::fingerprint::of_parameters;
use crate::task::{Rows, Sequence};
use crate::test_systems::{STEPS, VOCABULARY, config, model, rates};

fn facts(tokens: &[[u32; 4]]) -> (Vec<Fact>, Task<Flex>) {
    let rows: Vec<Sequence> = tokens
        .iter()
        .map(|tokens| Sequence { tokens: tokens.to_vec(), weights: vec![0.0, 0.3, 0.3, 0.3] })
        .collect();
    let rows = Rows::new(&rows, 0, &Default::default());
    let texts = tokens.iter().map(|tokens| Fact::from(format!("{tokens:?}, \"é\""))).collect();
    (texts, Task::of_one(Some(rows.clone()), rows))
}

/// Some facts, written into a model.
struct Encoded {
    base: Gpt2<Flex>,
    fingerprint: Fingerprint,
    adapted: Gpt2<Flex>,
    memory: Memory,
}

fn problem(scope: InnerScope) -> Reckoning {
    Reckoning { scope, layers: 2, retention: 0.0 }
}

fn encoded(scope: InnerScope, seed: u64, tokens: &[[u32; 4]]) -> Encoded {
    let base = model(seed);
    let problem = problem(scope);
    let inner_loop = InnerLoop { optimizer: Sgd, steps: STEPS };
    let (facts, task) = facts(tokens);
    let rates = inner_loop.rates(&problem, RateScope::PerTensorPerStep, 0.1, &base, &task).unwrap();
    let adapted = inner_loop.adapt(&problem, &base, &rates, &task).unwrap();
    let fingerprint = of_parameters(&base, &rates);
    let memory = Memory::encode(&problem, fingerprint, &facts, &task, &adapted).unwrap();
    Encoded { base, fingerprint, adapted: adapted.inner, memory }
}

fn saved(memory: &Memory) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("facts.safetensors");
    memory.save(&path).unwrap();
    (folder, path)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_memory_gives_the_adapted_model_back_bit_for_bit(
        scope in prop_oneof![
            Just(InnerScope::All), Just(InnerScope::Lora), Just(InnerScope::LastLayers(1)),
        ],
        seed in 0u64..100,
        tokens in prop::collection::vec(prop::array::uniform4(0..VOCABULARY as u32), 1..4),
    ) {
        let Encoded { base, fingerprint, adapted, memory } = encoded(scope, seed, &tokens);
        let (_folder, path) = saved(&memory);
        let loaded = Memory::load(&path, &fingerprint).unwrap();
        prop_assert_eq!(&loaded, &memory);
        prop_assert_eq!(parameters(&loaded.apply(base, &problem(scope).adapted()).unwrap()), parameters(&adapted));
    }
}

#[test]
fn losses_are_those_before_and_after_each_step() {
    let encoded = encoded(InnerScope::All, 0, &[[1, 2, 3, 4], [5, 6, 7, 8]]);
    let memory = encoded.memory;
    assert_eq!((memory.inner_steps(), memory.losses().len()), (STEPS, STEPS + 1));
    assert!(memory.losses().is_sorted_by(|before, after| before > after), "{:?}", memory.losses());
    assert_eq!(memory.facts()[1], "[5, 6, 7, 8], \"é\"");
    assert_eq!(memory.base(), &encoded.fingerprint);
}

#[test]
fn only_adapted_parameters_are_stored() {
    let memory = encoded(InnerScope::Lora, 0, &[[1, 2, 3, 4]]).memory;
    let file = SafeTensors::deserialize(&memory.parameters).unwrap();
    assert_eq!(file.len(), 2 * 4 * 2);
    assert!(file.names().iter().all(|name| name.contains(".lora.")));
}

#[test]
fn another_system_is_refused() {
    let memory = encoded(InnerScope::All, 0, &[[1, 2, 3, 4]]).memory;
    let (_folder, path) = saved(&memory);
    let other = of_parameters(&model(1), &rates(&model(1)));
    let error = Memory::load(&path, &other).unwrap_err();
    assert!(matches!(error, MemoryError::AnotherBase { .. }));
    let message = error.to_string();
    for part in [memory.base().to_string(), other.to_string(), "encode the facts again".into()] {
        assert!(message.contains(&part), "{message}");
    }
    assert_eq!(Memory::inspect(&path).unwrap(), memory);
}

#[test]
fn a_model_of_another_shape_is_refused() {
    let memory = encoded(InnerScope::All, 0, &[[1, 2, 3, 4]]).memory;
    let config = crate::model::ModelConfig { layers: 1, ..config() };
    let smaller = Gpt2::<Flex>::skeleton(&config, &Default::default());
    let error = memory.apply(smaller, &problem(InnerScope::All).adapted()).unwrap_err();
    assert!(matches!(error, MemoryError::OtherModel(_)), "{error}");
}

#[test]
fn a_change_or_an_end_at_every_37th_byte_is_noticed() {
    let encoded = encoded(InnerScope::LastLayers(1), 0, &[[1, 2, 3, 4]]);
    let (_folder, path) = saved(&encoded.memory);
    let content = std::fs::read(&path).unwrap();
    let load = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        Memory::load(&path, &encoded.fingerprint)
    };
    for place in (0..content.len()).step_by(37) {
        let mut changed = content.clone();
        changed[place] ^= 1;
        // Blanks that fill up the header carry nothing, so a change there may be harmless, but never a wrong memory.
        match load(&changed) {
            Ok(memory) => assert_eq!(memory, encoded.memory),
            Err(error) => assert!(matches!(error, MemoryError::Damaged { .. }), "{place}: {error}"),
        }
        assert!(matches!(load(&content[..place]), Err(MemoryError::Damaged { .. })), "{place}");
    }
}

#[test]
fn what_is_no_memory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let fingerprint = Fingerprint::of_parts(&[]);
    assert!(matches!(Memory::load(&path, &fingerprint), Err(MemoryError::Access { .. })));
    let parameter = [("a".to_owned(), TensorData::from([1.0f32]))];
    std::fs::write(&path, write(&parameter).unwrap()).unwrap();
    let error = Memory::load(&path, &fingerprint).unwrap_err();
    assert!(error.to_string().contains("no memory"), "{error}");
}

#[test]
fn another_version_is_refused() {
    let mut memory = encoded(InnerScope::Lora, 0, &[[1, 2, 3, 4]]).memory;
    memory.description.version = VERSION + 1;
    let (_folder, path) = saved(&memory);
    let error = Memory::load(&path, memory.base()).unwrap_err();
    assert!(matches!(error, MemoryError::Version { found, .. } if found == VERSION + 1), "{error}");
}

#[test]
fn nothing_and_nonsense_are_not_remembered() {
    let problem = Reckoning { scope: InnerScope::Lora, layers: 2, retention: 0.0 };
    let inner_loop = InnerLoop { optimizer: Sgd, steps: STEPS };
    let (texts, task) = facts(&[[1, 2, 3, 4]]);
    let base = model(0);
    let rates = inner_loop.rates(&problem, RateScope::Global, 0.1, &base, &task).unwrap();
    let mut adapted = inner_loop.adapt(&problem, &base, &rates, &task).unwrap();
    let fingerprint = of_parameters(&base, &rates);
    let without = Task::of_one(None, task.questions.clone());
    let error = Memory::encode(&problem, fingerprint, &texts, &without, &adapted).unwrap_err();
    assert!(matches!(error, MemoryError::NoFacts));
    adapted.inner_losses[1] = f64::NAN;
    let error = Memory::encode(&problem, fingerprint, &texts, &task, &adapted).unwrap_err();
    assert!(matches!(error, MemoryError::NotFinite { step: 1, .. }), "{error}");
}

#[test]
fn a_memory_without_a_folder_is_an_error() {
    let memory = encoded(InnerScope::Lora, 0, &[[1, 2, 3, 4]]).memory;
    let folder = tempfile::tempdir().unwrap();
    let error = memory.save(&folder.path().join("absent/memory")).unwrap_err();
    assert!(matches!(error, MemoryError::Access { .. }));
}
