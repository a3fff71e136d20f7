//! The loop of the commands that train: steps, metrics, looks at unseen scenes, checkpoints.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use experiment::checkpoint::{Checkpoint, Checkpoints};
use experiment::cli::{CommonArguments, Failure, OrFailure};
use experiment::interrupt::Interrupt;
use experiment::progress::Progress;
use experiment::run_directory::RunDirectory;
use inner_outer::{Decay, Schedule};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const CHECKPOINTS_KEPT: usize = 2;

/// How long to train, and how often to look up from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// Steps in all, at least 1.
    pub steps: u64,
    /// Steps from one line of metrics to the next, at least 1; a line has their means.
    pub log_every: u64,
    /// Steps from one look at unseen scenes to the next, at least 1; there is one after the last step too.
    pub glance_every: u64,
    /// Steps from one checkpoint to the next, at least 1; there is one after the last step too.
    pub checkpoint_every: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { steps: 10_000, log_every: 20, glance_every: 500, checkpoint_every: 250 }
    }
}

impl Pace {
    /// Checks that there is something to do.
    ///
    /// # Errors
    /// Bad input: a number that is 0.
    pub fn check(&self) -> Result<(), Failure> {
        let counts = [
            ("steps", self.steps),
            ("log_every", self.log_every),
            ("glance_every", self.glance_every),
            ("checkpoint_every", self.checkpoint_every),
        ];
        match counts.iter().find(|(_, count)| *count == 0) {
            Some((field, _)) => {
                let cause = anyhow!("`pace.{field}` is 0: choose at least 1");
                Err(Failure::BadInput(cause))
            }
            None => Ok(()),
        }
    }

    /// Checks the rate in `field`: that there is one in every step.
    ///
    /// # Errors
    /// Bad input: a schedule out of range, or one that is at zero before the last step.
    pub fn check_rate(&self, field: &str, rate: &Schedule) -> Result<(), Failure> {
        let Schedule { rate: largest, steps, decay, .. } = *rate;
        if !largest.is_finite() || largest <= 0.0 {
            let cause = anyhow!("`{field}.rate` is {largest}: choose a finite number above 0");
            return Err(Failure::BadInput(cause));
        }
        rate.check().bad_section(field)?;
        match decay != Decay::Constant && (steps as u64) < self.steps {
            true => Err(Failure::BadInput(anyhow!(
                "`{field}.steps` is {steps}, where the rate reaches zero, and `pace.steps` is {}: set both alike",
                self.steps
            ))),
            false => Ok(()),
        }
    }
}

/// Numbers by name, as metrics have them.
pub type Values = Vec<(&'static str, f64)>;

/// What is trained step by step.
pub trait Training: Sized {
    /// Steps taken so far.
    fn steps_taken(&self) -> u64;

    /// Takes a step, or several that belong together, but none beyond those of the pace.
    ///
    /// # Errors
    /// Failed: reading, and losses that are not finite.
    fn step(&mut self) -> Result<Values, Failure>;

    /// Measures on scenes that nobody learns from.
    ///
    /// # Errors
    /// Failed: reading or measuring.
    fn glance(&self) -> Result<Values, Failure>;

    /// Fingerprints of what it is begun with: only with the same is a run gone on with.
    fn inputs(&self) -> &[String];

    /// Tells what the user should know before it begins.
    ///
    /// # Errors
    /// Bad input: what cannot be read.
    fn note(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Everything that training changes, by file name.
    ///
    /// # Errors
    /// Failed: a state that cannot be written.
    fn state(&self) -> Result<Vec<(&'static str, Vec<u8>)>, Failure>;

    /// The training in the state of a checkpoint.
    ///
    /// # Errors
    /// Failed: a state that is damaged or another training's.
    fn with_state(self, checkpoint: &Checkpoint) -> Result<Self, Failure>;
}

/// Where a training leaves its run.
pub struct Place {
    /// The folder.
    pub out: PathBuf,
    resumed: Option<RunDirectory>,
}

impl Place {
    /// The folder that was asked for, or the usual one, and the run there to go on with where that is wished.
    ///
    /// # Errors
    /// As [`CommonArguments::resumed`].
    pub fn of(common: &CommonArguments, usual: &str) -> Result<Self, Failure> {
        let out = common.out.clone().unwrap_or_else(|| usual.into());
        Ok(Self { resumed: common.resumed(&out)?, out })
    }

    /// Refuses a fresh run whose `files` would take the place of what it has `read`.
    ///
    /// # Errors
    /// Bad input: such a folder.
    pub fn require_apart(
        &self,
        files: &[impl AsRef<Path>],
        read: &[Option<&PathBuf>],
    ) -> Result<(), Failure> {
        match self.resumed {
            Some(_) => Ok(()),
            None => super::require_apart(&self.out, files, read),
        }
    }

    /// The configuration of the run to go on with, or a fresh one.
    ///
    /// # Errors
    /// Bad input: a configuration that cannot be used.
    pub fn config<C: DeserializeOwned>(
        &self,
        fresh: impl FnOnce() -> Result<C, Failure>,
    ) -> Result<C, Failure> {
        match &self.resumed {
            Some(run) => run.config().bad_input(),
            None => fresh(),
        }
    }

    /// Trains to the end, and gives what the signals raise that ask for an early one. The folder is made only now, so that a
    /// command that was refused before finds it free.
    ///
    /// # Errors
    /// Bad input: a folder that cannot be used, or a run that was begun with other inputs; and those of [`train`].
    pub fn train<T: Training, C: Serialize>(
        self,
        training: T,
        config: &C,
        pace: &Pace,
    ) -> Result<(T, RunDirectory, Interrupt), Failure> {
        let run = match self.resumed {
            Some(run) => run,
            None => RunDirectory::create(&self.out, config).bad_input()?,
        };
        run.require_inputs(training.inputs()).bad_input()?;
        training.note()?;
        let interrupt = Interrupt::install().failed()?;
        let trained = train(training, pace, &run, &interrupt)?;
        Ok((trained, run, interrupt))
    }
}

/// Trains to the end, from the last checkpoint of the run where there is one.
///
/// # Errors
/// Failed: training. [`Failure::Interrupted`] after a checkpoint: a resumed run goes on.
fn train<T: Training>(
    mut training: T,
    pace: &Pace,
    run: &RunDirectory,
    interrupt: &Interrupt,
) -> Result<T, Failure> {
    let checkpoints = Checkpoints::new(run, CHECKPOINTS_KEPT).failed()?;
    let latest = checkpoints.latest().failed()?;
    if let Some(step) = latest {
        training = training.with_state(&checkpoints.load(step).failed()?)?;
    }
    let mut metrics = run.metrics(latest).failed()?;
    let progress = Progress::resumed(pace.steps, "steps", training.steps_taken());
    let mut means = Means::default();
    while training.steps_taken() < pace.steps {
        let before = training.steps_taken();
        means.add(training.step()?);
        let step = training.steps_taken();
        let (stop, last) = (interrupt.requested(), step >= pace.steps);
        let due = |every: u64| last || step / every > before / every;
        // A checkpoint begins a line: what the interrupted run had summed up is not in it.
        let save = stop || due(pace.checkpoint_every);
        let mut line = match save || due(pace.log_every) {
            true => means.take(),
            false => Vec::new(),
        };
        if due(pace.glance_every) {
            let seen = training.glance()?;
            progress.message(told(&seen));
            line.extend(seen);
        }
        if !line.is_empty() {
            metrics.log(step, &line).failed()?;
        }
        if save {
            let state = training.state()?;
            let files: Vec<(&str, &[u8])> =
                state.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
            checkpoints.save(step, &files).failed()?;
        }
        progress.advance(step - before);
        if stop && !last {
            return Err(Failure::Interrupted);
        }
    }
    progress.finish();
    Ok(training)
}

fn told(values: &Values) -> String {
    let told = values.iter().map(|(name, value)| format!("{name} {value:.4}"));
    told.collect::<Vec<_>>().join(", ")
}

/// Means of the same values over steps.
#[derive(Default)]
struct Means {
    steps: usize,
    sums: Values,
}

impl Means {
    fn add(&mut self, values: Values) {
        self.steps += 1;
        for (name, value) in values {
            match self.sums.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += value,
                None => self.sums.push((name, value)),
            }
        }
    }

    fn take(&mut self) -> Values {
        let Self { steps, sums } = std::mem::take(self);
        sums.into_iter().map(|(name, sum)| (name, sum / steps as f64)).collect()
    }
}

#[cfg(test)]
mod tests {
    use experiment::metrics;

    use super::*;

    /// Counts, and asks to stop at a step.
    struct Counting<'i> {
        steps: u64,
        stop_at: Option<u64>,
        interrupt: &'i Interrupt,
    }

    impl Training for Counting<'_> {
        fn steps_taken(&self) -> u64 {
            self.steps
        }

        fn step(&mut self) -> Result<Values, Failure> {
            self.steps += 1;
            if self.stop_at == Some(self.steps) {
                self.interrupt.request();
            }
            Ok(vec![("loss", self.steps as f64)])
        }

        fn glance(&self) -> Result<Values, Failure> {
            Ok(vec![("unseen", self.steps as f64)])
        }

        fn inputs(&self) -> &[String] {
            &[]
        }

        fn state(&self) -> Result<Vec<(&'static str, Vec<u8>)>, Failure> {
            Ok(vec![("count", self.steps.to_le_bytes().to_vec())])
        }

        fn with_state(self, checkpoint: &Checkpoint) -> Result<Self, Failure> {
            let bytes = checkpoint.file("count").failed()?.try_into().failed()?;
            Ok(Self { steps: u64::from_le_bytes(bytes), ..self })
        }
    }

    const PACE: Pace = Pace { steps: 10, log_every: 2, glance_every: 5, checkpoint_every: 4 };

    fn run_of(folder: &Path, stop_at: Option<u64>, resume: bool) -> Result<u64, Failure> {
        let run = match resume {
            true => RunDirectory::resume(folder).unwrap(),
            false => RunDirectory::create(folder, &PACE).unwrap(),
        };
        let interrupt = Interrupt::new();
        let counting = Counting { steps: 0, stop_at, interrupt: &interrupt };
        train(counting, &PACE, &run, &interrupt).map(|counting| counting.steps)
    }

    fn rows(folder: &Path) -> Vec<(u64, Vec<(String, f64)>)> {
        let rows = metrics::read(&folder.join("metrics.jsonl")).unwrap();
        rows.into_iter().map(|row| (row.step, row.values.into_iter().collect())).collect()
    }

    #[test]
    fn lines_have_means_and_looks_come_when_due() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(run_of(folder.path(), None, false).unwrap(), 10);
        let loss = |value| ("loss".to_owned(), value);
        let unseen = |value| ("unseen".to_owned(), value);
        let expected = vec![
            (2, vec![loss(1.5)]),
            (4, vec![loss(3.5)]),
            (5, vec![unseen(5.0)]),
            (6, vec![loss(5.5)]),
            (8, vec![loss(7.5)]),
            (10, vec![loss(9.5), unseen(10.0)]),
        ];
        assert_eq!(rows(folder.path()), expected);
    }

    #[test]
    fn a_stopped_run_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(run_of(folder.path(), Some(7), false), Err(Failure::Interrupted)));
        assert_eq!(run_of(folder.path(), None, true).unwrap(), 10);
        let steps: Vec<u64> = rows(folder.path()).iter().map(|(step, _)| *step).collect();
        assert_eq!(steps, [2, 4, 5, 6, 7, 8, 10]);
    }

    #[test]
    fn a_pace_of_zero_is_refused() {
        assert!(PACE.check().is_ok());
        let refused = Pace { log_every: 0, ..PACE }.check();
        assert!(
            matches!(refused, Err(Failure::BadInput(cause)) if cause.to_string().contains("pace.log_every"))
        );
    }

    #[test]
    fn a_rate_that_ends_before_the_training_is_refused() {
        let steps = PACE.steps as usize;
        let rate = |steps| Schedule { steps, decay: Decay::Cosine, ..Schedule::constant(1e-3) };
        let refusal = |rate: Schedule| match PACE.check_rate("slow.rate", &rate) {
            Err(Failure::BadInput(cause)) => cause.to_string(),
            other => panic!("expected a refusal, found {other:?}"),
        };
        assert!(PACE.check_rate("rate", &rate(steps)).is_ok());
        assert!(PACE.check_rate("rate", &Schedule::constant(1e-3)).is_ok());
        assert!(refusal(rate(steps - 1)).contains("slow.rate.steps"));
        assert!(refusal(Schedule::constant(0.0)).contains("slow.rate.rate"));
        assert!(refusal(Schedule::constant(f64::NAN)).contains("slow.rate.rate"));
        assert_eq!(refusal(Schedule { warm_up: steps, ..rate(steps) }), "in `slow.rate`");
    }
}
