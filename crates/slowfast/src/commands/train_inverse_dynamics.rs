//! `slowfast train-inverse-dynamics`: the network that tells actions from frames.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use experiment::checkpoint::Checkpoint;
use experiment::cli::{CommonArguments, Failure, OrFailure, print_line, tell_default, write_file};
use experiment::interrupt::Interrupt;
use experiment::seed::Seed;
use inner_outer::{Decay, Schedule};
use serde::{Deserialize, Serialize};

use super::training::{Pace, Place, Training, Values};
use super::{RESULTS_FILE, inputs, open_clips};
use crate::clip::{ClipSet, Split, TrainingScenes};
use crate::inverse_dynamics::{
    INVERSE_DYNAMICS_FILE, InverseDynamics, InverseDynamicsAccuracy, InverseDynamicsConfig,
    InverseDynamicsTrainer, MotionPairs,
};
use crate::size::fits;

const STATE_FILE: &str = "trainer";

/// How inverse dynamics are trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InverseDynamicsRun {
    /// Seed of every random choice.
    pub seed: u64,
    /// Folder of clips.
    pub data: PathBuf,
    /// Pairs of frames that are drawn from the training clips. Each is also learned backwards, as the inverse action.
    pub pairs: usize,
    /// Share of the pairs, 0 to 1, whose frames are blurred and noised, as generated frames are soft.
    pub softened: f64,
    /// Pairs in a step; every action is as likely as any other.
    pub batch: usize,
    /// Pairs of validation scenes that are looked at in training.
    pub glance_pairs: usize,
    /// Pairs of the validation clips that the network is judged by at the end; the same number of the test clips.
    pub final_pairs: usize,
    /// How long, and how often to look up.
    pub pace: Pace,
    /// The rate of AdamW.
    pub rate: Schedule,
    /// The network.
    pub network: InverseDynamicsConfig,
}

impl Default for InverseDynamicsRun {
    fn default() -> Self {
        let steps = 2000;
        Self {
            seed: 0,
            data: "clips".into(),
            pairs: 16_000,
            softened: 0.5,
            batch: 256,
            glance_pairs: 1000,
            final_pairs: 4000,
            pace: Pace { steps, ..Pace::default() },
            rate: Schedule {
                rate: 2e-3,
                warm_up: 100,
                steps: steps as usize,
                decay: Decay::Cosine,
            },
            network: InverseDynamicsConfig::default(),
        }
    }
}

impl InverseDynamicsRun {
    fn check(&self) -> Result<(), Failure> {
        self.pace.check()?;
        self.pace.check_rate("rate", &self.rate)?;
        self.network.check().bad_input()?;
        super::positive("pairs", self.pairs)?;
        super::positive("batch", self.batch)?;
        super::positive("glance_pairs", self.glance_pairs)?;
        super::positive("final_pairs", self.final_pairs)?;
        let pair = self.network.pair_bytes();
        for (field, count) in [
            ("batch", self.batch),
            ("glance_pairs", self.glance_pairs),
            ("final_pairs", self.final_pairs),
        ] {
            fits(field, count, pair).bad_input()?;
        }
        // Each is also learned backwards.
        fits("pairs", self.pairs, 2.0 * pair).bad_input()?;
        if !(0.0..=1.0).contains(&self.softened) {
            let cause = anyhow::anyhow!("`softened` is {}: choose 0 to 1", self.softened);
            return Err(Failure::BadInput(cause));
        }
        Ok(())
    }
}

/// The run where none is named.
const USUAL_OUT: &str = "runs/inverse-dynamics";

/// Arguments of `train-inverse-dynamics`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("out", |argument| tell_default(argument, USUAL_OUT)))]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Folder of clips, instead of `data` in the configuration
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// How well true frames are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Steps of training.
    pub steps: u64,
    /// On the validation scenes.
    pub validation: InverseDynamicsAccuracy,
    /// On the test scenes.
    pub test: InverseDynamicsAccuracy,
}

/// Trains, and leaves the run directory with the network and `results.json`.
///
/// # Errors
/// Bad input: the configuration, the clips or the folder. Failed: training itself. Interrupted: after a checkpoint.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    common.refuse_beside_resume(&[("--data", arguments.data.is_some())])?;
    let place = Place::of(common, USUAL_OUT)?;
    let out = place.out.clone();
    let config = place.config(|| configuration(&arguments))?;
    let read = [Some(&config.data), common.settings.config.as_ref()];
    place.require_apart(&[INVERSE_DYNAMICS_FILE, RESULTS_FILE], &read)?;
    let results = experiment::on_device!(common.settings.device, B => {
        let training = InverseDynamicsTraining::<B>::new(&config)?;
        let (training, run, interrupt) = place.train(training, &config, &config.pace)?;
        training.finish(run.path(), &interrupt)
    })?;
    match common.settings.json {
        true => print_line(serde_json::to_string(&results).failed()?),
        false => print_line(format!(
            "validation: {}\ntest: {}\nwritten to {}",
            results.validation,
            results.test,
            out.join(INVERSE_DYNAMICS_FILE).display()
        )),
    }
}

fn configuration(arguments: &Arguments) -> Result<InverseDynamicsRun, Failure> {
    let common = &arguments.common;
    let mut config: InverseDynamicsRun =
        common.settings.configuration(&InverseDynamicsRun::default()).bad_input()?;
    config.seed = common.settings.seed.unwrap_or(config.seed);
    config.data = arguments.data.clone().unwrap_or(config.data);
    Ok(config)
}

struct InverseDynamicsTraining<B: Backend> {
    config: InverseDynamicsRun,
    clips: ClipSet,
    trainer: InverseDynamicsTrainer<B>,
    /// What it is looked at by while it learns.
    glanced: MotionPairs,
    inputs: Vec<String>,
}

impl<B: Backend> InverseDynamicsTraining<B> {
    fn new(config: &InverseDynamicsRun) -> Result<Self, Failure> {
        config.check()?;
        let clips = open_clips(&config.data)?;
        let inputs = vec![inputs::of_clips(&clips)];
        let InverseDynamicsRun { network, pairs, softened, batch, rate, .. } = *config;
        let seed = Seed::new(config.seed);
        let description = &clips.index().description;
        let size = [description.height, description.width];
        let mut inverse =
            InverseDynamics::new(network, size, &seed, &Default::default()).bad_input()?;
        let learned_from = clips.episodes_of(Split::Train);
        inverse.trained_on = Some(TrainingScenes::of(&clips, learned_from).bad_input()?);
        let pairs =
            MotionPairs::to_learn(&clips, network.matching, pairs, softened, &seed).bad_input()?;
        let glanced = unseen(&clips, Split::Validation, config, config.glance_pairs)?;
        // What the end needs is looked for before the folder is made.
        unseen(&clips, Split::Test, config, 1)?;
        let trainer = InverseDynamicsTrainer::new(inverse, pairs, batch, rate, seed).bad_input()?;
        Ok(Self { config: config.clone(), clips, trainer, glanced, inputs })
    }

    /// Writes the network and how well it reads true frames.
    fn finish(self, folder: &Path, interrupt: &Interrupt) -> Result<Results, Failure> {
        let inverse = self.trainer.inverse_dynamics();
        inverse.save(&folder.join(INVERSE_DYNAMICS_FILE)).failed()?;
        let accuracy = |split| {
            interrupt.heed()?;
            let pairs = unseen(&self.clips, split, &self.config, self.config.final_pairs)?;
            InverseDynamicsAccuracy::of(&inverse, &pairs).failed()
        };
        let results = Results {
            steps: self.steps_taken(),
            validation: accuracy(Split::Validation)?,
            test: accuracy(Split::Test)?,
        };
        write_file(&folder.join(RESULTS_FILE), serde_json::to_string_pretty(&results).failed()?)?;
        Ok(results)
    }
}

/// `count` pairs of scenes that nobody learns from.
fn unseen(
    clips: &ClipSet,
    split: Split,
    config: &InverseDynamicsRun,
    count: usize,
) -> Result<MotionPairs, Failure> {
    let seed = Seed::new(config.seed);
    MotionPairs::to_judge(clips, split, config.network.matching, count, &seed).bad_input()
}

impl<B: Backend> Training for InverseDynamicsTraining<B> {
    fn steps_taken(&self) -> u64 {
        self.trainer.steps_taken() as u64
    }

    fn step(&mut self) -> Result<Values, Failure> {
        let done = self.trainer.step().failed()?;
        Ok(vec![("loss", done.outer_loss), ("gradient norm", done.gradient_norm)])
    }

    fn glance(&self) -> Result<Values, Failure> {
        let inverse = self.trainer.inverse_dynamics();
        let found = InverseDynamicsAccuracy::of(&inverse, &self.glanced).failed()?;
        Ok(vec![("validation accuracy", found.action.mean)])
    }

    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn state(&self) -> Result<Vec<(&'static str, Vec<u8>)>, Failure> {
        Ok(vec![(STATE_FILE, self.trainer.state().failed()?)])
    }

    fn with_state(self, checkpoint: &Checkpoint) -> Result<Self, Failure> {
        let state = checkpoint.file(STATE_FILE).failed()?;
        let trainer = self.trainer.with_state(state, &Default::default()).failed()?;
        Ok(Self { trainer, ..self })
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::inverse_dynamics::tests::{clips, untrained};

    #[test]
    fn trained_inverse_dynamics_name_the_scenes_that_they_learned_from() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("clips");
        let clips = clips(&data);
        let network = untrained().config;
        let config = InverseDynamicsRun {
            data,
            network,
            pairs: 40,
            glance_pairs: 10,
            final_pairs: 20,
            ..InverseDynamicsRun::default()
        };
        let training = InverseDynamicsTraining::<Flex>::new(&config).unwrap();
        training.finish(folder.path(), &Interrupt::new()).unwrap();
        let load = || InverseDynamics::<Flex>::load(folder.path(), &Default::default()).unwrap();
        let learned_from = TrainingScenes::of(&clips, clips.episodes_of(Split::Train)).unwrap();
        assert_eq!(load().trained_on, Some(learned_from));
        // As earlier versions wrote them.
        let silent = InverseDynamics { trained_on: None, ..load() };
        silent.save(&folder.path().join(INVERSE_DYNAMICS_FILE)).unwrap();
        assert_eq!(load().trained_on, None);
    }
}
