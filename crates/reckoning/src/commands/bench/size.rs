//! What a benchmark holds at a time, before any of it is made.

use super::Arguments;
use super::memory::with_steps;
use crate::config::ExperimentConfig;
use crate::limits::{MOST_INNER_STEPS, MOST_NUMBERS, require_at_most};

/// Tokens that are read in one context.
const MOST_TOKENS: usize = 1_000_000;

/// The tokens of all facts and a question.
///
/// # Errors
/// A sentence that names the arguments, their values and what is allowed.
pub(super) fn tokens(arguments: &Arguments) -> Result<usize, String> {
    let Arguments { facts, fact_tokens, question_tokens, .. } = *arguments;
    let told = facts.checked_mul(fact_tokens);
    let read = told.and_then(|told| told.checked_add(question_tokens));
    read.filter(|read| *read <= MOST_TOKENS).ok_or_else(|| {
        format!(
            "--facts {facts} of --fact-tokens {fact_tokens} and a question of --question-tokens {question_tokens} are too long; give fewer or shorter ones, \
             for at most {MOST_TOKENS} tokens"
        )
    })
}

/// Refuses more steps, questions or text than any machine holds the numbers of.
///
/// # Errors
/// As [`tokens`].
pub(super) fn check(arguments: &Arguments, config: &ExperimentConfig) -> Result<(), String> {
    let Arguments { facts, fact_tokens, question_tokens, .. } = *arguments;
    let most = |counts: &[usize]| counts.iter().max().copied().unwrap_or_default();
    let memory_steps = most(&arguments.memory_steps);
    let meta_step = arguments.meta_step.unwrap_or_default();
    for (argument, steps) in [
        ("--inner-steps", most(&arguments.inner_steps)),
        ("--memory-steps", memory_steps),
        ("--meta-step", meta_step),
    ] {
        require_at_most(argument, steps, MOST_INNER_STEPS)?;
    }
    let kept = with_steps(config, memory_steps.max(meta_step)).check_kept();
    kept.map_err(|refusal| format!("--memory-steps: {refusal}"))?;
    let questions = most(&arguments.questions);
    let numbers = numbers(arguments, config, questions as f64);
    match numbers <= MOST_NUMBERS {
        true => Ok(()),
        false => Err(format!(
            "--facts {facts} of --fact-tokens {fact_tokens} and --questions of --question-tokens {question_tokens}, {questions} at a time, take {numbers:.1e} \
             numbers in a model of this size; give fewer or shorter ones, or a smaller model, for at most {MOST_NUMBERS:.0e}"
        )),
    }
}

/// The most numbers that are surely there at a time: of facts and a question in one context, of all questions behind what is kept
/// of the facts, or of the facts that the inner loop learns.
fn numbers(arguments: &Arguments, config: &ExperimentConfig, questions: f64) -> f64 {
    let model = &config.model;
    let [width, layers, heads, vocabulary] =
        [model.width, model.layers, model.heads, model.vocabulary].map(|size| size as f64);
    let [facts, fact, question] =
        [arguments.facts, arguments.fact_tokens, arguments.question_tokens].map(|size| size as f64);
    let told = facts * fact;
    let read = told + question;
    let in_context = heads * read * read + 4.0 * width * read;
    // Keys and values of every layer.
    let cached = questions * (2.0 * layers * width * told + 4.0 * width * question + vocabulary);
    let learned = layers * facts * (heads * fact * fact + 4.0 * width * fact) + told * vocabulary;
    in_context.max(cached).max(learned)
}
