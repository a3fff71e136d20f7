//! `fal train`: an experiment in a run directory that can be killed and resumed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::anyhow;
use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::checkpoint::Checkpoints;
use experiment::cli::{
    CommonArguments, Failure, OrFailure, print_line, print_note, tell_default, write_file,
};
use experiment::fingerprint::Fingerprint;
use experiment::interrupt::Interrupt;
use experiment::metrics::{self, Metrics};
use experiment::progress::Progress;
use experiment::run_directory::RunDirectory;
use experiment::seed::Seed;
use serde::Serialize;

use super::configured;
use super::judgement::{Parts, Results, judge, judged};
use crate::algorithm::{Federation, FederationState, RoundReport};
use crate::attack::{AttackError, Campaign, RobustnessReport, Samples};
use crate::attendance::{
    Attendance, DROPPED, PARTICIPANTS, PASSED_OVER, SET_ASIDE, SET_ASIDE_CLIENT, UNCONVERGED,
    clients,
};
use crate::config::ExperimentConfig;
use crate::data::{ImageSet, Split};
use crate::finished::RESULTS_FILE;
use crate::gallery::gallery;
use crate::judge::{GLANCE_STEPS, Glance, samples, transparent};
use crate::trained::{Description, NETWORK_FOLDER, Trained};
use crate::training_error::TrainingError;

/// The federation in a checkpoint.
pub(super) const STATE_FILE: &str = "federation.safetensors";
/// Test images and what an attack made of them.
pub(super) const GALLERY_FILE: &str = "gallery.svg";
/// Who has what.
pub(super) const PARTITION_FILE: &str = "partition.svg";
/// The loss around the test images.
pub(super) const SURFACE_FILE: &str = "loss-surface.svg";
pub(super) const CHECKPOINTS_KEPT: usize = 2;
/// The run where none is named.
const USUAL_OUT: &str = "runs/fal";

/// Arguments of `train`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("out", |argument| tell_default(argument, USUAL_OUT)))]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Folder with the files of the configuration's set; four idx files of any set if that one needs no folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Stop with a checkpoint after this round, from where `--resume` goes on
    #[arg(long, value_name = "ROUND", value_parser = clap::value_parser!(u64).range(1..))]
    until: Option<u64>,
}

/// Trains, and leaves the run directory with checkpoints, metrics, the network and `results.json`; the last two are those of
/// the last round alone.
///
/// # Errors
/// Bad input: the configuration, the data or the folder. Failed: training itself. Interrupted: after a checkpoint.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let out = common.out.clone().unwrap_or_else(|| USUAL_OUT.into());
    common.refuse_beside_resume(&[("--data", arguments.data.is_some())])?;
    let resumed = common.resumed(&out)?;
    let config = match &resumed {
        Some(run) => run.config().bad_input()?,
        None => configuration(&arguments)?,
    };
    let outcome = experiment::on_device!(common.settings.device, B => {
        // Data and configuration are tried before the folder is made, so that a corrected command finds it free.
        let experiment = Experiment::<B>::new(config)?;
        let run = match resumed {
            Some(run) => run,
            None => RunDirectory::create(&out, &experiment.config).bad_input()?,
        };
        experiment.train(&run, arguments.until, &Interrupt::install().failed()?)
    })?;
    match outcome {
        Outcome::Judged(results) if common.settings.json => {
            print_line(serde_json::to_string(&results).failed()?)
        }
        Outcome::Judged(results) => {
            print_line(&results.judgement.report)?;
            print_line(&results.attendance)?;
            let warnings = results.attendance.warnings();
            warnings.iter().try_for_each(|warning| print_line(format!("WARNING: {warning}")))
        }
        Outcome::Stopped { rounds } if common.settings.json => {
            print_line(serde_json::json!({ "rounds": rounds }))
        }
        Outcome::Stopped { rounds } => print_line(format!(
            "stopped after {rounds} rounds; go on with `fal train --resume --out {}`",
            out.display()
        )),
    }
}

fn configuration(arguments: &Arguments) -> Result<ExperimentConfig, Failure> {
    let Arguments { common, data, .. } = arguments;
    let mut config = configured(&common.settings, &ExperimentConfig::default(), data.clone())?;
    config.data.anchor().bad_input()?;
    config.check().bad_input()?;
    Ok(config)
}

/// What a network came to, and what did not go as it was to go in the rounds that made it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TrainingResults {
    #[serde(flatten)]
    judgement: Results,
    #[serde(flatten)]
    attendance: Attendance,
}

/// What a training came to.
pub(super) enum Outcome {
    /// All rounds are done.
    Judged(Box<TrainingResults>),
    /// It was to stop before the last round.
    Stopped { rounds: u64 },
}

/// A federation with what it is judged by.
pub(super) struct Experiment<B: Backend> {
    config: ExperimentConfig,
    federation: Federation<B>,
    test: ImageSet,
    images: Fingerprint,
    device: Device<B>,
}

impl<B: Backend> Experiment<B> {
    /// Reads the images and sets the federation up.
    ///
    /// # Errors
    /// Bad input: the configuration or the data.
    pub fn new(config: ExperimentConfig) -> Result<Self, Failure> {
        let device = Default::default();
        let split = config.data.load().bad_input()?;
        config.data.untrained(&split).into_iter().for_each(print_note);
        let images = split.fingerprint();
        let Split { train, test } = split;
        config.evaluation.check_images(&test).bad_input()?;
        let federation = Federation::new(&config, train, &device).bad_input()?;
        Ok(Self { config, federation, test, images, device })
    }

    /// The loop: rounds, `until` this one if it is stated, metrics, looks at the test images, checkpoints; after the last round
    /// the judgement.
    ///
    /// # Errors
    /// Bad input: a run that was begun with other images or is beyond `until`. Failed: training itself, and one whose rounds were
    /// all passed over. Interrupted: after a checkpoint.
    pub fn train(
        mut self,
        run: &RunDirectory,
        until: Option<u64>,
        interrupt: &Interrupt,
    ) -> Result<Outcome, Failure> {
        run.require_inputs(&[self.images.to_string()]).bad_input()?;
        let checkpoints = Checkpoints::new(run, CHECKPOINTS_KEPT).failed()?;
        let latest = checkpoints.latest().failed()?;
        if let Some(round) = latest {
            let checkpoint = checkpoints.load(round).failed()?;
            let bytes = checkpoint.file(STATE_FILE).failed()?.to_vec();
            let state = FederationState::from_bytes(bytes).failed()?;
            self.federation = self.federation.with_state(state).failed()?;
        }
        let mut metrics = run.metrics(latest).failed()?;
        let rounds = self.config.rounds;
        if let Some(until) = until.filter(|until| *until < self.federation.rounds()) {
            let done = self.federation.rounds();
            let cause = anyhow!(
                "--until {until} lies behind: {done} rounds are done; name a later one, or leave it out"
            );
            return Err(cause).bad_input();
        }
        let until = until.unwrap_or(rounds).min(rounds);
        // As lines of their own: what progress shows gives way to the next that it is told.
        let told = [self.config.shortfall(), self.config.other_threat()];
        told.into_iter().flatten().for_each(print_note);
        let progress = Progress::resumed(until, "rounds", self.federation.rounds());
        let mut told_of = BTreeSet::new();
        while self.federation.rounds() < until {
            let report = self.federation.round().failed()?;
            let glance = self.glance(report.round)?;
            log_round(&mut metrics, &report, glance)?;
            if let Some(note) = first_set_aside(&mut told_of, &report) {
                print_note(note);
            }
            if !report.is_used {
                let (round, found) = (report.round, report.participants);
                let others = report.set_aside.len();
                progress.message(format!(
                    "round {round} passes: {found} updates are too few, and {others} more are not finite"
                ));
            }
            if let Some(Glance { clean, attacked }) = glance {
                let (clean, attacked) = (clean.percent(), attacked.percent());
                progress.message(format!(
                    "clean {clean}, under PGD-{GLANCE_STEPS} {attacked} (gradients not checked yet)"
                ));
            }
            progress.advance(1);
            let stop = interrupt.requested();
            let last = report.round == until;
            if stop || last || report.round.is_multiple_of(self.config.checkpoint_every) {
                let state = self.federation.state().to_bytes().failed()?;
                checkpoints.save(report.round, &[(STATE_FILE, &state)]).failed()?;
            }
            if stop && !last {
                return Err(Failure::Interrupted);
            }
        }
        progress.finish();
        match self.federation.rounds() {
            done if done < rounds => Ok(Outcome::Stopped { rounds: done }),
            _ => Ok(Outcome::Judged(Box::new(self.judge(run, interrupt)?))),
        }
    }

    fn glance(&self, round: u64) -> Result<Option<Glance>, Failure> {
        let config = &self.config.evaluation;
        if !round.is_multiple_of(config.every) && round != self.config.rounds {
            return Ok(None);
        }
        let seed = Seed::new(self.config.seed).child("glance");
        let samples = samples(&self.test, config.samples, &seed);
        match config.glance(&self.federation.network(), &samples, &seed, &self.device) {
            // Of a network in training this is no matter of the attack.
            Err(AttackError::NonFiniteScore { value }) => {
                let may_clip = self.config.server.clip.is_none();
                Err(TrainingError::NonFiniteScore { round, value, may_clip }).failed()
            }
            glance => glance.map(Some).failed(),
        }
    }

    /// The last judgement, which goes on after an interruption with what is not done.
    fn judge(self, run: &RunDirectory, interrupt: &Interrupt) -> Result<TrainingResults, Failure> {
        let rows = metrics::read(&run.path().join(metrics::FILE_NAME)).failed()?;
        let attendance = Attendance::of(&rows);
        if attendance.passed_over > 0 && attendance.passed_over == attendance.rounds {
            let Attendance { rounds, nothing_finite, .. } = attendance;
            return Err(TrainingError::AllPassedOver { rounds, nothing_finite }).failed();
        }
        let description = Description::new(self.config.network.clone(), &self.test);
        let trained = Trained { description, network: self.federation.network() };
        trained.save(&run.path().join(NETWORK_FOLDER)).failed()?;
        let samples = judged(&self.config, &self.test);
        let parts = Parts::new(Some(run.path()), interrupt);
        let report = judge(&self.config, &trained.network, &samples, &parts)?;
        self.draw(run, &samples, &report)?;
        let judgement = Results {
            network: None,
            rounds: Some(self.federation.rounds()),
            trained_with_seed: None,
            samples: samples.len(),
            warnings: [report.checks.warnings(), attendance.warnings()].concat(),
            report,
        };
        let results = TrainingResults { judgement, attendance };
        let text = serde_json::to_string_pretty(&results).failed()?;
        write_file(&run.path().join(RESULTS_FILE), &text)?;
        Ok(results)
    }

    /// The pictures of a finished run.
    fn draw(
        &self,
        run: &RunDirectory,
        samples: &Samples,
        report: &RobustnessReport,
    ) -> Result<(), Failure> {
        let names = self.test.class_names();
        let model = transparent(&self.federation.network(), &self.device);
        let campaign = Campaign::new(self.config.evaluation.threat(), Seed::new(self.config.seed));
        let title = format!("PGD-20 ({})", campaign.threat);
        let pictures = [
            (GALLERY_FILE, gallery(&title, &campaign, &model, samples, names).failed()?),
            (PARTITION_FILE, self.federation.partition().to_svg(self.test.name(), names)),
            (SURFACE_FILE, report.checks.surface.to_svg().failed()?),
        ];
        pictures.iter().try_for_each(|(file, svg)| write_file(&run.path().join(file), svg))
    }
}

/// The clients that were set aside in this round and are not among those `told_of` yet, where there are some.
fn first_set_aside(told_of: &mut BTreeSet<usize>, report: &RoundReport) -> Option<String> {
    let new: Vec<usize> =
        report.set_aside.iter().copied().filter(|client| told_of.insert(*client)).collect();
    (!new.is_empty()).then(|| {
        let round = report.round;
        format!("round {round}: what {} learned is not finite and is left out; how often that happens is told at the end", clients(&new))
    })
}

fn log_round(
    metrics: &mut Metrics,
    report: &RoundReport,
    glance: Option<Glance>,
) -> Result<(), Failure> {
    let by_client: Vec<String> =
        report.set_aside.iter().map(|client| format!("{SET_ASIDE_CLIENT}{client}")).collect();
    let mut values = vec![(PARTICIPANTS, report.participants as f64)];
    values.extend(report.loss.map(|loss| ("loss", loss)));
    values.push((DROPPED, report.dropped.len() as f64));
    values.push((SET_ASIDE, report.set_aside.len() as f64));
    values.extend(by_client.iter().map(|name| (name.as_str(), 1.0)));
    values.push((PASSED_OVER, f64::from(u8::from(!report.is_used))));
    if !report.is_converged {
        values.push((UNCONVERGED, 1.0));
    }
    if let Some(Glance { clean, attacked }) = glance {
        values.extend([("clean accuracy", clean.mean), ("attacked accuracy", attacked.mean)]);
    }
    metrics.log(report.round, &values).failed()
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::config::AttackChoice;
    use crate::finished::FinishedRun;
    use crate::network::NetworkChoice;
    use crate::server::AggregatorChoice;

    #[test]
    fn a_network_that_diverged_is_told_with_its_round_and_the_remedy() {
        let network = NetworkChoice::Mlp { hidden: vec![4] };
        let config = ExperimentConfig { network, ..ExperimentConfig::default() };
        let mut experiment = Experiment::<Flex>::new(config).unwrap();
        assert!(experiment.glance(5).unwrap().is_some());
        let mut state = experiment.federation.state().clone();
        state.global.fill(f32::MAX);
        experiment.federation = experiment.federation.with_state(state).unwrap();
        let Err(Failure::Failed(cause)) = experiment.glance(5) else { panic!("it diverged") };
        let told = cause.to_string();
        for words in ["the network of round 5", "`client.rate`", "`server.clip`"] {
            assert!(told.contains(words), "{told}");
        }
        experiment.config.server.clip = Some(1.0);
        let Err(Failure::Failed(cause)) = experiment.glance(5) else { panic!("it diverged") };
        assert!(!cause.to_string().contains("`server.clip`"), "{cause}");
    }

    fn trained(dropout: f64) -> (tempfile::TempDir, Result<Outcome, Failure>) {
        let network = NetworkChoice::Mlp { hidden: vec![4] };
        let mut config = ExperimentConfig { rounds: 8, network, ..ExperimentConfig::default() };
        config.data.train = 200;
        config.adversary.steps = 0;
        config.clients.participation.dropout = dropout;
        config.server.aggregator = AggregatorChoice::Krum { byzantine: 1 };
        config.evaluation.final_samples = 10;
        config.evaluation.attacks = vec![AttackChoice::Fgsm];
        let folder = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(folder.path().join("run"), &config).unwrap();
        let experiment = Experiment::<Flex>::new(config).unwrap();
        let outcome = experiment.train(&run, None, &Interrupt::new());
        (folder, outcome)
    }

    #[test]
    fn rounds_that_were_passed_over_and_clients_that_were_lost_are_in_the_results() {
        let (folder, outcome) = trained(0.1);
        let Ok(Outcome::Judged(results)) = outcome else { panic!("it ends") };
        let Attendance { passed_over, dropped, rounds, .. } = results.attendance;
        assert!((1..8).contains(&passed_over) && dropped >= Some(passed_over), "{passed_over}");
        assert_eq!(rounds, 8);
        let path = folder.path().join("run");
        let text = std::fs::read_to_string(path.join(RESULTS_FILE)).unwrap();
        let written: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(written["passed_over"], passed_over);
        assert_eq!(written["dropped"], dropped.unwrap());
        let warning = format!("{passed_over} of 8 rounds were passed over");
        let warned = |warnings: &[String]| warnings.iter().any(|told| told.contains(&warning));
        assert!(warned(&results.judgement.warnings));
        let finished = FinishedRun::read(&path).unwrap();
        assert!(warned(&finished.warnings()));
        assert_eq!(finished.attendance(), Some(results.attendance));
    }

    #[test]
    fn a_training_whose_rounds_were_all_passed_over_has_failed() {
        let (folder, outcome) = trained(0.9);
        let Err(Failure::Failed(cause)) = outcome else { panic!("nothing was trained") };
        let told = cause.to_string();
        assert!(told.contains("all 8 rounds") && told.contains("dropout"), "{told}");
        assert!(!folder.path().join("run").join(RESULTS_FILE).exists());
    }
}
