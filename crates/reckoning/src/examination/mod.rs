//! Generated answers of a trained system, scored: exact match, the likeliest label, and recall of the facts behind the
//! answer, over all questions, by hops and by number of distractors.

mod scores;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use experiment::progress::Progress;
use inner_outer::parallel::{Threads, in_order};

use scores::Mark;
#[cfg(test)]
pub(crate) use scores::test_evaluation;
pub use scores::{Asked, Breakdown, Evaluation, Examination, Scores, TestScores};

use crate::LearningError;
use crate::answer::{AnswerError, BeamSearch, Prompt, Reader};
use crate::config::{Method, Recall, SystemSettings};
use crate::corpus::{Text, with_facts_of_others, without_other_facts};
use crate::data::{KnowledgeSet, Question, says_what_is_relevant};
use crate::encoding::{Encoder, EncodingError};
use crate::model::Gpt2;
use crate::score::{FactRecall, LenientRecall, exact_match};
use crate::test_sets::TestSet;
use crate::tokenizer::TokenizerError;
use crate::trained::TrainedSystem;

/// Tokens that an answer may have beyond the right one.
const SPARE_TOKENS: usize = 8;

/// Why a system cannot be examined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExaminationError {
    /// A knowledge set cannot be encoded.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// A text cannot be encoded.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// No answer could be generated.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The inner loop failed.
    #[error("the facts of `{id}` cannot be written into the weights: {source}")]
    InnerLoop {
        /// The knowledge set.
        id: String,
        /// What happened.
        source: LearningError,
    },
    /// The threads that sets are shared among failed.
    #[error(transparent)]
    Threads(#[from] inner_outer::Error),
    /// No other knowledge set is there to take facts from.
    #[error(
        "method = \"random-facts\" gives `{id}` the facts of another theory, but all sets of `{test}` are of its own; raise \
         evaluation.final_sets, or give data of several theories"
    )]
    NoOtherFacts {
        /// Identifier of the set.
        id: String,
        /// The test set.
        test: String,
    },
    /// There is no question.
    #[error("the test set `{0}` has no question; give data with questions")]
    NoQuestions(String),
}

/// Asks `system` every question of `tests`, searching as `search` says (one beam is greedy).
///
/// # Errors
/// [`ExaminationError`]: a set that cannot be encoded, an inner loss that is not finite, a test set without question, or one of a single
/// theory where facts are those of others.
pub fn examine<B: Backend>(
    system: &TrainedSystem<B, SystemSettings>,
    tests: &[TestSet],
    search: BeamSearch,
) -> Result<Examination, ExaminationError> {
    let told: Vec<Vec<KnowledgeSet>> =
        tests.iter().map(|test| as_told(system.settings.method, test)).collect::<Result<_, _>>()?;
    let (mut scored, mut all) = (Vec::new(), Vec::new());
    let sets: usize = told.iter().map(Vec::len).sum();
    let progress = Progress::new(sets as u64, "questions asked, by knowledge set");
    for (TestSet { name, part, sets, seen }, told) in tests.iter().zip(&told) {
        let mut marks = Examiner::new(system, sets, search)?.marks_of(told, &progress)?;
        let texts = sets.iter().flat_map(Text::of);
        marks.iter_mut().zip(texts).for_each(|(mark, text)| mark.seen = seen.contains(&text));
        let scores =
            Breakdown::of(&marks).ok_or_else(|| ExaminationError::NoQuestions(name.clone()))?;
        scored.push(TestScores { name: name.clone(), part: *part, scores });
        // Theories of two test sets may have one identifier.
        all.extend(marks.into_iter().map(|mark| {
            let theory = format!("{name} {}", mark.theory);
            Mark { theory, ..mark }
        }));
    }
    progress.finish();
    let together = if scored.len() > 1 { Breakdown::of(&all) } else { None };
    Ok(Examination { tests: scored, together })
}

/// The sets of a test with the facts that a system of `method` is told.
fn as_told(method: Method, test: &TestSet) -> Result<Vec<KnowledgeSet>, ExaminationError> {
    if method != Method::RandomFacts {
        return Ok(test.sets.clone());
    }
    let exchanged = with_facts_of_others(&test.sets);
    match without_other_facts(&exchanged) {
        Some(KnowledgeSet { id, .. }) => {
            Err(ExaminationError::NoOtherFacts { id: id.clone(), test: test.name.clone() })
        }
        None => Ok(exchanged),
    }
}

/// Asks the questions of one test set.
struct Examiner<'s, B: Backend> {
    system: &'s TrainedSystem<B, SystemSettings>,
    encoder: Encoder,
    /// The answers of the test set, sorted, and what they are as tokens.
    labels: Vec<String>,
    label_tokens: Vec<Vec<u32>>,
    /// Whether recall is scored: the system recalls, and the test set says which facts its questions need, of which exchanged ones have
    /// none.
    scores_recall: bool,
    search: BeamSearch,
}

impl<'s, B: Backend> Examiner<'s, B> {
    fn new(
        system: &'s TrainedSystem<B, SystemSettings>,
        sets: &[KnowledgeSet],
        search: BeamSearch,
    ) -> Result<Self, ExaminationError> {
        let SystemSettings { method, objective, .. } = system.settings;
        let tokenizer = system.tokenizer.tokenizer().clone();
        let encoder = Encoder { tokenizer, method, objective };
        let questions = sets.iter().flat_map(|set| &set.questions);
        let mut labels: Vec<String> = questions.map(|question| question.answer.clone()).collect();
        labels.sort();
        labels.dedup();
        let tokens = labels.iter().map(|label| encoder.whole_answer(label));
        let label_tokens = tokens.collect::<Result<_, _>>()?;
        let recalls = objective.recall != Recall::None && method != Method::RandomFacts;
        let scores_recall = recalls && says_what_is_relevant(sets);
        Ok(Self { system, encoder, labels, label_tokens, scores_recall, search })
    }

    /// The marks of every question of `sets`, which have the facts that are told, in order.
    fn marks_of(
        &self,
        sets: &[KnowledgeSet],
        progress: &Progress,
    ) -> Result<Vec<Mark>, ExaminationError> {
        // Parameters that nobody has read yet must be drawn before threads share them.
        let _drawn: Vec<Tensor<B, 1>> = inner_outer::tensors::Tensors::of(&self.system.model).0;
        let mut marks = Vec::new();
        in_order(
            sets,
            Threads::default(),
            |_, set| self.marks(set),
            |_, found| {
                progress.advance(1);
                marks.extend(found);
            },
        )?;
        Ok(marks)
    }

    fn marks(&self, set: &KnowledgeSet) -> Result<Vec<Mark>, ExaminationError> {
        let model = self.adapted(set)?;
        let prompts = set.questions.iter().map(|question| self.prompt(&model, set, question));
        let prompts = prompts.collect::<Result<Vec<_>, _>>()?;
        let texts = self.generated(&model, &prompts)?;
        let asked = set.questions.iter().zip(prompts).zip(texts);
        asked
            .map(|((question, (prompt, _)), text)| self.mark(set, question, &prompt, &text))
            .collect()
    }

    /// A question as the model has read it, and how many tokens its answer may have.
    fn prompt<'m>(
        &self,
        model: &'m Gpt2<B>,
        set: &KnowledgeSet,
        question: &Question,
    ) -> Result<(Prompt<'m, B>, usize), ExaminationError> {
        let prompted = self.encoder.prompted(set, question)?;
        let room = model.context().saturating_sub(prompted.prompt.len()).max(1);
        let wanted = prompted.answer.len() + prompted.recall.len() + SPARE_TOKENS;
        Ok((Prompt::read(model, &prompted.prompt)?, room.min(wanted)))
    }

    /// The answer to each question.
    fn generated<'m>(
        &self,
        model: &'m Gpt2<B>,
        prompts: &[(Prompt<'m, B>, usize)],
    ) -> Result<Vec<String>, ExaminationError> {
        let reader = Reader { model, tokenizer: &self.encoder.tokenizer };
        let answers = match self.search.beams {
            0 | 1 => prompts
                .iter()
                .map(|(prompt, tokens)| reader.greedy(prompt, *tokens))
                .collect::<Result<Vec<_>, _>>()?,
            _ => reader.best_of_each(prompts, self.search)?,
        };
        Ok(answers.into_iter().map(|answer| answer.text).collect())
    }

    fn mark(
        &self,
        set: &KnowledgeSet,
        question: &Question,
        prompt: &Prompt<'_, B>,
        generated: &str,
    ) -> Result<Mark, ExaminationError> {
        let likeliest = self.likeliest(prompt)?;
        let recall = || {
            let strict = FactRecall::of(generated, &set.facts, &question.relevant).f1;
            (strict, LenientRecall::of(generated, &set.facts, &question.relevant))
        };
        Ok(Mark {
            theory: set.theory().to_owned(),
            hops: question.hops,
            distractors: set.facts.len().saturating_sub(question.relevant.len()),
            exact: exact_match(generated, &question.answer),
            likeliest: likeliest == Some(&question.answer),
            recall: self.scores_recall.then(recall),
            seen: false,
        })
    }

    /// The likeliest of the labels that the context has room for after the prompt.
    fn likeliest(&self, prompt: &Prompt<'_, B>) -> Result<Option<&String>, ExaminationError> {
        let sayable = self.labels.iter().zip(&self.label_tokens);
        let sayable = sayable.filter(|(_, tokens)| prompt.check_room(tokens.len()).is_ok());
        let (labels, tokens): (Vec<&String>, Vec<&Vec<u32>>) = sayable.unzip();
        if labels.is_empty() {
            return Ok(None);
        }
        Ok(Some(labels[prompt.label_likelihood(&tokens)?.best()]))
    }

    /// The model after the inner loop, where the method has one.
    fn adapted(&self, set: &KnowledgeSet) -> Result<Gpt2<B>, ExaminationError> {
        let TrainedSystem { config, model, rates, settings, .. } = self.system;
        if !settings.method.has_inner_loop() {
            return Ok(model.clone());
        }
        let task = self.encoder.facts_alone(set, config.context, &Default::default())?;
        let adapted =
            settings.inner_loop().adapt(&settings.problem(config.layers), model, rates, &task);
        let failed = |refused: inner_outer::Error| ExaminationError::InnerLoop {
            id: set.id.clone(),
            source: refused.into(),
        };
        Ok(adapted.map_err(failed)?.inner)
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use inner_outer::tensors::Tensors;
    use inner_outer::{RateScope, Rates};

    use super::*;
    use crate::data::{Fact, Question};
    use crate::encoding::BECAUSE;
    use crate::history::Part;
    use crate::test_systems::{STEPS, VOCABULARY, config, model, rates};
    use crate::tokenizer::WordTokenizer;

    fn system(recall: Recall) -> TrainedSystem<Flex, SystemSettings> {
        let mut words: Vec<String> = (0..VOCABULARY - 2).map(|word| format!("w{word}")).collect();
        if recall != Recall::None {
            words[VOCABULARY - 3] = BECAUSE.into();
        }
        let mut settings = SystemSettings { method: Method::NoFacts, ..SystemSettings::default() };
        settings.objective.recall = recall;
        TrainedSystem {
            config: config(),
            model: model(0),
            rates: rates(&model(0)),
            tokenizer: WordTokenizer::from_words(words).unwrap().into(),
            settings,
        }
    }

    fn test_set(sets: Vec<KnowledgeSet>) -> TestSet {
        TestSet { name: "test".into(), part: Part::Whole, sets, seen: Default::default() }
    }

    fn set(id: &str, question: &str) -> KnowledgeSet {
        let question =
            Question { text: question.into(), answer: "w2".into(), hops: 1, relevant: Vec::new() };
        let facts = vec![Fact::from("w3 w4".to_owned())];
        KnowledgeSet { id: id.into(), facts, questions: vec![question], ..Default::default() }
    }

    /// Without facts of another set there would be nothing to read.
    #[test]
    fn random_facts_need_sets_of_other_theories() {
        let mut system = system(Recall::None);
        system.settings.method = Method::RandomFacts;
        let [first, second] = ["theory question 0", "theory question 1"].map(|id| set(id, "w0 w1"));
        let other = set("another question 0", "w0 w1");
        let of = |sets: &[&KnowledgeSet]| test_set(sets.iter().map(|&set| set.clone()).collect());
        let search = BeamSearch { beams: 1, ..BeamSearch::default() };
        let refused = examine(&system, &[of(&[&first, &second])], search).unwrap_err();
        assert!(matches!(refused, ExaminationError::NoOtherFacts { .. }), "{refused}");
        as_told(Method::RandomFacts, &of(&[&first, &second, &other])).unwrap();
        as_told(Method::NoFacts, &of(&[&first, &second])).unwrap();
    }

    #[test]
    fn questions_that_were_trained_on_are_scored_apart() {
        let sets = ["w0 w1", "w1 w0", "w1 w1"].map(|question| set(question, question)).to_vec();
        let seen = Text::of(&sets[1]).collect();
        let search = BeamSearch { beams: 1, ..BeamSearch::default() };
        let of = |seen| {
            let test = TestSet { seen, ..test_set(sets.clone()) };
            let scores =
                examine(&system(Recall::None), &[test], search).unwrap().tests.remove(0).scores;
            [scores.seen, scores.unseen].map(|scores| scores.map(|scores| scores.exact_match.n))
        };
        assert_eq!(of(seen), [Some(1), Some(2)]);
        assert_eq!(of(Default::default()), [None, None]);
    }

    /// Nobody can say what should have been recited, so that an empty recall would be perfect.
    #[test]
    fn recall_is_scored_where_the_data_says_what_is_relevant() {
        let scored = |recall, relevant: &[usize]| {
            let question = Question {
                text: "w0 w1".into(),
                answer: "w2".into(),
                hops: 1,
                relevant: relevant.to_vec(),
            };
            let facts = vec![Fact::from("w3 w4".to_owned())];
            let questions = vec![question];
            let sets =
                vec![KnowledgeSet { id: "a".into(), facts, questions, ..Default::default() }];
            let tests = [test_set(sets)];
            let search = BeamSearch { beams: 1, ..BeamSearch::default() };
            let examination = examine(&system(recall), &tests, search).unwrap();
            examination.tests[0].scores.overall.recall_f1.is_some()
        };
        assert!(scored(Recall::Joint, &[0]));
        assert!(!scored(Recall::Joint, &[]));
        assert!(!scored(Recall::None, &[0]));
    }

    /// The same system with an inner loop.
    fn with_inner_loop(
        mut system: TrainedSystem<Flex, SystemSettings>,
    ) -> TrainedSystem<Flex, SystemSettings> {
        system.settings.method = Method::Reckoning;
        system.settings.inner.steps = STEPS;
        system.rates = Rates::new(RateScope::Global, 0.1, &Tensors::of(&system.model), STEPS);
        system
    }

    /// An answer of seven words has no room behind a question of eight in a context of twelve; the others are asked all the same.
    #[test]
    fn an_answer_that_the_context_has_no_room_for_is_wrong_and_no_failure() {
        let systems = [system(Recall::None), with_inner_loop(system(Recall::None))];
        let question = |answer: &str| Question {
            text: "w0 w1 w2 w3 w4 w5 w6 w7".into(),
            answer: answer.into(),
            hops: 1,
            relevant: Vec::new(),
        };
        let questions = vec![question("w8"), question("w1 w2 w3 w4 w5 w6 w7")];
        let facts = vec![Fact::from("w3 w4".to_owned())];
        let sets = vec![KnowledgeSet { id: "a".into(), facts, questions, ..Default::default() }];
        let tests = [test_set(sets)];
        for (system, beams) in systems.iter().flat_map(|system| [(system, 1), (system, 3)]) {
            let search = BeamSearch { beams, ..BeamSearch::default() };
            let scores = &examine(system, &tests, search).unwrap().tests[0].scores.overall;
            // The only label that can be said is the likeliest one.
            assert_eq!((scores.likeliest_label.n, scores.likeliest_label.mean), (2, 0.5));
        }
    }
}
