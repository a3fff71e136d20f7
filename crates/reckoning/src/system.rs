//! A trained system at work: facts in, memory out; memory and question in, answer out.

use std::path::Path;

use burn::tensor::Device;
use burn::tensor::backend::Backend;
use inner_outer::Problem;

use crate::LearningError;
use crate::aliases::Aliases;
use crate::answer::{Answer, AnswerError, BeamSearch, Reader};
use crate::config::{Method, Recall, SystemSettings};
use crate::data::{Fact, KnowledgeSet, Question};
use crate::encoding::{Encoder, EncodingError};
use crate::fingerprint::Fingerprint;
use crate::memory::{Memory, MemoryError};
use crate::model::Gpt2;
use crate::tokenizer::{Tokenizer, TokenizerError};
use crate::trained::{TrainedSystem, TrainedSystemError};

/// Tokens of an answer at most; recall takes more.
const ANSWER_TOKENS: usize = 8;
const RECALL_TOKENS: usize = 128;

/// What can go wrong in using a system.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SystemError {
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] TrainedSystemError),
    /// A text cannot be encoded.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The memory cannot be used.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// No answer could be generated.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The inner loop failed.
    #[error("the facts cannot be encoded: {0}")]
    Encoding(#[from] LearningError),
    /// The memory is of another system.
    #[error(
        "the memory was encoded by the system {found}, not by {expected}; use that system, or encode the facts again"
    )]
    AnotherBase {
        /// Fingerprint of the system that encoded it.
        found: Fingerprint,
        /// Fingerprint of this system.
        expected: Fingerprint,
    },
    /// The system has no inner loop.
    #[error(
        "this system was trained without inner loop, so it has no memory; train one with method = \"reckoning\""
    )]
    NoInnerLoop,
    /// A fact or question cannot be encoded.
    #[error(transparent)]
    Text(#[from] EncodingError),
    /// A question without a word.
    #[error("the question has no words; ask something, such as `Alice ? Carol`")]
    EmptyQuestion,
    /// A letter that stands for somebody else inside the model.
    #[error("nobody in the facts is called `{name}`; ask about the names that they have")]
    Stranger {
        /// The letter.
        name: String,
    },
}

/// A trained system, ready for use.
pub struct System<B: Backend> {
    trained: TrainedSystem<B, SystemSettings>,
    fingerprint: Fingerprint,
    encoder: Encoder,
    device: Device<B>,
}

impl<B: Backend> System<B> {
    /// Loads a system from its folder.
    ///
    /// # Errors
    /// [`SystemError::Folder`] if the folder holds no system or a damaged one.
    pub fn load(folder: &Path, device: &Device<B>) -> Result<Self, SystemError> {
        Ok(Self::new(TrainedSystem::load(folder, device)?, device))
    }

    /// A system from its parts.
    pub fn new(trained: TrainedSystem<B, SystemSettings>, device: &Device<B>) -> Self {
        let SystemSettings { method, objective, .. } = trained.settings;
        let encoder =
            Encoder { tokenizer: trained.tokenizer.tokenizer().clone(), method, objective };
        Self { fingerprint: trained.fingerprint(), encoder, trained, device: device.clone() }
    }

    /// What memories of this system name it by.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Whether questions may have question marks: a closed vocabulary lacks them where all training questions did.
    pub fn knows_question_marks(&self) -> bool {
        match &self.encoder.tokenizer {
            Tokenizer::Word(words) => words.token("?").is_some(),
            Tokenizer::HuggingFace(_) => true,
        }
    }

    /// The parts.
    pub fn trained(&self) -> &TrainedSystem<B, SystemSettings> {
        &self.trained
    }

    /// Writes facts into a copy of the model by the inner loop.
    ///
    /// # Errors
    /// [`SystemError::NoInnerLoop`], no or too short or too long facts, unknown words, or an inner loss that is not finite.
    pub fn encode(&self, facts: &[String]) -> Result<Memory, SystemError> {
        if !self.trained.settings.method.has_inner_loop() {
            return Err(SystemError::NoInnerLoop);
        }
        let aliases = Aliases::of(facts, &self.encoder.tokenizer);
        let set = KnowledgeSet {
            id: "facts".into(),
            facts: facts.iter().map(|text| Fact { text: aliases.hide(text) }).collect(),
            questions: Vec::new(),
            entities: Vec::new(),
        };
        let TrainedSystem { config, model, rates, settings, .. } = &self.trained;
        let task = self.encoder.facts_alone(&set, config.context, &self.device)?;
        let stated: Vec<Fact> = facts.iter().map(|text| Fact { text: text.clone() }).collect();
        let problem = settings.problem(config.layers);
        let adapted = settings.inner_loop().adapt(&problem, model, rates, &task);
        let adapted = adapted.map_err(LearningError::from)?;
        Ok(Memory::encode(&problem, self.fingerprint, &stated, &task, &adapted)?)
    }

    /// The model with a memory's facts written into it.
    ///
    /// # Errors
    /// [`SystemError::Memory`] if the memory is of another system.
    pub fn remember(&self, memory: &Memory) -> Result<Remembering<'_, B>, SystemError> {
        if *memory.base() != self.fingerprint {
            return Err(SystemError::AnotherBase {
                found: *memory.base(),
                expected: self.fingerprint,
            });
        }
        let TrainedSystem { config, model, settings, .. } = &self.trained;
        let adapted = settings.problem(config.layers).adapted();
        let model = memory.apply(model.clone(), &adapted)?;
        Ok(Remembering {
            system: self,
            model,
            aliases: Aliases::of(memory.facts(), &self.encoder.tokenizer),
        })
    }
}

/// A system that has read facts.
pub struct Remembering<'s, B: Backend> {
    system: &'s System<B>,
    model: Gpt2<B>,
    aliases: Aliases,
}

impl<B: Backend> Remembering<'_, B> {
    /// The best answers to a question, best first; `beams` of 1 is greedy.
    ///
    /// # Errors
    /// If the question has no or unknown words, or does not fit the model's context.
    pub fn ask(&self, question: &str, beams: usize) -> Result<Vec<Answer>, SystemError> {
        let encoder = &self.system.encoder;
        if !question.contains(char::is_alphanumeric) && encoder.method != Method::NoQuestion {
            return Err(SystemError::EmptyQuestion);
        }
        if let Some(name) = self.aliases.stranger(question) {
            return Err(SystemError::Stranger { name: name.to_owned() });
        }
        let hidden = self.aliases.hide(question);
        let asked = Question { text: hidden, answer: String::new(), relevant: Vec::new(), hops: 0 };
        let nothing = KnowledgeSet {
            id: String::new(),
            facts: Vec::new(),
            questions: Vec::new(),
            entities: Vec::new(),
        };
        let prompted = encoder.prompted(&nothing, &asked)?;
        let reader = Reader { model: &self.model, tokenizer: &encoder.tokenizer };
        let prompt = crate::answer::Prompt::read(&self.model, &prompted.prompt)?;
        let wanted = match encoder.objective.recall {
            Recall::None => ANSWER_TOKENS,
            _ => RECALL_TOKENS,
        };
        let room = self.model.context().saturating_sub(prompted.prompt.len()).max(1);
        let tokens = wanted.min(room);
        let answers = match beams {
            0 | 1 => vec![reader.greedy(&prompt, tokens)?],
            _ => reader.beam_search(
                &prompt,
                BeamSearch { beams, ..BeamSearch::default() },
                tokens,
            )?,
        };
        let shown = |answer: Answer| Answer { text: self.aliases.show(&answer.text), ..answer };
        Ok(answers.into_iter().map(shown).collect())
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use inner_outer::tensors::Tensors;
    use inner_outer::{RateScope, Rates};

    use super::*;
    use crate::config::{InnerConfig, SystemSettings};
    use crate::test_systems::{STEPS, VOCABULARY, config, model};
    use crate::tokenizer::WordTokenizer;

    /// A system whose words begin with `letter`.
    fn system(letter: char) -> System<Flex> {
        let words = (0..VOCABULARY - 2).map(|word| format!("{letter}{word}"));
        let inner = InnerConfig { steps: STEPS, ..InnerConfig::default() };
        let rates = Rates::new(RateScope::Global, 0.1, &Tensors::of(&model(0)), STEPS);
        let trained = TrainedSystem {
            config: config(),
            model: model(0),
            rates,
            tokenizer: WordTokenizer::from_words(words).unwrap().into(),
            settings: SystemSettings { inner, ..SystemSettings::default() },
        };
        System::new(trained, &Default::default())
    }

    #[test]
    fn a_memory_is_refused_by_a_system_with_another_tokenizer() {
        let (ours, other) = (system('w'), system('v'));
        let memory = ours.encode(&["w1 w2 w3".to_owned()]).unwrap();
        assert!(ours.remember(&memory).unwrap().ask("w1 w2", 1).is_ok());
        let error = other.remember(&memory).err().expect("refused");
        assert!(matches!(error, SystemError::AnotherBase { .. }), "{error}");
    }

    #[test]
    fn a_question_without_words_is_refused() {
        let system = system('w');
        assert!(!system.knows_question_marks());
        let memory = system.encode(&["w1 w2 w3".to_owned()]).unwrap();
        let refused = system.remember(&memory).unwrap().ask(" . ", 1).err().unwrap();
        assert!(matches!(refused, SystemError::EmptyQuestion), "{refused}");
    }
}
