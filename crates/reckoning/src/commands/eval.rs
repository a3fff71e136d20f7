//! `reckoning eval`: a trained system on any data.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use experiment::cli::{CommonArguments, Failure, OrFailure, print_line, print_note, write_file};

use super::reading;
use crate::answer::BeamSearch;
use crate::config::{ExperimentConfig, SystemSettings};
use crate::examination::{Asked, Breakdown, Evaluation, Examination, Scores, TestScores, examine};
use crate::test_sets::{TestSets, test_sets};
use crate::trained::TrainedSystem;

/// The scores in the folder of an evaluation.
pub(crate) const SCORES_FILE: &str = "scores.json";

/// Arguments of `eval`. The configuration's `data` and `evaluation` say what is asked; --out names a folder for
/// scores.json, which `report` shows.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Folder of a trained system
    #[arg(long, value_name = "DIR")]
    system: PathBuf,
    /// Data to ask about instead of the configuration's: a file, archive or folder of a known kind. A file of a single
    /// split is asked as a whole, unless the system was trained on a file of the same text
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Answers to keep while searching; 1 is greedy, the paper uses 5
    #[arg(long, default_value_t = 5, value_parser = reading::at_least_one)]
    beams: usize,
    /// Answers are compared by the sum of their log-probabilities over their length to this power: 1 by means, 0 by sums, by
    /// which an answer that recites less comes first
    #[arg(long, value_name = "POWER", default_value_t = 1.0)]
    length_penalty: f64,
    /// Replace the scores of an earlier evaluation in --out
    #[arg(long)]
    overwrite: bool,
}

/// Generates, scores and prints.
///
/// # Errors
/// Bad input: the system or the data. Failed: writing.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    arguments.common.refuse_resume()?;
    refuse_without_effect(&arguments.common)?;
    let config = reading::configuration(&arguments.common, arguments.data.as_deref())?;
    if let Some(folder) = &arguments.common.out {
        reading::refuse_to_replace(&folder.join(SCORES_FILE), arguments.overwrite)?;
    }
    let evaluation = evaluated(&arguments, &config)?;
    if let Some(folder) = &arguments.common.out {
        save(&evaluation, folder)?;
    }
    if arguments.common.json {
        return print_line(serde_json::to_string(&evaluation).failed()?);
    }
    lines(&evaluation.scores).into_iter().try_for_each(print_line)
}

/// A trained system has its model, method and seed already.
fn refuse_without_effect(common: &CommonArguments) -> Result<(), Failure> {
    let is_asked =
        |set: &&String| ["data.", "evaluation."].iter().any(|part| set.starts_with(part));
    let idle = common.set.iter().find(|set| !is_asked(set));
    match (idle, common.seed) {
        (Some(set), _) => Err(anyhow!(
            "--set {set} would change nothing in a trained system: eval takes settings of `data` and `evaluation`"
        )),
        (None, Some(_)) => Err(anyhow!(
            "--seed would change nothing in eval: leave it out; data.split_seed draws what is asked"
        )),
        (None, None) => Ok(()),
    }
    .bad_input()
}

fn evaluated(arguments: &Arguments, config: &ExperimentConfig) -> Result<Evaluation, Failure> {
    let Arguments { common, system: folder, beams, length_penalty, .. } = arguments;
    experiment::on_device!(common.device, B => {
        let system = TrainedSystem::<B, SystemSettings>::load(folder, &Default::default()).bad_input()?;
        let history = system.settings.trained_on.as_deref();
        let TestSets { tests, remarks } =
            test_sets(&config.data, &config.evaluation, history).bad_input()?;
        remarks.iter().for_each(print_note);
        let search = BeamSearch { beams: *beams, length_penalty: *length_penalty };
        Ok(Evaluation {
            system: folder.clone(),
            base: system.fingerprint(),
            method: system.settings.method,
            data: config.data.source.clone(),
            asked: Some(Asked { data: config.data.clone(), evaluation: config.evaluation.clone() }),
            beams: *beams,
            length_penalty: Some(*length_penalty),
            scores: examine(&system, &tests, search).bad_input()?,
        })
    })
}

fn save(evaluation: &Evaluation, folder: &Path) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(evaluation).failed()?;
    write_file(&folder.join(SCORES_FILE), &text)
}

/// Each test set with its parts, then all of them together.
fn lines(scores: &Examination) -> Vec<String> {
    let test_set = |TestScores { name, part, scores }: &TestScores| {
        breakdown(&format!("{name} ({})", part.reason()), scores)
    };
    let mut lines: Vec<String> = scores.tests.iter().flat_map(test_set).collect();
    lines.extend(scores.together.iter().flat_map(|scores| breakdown("all test sets", scores)));
    lines
}

/// A line for all questions, and one for each part where there are several.
fn breakdown(name: &str, breakdown: &Breakdown) -> Vec<String> {
    let Breakdown { overall, by_hops, by_distractors } = breakdown;
    let mut lines = vec![format!("{name}: {}", line(overall))];
    for (what, parts) in [("hops", by_hops), ("distractors", by_distractors)] {
        if parts.len() > 1 {
            lines.extend(
                parts.iter().map(|(key, scores)| format!("  {key} {what}: {}", line(scores))),
            );
        }
    }
    lines
}

fn line(scores: &Scores) -> String {
    let Scores { exact_match, likeliest_label, recall_f1, recall_lenient } = scores;
    let (exact, likeliest) = (exact_match.percent(), likeliest_label.percent());
    let mut line = format!("exact match {exact}, likeliest label {likeliest}");
    for (name, recall) in [("recall F1", recall_f1), ("official lenient", recall_lenient)] {
        if let Some(recall) = recall {
            line += &format!(", {name} {}", recall.percent());
        }
    }
    line + &format!(", {} questions", exact_match.n)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        common: CommonArguments,
    }

    #[test]
    fn settings_without_effect_are_refused() {
        let refusal = |arguments: &[&str]| {
            let program = Program::parse_from(["eval"].iter().chain(arguments));
            match refuse_without_effect(&program.common) {
                Err(Failure::BadInput(cause)) => Some(cause.to_string()),
                Ok(()) => None,
                other => panic!("expected a refusal, found {other:?}"),
            }
        };
        assert_eq!(refusal(&["--set", "evaluation.sets=4", "--set", "data.split_seed=1"]), None);
        assert!(refusal(&["--set", "model.width=8"]).unwrap().contains("model.width=8"));
        assert!(refusal(&["--seed", "1"]).unwrap().contains("data.split_seed"));
    }
}
