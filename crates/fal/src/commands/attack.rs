//! `fal attack`: a trained network under attack, in a run directory that can be resumed.

use std::path::{self, Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, anyhow};
use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::checkpoint::Checkpoints;
use experiment::cli::{
    CommonArguments, Failure, OrFailure, print_line, require_not_among, write_file,
};
use experiment::interrupt::Interrupt;
use experiment::run_directory::RunDirectory;

use super::judgement::{Parts, Results, judge, judged};
use super::train::{CHECKPOINTS_KEPT, STATE_FILE, SURFACE_FILE};
use super::{configured, refuse_training};
use crate::algorithm::FederationState;
use crate::config::ExperimentConfig;
use crate::data::ImageSet;
use crate::finished::{ATTACKED_FILE, RESULTS_FILE};
use crate::network::NetworkChoice;
use crate::trained::{Description, NETWORK_FOLDER, Trained, TrainedError, is_saved};

/// Arguments of `attack`. With `--out`, every batch of an attack is kept as soon as it is done, and `--resume` goes on with the
/// others.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// A run of `fal train`, a checkpoint of it (RUN/checkpoints/step-N), its network folder, or a safetensors file of the network
    /// that the configuration describes
    #[arg(long, value_name = "PATH", required_unless_present = "resume")]
    network: Option<PathBuf>,
    /// The test images, as the configuration of a training names them; those of the run if it is one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Attacks, prints accuracy and checks, and leaves `results.json` and the loss surface in the run directory `--out`.
///
/// # Errors
/// Bad input: the configuration, the network, the data or the folder. Failed: the attacks. Interrupted: `--resume` goes on.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    common.refuse_beside_resume(&[("--data", arguments.data.is_some())])?;
    let resumed = match &common.out {
        Some(out) => {
            refuse_training(out)?;
            if let Some(network) = &arguments.network {
                require_free(out, network)?;
            }
            common.resumed(out)?
        }
        None => None,
    };
    let config = match &resumed {
        Some(run) => run.config().bad_input()?,
        None => configuration(&arguments)?,
    };
    config.check().bad_input()?;
    let path = attacked(&arguments, resumed.as_ref())?;
    let test = config.data.load().bad_input()?.test;
    let results = experiment::on_device!(common.settings.device, B => {
        attack::<B>(&path, common.out.as_deref(), &config, &test, resumed)
    })?;
    match common.settings.json {
        true => print_line(serde_json::to_string(&results).failed()?),
        false => {
            let rounds = results.rounds.map(|rounds| format!(" after {rounds} rounds"));
            print_line(format!("{}{}", path.display(), rounds.unwrap_or_default()))?;
            print_line(results.report)
        }
    }
}

/// The path of what is attacked: as stated, or as the folder that is resumed has it.
fn attacked(arguments: &Arguments, resumed: Option<&RunDirectory>) -> Result<PathBuf, Failure> {
    if let Some(path) = &arguments.network {
        return Ok(path.clone());
    }
    let file = resumed.map(|run| run.path().join(ATTACKED_FILE)).unwrap_or_default();
    let bytes = fs::read(&file).with_context(|| {
        format!(
            "cannot read {}, which says what is attacked: say it with --network",
            file.display()
        )
    });
    serde_json::from_slice(&bytes.bad_input()?).bad_input()
}

/// An attack may be kept in a folder of its own within the run of the network, and not among what the run has there, such as the
/// network or a checkpoint, which goes with all that is in its folder.
fn require_free(out: &Path, network: &Path) -> Result<(), Failure> {
    let run = run_at(network).map(|(run, _)| run.path().to_owned());
    let inputs: Vec<PathBuf> = run.into_iter().chain([network.to_owned()]).collect();
    require_not_among(out, &inputs, is_for_attacks)
}

/// Whether the folder of an attack, or one that may become one: a kill leaves hidden files before all others.
fn is_for_attacks(folder: &Path) -> bool {
    let is_hidden = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with('.'))
    };
    RunDirectory::open(folder).is_ok()
        || fs::read_dir(folder).is_ok_and(|mut entries| entries.all(is_hidden))
}

/// The configuration of the run that is attacked, or the default, with what the arguments change.
fn configuration(arguments: &Arguments) -> Result<ExperimentConfig, Failure> {
    let common = &arguments.common;
    let of_run = match arguments.network.as_deref().and_then(run_at) {
        Some((run, _)) => run.config().bad_input()?,
        None => ExperimentConfig::default(),
    };
    let mut config = configured(&common.settings, &of_run, arguments.data.clone())?;
    config.data.anchor().bad_input()?;
    Ok(config)
}

/// How a network came about.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Training {
    rounds: u64,
    seed: u64,
}

/// The run that `path` is, or the one whose checkpoint it is, with the round of the latter: `RUN/checkpoints/step-N` with or without
/// the zeros before N, or the file in it.
fn run_at(path: &Path) -> Option<(RunDirectory, Option<u64>)> {
    if let Ok(run) = RunDirectory::open(path) {
        return Some((run, None));
    }
    // Seen from within the run, the path need not name it.
    let path = path::absolute(path).ok()?;
    let folder = if path.ends_with(STATE_FILE) { path.parent()? } else { &path };
    let round = folder.file_name()?.to_str()?.strip_prefix("step-")?.parse().ok()?;
    let checkpoints = folder.parent().filter(|parent| parent.ends_with("checkpoints"))?;
    Some((RunDirectory::open(checkpoints.parent()?).ok()?, Some(round)))
}

/// The network with its training, where it is known: of a run or one of its checkpoints, of a file of weights or a checkpoint's,
/// or of a folder `network`.
fn network<B: Backend>(
    path: &Path,
    config: &ExperimentConfig,
    test: &ImageSet,
    device: &Device<B>,
) -> Result<(Trained<B>, Option<Training>), Failure> {
    if let Some((run, round)) = run_at(path) {
        let (trained, training) = of_run(&run, round, config, test, device)?;
        return Ok((trained, Some(training)));
    }
    if path.is_file() {
        return Ok((of_file(path, config, test, device)?, None));
    }
    let trained = Trained::load(path, device).bad_input()?;
    // No configuration comes with a folder, and the default network is one that nobody asked for.
    if config.network != NetworkChoice::default() {
        require_same(path, &config.network, &trained.description.network)?;
    }
    Ok((trained, None))
}

/// After `round` if it is stated, else that of a finished run, or of the last checkpoint of one that has not written its network to
/// the end.
fn of_run<B: Backend>(
    run: &RunDirectory,
    round: Option<u64>,
    config: &ExperimentConfig,
    test: &ImageSet,
    device: &Device<B>,
) -> Result<(Trained<B>, Training), Failure> {
    let path = run.path();
    // What is set for the attack says nothing of the training.
    let trained_as: ExperimentConfig = run.config().bad_input()?;
    require_same(path, &config.network, &trained_as.network)?;
    let training = |rounds| Training { rounds, seed: trained_as.seed };
    if round.is_none() && is_saved(&path.join(NETWORK_FOLDER)) {
        return Ok((Trained::load(path, device).bad_input()?, training(trained_as.rounds)));
    }
    let checkpoints = Checkpoints::new(run, CHECKPOINTS_KEPT).bad_input()?;
    let last = checkpoints.latest().bad_input()?;
    let Some(round) = round.or(last) else {
        let cause =
            anyhow!("{} has no checkpoint yet; train on, or name another run", path.display());
        return Err(Failure::BadInput(cause));
    };
    let checkpoint = checkpoints.load(round).bad_input()?;
    let state = FederationState::from_bytes(checkpoint.file(STATE_FILE).bad_input()?.to_vec());
    let description = Description::new(config.network.clone(), test);
    let trained = Trained::with_parameters(description, &state.bad_input()?.global, device);
    Ok((trained.bad_input()?, training(round)))
}

/// The weights in a safetensors file that names them as the network does, or a copy of a checkpoint's file.
fn of_file<B: Backend>(
    path: &Path,
    config: &ExperimentConfig,
    test: &ImageSet,
    device: &Device<B>,
) -> Result<Trained<B>, Failure> {
    let description = Description::new(config.network.clone(), test);
    let state = fs::read(path).ok().and_then(|bytes| FederationState::from_bytes(bytes).ok());
    let Some(state) = state else {
        return Trained::with_weights(description, path, device).bad_input();
    };
    match Trained::with_parameters(description, &state.global, device) {
        Err(cause @ TrainedError::Length(_)) => Err(cause).with_context(|| {
            format!(
                "{} is a checkpoint of another network than the configuration describes; name that of its run with --config",
                path.display()
            )
        }).bad_input(),
        trained => trained.bad_input(),
    }
}

/// Another network than the trained one cannot be attacked, whatever is set.
fn require_same(path: &Path, asked: &NetworkChoice, found: &NetworkChoice) -> Result<(), Failure> {
    match asked == found {
        true => Ok(()),
        false => Err(anyhow!(
            "the settings of `network` are not those of the trained network in {}; leave them out, or name another --network",
            path.display()
        ))
        .bad_input(),
    }
}

fn attack<B: Backend>(
    path: &Path,
    out: Option<&Path>,
    config: &ExperimentConfig,
    test: &ImageSet,
    resumed: Option<RunDirectory>,
) -> Result<Results, Failure> {
    let (trained, training) = network::<B>(path, config, test, &Default::default())?;
    trained.description.require_fit(test).bad_input()?;
    config.evaluation.check_images(test).bad_input()?;
    // Found again from any working directory.
    let anchored = path::absolute(path).bad_input()?;
    // Everything is tried before the folder is made, so that a corrected command finds it free.
    let run = match (resumed, out) {
        (None, Some(out)) => Some(RunDirectory::create(out, config).bad_input()?),
        (resumed, _) => resumed,
    };
    // Where nothing is kept, Ctrl-C need not wait for the batches at work.
    let interrupt = match &run {
        Some(run) => {
            let inputs = [test.fingerprint(), trained.fingerprint()].map(|print| print.to_string());
            run.require_inputs(&inputs).bad_input()?;
            write_file(
                &run.path().join(ATTACKED_FILE),
                serde_json::to_string(&anchored).failed()?,
            )?;
            Interrupt::install().failed()?
        }
        None => Interrupt::new(),
    };
    let samples = judged(config, test);
    let parts = Parts::new(run.as_ref().map(RunDirectory::path), &interrupt);
    let report = judge(config, &trained.network, &samples, &parts)?;
    let warnings = report.checks.warnings();
    let results = Results {
        network: Some(anchored),
        rounds: training.map(|training| training.rounds),
        trained_with_seed: training.map(|training| training.seed),
        samples: samples.len(),
        report,
        warnings,
    };
    if let Some(run) = &run {
        leave(run.path(), &results)?;
    }
    Ok(results)
}

/// `results.json` and the picture of the loss.
fn leave(folder: &Path, results: &Results) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(results).failed()?;
    write_file(&folder.join(RESULTS_FILE), &text)?;
    let surface = results.report.checks.surface.to_svg().failed()?;
    write_file(&folder.join(SURFACE_FILE), &surface)
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::algorithm::Federation;
    use crate::data::Split;

    /// A run that was killed between the weights and their description has a last checkpoint all the same.
    #[test]
    fn a_network_that_was_not_written_to_its_end_is_that_of_the_last_checkpoint() {
        let choice = NetworkChoice::Mlp { hidden: vec![4] };
        let config = ExperimentConfig { network: choice.clone(), ..ExperimentConfig::default() };
        let Split { train, test } = config.data.load().unwrap();
        let device = Default::default();
        let federation = Federation::<Flex>::new(&config, train, &device).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunDirectory::create(&path, &config).unwrap();
        let state = federation.state().to_bytes().unwrap();
        let checkpoints = Checkpoints::new(&run, CHECKPOINTS_KEPT).unwrap();
        checkpoints.save(3, &[(STATE_FILE, &state)]).unwrap();
        let training = || network::<Flex>(&path, &config, &test, &device).unwrap().1;
        let after = |rounds| Some(Training { rounds, seed: config.seed });
        assert_eq!(training(), after(3));
        let description = Description::new(choice, &test);
        let trained = Trained { description, network: federation.network() };
        trained.save(&path.join(NETWORK_FOLDER)).unwrap();
        assert_eq!(training(), after(config.rounds));
        fs::remove_file(path.join(NETWORK_FOLDER).join("network.json")).unwrap();
        assert_eq!(training(), after(3));
    }

    #[test]
    fn an_attack_is_not_kept_among_the_files_of_what_it_attacks() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        drop(RunDirectory::create(&run, &ExperimentConfig::default()).unwrap());
        let checkpoint = run.join("checkpoints/step-000000000004");
        for (folder, file) in [(&checkpoint, STATE_FILE), (&run.join(NETWORK_FOLDER), "weights")] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join(file), "numbers").unwrap();
        }
        let is_free = |out: &Path, network: &Path| match require_free(out, network) {
            Err(Failure::BadInput(cause)) => {
                assert!(cause.to_string().contains("name another file or folder"), "{cause}");
                false
            }
            judged => judged.is_ok(),
        };
        let attack = run.join("attack");
        for network in [&run, &checkpoint] {
            for taken in [&checkpoint, &run.join(NETWORK_FOLDER), &run.join("checkpoints")] {
                assert!(!is_free(taken, network), "{}", taken.display());
            }
            assert!(is_free(&attack, network) && is_free(&folder.path().join("attack"), network));
        }
        // After a kill at once, and as a whole.
        fs::create_dir(&attack).unwrap();
        fs::write(attack.join(".lock"), "").unwrap();
        assert!(is_free(&attack, &run));
        drop(RunDirectory::create(&attack, &ExperimentConfig::default()).unwrap());
        fs::write(attack.join(RESULTS_FILE), "{}").unwrap();
        assert!(is_free(&attack, &run));
        assert!(!is_free(&attack, &attack), "it is itself what is attacked");
    }
}
