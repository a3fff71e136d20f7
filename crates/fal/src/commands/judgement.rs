//! The last judgement: every attack of the configuration and the checks, each kept as soon as it is there.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use experiment::cli::{Failure, OrFailure, print_note, write_file};
use experiment::fingerprint::Fingerprint;
use experiment::interrupt::Interrupt;
use experiment::progress::Progress;
use experiment::seed::Seed;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::attack::{
    Attack, AttackError, Evaluation, REVISION, RobustAccuracy, RobustnessReport, Samples, Tally,
    WhiteBox,
};
use crate::config::ExperimentConfig;
use crate::data::ImageSet;
use crate::judge::{samples, transparent};
use crate::network::Network;
use crate::trained;

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
    /// The seed that what was attacked was trained with, where it is a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_with_seed: Option<u64>,
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

    /// Those that are of the network with this fingerprint, by this revision of the attacks: what is of others is judged anew.
    fn of(&self, network: &Fingerprint, revision: u32) -> Self {
        let name = format!("{network}-{revision}");
        let folder = self.folder.as_ref().map(|folder| folder.join(&name));
        let is_begun = folder.as_ref().is_some_and(|folder| folder.exists());
        let others = self.folder.as_ref().and_then(|folder| fs::read_dir(folder).ok());
        if !is_begun && others.is_some_and(|mut others| others.next().is_some()) {
            print_note(format!(
                "what was judged here before is of another network, or by other attacks, and is done again; what {FOLDER} holds beside {name} can be deleted"
            ));
        }
        Self { folder, interrupt: self.interrupt }
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
    /// Those of `make`. Failed: a file that cannot be written. Interrupted: before `make` begins.
    fn kept<T: Serialize + DeserializeOwned, E>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, Failure>
    where
        Failure: From<E>,
    {
        let path = self.path(name);
        let left = path.as_ref().and_then(|path| fs::read(path).ok());
        if let Some(kept) = left.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(kept);
        }
        self.interrupt.heed()?;
        let made = make()?;
        if let Some(path) = path {
            write_file(&path, serde_json::to_string(&made).failed()?)?;
        }
        Ok(made)
    }

    /// The number of one attack, whose batches are parts of their own until it is whole; `done` is told of the images of each.
    ///
    /// # Errors
    /// Failed: the attack, and a file that cannot be written. Interrupted: after the batches at work.
    fn attacked<M: WhiteBox>(
        &self,
        name: &str,
        attack: &dyn Attack<M>,
        evaluation: &Evaluation,
        (model, samples): (&M, &Samples),
        done: impl Fn(usize) + Sync,
    ) -> Result<RobustAccuracy, Failure> {
        let campaign = &evaluation.campaign;
        let robust = self.kept(name, || {
            let tally = campaign.tally(attack, model, samples, |images, batch| {
                let tally: Tally = self.kept(&format!("{name}/{}", fingerprint(images)), batch)?;
                done(tally.samples);
                Ok::<_, Failure>(tally)
            })?;
            Ok::<_, Failure>(RobustAccuracy::of(attack.name(), campaign.threat, tally))
        })?;
        if let Some(batches) = self.folder.as_ref().map(|folder| folder.join(name)) {
            // Where nothing of them is left there is nothing to remove, and what is left harms nobody.
            let _ = fs::remove_dir_all(batches);
        }
        Ok(robust)
    }
}

/// Names a batch by its images: on another processor one that is hardly classified right may divide them otherwise.
fn fingerprint(images: &[usize]) -> Fingerprint {
    Fingerprint::of_stream(|add| images.iter().for_each(|image| add(&image.to_le_bytes())))
}

impl From<AttackError> for Failure {
    fn from(cause: AttackError) -> Self {
        Self::Failed(cause.into())
    }
}

/// The test images that a run is judged by at its end.
pub(super) fn judged(config: &ExperimentConfig, test: &ImageSet) -> Samples {
    samples(test, config.evaluation.final_samples, &seed(config))
}

/// Attacks `network` with everything that the configuration names, and checks that it does not merely hide its gradients.
/// After an interruption this goes on with the attacks, and the batches of an attack, that are not done on this network.
///
/// # Errors
/// Failed: an attack. Interrupted: after the batches at work; the checks run to their end.
pub(super) fn judge<B: Backend>(
    config: &ExperimentConfig,
    network: &Network<B>,
    samples: &Samples,
    parts: &Parts<'_>,
) -> Result<RobustnessReport, Failure> {
    let parts = parts.of(&trained::fingerprint(network), REVISION);
    let evaluation = config.evaluation.evaluation(&seed(config));
    let model = transparent(network, &Default::default());
    let clean = evaluation.campaign.clean_accuracy(&model, samples)?;
    let attacks = &config.evaluation.attacks;
    let names = (0..attacks.len()).map(|number| number.to_string());
    let names: Vec<String> = names.chain([CHECKS.to_owned()]).collect();
    let missing = names.iter().filter(|name| !parts.is_kept(name)).count();
    let attackable = (clean.mean * samples.len() as f64).round() as usize;
    let progress = Progress::new((missing * attackable) as u64, "judgement");
    let done = |images: usize| progress.advance(images as u64);
    let mut robust = Vec::with_capacity(attacks.len());
    for (choice, name) in attacks.iter().zip(&names) {
        let attack: Box<dyn Attack<_>> = choice.attack();
        progress.message(attack.name());
        robust.push(parts.attacked(name, &*attack, &evaluation, (&model, samples), done)?);
    }
    progress.message("checks against hidden gradients");
    let checks = parts.kept(CHECKS, || {
        let checks = evaluation.check(&model, samples);
        done(attackable);
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use burn::backend::Flex;
    use inner_outer::Threads;

    use super::*;
    use crate::attack::{Batch, Campaign, Perturbed, Pgd, ThreatModel, toy};
    use crate::config::AttackChoice;
    use crate::data::DataChoice;
    use crate::network::NetworkChoice;

    #[test]
    fn what_is_judged_is_not_judged_again() {
        let folder = tempfile::tempdir().unwrap();
        let interrupt = Interrupt::new();
        let parts = Parts::new(Some(folder.path()), &interrupt);
        let sum = || Ok::<_, AttackError>(0.1 + 0.2);
        assert_eq!(parts.kept("0", sum).unwrap(), 0.1 + 0.2);
        assert!(parts.is_kept("0") && !parts.is_kept("1"));
        interrupt.request();
        let again = || -> Result<f64, AttackError> { panic!("it is kept") };
        assert_eq!(parts.kept("0", again).unwrap(), 0.1 + 0.2, "to the last bit");
        let other = || Ok::<_, AttackError>(1.0);
        assert!(matches!(parts.kept("1", other), Err(Failure::Interrupted)));
    }

    /// Counts the batches it is called for, and asks for an end after some.
    struct Counted<'i> {
        calls: AtomicUsize,
        stop_after: usize,
        interrupt: &'i Interrupt,
    }

    impl<M: WhiteBox + ?Sized> Attack<M> for Counted<'_> {
        fn name(&self) -> String {
            Attack::<M>::name(&Pgd::new(3))
        }

        fn perturb(
            &self,
            model: &M,
            threat: &ThreatModel,
            batch: &Batch,
        ) -> Result<Perturbed, AttackError> {
            if self.calls.fetch_add(1, Ordering::SeqCst) + 1 == self.stop_after {
                self.interrupt.request();
            }
            Pgd::new(3).perturb(model, threat, batch)
        }
    }

    #[test]
    fn an_attack_goes_on_with_the_batches_that_are_not_done() {
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(40, 5));
        let campaign = Campaign::new(ThreatModel::linf(0.05), Seed::new(2));
        let campaign = Campaign { batch_size: 8, threads: Threads::new(1), ..campaign };
        let evaluation = Evaluation { campaign, checks: Default::default() };
        let expected = evaluation.attack(&Pgd::new(3), &model, &samples).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let attacked = |stop_after| {
            let interrupt = Interrupt::new();
            let attack = Counted { calls: AtomicUsize::new(0), stop_after, interrupt: &interrupt };
            let parts = Parts::new(Some(folder.path()), &interrupt);
            let found = parts.attacked("0", &attack, &evaluation, (&model, &samples), |_| ());
            (found, attack.calls.into_inner())
        };
        let (stopped, calls) = attacked(2);
        assert!(matches!(stopped, Err(Failure::Interrupted)) && calls == 2, "{calls} batches");
        let (whole, calls) = attacked(usize::MAX);
        assert_eq!((whole.unwrap(), calls), (expected.clone(), 3));
        let left: Vec<_> = fs::read_dir(folder.path().join(FOLDER)).unwrap().collect();
        assert_eq!(left.len(), 1, "the batches are not needed any more: {left:?}");
        let (again, calls) = attacked(usize::MAX);
        assert_eq!((again.unwrap(), calls), (expected, 0));
    }

    #[test]
    fn another_network_in_the_same_folder_is_judged_anew() {
        let test = DataChoice::Digits.load(None, None).unwrap().test;
        let mut config = ExperimentConfig::default();
        config.evaluation.attacks = vec![AttackChoice::Fgsm];
        let samples = samples(&test, 30, &Seed::new(1));
        let device = Default::default();
        let choice = NetworkChoice::Mlp { hidden: vec![4] };
        let folder = tempfile::tempdir().unwrap();
        let (running, stopped) = (Interrupt::new(), Interrupt::new());
        stopped.request();
        let [kept, none, refused] =
            [(Some(folder.path()), &running), (None, &running), (Some(folder.path()), &stopped)]
                .map(|(run, interrupt)| Parts::new(run, interrupt));
        for seed in [1, 2] {
            let drawn = Network::<Flex>::new(&choice, test.shape(), 10, &Seed::new(seed), &device);
            let network = drawn.unwrap();
            let judged = |parts| judge(&config, &network, &samples, parts);
            assert!(matches!(judged(&refused), Err(Failure::Interrupted)), "nothing is kept yet");
            let found = serde_json::to_string(&judged(&kept).unwrap()).unwrap();
            assert_eq!(found, serde_json::to_string(&judged(&none).unwrap()).unwrap());
            assert_eq!(found, serde_json::to_string(&judged(&refused).unwrap()).unwrap());
        }
    }

    #[test]
    fn what_other_attacks_judged_is_judged_anew() {
        let folder = tempfile::tempdir().unwrap();
        let interrupt = Interrupt::new();
        let parts = Parts::new(Some(folder.path()), &interrupt);
        let network = Fingerprint::of_parts(&[b"network"]);
        let judged = |revision, accuracy: f64| {
            let made = || Ok::<_, AttackError>(accuracy);
            parts.of(&network, revision).kept("0", made).unwrap()
        };
        assert_eq!((judged(1, 0.1), judged(2, 0.2), judged(1, 0.3)), (0.1, 0.2, 0.1));
    }

    #[test]
    fn without_a_run_nothing_is_kept() {
        let interrupt = Interrupt::new();
        let parts = Parts::new(None, &interrupt);
        let number = |number: f64| move || Ok::<_, AttackError>(number);
        assert_eq!(parts.kept("0", number(1.0)).unwrap(), 1.0);
        assert_eq!(parts.kept("0", number(2.0)).unwrap(), 2.0);
        assert!(!parts.is_kept("0"));
    }
}
