//! Against the fixture that Transformers made, and against every way a file can be wrong.

use burn::backend::Flex;
use burn::tensor::{DType, Int, Tensor};
use inner_outer::Error as Misfit;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use safetensors::SafeTensors;
use tempfile::TempDir;

use super::*;
use crate::model::LoraConfig;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/gpt2_tiny")
}

/// The fixture's tensors by name.
fn stored(path: &Path) -> Vec<(String, TensorData)> {
    let mut file = ParameterFile::open(path).unwrap();
    let names: Vec<String> = file.names().map(String::from).collect();
    let take = |name: String| {
        let shape = file.shape(&name).unwrap().to_vec();
        let data = file.take(&name, &shape).unwrap();
        (name, data)
    };
    names.into_iter().map(take).collect()
}

/// A folder with the fixture's configuration and the given tensors.
fn folder(parameters: &[(String, TensorData)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixture().join(CONFIG), folder.path().join(CONFIG)).unwrap();
    std::fs::write(folder.path().join(WEIGHTS), named_tensors::write(parameters).unwrap()).unwrap();
    folder
}

fn set_in_config(folder: &Path, name: &str, value: serde_json::Value) {
    let path = folder.join(CONFIG);
    let mut config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config[name] = value;
    std::fs::write(path, config.to_string()).unwrap();
}

fn load_here(folder: &Path) -> Result<Gpt2<Flex>, HuggingFaceError> {
    load(folder, &Default::default()).map(|(model, _)| model)
}

fn scores(model: &Gpt2<Flex>, tokens: Tensor<Flex, 2, Int>) -> Vec<f64> {
    model.logits(model.hidden(tokens)).into_data().convert::<f64>().to_vec().unwrap()
}

/// What is wrong with the content of the weights.
fn misfit(error: &HuggingFaceError) -> Option<&Misfit> {
    match error {
        HuggingFaceError::Weights(ParameterFileError::Content { cause, .. }) => Some(cause),
        _ => None,
    }
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Tokens `[3, 10]` and the logits that Transformers computes for them in double precision.
fn reference() -> (Tensor<Flex, 2, Int>, Vec<f64>) {
    let content = std::fs::read(fixture().join("logits.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&content).unwrap();
    let data = |name: &str, precision| {
        let view = file.tensor(name).unwrap();
        TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), precision)
    };
    let tokens = Tensor::from_data(data("input_ids", DType::I64), &Default::default());
    (tokens, data("logits_float64", DType::F64).to_vec().unwrap())
}

#[test]
fn logits_equal_those_of_transformers() {
    let (model, config) = load::<Flex>(&fixture(), &Default::default()).unwrap();
    assert!(config.tied_head && config.context == 16 && config.heads == 2);
    let (tokens, expected) = reference();
    let difference = largest_difference(&scores(&model, tokens), &expected);
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn saving_gives_the_same_tensors_back_bit_for_bit() {
    let (model, config) = load::<Flex>(&fixture(), &Default::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("new");
    save(&model, &config, &inside).unwrap();
    assert_eq!(stored(&inside.join(WEIGHTS)), stored(&fixture().join(WEIGHTS)));
    let (_, again) = load::<Flex>(&inside, &Default::default()).unwrap();
    assert_eq!(again, config);
}

#[test]
fn an_untied_head_and_adapters_survive() {
    let lora = Some(LoraConfig { rank: 2, alpha: 4.0 });
    let base =
        ModelConfig { vocabulary: 50, context: 16, width: 8, heads: 2, ..ModelConfig::default() };
    for config in [base.clone(), ModelConfig { lora, ..base }] {
        let model =
            Gpt2::<Flex>::new(&config, &mut ChaCha8Rng::seed_from_u64(1), &Default::default());
        let folder = tempfile::tempdir().unwrap();
        save(&model, &config, folder.path()).unwrap();
        let (again, loaded) = load::<Flex>(folder.path(), &Default::default()).unwrap();
        assert!(!loaded.tied_head && loaded.lora.is_none());
        let tokens = reference().0;
        assert_eq!(scores(&again, tokens.clone()), scores(&model, tokens));
    }
}

#[test]
fn names_may_lack_the_prefix_and_masks_are_ignored() {
    let mut parameters = stored(&fixture().join(WEIGHTS));
    for (name, _) in &mut parameters {
        *name = name.trim_start_matches("transformer.").to_owned();
    }
    parameters.push(("h.0.attn.bias".into(), TensorData::from([[1.0f32]])));
    parameters.push(("h.1.attn.masked_bias".into(), TensorData::from([1.0f32])));
    let model = load_here(folder(&parameters).path()).unwrap();
    let (tokens, expected) = reference();
    assert!(largest_difference(&scores(&model, tokens), &expected) < 1e-5);
}

#[test]
fn every_precision_is_read() {
    for precision in [DType::F64, DType::F32, DType::F16, DType::BF16] {
        let mut rounded = stored(&fixture().join(WEIGHTS));
        rounded.iter_mut().for_each(|(_, data)| *data = data.clone().convert_dtype(precision));
        let model = load_here(folder(&rounded).path()).unwrap();
        rounded.iter_mut().for_each(|(_, data)| *data = data.clone().convert_dtype(DType::F32));
        let expected = load_here(folder(&rounded).path()).unwrap();
        assert_eq!(parameters(&model), parameters(&expected), "{precision:?}");
        assert_eq!(model.token_embedding.weight.dtype(), DType::F32);
    }
}

#[test]
fn a_head_must_agree_with_the_configuration() {
    let mut parameters = stored(&fixture().join(WEIGHTS));
    let embedding =
        parameters.iter().find(|(name, _)| name == "transformer.wte.weight").unwrap().1.clone();
    parameters.push((names::HEAD.into(), embedding));
    let copied = folder(&parameters);
    for stated in [serde_json::Value::Null, true.into()] {
        set_in_config(copied.path(), "tie_word_embeddings", stated);
        assert!(load_here(copied.path()).unwrap().head.is_none());
    }

    parameters.last_mut().unwrap().1 = TensorData::zeros::<f32, _>([50, 16]);
    let other = folder(&parameters);
    set_in_config(other.path(), "tie_word_embeddings", true.into());
    assert!(matches!(load_here(other.path()), Err(HuggingFaceError::UntiedHead { .. })));
    set_in_config(other.path(), "tie_word_embeddings", false.into());
    assert!(load_here(other.path()).unwrap().head.is_some());

    parameters.pop();
    let absent = folder(&parameters);
    set_in_config(absent.path(), "tie_word_embeddings", false.into());
    let error = load_here(absent.path()).unwrap_err();
    assert!(error.to_string().contains("`lm_head.weight` is missing"), "{error}");
}

#[test]
fn missing_unknown_and_misshapen_tensors_are_named() {
    let whole = stored(&fixture().join(WEIGHTS));
    let without = load_here(folder(&whole[1..]).path()).unwrap_err();
    assert!(
        matches!(misfit(&without), Some(Misfit::ParameterNames { path, .. }) if *path == whole[0].0)
    );

    let mut more = whole.clone();
    more.push(("transformer.h.2.ln_1.weight".into(), TensorData::from([0.0f32; 16])));
    let error = load_here(folder(&more).path()).unwrap_err();
    assert!(error.to_string().contains("h.2.ln_1.weight"), "{error}");
    assert!(matches!(misfit(&error), Some(Misfit::ParameterNames { .. })));

    let wider = folder(&whole);
    set_in_config(wider.path(), "vocab_size", 51.into());
    let error = load_here(wider.path()).unwrap_err();
    assert!(
        error.to_string().contains("`transformer.wte.weight` is stored as [50, 16]"),
        "{error}"
    );
}

#[test]
fn damaged_and_absent_files_are_errors() {
    let whole = stored(&fixture().join(WEIGHTS));
    let damaged = folder(&whole);
    let weights = damaged.path().join(WEIGHTS);
    let content = std::fs::read(&weights).unwrap();
    for length in [0, 4, 100, content.len() / 2, content.len() - 1] {
        std::fs::write(&weights, &content[..length]).unwrap();
        let error = load_here(damaged.path()).unwrap_err();
        assert!(
            matches!(misfit(&error), Some(Misfit::State { action: "read", .. })),
            "{length}: {error}"
        );
    }
    std::fs::remove_file(&weights).unwrap();
    let error = load_here(damaged.path()).unwrap_err();
    assert!(matches!(error, HuggingFaceError::Weights(ParameterFileError::Access { .. })));
    set_in_config(damaged.path(), "activation_function", "gelu".into());
    let error = load_here(damaged.path()).unwrap_err();
    assert!(
        error.to_string().contains("gelu_new") && matches!(error, HuggingFaceError::Config { .. })
    );
    std::fs::remove_file(damaged.path().join(CONFIG)).unwrap();
    assert!(matches!(load_here(damaged.path()), Err(HuggingFaceError::Access { .. })));
}

#[test]
fn saving_refuses_what_it_cannot_write() {
    let (model, config) = load::<Flex>(&fixture(), &Default::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let other = ModelConfig { heads: 4, ..config.clone() };
    assert!(matches!(save(&model, &other, folder.path()), Err(HuggingFaceError::OtherShape)));
    let occupied = folder.path().join("occupied");
    std::fs::write(&occupied, "a file").unwrap();
    assert!(matches!(save(&model, &config, &occupied), Err(HuggingFaceError::Access { .. })));
}
