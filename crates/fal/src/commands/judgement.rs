//! The last judgement: every attack of the configuration and the checks, each kept as soon as it is there.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use experiment::cli::{Failure, OrFailure, write_file};
use experiment::interrupt::Interrupt;
use experiment::progress::Progress;
use experiment::seed::Seed;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::attack::{Attack, AttackError, RobustnessReport, Samples};
use crate::config::ExperimentConfig;
use crate::data::ImageSet;
use crate::judge::{samples, transparent};
use crate::network::Network;

/// The parts of a judgement within the folder of a run.
const FOLDER: &str = "judgement";
const CHECKS: &str = "checks";

/// What a network came to.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// What was attacked, where it is not the run in whose folder this lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<PathBuf>,
    /// Rounds of communication; none for weights that do not tell.
    pub rounds: Option<u64>,
    /// Test images.
    pub samples: usize,
    /// Accuracy clean and under attack, with the checks.
    pub report: RobustnessReport,
    /// Signs that gradients are hidden; none for numbers that can be believed.
    pub warnings: Vec<String>,
}

/// Parts of a judgement, each left in a file as soon as it is there.
pub(super) struct Parts<'i> {
    /// Where they are left; nowhere without a run.
    folder: Option<PathBuf>,
    interrupt: &'i Interrupt,
}

impl<'i> Parts<'i> {
    /// Those of the run in a folder, or those that nothing keeps.
    pub fn new(run: Option<&Path>, interrupt: &'i Interrupt) -> Self {
        Self { folder: run.map(|run| run.join(FOLDER)), interrupt }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(format!("{name}.json")))
    }

    fn is_kept(&self, name: &str) -> bool {
        self.path(name).is_some_and(|path| path.exists())
    }

    /// The part that an earlier process left, or what `make` gives now.
    ///
    /// # Errors
    /// Failed: those of `make`, and a file that cannot be written. Interrupted: before `make` begins.
    fn kept<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<T, AttackError>,
    ) -> Result<T, Failure> {
        let path = self.path(name);
        let left = path.as_ref().and_then(|path| fs::read(path).ok());
        if let Some(kept) = left.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(kept);
        }
        self.interrupt.heed()?;
        let made = make().failed()?;
        if let Some(path) = path {
            write_file(&path, serde_json::to_string(&made).failed()?)?;
        }
        Ok(made)
    }
}

/// The test images that a run is judged by at its end.
pub(super) fn judged(config: &ExperimentConfig, test: &ImageSet) -> Samples {
    samples(test, config.evaluation.final_samples, &seed(config))
}

/// Attacks `network` with everything that the configuration names, and checks that it does not merely hide its gradients.
/// After an interruption this goes on with the attacks that are not done.
///
/// # Errors
/// Failed: an attack. Interrupted: after the attack at work.
pub(super) fn judge<B: Backend>(
    config: &ExperimentConfig,
    network: &Network<B>,
    samples: &Samples,
    parts: &Parts<'_>,
) -> Result<RobustnessReport, Failure> {
    let evaluation = config.evaluation.evaluation(&seed(config));
    let model = transparent(network, &Default::default());
    let clean = evaluation.campaign.clean_accuracy(&model, samples).failed()?;
    let attacks = &config.evaluation.attacks;
    let names = (0..attacks.len()).map(|number| number.to_string());
    let names: Vec<String> = names.chain([CHECKS.to_owned()]).collect();
    let missing = names.iter().filter(|name| !parts.is_kept(name)).count();
    let progress = Progress::new((missing * samples.len()) as u64, "judgement");
    let done = |images: usize| progress.advance(images as u64);
    let mut robust = Vec::with_capacity(attacks.len());
    for (choice, name) in attacks.iter().zip(&names) {
        let attack: Box<dyn Attack<_>> = choice.attack();
        progress.message(attack.name());
        let attack = || evaluation.attack(&*attack, &model, samples, &done);
        robust.push(parts.kept(name, attack)?);
    }
    progress.message("checks against hidden gradients");
    let checks = parts.kept(CHECKS, || {
        let checks = evaluation.check(&model, samples);
        done(samples.len());
        checks
    })?;
    progress.finish();
    Ok(RobustnessReport { clean, robust, checks })
}

fn seed(config: &ExperimentConfig) -> Seed {
    Seed::new(config.seed).child("judgement")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_judged_is_not_judged_again() {
        let folder = tempfile::tempdir().unwrap();
        let interrupt = Interrupt::new();
        let parts = Parts::new(Some(folder.path()), &interrupt);
        assert_eq!(parts.kept("0", || Ok(0.1 + 0.2)).unwrap(), 0.1 + 0.2);
        assert!(parts.is_kept("0") && !parts.is_kept("1"));
        interrupt.request();
        let again = || -> Result<f64, AttackError> { panic!("it is kept") };
        assert_eq!(parts.kept("0", again).unwrap(), 0.1 + 0.2, "to the last bit");
        assert!(matches!(parts.kept("1", || Ok(1.0)), Err(Failure::Interrupted)));
    }

    #[test]
    fn without_a_run_nothing_is_kept() {
        let interrupt = Interrupt::new();
        let parts = Parts::new(None, &interrupt);
        assert_eq!(parts.kept("0", || Ok(1.0)).unwrap(), 1.0);
        assert_eq!(parts.kept("0", || Ok(2.0)).unwrap(), 2.0);
        assert!(!parts.is_kept("0"));
    }
}
