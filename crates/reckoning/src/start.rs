//! What training starts from: a system of our own, or a GPT-2 as Hugging Face saves it.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use burn::tensor::backend::Backend;

use crate::config::SystemSettings;
use crate::history::TrainedFile;
use crate::model::hugging_face::{self, HuggingFaceError};
use crate::model::{Gpt2, ModelConfig};
use crate::tokenizer::TokenizerError;
use crate::trained::{self, StoredTokenizer, TrainedSystem, TrainedSystemError};

/// A folder that training cannot start from. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no such folder.
    #[error("start_from: there is no folder {}; check the path", .0.display())]
    Absent(PathBuf),
    /// The folder holds neither kind of model.
    #[error(
        "start_from: {} holds neither {} nor {}; name the folder of a trained system, such as RUN/system, or one of a GPT-2 with config.json, \
         model.safetensors and tokenizer.json",
        .0.display(), trained::DESCRIPTION, hugging_face::CONFIG
    )]
    Neither(PathBuf),
    /// The trained system cannot be read.
    #[error("start_from: {0}")]
    Trained(#[from] TrainedSystemError),
    /// The GPT-2 cannot be read.
    #[error("start_from: {0}")]
    HuggingFace(#[from] HuggingFaceError),
    /// The GPT-2's tokenizer cannot be read.
    #[error("start_from: {0}")]
    Tokenizer(#[from] TokenizerError),
    /// The tokenizer has tokens that the model has no embedding for.
    #[error(
        "start_from: the tokenizer in {} has {tokens} tokens, but the model only {vocabulary}; use the tokenizer.json that the model was \
         trained with",
        folder.display()
    )]
    OtherTokenizer {
        /// The folder.
        folder: PathBuf,
        /// Tokens of the tokenizer.
        tokens: usize,
        /// Tokens of the model.
        vocabulary: usize,
    },
}

/// A model to start from.
pub struct Start<B: Backend> {
    /// The shape of the model.
    pub config: ModelConfig,
    /// The model.
    pub model: Gpt2<B>,
    /// Its tokenizer.
    pub tokenizer: StoredTokenizer,
    /// Files that it was trained on by this program; `None` if it does not tell.
    pub trained_on: Option<Vec<TrainedFile>>,
    /// Whether it was trained on sets of a generator by this program.
    pub generated: bool,
}

impl<B: Backend> Start<B> {
    /// Reads the folder of a trained system (it has a `reckoning.toml`) or of a GPT-2 (it has a `config.json`).
    ///
    /// # Errors
    /// [`StartError`], named for what is missing or wrong.
    pub fn load(folder: &Path, device: &Device<B>) -> Result<Self, StartError> {
        if !folder.is_dir() {
            return Err(StartError::Absent(folder.to_owned()));
        }
        if folder.join(trained::DESCRIPTION).exists() {
            let TrainedSystem { config, model, tokenizer, settings, .. } =
                TrainedSystem::<B, SystemSettings>::load(folder, device)?;
            let generated = settings.is_trained_on_generated();
            let trained_on = settings.trained_on;
            return Ok(Self { config, model, tokenizer, trained_on, generated });
        }
        if !folder.join(hugging_face::CONFIG).exists() {
            return Err(StartError::Neither(folder.to_owned()));
        }
        let (model, config) = hugging_face::load(folder, device)?;
        let tokenizer = StoredTokenizer::load(&folder.join(trained::TOKENIZER))?;
        let (tokens, vocabulary) = (tokenizer.tokenizer().vocabulary_size(), config.vocabulary);
        if tokens > vocabulary {
            let folder = folder.to_owned();
            return Err(StartError::OtherTokenizer { folder, tokens, vocabulary });
        }
        Ok(Self { config, model, tokenizer, trained_on: Some(Vec::new()), generated: false })
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::tokenizer::WordTokenizer;

    fn gpt2() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/gpt2_tiny")
    }

    /// A copy of the fixture's files but for `without`.
    fn copy(without: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            if name != without {
                std::fs::copy(gpt2().join(name), folder.path().join(name)).unwrap();
            }
        }
        folder
    }

    fn load(folder: &Path) -> Result<Start<Flex>, StartError> {
        Start::load(folder, &Default::default())
    }

    fn refusal(folder: &Path) -> StartError {
        load(folder).err().expect("refused")
    }

    #[test]
    fn a_gpt2_starts_with_its_tokenizer_and_no_history() {
        let start = load(&gpt2()).unwrap();
        assert_eq!((start.config.vocabulary, start.config.context), (50, 16));
        assert_eq!(start.tokenizer.tokenizer().vocabulary_size(), 50);
        assert_eq!((start.trained_on, start.generated), (Some(Vec::new()), false));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let nowhere = refusal(Path::new("no/such/folder"));
        assert!(matches!(&nowhere, StartError::Absent(path) if path.ends_with("folder")));
        let without_config = refusal(copy("config.json").path());
        assert!(matches!(without_config, StartError::Neither(_)));
        assert!(without_config.to_string().contains("neither reckoning.toml nor config.json"));
        let without_weights = refusal(copy("model.safetensors").path());
        assert!(matches!(without_weights, StartError::HuggingFace(_)));
        assert!(without_weights.to_string().contains("model.safetensors"), "{without_weights}");
        let without_tokenizer = refusal(copy("tokenizer.json").path());
        assert!(matches!(without_tokenizer, StartError::Tokenizer(_)));
        assert!(without_tokenizer.to_string().contains("tokenizer.json"), "{without_tokenizer}");

        let other = copy("tokenizer.json");
        let words = (0..60).map(|word| format!("w{word}"));
        let words = WordTokenizer::from_words(words).unwrap();
        words.save(other.path().join("tokenizer.json")).unwrap();
        let larger = refusal(other.path());
        assert!(
            matches!(larger, StartError::OtherTokenizer { tokens: 62, vocabulary: 50, .. }),
            "{larger}"
        );
        std::fs::write(other.path().join("reckoning.toml"), "format = 0").unwrap();
        assert!(matches!(refusal(other.path()), StartError::Trained(_)), "it is of our own kind");
    }
}
