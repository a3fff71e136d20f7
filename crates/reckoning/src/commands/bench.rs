//! `reckoning bench`: after how many questions on one set of facts is it cheaper to have encoded them?
//!
//! The protocol follows the paper's run-time table (section 4.4): random text of about a thousand tokens cut into
//! facts, one answer token a question. RECKONING pays the inner loop once and then reads only questions; in-context
//! reading pays for the facts with every question, or once where keys and values are cached. Times do not depend on
//! what the weights have learned, so the model is a random one.

use std::time::Instant;

use burn::tensor::backend::Backend;
use burn::tensor::{Device as TensorDevice, Int, Tensor, TensorData};
use experiment::cli::{CommonArguments, Failure, OrFailure, print_line};
use experiment::seed::Seed;
use inner_outer::{InnerLoop, RateScope, Sgd};
use rand::RngExt;
use serde::Serialize;

use crate::config::ExperimentConfig;
use crate::model::Gpt2;
use crate::task::{Rows, Sequence, Task};
use crate::{InnerScope, Reckoning};

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Facts in the set
    #[arg(long, default_value_t = 8)]
    facts: usize,
    /// Tokens of a fact
    #[arg(long, default_value_t = 127)]
    fact_tokens: usize,
    /// Tokens of a question
    #[arg(long, default_value_t = 7)]
    question_tokens: usize,
    /// Inner steps to measure
    #[arg(long, value_delimiter = ',', default_value = "1,4")]
    inner_steps: Vec<usize>,
    /// Numbers of questions to measure
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8,12,18")]
    questions: Vec<usize>,
    /// Measurements of each; the median counts
    #[arg(long, default_value_t = 5)]
    repeats: usize,
}

/// Seconds to answer a number of questions on one set of facts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurement {
    /// Who answered.
    pub reader: String,
    /// Questions on the one set of facts.
    pub questions: usize,
    /// Median seconds, reading the facts included.
    pub seconds: f64,
}

/// Measures and prints a table, and the number of questions from which RECKONING is faster.
///
/// # Errors
/// Bad input: a size of zero. Failed: an inner loss that is not finite.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let config: ExperimentConfig =
        arguments.common.configuration(&ExperimentConfig::default()).bad_input()?;
    let sizes =
        [arguments.facts, arguments.fact_tokens, arguments.question_tokens, arguments.repeats];
    let tokens = arguments.fact_tokens.min(arguments.question_tokens);
    if sizes.contains(&0)
        || arguments.questions.contains(&0)
        || arguments.questions.is_empty()
        || tokens < 2
    {
        let cause = anyhow::anyhow!(
            "facts, questions and repeats must be at least 1, and tokens at least 2"
        );
        return Err(Failure::BadInput(cause));
    }
    let mut arguments = arguments;
    arguments.questions.sort_unstable();
    arguments.questions.dedup();
    let model = crate::model::ModelConfig {
        vocabulary: config.model.vocabulary.max(64),
        ..config.model.clone()
    };
    model.check().map_err(anyhow::Error::msg).bad_input()?;
    let measured = crate::on_device!(arguments.common.device, B => {
        measure::<B>(&arguments, &config, &Default::default())
    })?;
    if arguments.common.json {
        return print_line(serde_json::to_string(&measured).failed()?);
    }
    for Measurement { reader, questions, seconds } in &measured {
        print_line(format!("{reader:<28} {questions:>3} questions {seconds:>9.4} s"))?;
    }
    for steps in &arguments.inner_steps {
        for rival in [UNCACHED, CACHED] {
            print_line(verdict(&measured, &reckoning(*steps), rival))?;
        }
    }
    Ok(())
}

const UNCACHED: &str = "in context";
const CACHED: &str = "in context, cached";

fn reckoning(steps: usize) -> String {
    format!("reckoning, {steps} inner steps")
}

/// From how many questions `ours` is faster than `rival`, on lines through the first and the last measurement.
fn verdict(measured: &[Measurement], ours: &str, rival: &str) -> String {
    match break_even(&line(measured, ours), &line(measured, rival)) {
        Some(questions) => format!("{ours} is faster than {rival} from {questions} questions on"),
        None => format!("{ours} is never faster than {rival}: a question costs it as much or more"),
    }
}

/// Intercept and slope of seconds over questions.
pub fn line(measured: &[Measurement], reader: &str) -> (f64, f64) {
    let points: Vec<&Measurement> = measured.iter().filter(|m| m.reader == reader).collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return (f64::NAN, f64::NAN);
    };
    let slope = match last.questions - first.questions {
        0 => 0.0,
        span => (last.seconds - first.seconds) / span as f64,
    };
    (first.seconds - slope * first.questions as f64, slope)
}

/// The smallest number of questions at which the first line is below the second.
pub fn break_even(ours: &(f64, f64), rival: &(f64, f64)) -> Option<u64> {
    let (head_start, gain) = (ours.0 - rival.0, rival.1 - ours.1);
    if head_start + ours.1 - rival.1 < 0.0 {
        return Some(1);
    }
    (gain > 0.0).then(|| (head_start / gain).floor() as u64 + 1)
}

fn measure<B: Backend>(
    arguments: &Arguments,
    config: &ExperimentConfig,
    device: &TensorDevice<B>,
) -> Result<Vec<Measurement>, Failure> {
    let bench = Bench::<B>::new(arguments, config, device);
    let mut measured = Vec::new();
    let mut record = |reader: String, questions: usize, work: &dyn Fn() -> Result<(), Failure>| {
        work()?;
        let mut seconds = Vec::new();
        for _ in 0..arguments.repeats {
            let start = Instant::now();
            work()?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        measured.push(Measurement { reader, questions, seconds: seconds[seconds.len() / 2] });
        Ok::<(), Failure>(())
    };
    for &questions in &arguments.questions {
        for &steps in &arguments.inner_steps {
            record(reckoning(steps), questions, &|| bench.reckoning(steps, questions))?;
        }
        record(UNCACHED.into(), questions, &|| bench.in_context(questions))?;
        record(CACHED.into(), questions, &|| bench.in_context_cached(questions))?;
    }
    Ok(measured)
}

struct Bench<B: Backend> {
    model: Gpt2<B>,
    task: Task<B>,
    /// `[1, facts * fact tokens]`.
    context: Tensor<B, 2, Int>,
    /// `[1, question tokens]`.
    question: Tensor<B, 2, Int>,
}

impl<B: Backend> Bench<B> {
    fn new(arguments: &Arguments, config: &ExperimentConfig, device: &TensorDevice<B>) -> Self {
        let Arguments { facts, fact_tokens, question_tokens, .. } = *arguments;
        let mut random = Seed::new(config.seed).child("bench").rng();
        let mut shape = config.model.clone();
        shape.vocabulary = shape.vocabulary.max(64);
        shape.context = shape.context.max(facts * fact_tokens + question_tokens);
        let mut draw = |count: usize| -> Vec<u32> {
            (0..count).map(|_| random.random_range(0..shape.vocabulary as u32)).collect()
        };
        let rows: Vec<Vec<u32>> = (0..facts).map(|_| draw(fact_tokens)).collect();
        let question = draw(question_tokens);
        let weight = 1.0 / (facts * fact_tokens) as f32;
        let sequences: Vec<Sequence> = rows
            .iter()
            .map(|tokens| Sequence { tokens: tokens.clone(), weights: vec![weight; tokens.len()] })
            .collect();
        let tensor = |tokens: &[u32]| {
            let data: Vec<i32> = tokens.iter().map(|&token| token as i32).collect();
            Tensor::from_data(TensorData::new(data, [1, tokens.len()]), device)
        };
        let asked = Sequence { tokens: question.clone(), weights: vec![1.0; question_tokens] };
        Self {
            task: Task {
                facts: Some(Rows::new(&sequences, 0, device)),
                questions: Rows::new(&[asked], 0, device),
            },
            context: tensor(&rows.concat()),
            question: tensor(&question),
            model: Gpt2::new(&shape, &mut random, device),
        }
    }

    /// The inner loop once, then all questions as one batch.
    fn reckoning(&self, steps: usize, questions: usize) -> Result<(), Failure> {
        let problem =
            Reckoning { scope: InnerScope::All, layers: self.model.blocks.len(), retention: 0.0 };
        let inner_loop = InnerLoop { optimizer: Sgd, steps };
        let rates = inner_loop
            .rates(&problem, RateScope::Global, 1e-3, &self.model, &self.task)
            .failed()?;
        let adapted = inner_loop.adapt(&problem, &self.model, &rates, &self.task).failed()?;
        let asked = self.question.clone().repeat_dim(0, questions);
        answer(&adapted.inner, adapted.inner.hidden(asked), questions);
        Ok(())
    }

    /// Facts and question as one sequence, for every question anew.
    fn in_context(&self, questions: usize) -> Result<(), Failure> {
        let sequence = Tensor::cat(vec![self.context.clone(), self.question.clone()], 1);
        for _ in 0..questions {
            answer(&self.model, self.model.hidden(sequence.clone()), 1);
        }
        Ok(())
    }

    /// The facts once, their keys and values kept; then all questions as one batch.
    fn in_context_cached(&self, questions: usize) -> Result<(), Failure> {
        let mut cache = self.model.cache();
        self.model.hidden_after(self.context.clone(), &mut cache);
        let mut cache = cache.repeat(questions);
        let asked = self.question.clone().repeat_dim(0, questions);
        answer(&self.model, self.model.hidden_after(asked, &mut cache), questions);
        Ok(())
    }
}

/// The most likely next token after the last of each of `rows` sequences; read, so that it has been computed.
fn answer<B: Backend>(model: &Gpt2<B>, hidden: Tensor<B, 2>, rows: usize) {
    let [all, width] = hidden.dims();
    let last =
        hidden.reshape([rows, all / rows, width]).slice([0..rows, all / rows - 1..all / rows]);
    let best: Tensor<B, 2, Int> = model.logits(last.reshape([rows, width])).argmax(1);
    best.into_data();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn break_even_is_where_the_lines_cross() {
        assert_eq!(break_even(&(10.0, 1.0), &(1.0, 4.0)), Some(4));
        assert_eq!(break_even(&(1.0, 1.0), &(2.0, 1.0)), Some(1));
        assert_eq!(break_even(&(10.0, 4.0), &(1.0, 4.0)), None);
    }

    #[test]
    fn the_line_goes_through_first_and_last() {
        let at = |questions, seconds| Measurement { reader: "r".into(), questions, seconds };
        assert_eq!(line(&[at(1, 3.0), at(2, 9.0), at(5, 11.0)], "r"), (1.0, 2.0));
    }
}
