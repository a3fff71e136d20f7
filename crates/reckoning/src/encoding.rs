//! Knowledge sets as token sequences, for each method.
//!
//! A fact is a row of its own. A question row is the question followed by its target, and only the target carries
//! loss: the answer and the end of the text, or `answer because fact , fact` where facts are recalled.

use burn::tensor::Device;
use burn::tensor::backend::Backend;

use crate::config::{FactLoss, Method, Objective, Recall};
use crate::data::{KnowledgeSet, Question};
use crate::task::{Rows, Sequence, Task};
use crate::tokenizer::{Tokenizer, TokenizerError};

/// Words that targets and prefixes use beside those of the data.
pub const TARGET_WORDS: [&str; 4] = [BECAUSE, ",", "fact", ":"];
/// What stands between an answer and the recalled facts.
pub(crate) const BECAUSE: &str = "because";

/// A knowledge set that cannot be encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodingError {
    /// A text has words that the tokenizer does not know.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// There is nothing to encode or to ask.
    #[error("knowledge set `{id}` has no {what}; give it at least one")]
    Empty {
        /// Its identifier.
        id: String,
        /// `facts` or `questions`.
        what: &'static str,
    },
    /// A fact is too short to predict anything.
    #[error(
        "the fact `{fact}` has {tokens} tokens; the inner loop predicts words from those before, so give it at least one word more"
    )]
    ShortFact {
        /// The fact.
        fact: String,
        /// Its tokens, without those of a numbered prefix.
        tokens: usize,
    },
    /// A sequence is longer than the model's context.
    #[error(
        "a sequence of {found} tokens does not fit the model's context of {context}; raise model.context to at least {found}, or give fewer or shorter facts"
    )]
    TooLong {
        /// Its tokens.
        found: usize,
        /// The model's context.
        context: usize,
    },
}

/// Encodes knowledge sets for one method and objective.
#[derive(Clone, Debug)]
pub struct Encoder {
    /// Text to tokens.
    pub tokenizer: Tokenizer,
    /// What the system reads.
    pub method: Method,
    /// What the targets are.
    pub objective: Objective,
}

/// A question with its target, split where the target begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompted {
    /// What is read.
    pub prompt: Vec<u32>,
    /// What is to be answered, with the end of the text.
    pub answer: Vec<u32>,
    /// Recalled facts, with the end of the text; empty without recall, and then the answer ends the text.
    pub recall: Vec<u32>,
}

impl Encoder {
    /// One task from one knowledge set: its facts for the inner loop (where the method has one) and its questions,
    /// whose losses are averaged.
    ///
    /// # Errors
    /// If the set is empty, a fact too short, or a word not in the vocabulary.
    pub fn task<B: Backend>(
        &self,
        set: &KnowledgeSet,
        device: &Device<B>,
    ) -> Result<Task<B>, EncodingError> {
        self.joined(std::slice::from_ref(set), 1.0, device)
    }

    /// One task from several knowledge sets, at least one, in one graph. Each has a copy of the model where facts go through
    /// the inner loop; else all are asked of one. Each set counts `share` in the outer loss, divided among its questions.
    ///
    /// # Errors
    /// As [`Self::task`].
    pub fn joined<B: Backend>(
        &self,
        sets: &[KnowledgeSet],
        share: f64,
        device: &Device<B>,
    ) -> Result<Task<B>, EncodingError> {
        let asked = sets.iter().map(|set| self.asked(set)).collect::<Result<Vec<_>, _>>()?;
        let padding = self.tokenizer.padding();
        if !self.method.has_inner_loop() {
            let questions = Rows::new(&asked.concat(), padding, device);
            return Ok(Task { facts: None, questions, copies: 1, share });
        }
        let facts = sets.iter().map(|set| self.facts(set)).collect::<Result<Vec<_>, _>>()?;
        let each = |parts: &[Vec<Sequence>]| {
            Rows::of_each(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>(), padding, device)
        };
        Ok(Task { facts: Some(each(&facts)), questions: each(&asked), copies: sets.len(), share })
    }

    /// Each question of a set with its target; the loss is the mean over questions.
    fn asked(&self, set: &KnowledgeSet) -> Result<Vec<Sequence>, EncodingError> {
        if set.questions.is_empty() {
            return Err(EncodingError::Empty { id: set.id.clone(), what: "questions" });
        }
        let share = 1.0 / set.questions.len() as f32;
        let encode = |question| {
            let mut row = match self.method {
                Method::Language => self.document(set, question)?,
                _ => self.weighted(&self.prompted(set, question)?),
            };
            row.weights.iter_mut().for_each(|weight| *weight *= share);
            Ok(row)
        };
        set.questions.iter().map(encode).collect()
    }

    /// Each fact as a row; the loss is the mean or the sum over facts of the mean over a fact's tokens that are predicted from
    /// others: all but the first, for which nothing stands before it, or all of them behind a numbered prefix, which carries no
    /// loss itself.
    ///
    /// # Errors
    /// As [`Self::task`].
    pub fn facts(&self, set: &KnowledgeSet) -> Result<Vec<Sequence>, EncodingError> {
        if set.facts.is_empty() {
            return Err(EncodingError::Empty { id: set.id.clone(), what: "facts" });
        }
        let share = match self.objective.facts {
            FactLoss::Mean => 1.0 / set.facts.len() as f32,
            FactLoss::Sum => 1.0,
        };
        let encode = |(index, fact): (usize, &crate::data::Fact)| {
            let mut tokens = match self.objective.numbered_facts {
                true => self.tokenizer.encode(&format!("fact {index} :"))?,
                false => Vec::new(),
            };
            let numbered = tokens.len();
            let prefix = numbered.max(1);
            tokens.extend(self.following(&tokens, &fact.text)?);
            let predicted = tokens.len().saturating_sub(prefix);
            if predicted == 0 {
                return Err(EncodingError::ShortFact {
                    fact: fact.text.clone(),
                    tokens: tokens.len() - numbered,
                });
            }
            let mut weights = vec![share / predicted as f32; tokens.len()];
            weights[..prefix].fill(0.0);
            Ok(Sequence { tokens, weights })
        };
        set.facts.iter().enumerate().map(encode).collect()
    }

    /// The task of an inner loop alone, which reads only the facts of a set: its questions and answers may have any length.
    ///
    /// # Errors
    /// As [`Self::facts`], and [`EncodingError::TooLong`] for a fact that does not fit a `context` of so many tokens.
    pub fn facts_alone<B: Backend>(
        &self,
        set: &KnowledgeSet,
        context: usize,
        device: &Device<B>,
    ) -> Result<Task<B>, EncodingError> {
        let padding = self.tokenizer.padding();
        let facts = Rows::new(&self.facts(set)?, padding, device);
        let task = Task::of_one(Some(facts), Rows::new(&[self.never_asked()], padding, device));
        self.fitting(task, context)
    }

    /// A question for a task that must have one.
    fn never_asked(&self) -> Sequence {
        let end = self.tokenizer.end_of_text();
        Sequence { tokens: vec![end, end], weights: vec![0.0, 1.0] }
    }

    /// Refuses a task that does not fit a model's context.
    ///
    /// # Errors
    /// [`EncodingError::TooLong`].
    pub fn fitting<B: Backend>(
        &self,
        task: Task<B>,
        context: usize,
    ) -> Result<Task<B>, EncodingError> {
        let rows = task.facts.iter().chain([&task.questions]);
        let found = rows.map(Rows::length).max().unwrap_or_default();
        if found > context { Err(EncodingError::TooLong { found, context }) } else { Ok(task) }
    }

    /// What is read and what is to be answered, for one question.
    ///
    /// # Errors
    /// If a word is not in the vocabulary.
    pub fn prompted(
        &self,
        set: &KnowledgeSet,
        question: &Question,
    ) -> Result<Prompted, TokenizerError> {
        let end = self.tokenizer.end_of_text();
        let mut prompt = Vec::new();
        if matches!(self.method, Method::InContext | Method::Language) {
            for fact in &set.facts {
                prompt.extend(self.following(&prompt, &fact.text)?);
            }
        }
        if self.method != Method::NoQuestion {
            prompt.extend(self.following(&prompt, &question.text)?);
        }
        if prompt.is_empty() {
            prompt.push(end);
        }
        let mut answer = self.tokenizer.encode_after(&question.answer)?;
        let mut recall = Vec::new();
        if self.objective.recall == Recall::None {
            answer.push(end);
        } else {
            recall.extend(self.tokenizer.encode_after(BECAUSE)?);
            recall.extend(self.recalled(set, question)?);
            recall.push(end);
        }
        Ok(Prompted { prompt, answer, recall })
    }

    /// The tokens of an answer with the one that must follow it: the end of the text, or the beginning of `because`.
    /// Without it `son` would also be the beginning of `son in law`.
    ///
    /// # Errors
    /// If a word is not in the vocabulary.
    pub fn whole_answer(&self, answer: &str) -> Result<Vec<u32>, TokenizerError> {
        let mut tokens = self.tokenizer.encode_after(answer)?;
        match self.objective.recall {
            Recall::None => tokens.push(self.tokenizer.end_of_text()),
            _ => tokens.extend(self.tokenizer.encode_after(BECAUSE)?.first()),
        }
        Ok(tokens)
    }

    fn recalled(
        &self,
        set: &KnowledgeSet,
        question: &Question,
    ) -> Result<Vec<u32>, TokenizerError> {
        let mut tokens = Vec::new();
        for (place, &fact) in question.relevant.iter().enumerate() {
            if place > 0 {
                tokens.extend(self.tokenizer.encode_after(",")?);
            }
            let text = set.facts[fact].text.trim_end_matches(['.', ' ']);
            tokens.extend(self.tokenizer.encode_after(text)?);
        }
        Ok(tokens)
    }

    /// The tokens of `text` behind those of `before`.
    fn following(&self, before: &[u32], text: &str) -> Result<Vec<u32>, TokenizerError> {
        match before {
            [] => self.tokenizer.encode(text),
            _ => self.tokenizer.encode_after(text),
        }
    }

    /// The target's weights sum to one (`Joint`, `None`) or to one for the answer and `weight` for recall (`Sum`).
    fn weighted(&self, prompted: &Prompted) -> Sequence {
        let Prompted { prompt, answer, recall } = prompted;
        let (of_answer, of_recall) = match self.objective.recall {
            Recall::None => (1.0 / answer.len() as f32, 0.0),
            Recall::Joint => {
                let share = 1.0 / (answer.len() + recall.len()) as f32;
                (share, share)
            }
            Recall::Sum { weight } => {
                (1.0 / answer.len() as f32, weight as f32 / recall.len() as f32)
            }
        };
        let weights = [(prompt, 0.0), (answer, of_answer), (recall, of_recall)];
        let weights = weights.iter().flat_map(|(part, weight)| vec![*weight; part.len()]);
        Sequence {
            weights: weights.collect(),
            tokens: [prompt.as_slice(), answer, recall].concat(),
        }
    }

    /// Facts, question and answer as one text whose every token is predicted.
    fn document(
        &self,
        set: &KnowledgeSet,
        question: &Question,
    ) -> Result<Sequence, TokenizerError> {
        let Prompted { prompt, answer, recall } = self.prompted(set, question)?;
        let tokens = [prompt, answer, recall].concat();
        let mut weights = vec![1.0 / (tokens.len() - 1) as f32; tokens.len()];
        weights[0] = 0.0;
        Ok(Sequence { tokens, weights })
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::data::Fact;
    use crate::tokenizer::WordTokenizer;

    fn set() -> KnowledgeSet {
        let fact = |text: &str| Fact { text: text.into() };
        let question = Question {
            text: "A ? C .".into(),
            answer: "grandson".into(),
            relevant: vec![0, 1],
            hops: 2,
        };
        KnowledgeSet {
            id: "0".into(),
            facts: vec![fact("A son B ."), fact("B son C ."), fact("D son E .")],
            questions: vec![question],
            entities: ["A", "B", "C", "D", "E"].map(String::from).to_vec(),
        }
    }

    fn encoder(method: Method, recall: Recall) -> Encoder {
        let vocabulary = ["A", "B", "C", "D", "E", "son", "grandson", ".", "?"];
        let words = vocabulary.iter().chain(&TARGET_WORDS);
        let tokenizer = Tokenizer::Word(WordTokenizer::from_words(words).unwrap());
        Encoder { tokenizer, method, objective: Objective { recall, ..Objective::default() } }
    }

    fn text(encoder: &Encoder, tokens: &[u32]) -> String {
        encoder.tokenizer.decode(tokens).unwrap()
    }

    #[test]
    fn only_the_in_context_prompt_holds_facts() {
        let set = set();
        let prompt = |method| {
            let encoder = encoder(method, Recall::None);
            text(&encoder, &encoder.prompted(&set, &set.questions[0]).unwrap().prompt)
        };
        assert_eq!(prompt(Method::Reckoning), "A ? C .");
        assert_eq!(prompt(Method::InContext), "A son B . B son C . D son E . A ? C .");
        assert_eq!(prompt(Method::NoQuestion), "");
    }

    #[test]
    fn recall_holds_the_relevant_facts_only() {
        let (set, encoder) = (set(), encoder(Method::Reckoning, Recall::Joint));
        let prompted = encoder.prompted(&set, &set.questions[0]).unwrap();
        assert_eq!(text(&encoder, &prompted.recall), "because A son B , B son C");
    }

    #[test]
    fn a_pretrained_tokenizer_reads_words_with_spaces_between_and_an_end() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gpt2_tiny");
        let tokenizer = Tokenizer::load(format!("{folder}/tokenizer.json")).unwrap();
        let fact = |text: &str| Fact { text: text.into() };
        let question = Question {
            text: "Is the bear blue?".into(),
            answer: "kind".into(),
            relevant: vec![1, 0],
            hops: 2,
        };
        let set = KnowledgeSet {
            id: "0".into(),
            facts: vec![fact("Bob is kind."), fact("Anna has a bear.")],
            questions: vec![question],
            entities: Vec::new(),
        };
        let encoder = |method, recall| Encoder {
            tokenizer: tokenizer.clone(),
            method,
            objective: Objective { recall, ..Objective::default() },
        };
        let texts = |encoder: &Encoder| {
            let Prompted { prompt, answer, recall } =
                encoder.prompted(&set, &set.questions[0]).unwrap();
            let last = *[answer.clone(), recall.clone()].concat().last().unwrap();
            assert_eq!(last, tokenizer.end_of_text());
            let part = |tokens: &[u32]| tokenizer.decode(tokens).unwrap();
            (part(&prompt), part(&answer), part(&recall), part(&[prompt, answer, recall].concat()))
        };
        let in_context = encoder(Method::InContext, Recall::None);
        let (prompt, answer, _, all) = texts(&in_context);
        assert_eq!(prompt, "Bob is kind. Anna has a bear. Is the bear blue?");
        assert_eq!((answer.as_str(), all), (" kind", prompt + " kind"));
        let reckoning = encoder(Method::Reckoning, Recall::Joint);
        // The fixture's vocabulary has no comma.
        let expected = "Is the bear blue? kind because Anna has a bear Bob is kind";
        assert_eq!(texts(&reckoning).3, expected);
        let end = tokenizer.end_of_text();
        let begins = |encoder: &Encoder| encoder.whole_answer("kind").unwrap();
        assert_eq!(begins(&in_context), [tokenizer.encode(" kind").unwrap(), vec![end]].concat());
        let because = tokenizer.encode(" because").unwrap()[0];
        assert_eq!(
            begins(&reckoning),
            [tokenizer.encode(" kind").unwrap(), vec![because]].concat()
        );
    }

    #[test]
    fn facts_are_averaged_or_added() {
        let total = |facts| {
            let mut encoder = encoder(Method::Reckoning, Recall::None);
            encoder.objective.facts = facts;
            let rows = encoder.facts(&set()).unwrap();
            rows.iter().flat_map(|row| &row.weights).sum::<f32>()
        };
        assert!((total(FactLoss::Mean) - 1.0).abs() < 1e-6);
        assert!((total(FactLoss::Sum) - 3.0).abs() < 1e-6);
    }

    #[test]
    fn a_short_fact_is_refused_with_its_own_tokens() {
        let refusal = |numbered_facts: bool, fact: &str| {
            let mut encoder = encoder(Method::Reckoning, Recall::None);
            let vocabulary = ["A", "0"];
            let words = vocabulary.iter().chain(&TARGET_WORDS);
            encoder.tokenizer = Tokenizer::Word(WordTokenizer::from_words(words).unwrap());
            encoder.objective.numbered_facts = numbered_facts;
            let mut set = set();
            set.facts = vec![Fact { text: fact.into() }];
            encoder.facts(&set).unwrap_err()
        };
        for (refusal, expected) in [(refusal(false, "A"), 1), (refusal(true, ""), 0)] {
            let EncodingError::ShortFact { tokens, .. } = refusal else { panic!("{refusal}") };
            assert_eq!(tokens, expected);
        }
    }

    #[test]
    fn weights_sum_as_documented() {
        let set = set();
        for (recall, sum) in
            [(Recall::None, 1.0), (Recall::Joint, 1.0), (Recall::Sum { weight: 0.5 }, 1.5)]
        {
            let encoder = encoder(Method::Reckoning, recall);
            let row = encoder.weighted(&encoder.prompted(&set, &set.questions[0]).unwrap());
            assert!((row.weights.iter().sum::<f32>() - sum).abs() < 1e-6);
        }
        let facts = encoder(Method::Reckoning, Recall::None).facts(&set).unwrap();
        let sum: f32 = facts.iter().flat_map(|fact| &fact.weights).sum();
        assert!((sum - 1.0).abs() < 1e-6);
        assert!(facts.iter().all(|fact| fact.weights[0] == 0.0));
    }

    #[test]
    fn only_facts_must_fit_where_only_facts_are_read() {
        let (mut set, encoder) = (set(), encoder(Method::Reckoning, Recall::Joint));
        set.questions[0].text = "A ? C . ".repeat(9);
        let length = encoder.facts(&set).unwrap().iter().map(|row| row.tokens.len()).max().unwrap();
        let context = length - 1;
        let alone = |context| encoder.facts_alone::<Flex>(&set, context, &Default::default());
        let whole = encoder.task::<Flex>(&set, &Default::default()).unwrap();
        assert!(encoder.fitting(whole.clone(), context).is_err());
        let told = |task: Task<Flex>| task.facts.unwrap().tokens.into_data();
        assert_eq!(told(alone(context).unwrap()), told(whole));
        let refused = alone(context - 1).unwrap_err();
        assert!(matches!(refused, EncodingError::TooLong { .. }), "{refused}");
    }

    #[test]
    fn unknown_words_are_errors() {
        let mut set = set();
        set.questions[0].answer = "cousin".into();
        let encoder = encoder(Method::Reckoning, Recall::None);
        assert!(encoder.task::<Flex>(&set, &Default::default()).is_err());
    }
}
