//! `slowfast train-inverse-dynamics`: the network that tells actions from frames, in a run directory that can be resumed.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use experiment::checkpoint::Checkpoints;
use experiment::cli::{CommonArguments, Failure, OrFailure, print_line, write_file};
use experiment::interrupt::Interrupt;
use experiment::progress::Progress;
use experiment::run_directory::RunDirectory;
use experiment::seed::Seed;
use serde::{Deserialize, Serialize};

use super::eval::require_inputs;
use super::{RESULTS_FILE, open_clips};
use crate::clip::{ClipSet, Split};
use crate::inverse_dynamics::{
    INVERSE_DYNAMICS_FILE, InverseDynamics, InverseDynamicsAccuracy, InverseDynamicsTrainer,
    InverseDynamicsTraining, MotionPairs,
};

const STATE_FILE: &str = "trainer.state";
const CHECKPOINTS_KEPT: usize = 2;

/// Arguments of `train-inverse-dynamics`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Folder of clips to learn from
    #[arg(long, value_name = "CLIPS")]
    data: PathBuf,
}

/// How well true frames are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Steps of training.
    pub steps: usize,
    /// On the validation scenes.
    pub validation: InverseDynamicsAccuracy,
    /// On the test scenes.
    pub test: InverseDynamicsAccuracy,
}

/// Trains, and leaves the run directory with checkpoints, metrics, the network and `results.json`.
///
/// # Errors
/// Bad input: the configuration, the clips or the folder. Failed: training itself. Interrupted: after a checkpoint.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let out = common.out.clone().unwrap_or_else(|| "runs/inverse-dynamics".into());
    let resumed = common.resumed(&out)?;
    let config = match &resumed {
        Some(run) => run.config().bad_input()?,
        None => configuration(common)?,
    };
    let clips = open_clips(&arguments.data)?;
    let interrupt = Interrupt::install().failed()?;
    let results = experiment::on_device!(common.device, B => {
        train::<B>(&config, &clips, resumed, &out, &interrupt)
    })?;
    match common.json {
        true => print_line(serde_json::to_string(&results).failed()?),
        false => print_line(format!(
            "validation: {}\ntest: {}\nwritten to {}",
            results.validation,
            results.test,
            out.join(INVERSE_DYNAMICS_FILE).display()
        )),
    }
}

fn configuration(common: &CommonArguments) -> Result<InverseDynamicsTraining, Failure> {
    let defaults = InverseDynamicsTraining::default();
    let mut config: InverseDynamicsTraining = common.configuration(&defaults).bad_input()?;
    config.seed = common.seed.unwrap_or(config.seed);
    config.check().bad_input()?;
    Ok(config)
}

fn train<B: Backend>(
    config: &InverseDynamicsTraining,
    clips: &ClipSet,
    resumed: Option<RunDirectory>,
    out: &Path,
    interrupt: &Interrupt,
) -> Result<Results, Failure> {
    let mut trainer = trainer::<B>(config, clips)?;
    let run = match resumed {
        Some(run) => run,
        None => RunDirectory::create(out, config).bad_input()?,
    };
    require_inputs(&run, &[clips.index().description.fingerprint()])?;
    let checkpoints = Checkpoints::new(&run, CHECKPOINTS_KEPT).failed()?;
    let latest = checkpoints.latest().failed()?;
    if let Some(step) = latest {
        let checkpoint = checkpoints.load(step).failed()?;
        let state = checkpoint.file(STATE_FILE).failed()?;
        trainer = trainer.with_state(state, &Default::default()).failed()?;
    }
    let mut metrics = run.metrics(latest).failed()?;
    let progress = Progress::resumed(config.steps as u64, "steps", trainer.steps_taken() as u64);
    while trainer.steps_taken() < config.steps {
        let loss = trainer.step().failed()?.outer_loss;
        let step = trainer.steps_taken();
        let (stop, last) = (interrupt.requested(), step == config.steps);
        if stop || last || step.is_multiple_of(100) {
            metrics.log(step as u64, &[("loss", loss)]).failed()?;
            progress.message(format!("loss {loss:.3}"));
        }
        progress.advance(1);
        if stop || last || step.is_multiple_of(config.checkpoint_every) {
            let state = trainer.state().failed()?;
            checkpoints.save(step as u64, &[(STATE_FILE, &state)]).failed()?;
        }
        if stop && !last {
            return Err(Failure::Interrupted);
        }
    }
    progress.finish();
    judge(config, clips, &trainer.inverse_dynamics(), &run)
}

fn trainer<B: Backend>(
    config: &InverseDynamicsTraining,
    clips: &ClipSet,
) -> Result<InverseDynamicsTrainer<B>, Failure> {
    let seed = Seed::new(config.seed);
    let description = &clips.index().description;
    let size = [description.height, description.width];
    let inverse =
        InverseDynamics::new(config.network, size, &seed, &Default::default()).bad_input()?;
    let matching = config.network.matching;
    let pairs =
        MotionPairs::to_learn(clips, matching, config.pairs, config.softened, &seed).bad_input()?;
    InverseDynamicsTrainer::new(inverse, pairs, config.batch, config.rate, seed).bad_input()
}

fn judge<B: Backend>(
    config: &InverseDynamicsTraining,
    clips: &ClipSet,
    inverse: &InverseDynamics<B>,
    run: &RunDirectory,
) -> Result<Results, Failure> {
    inverse.save(&run.path().join(INVERSE_DYNAMICS_FILE)).failed()?;
    let seed = Seed::new(config.seed);
    let accuracy = |split| -> Result<InverseDynamicsAccuracy, Failure> {
        let matching = config.network.matching;
        let pairs =
            MotionPairs::to_judge(clips, split, matching, config.judged, &seed).bad_input()?;
        InverseDynamicsAccuracy::of(inverse, &pairs).failed()
    };
    let results = Results {
        steps: config.steps,
        validation: accuracy(Split::Validation)?,
        test: accuracy(Split::Test)?,
    };
    let text = serde_json::to_string_pretty(&results).failed()?;
    write_file(&run.path().join(RESULTS_FILE), &text)?;
    Ok(results)
}
