//! Systems come back bit for bit, or with an error that names the file at fault.

use burn::backend::Flex;
use burn::tensor::TensorData;
use tempfile::TempDir;

use super::*;
use crate::test_systems::{VOCABULARY, config, model, rates};
use crate::tokenizer::WordTokenizer;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    steps: usize,
    scope: crate::InnerScope,
    note: Option<String>,
}

type System = TrainedSystem<Flex, Settings>;

fn system() -> System {
    let words: Vec<String> = (0..VOCABULARY - 2).map(|word| format!("w{word}")).collect();
    System {
        config: config(),
        model: model(0),
        rates: rates(&model(0)),
        tokenizer: WordTokenizer::from_words(words).unwrap().into(),
        settings: Settings { steps: 2, scope: crate::InnerScope::LastLayers(1), note: None },
    }
}

fn saved() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    system().save(folder.path()).unwrap();
    folder
}

fn load(folder: &Path) -> Result<System, TrainedSystemError> {
    System::load(folder, &Default::default())
}

#[test]
fn a_system_comes_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("new/folder");
    let original = system();
    let fingerprint = original.save(&inside).unwrap();
    let loaded = load(&inside).unwrap();
    assert_eq!(loaded.fingerprint(), fingerprint);
    assert_eq!(
        named_tensors::parameters(&loaded.model),
        named_tensors::parameters(&original.model)
    );
    assert_eq!(
        named_tensors::parameters(&loaded.rates),
        named_tensors::parameters(&original.rates)
    );
    assert_eq!((loaded.config, loaded.settings), (original.config, original.settings));
    let encode = |tokenizer: &StoredTokenizer| tokenizer.tokenizer().encode("w3 w1").unwrap();
    assert_eq!(encode(&loaded.tokenizer), encode(&original.tokenizer));
}

#[test]
fn a_system_without_inner_loop_has_rates_for_no_step() {
    let folder = tempfile::tempdir().unwrap();
    for tensors in
        [Vec::new(), vec![Param::from_tensor(Tensor::zeros([0, 1], &Default::default()))]]
    {
        let shapes = |rates: &Rates<Flex>| {
            rates.tensors.iter().map(|rates| rates.dims()).collect::<Vec<_>>()
        };
        let system = System { rates: Rates { tensors }, ..system() };
        system.save(folder.path()).unwrap();
        assert_eq!(shapes(&load(folder.path()).unwrap().rates), shapes(&system.rates));
    }
}

#[test]
fn rates_without_any_value_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = vec![Param::from_tensor(Tensor::zeros([2, 0], &Default::default()))];
    System { rates: Rates { tensors }, ..system() }.save(folder.path()).unwrap();
    let refused = load(folder.path()).unwrap_err().to_string();
    assert!(refused.contains(RATES) && refused.contains("stored as [2, 0]"), "{refused}");
}

#[test]
fn a_pretrained_tokenizer_is_copied_as_it_is() {
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/gpt2_tiny/tokenizer.json");
    let config = ModelConfig { vocabulary: 50, ..config() };
    let system = System {
        model: Gpt2::skeleton(&config, &Default::default()),
        config,
        tokenizer: StoredTokenizer::load(&fixture).unwrap(),
        ..system()
    };
    let folder = tempfile::tempdir().unwrap();
    system.save(folder.path()).unwrap();
    assert_eq!(
        std::fs::read(folder.path().join(TOKENIZER)).unwrap(),
        std::fs::read(fixture).unwrap()
    );
    assert_eq!(load(folder.path()).unwrap().tokenizer.tokenizer().vocabulary_size(), 50);
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other = System { config: ModelConfig { layers: 1, ..config() }, ..system() };
    assert!(matches!(other.save(folder.path()), Err(TrainedSystemError::OtherShape)));
    let words = (0..VOCABULARY).map(|word| format!("w{word}")).collect::<Vec<_>>();
    let more = System { tokenizer: WordTokenizer::from_words(words).unwrap().into(), ..system() };
    let error = more.save(folder.path()).unwrap_err();
    assert!(
        matches!(error, TrainedSystemError::OtherTokenizer { tokens: 13, vocabulary: 11 }),
        "{error}"
    );
}

#[test]
fn files_of_different_times_are_refused() {
    let folder = saved();
    let other = tempfile::tempdir().unwrap();
    System { model: model(1), ..system() }.save(other.path()).unwrap();
    std::fs::copy(other.path().join(MODEL), folder.path().join(MODEL)).unwrap();
    let error = load(folder.path()).unwrap_err();
    assert!(
        matches!(&error, TrainedSystemError::Damaged { stated, .. } if *stated == system().fingerprint()),
        "{error}"
    );
}

#[test]
fn tokenizer_and_settings_are_part_of_the_system() {
    let original = system().fingerprint();
    assert_eq!(system().fingerprint(), original);
    let words = (0..VOCABULARY - 2).map(|word| format!("v{word}"));
    let tokenizer = WordTokenizer::from_words(words).unwrap().into();
    assert_ne!(System { tokenizer, ..system() }.fingerprint(), original);
    let settings = Settings { steps: 3, ..system().settings };
    assert_ne!(System { settings, ..system() }.fingerprint(), original);
    let config = ModelConfig { norm_epsilon: 1e-6, ..config() };
    assert_ne!(System { config, ..system() }.fingerprint(), original);

    let folder = saved();
    let words = (0..VOCABULARY - 2).map(|word| format!("v{word}"));
    WordTokenizer::from_words(words).unwrap().save(folder.path().join(TOKENIZER)).unwrap();
    let error = load(folder.path()).unwrap_err();
    assert!(matches!(error, TrainedSystemError::Damaged { .. }), "{error}");
}

#[test]
fn the_first_format_is_read_by_its_own_fingerprint() {
    let folder = saved();
    let path = folder.path().join(DESCRIPTION);
    let text = std::fs::read_to_string(&path).unwrap();
    let weights = of_parameters(&system().model, &system().rates).to_string();
    let first = text
        .replace("format = 2", "format = 1")
        .replace(&system().fingerprint().to_string(), &weights);
    std::fs::write(&path, first).unwrap();
    assert_eq!(load(folder.path()).unwrap().fingerprint(), system().fingerprint());
}

#[test]
fn every_missing_or_cut_file_is_named() {
    for name in [DESCRIPTION, MODEL, RATES, TOKENIZER] {
        let folder = saved();
        let path = folder.path().join(name);
        let content = std::fs::read(&path).unwrap();
        std::fs::write(&path, &content[..content.len() / 2]).unwrap();
        let cut = load(folder.path()).unwrap_err().to_string();
        assert!(cut.contains(name), "{cut}");
        std::fs::remove_file(&path).unwrap();
        let missing = load(folder.path()).unwrap_err().to_string();
        assert!(missing.contains(name) && missing.contains("cannot access"), "{missing}");
    }
}

#[test]
fn descriptions_are_checked() {
    let folder = saved();
    let path = folder.path().join(DESCRIPTION);
    let text = std::fs::read_to_string(&path).unwrap();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        load(folder.path()).unwrap_err()
    };
    assert!(matches!(
        with("format = 2", "format = 3"),
        TrainedSystemError::Version { found: 3, .. }
    ));
    for (from, to, named) in [
        ("heads = 2", "heads = 3", "model.heads"),
        ("heads = 2", "haeds = 2", "haeds"),
        ("layers = 2", "layers = 1000000000", "model.layers is 1000000000"),
        ("width = 8", "width = 1000000", "model.width = 1000000"),
        ("steps = 2", "steps = -1", "steps"),
    ] {
        let error = with(from, to);
        assert!(matches!(error, TrainedSystemError::Description { .. }), "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
    let narrower = with("width = 8", "width = 4");
    assert!(
        matches!(
            narrower,
            TrainedSystemError::Parameters(ParameterFileError::Content {
                cause: inner_outer::Error::ShapeMismatch { .. },
                ..
            })
        ),
        "{narrower}"
    );
}

#[test]
fn rates_must_be_numbered_matrices() {
    let folder = saved();
    let write = |parameters: &[(String, TensorData)]| {
        std::fs::write(folder.path().join(RATES), named_tensors::write(parameters).unwrap())
            .unwrap();
        load(folder.path()).unwrap_err()
    };
    let error = write(&[("tensors.1".into(), TensorData::from([[0.1f32]]))]);
    assert!(error.to_string().contains("`tensors.0` is missing"), "{error}");
    let error = write(&[("tensors.0".into(), TensorData::from([0.1f32, 0.2]))]);
    assert!(error.to_string().contains("`tensors.0` is stored as [2]"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let occupied = folder.path().join("occupied");
    std::fs::write(&occupied, "a file").unwrap();
    assert!(matches!(system().save(&occupied), Err(TrainedSystemError::Access { .. })));
}
