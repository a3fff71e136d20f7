//! `reckoning eval`: a trained system on any data.

use std::path::{Path, PathBuf};

use experiment::cli::{
    Failure, OrFailure, SettingsArguments, print_line, print_note, require_not_among,
    require_writable, write_file,
};

use super::reading;
use crate::answer::BeamSearch;
use crate::config::{ExperimentConfig, Source, SystemSettings};
use crate::examination::{Asked, Breakdown, Evaluation, Examination, Scores, TestScores, examine};
use crate::test_sets::{TestSets, test_sets};
use crate::trained::TrainedSystem;

/// The scores in the folder of an evaluation.
pub(crate) const SCORES_FILE: &str = "scores.json";

/// The settings, and sections of settings, that say what a trained system is asked, and what of it was trained on.
const COUNTS: [&str; 9] = [
    "data.source",
    "data.held_out",
    "data.split_seed",
    "data.distractors",
    "data.rename",
    "data.stories",
    "data.train_hops",
    "evaluation.hops",
    "evaluation.final_sets",
];
/// A setting of the same sections that counts in training alone, and what to set in its place.
const INSTEAD: (&str, &str) = ("evaluation.sets", "evaluation.final_sets");

/// Arguments of `eval`. The configuration's `data` and `evaluation` say what is asked; --out names a folder for
/// scores.json, which `report` shows.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// Folder to write scores.json to
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folder of a trained system
    #[arg(long, value_name = "DIR")]
    system: PathBuf,
    /// Data to ask about instead of the configuration's: a file, archive or folder of a known kind. A file of a single
    /// split is asked as a whole, unless the system was trained on a file of the same text
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Answers to keep while searching; 1 is greedy, the paper uses 5
    #[arg(long, default_value_t = 5, value_parser = reading::beams)]
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
    let config = configuration(&arguments.settings, arguments.data.as_deref())?;
    if let Some(folder) = &arguments.out {
        let scores = folder.join(SCORES_FILE);
        require_not_among(&scores, &files(&arguments.settings, &config), |_| false)?;
        reading::refuse_to_replace(&scores, arguments.overwrite)?;
        require_writable(folder)?;
    }
    let evaluation = evaluated(&arguments, &config)?;
    if let Some(folder) = &arguments.out {
        save(&evaluation, folder)?;
    }
    if arguments.settings.json {
        return print_line(serde_json::to_string(&evaluation).failed()?);
    }
    lines(&evaluation.scores).into_iter().try_for_each(print_line)
}

/// The files that are read beside the system. Scores may stand in a folder of data.
fn files<'a>(settings: &'a SettingsArguments, config: &'a ExperimentConfig) -> Vec<&'a Path> {
    let data = match &config.data.source {
        Source::File { path, .. } => Some(path.as_path()),
        Source::Kinship(_) | Source::Rules(_) => None,
    };
    let read = [settings.config.as_deref(), data];
    read.into_iter().flatten().filter(|path| path.is_file()).collect()
}

fn configuration(
    settings: &SettingsArguments,
    data: Option<&Path>,
) -> Result<ExperimentConfig, Failure> {
    refuse_without_effect(settings).map_err(anyhow::Error::msg).bad_input()?;
    let config = reading::configuration(settings, data)?;
    config.check_sizes().map_err(anyhow::Error::msg).bad_input()?;
    // All of a file may be asked, though not all of it be held out of a training.
    if config.data.held_out != 1.0 {
        config.data.check_held_out().map_err(anyhow::Error::msg).bad_input()?;
    }
    Ok(config)
}

/// A trained system has its model, method and seed already, and settings of training do nothing. A file of --config may have them all.
fn refuse_without_effect(settings: &SettingsArguments) -> Result<(), String> {
    let field = |set: &str| set.split('=').next().unwrap_or_default().trim().to_owned();
    let is_of = |field: &str, section: &str| {
        let rest = field.strip_prefix(section);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let counts = |set: &&String| COUNTS.iter().any(|section| is_of(&field(set), section));
    if let Some(set) = settings.set.iter().find(|set| !counts(set)) {
        let (idle, counting) = INSTEAD;
        let remedy = match field(set) == idle {
            true => format!("set {counting}"),
            false => format!("leave it out; these count: {}", COUNTS.join(", ")),
        };
        return Err(format!(
            "--set {set} would change nothing in eval of a trained system: {remedy}"
        ));
    }
    match settings.seed {
        Some(_) => Err(
            "--seed would change nothing in eval: leave it out; data.split_seed draws what is asked"
                .into(),
        ),
        None => Ok(()),
    }
}

fn evaluated(arguments: &Arguments, config: &ExperimentConfig) -> Result<Evaluation, Failure> {
    let Arguments { settings, system: folder, beams, length_penalty, .. } = arguments;
    experiment::on_device!(settings.device, B => {
        let system = TrainedSystem::<B, SystemSettings>::load(folder, &Default::default()).bad_input()?;
        let history = system.settings.trained_on.as_deref();
        let found = test_sets(&config.data, &config.evaluation, history).bad_input()?;
        let TestSets { tests, remarks } = match system.settings.is_trained_on_generated() {
            true => found.beside_generated(),
            false => found,
        };
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
            remarks,
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
    let parts = breakdown.parts().into_iter();
    let parts = parts.map(|(part, scores)| format!("  {part}: {}", line(scores)));
    std::iter::once(format!("{name}: {}", line(&breakdown.overall))).chain(parts).collect()
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
        settings: SettingsArguments,
    }

    fn refusal(arguments: &[&str]) -> Option<String> {
        let program = Program::parse_from(["eval"].iter().chain(arguments));
        match configuration(&program.settings, None) {
            Err(Failure::BadInput(cause)) => Some(cause.to_string()),
            Ok(_) => None,
            other => panic!("expected a refusal, found {other:?}"),
        }
    }

    #[test]
    fn settings_without_effect_are_refused() {
        for counts in [
            "data.source.kind=kinship",
            "data.source.hops=[2]",
            "data.held_out=0.5",
            "data.split_seed = 1",
            "data.distractors=all",
            "data.distractors.up-to=4",
            "data.rename=false",
            "data.stories=2",
            "data.train_hops=[2]",
            "evaluation.hops=[4]",
            "evaluation.final_sets=4",
        ] {
            assert_eq!(refusal(&["--set", counts]), None);
        }
        for idle in
            ["model.width=8", "data.shuffle_facts=false", "evaluation.every=3", "data.sourced=1"]
        {
            let told = refusal(&["--set", "data.split_seed=1", "--set", idle]).unwrap();
            assert!(told.contains(idle) && told.contains("these count"), "{told}");
        }
        let told = refusal(&["--set", "evaluation.sets=4"]).unwrap();
        assert!(told.ends_with("set evaluation.final_sets"), "{told}");
        assert!(refusal(&["--seed", "1"]).unwrap().contains("data.split_seed"));
    }

    /// The configuration of a run has what it was trained with.
    #[test]
    fn a_file_may_have_settings_of_training() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "seed = 3\n[evaluation]\nsets = 4\n[data]\nstories = 2\n").unwrap();
        assert_eq!(refusal(&["--config", path.to_str().unwrap()]), None);
    }

    #[test]
    fn all_of_a_file_may_be_asked() {
        assert_eq!(refusal(&["--set", "data.held_out=1"]), None);
    }

    #[test]
    fn sets_beyond_any_machine_are_refused_as_in_training() {
        for (field, limit) in
            [("evaluation.final_sets", "at most 1000000"), ("data.stories", "1000")]
        {
            let told = refusal(&["--set", &format!("{field}=1000000000000000000")]).unwrap();
            assert!(told.contains(field) && told.contains(limit), "{told}");
        }
    }

    #[test]
    fn scores_are_not_written_over_what_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join(SCORES_FILE);
        std::fs::write(&data, "[]").unwrap();
        let settings = SettingsArguments::default();
        let mut config = ExperimentConfig::default();
        let of = |config: &ExperimentConfig| {
            require_not_among(&data, &files(&settings, config), |_| false).is_ok()
        };
        assert!(of(&config));
        config.data.source = config.data.source.at(data.clone());
        assert!(!of(&config));
        config.data.source = config.data.source.at(folder.path().to_owned());
        assert!(of(&config));
    }

    #[test]
    fn a_share_that_is_none_is_refused_as_in_training() {
        for share in ["-0.1", "1.5", "7", "nan"] {
            let told = refusal(&["--set", &format!("data.held_out={share}")]).unwrap();
            assert!(told.contains("data.held_out") && told.contains("no share"), "{told}");
        }
    }
}
