//! Which simulations are compared.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::TheorySettings;
use crate::training_error::{TrainingError, require, within};

/// Seeds beyond which nobody waits for the end.
const MOST_SEEDS: u64 = 1000;

/// What is varied while all else stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sweep {
    /// Neurons, `m`.
    Width,
    /// The least distance between points, delta.
    Separation,
    /// Local steps, `K`.
    LocalSteps,
    /// The share of points dealt out sorted by target.
    Heterogeneity,
}

/// The values of each sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SweepValues {
    /// Of [`TheorySettings::width`], each only once.
    pub width: Vec<usize>,
    /// Of [`TheorySettings::separation`].
    pub separation: Vec<f64>,
    /// Of [`TheorySettings::local_steps`].
    pub local_steps: Vec<usize>,
    /// Of [`TheorySettings::heterogeneity`].
    pub heterogeneity: Vec<f64>,
}

/// Everything that `fal theory` runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TheoryConfig {
    /// The first seed.
    pub seed: u64,
    /// Number of seeds, from 1 to a thousand. Every value of a sweep runs with the same ones, so that pairs compare.
    pub seeds: u64,
    /// What all simulations share.
    pub base: TheorySettings,
    /// What the sweeps put in its place.
    pub sweep: SweepValues,
}

/// One simulation to run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// What is simulated.
    pub settings: TheorySettings,
    /// Seed of every random choice.
    pub seed: u64,
}

impl Default for SweepValues {
    fn default() -> Self {
        Self {
            width: vec![64, 256, 1024, 4096, 16_384],
            separation: vec![0.1, 0.2, 0.3, 0.4, 0.5],
            local_steps: vec![1, 2, 4, 8],
            heterogeneity: vec![0.0, 0.5, 1.0],
        }
    }
}

impl Default for TheoryConfig {
    fn default() -> Self {
        Self { seed: 0, seeds: 5, base: TheorySettings::default(), sweep: SweepValues::default() }
    }
}

impl Sweep {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Width, Self::Separation, Self::LocalSteps, Self::Heterogeneity];

    /// Its name in files and in [`SweepValues`], with hyphens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Width => "width",
            Self::Separation => "separation",
            Self::LocalSteps => "local-steps",
            Self::Heterogeneity => "heterogeneity",
        }
    }

    /// The symbol of what is varied.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Width => "m",
            Self::Separation => "δ",
            Self::LocalSteps => "K",
            Self::Heterogeneity => "share sorted",
        }
    }
}

impl TheoryConfig {
    /// Whether the settings make sense, those of every simulation included.
    ///
    /// # Errors
    /// [`TrainingError::OutOfRange`] and [`TrainingError::Excluded`].
    pub fn check(&self) -> Result<(), TrainingError> {
        let seeds = (1..=MOST_SEEDS).contains(&self.seeds);
        require(seeds, "seeds", self.seeds as f64, "at least 1 and at most a thousand")?;
        within("base", self.base.check())?;
        for sweep in Sweep::ALL {
            let values = self.values(sweep);
            let empty = match sweep {
                Sweep::Width => "sweep.width",
                Sweep::Separation => "sweep.separation",
                Sweep::LocalSteps => "sweep.local_steps",
                Sweep::Heterogeneity => "sweep.heterogeneity",
            };
            require(!values.is_empty(), empty, 0.0, "a list of at least 1 value")?;
            values.iter().try_for_each(|(_, settings)| settings.check())?;
        }
        self.check_widths()
    }

    /// Whether no width stands twice.
    fn check_widths(&self) -> Result<(), TrainingError> {
        let widths = &self.sweep.width;
        let distinct: BTreeSet<usize> = widths.iter().copied().collect();
        match distinct.len() == widths.len() {
            true => Ok(()),
            false => Err(TrainingError::Excluded(
                "sweep.width names a width twice, but exponents are fitted over widths that differ; name each only once",
            )),
        }
    }

    /// The values of `sweep` in order, each with the settings that it makes.
    pub fn values(&self, sweep: Sweep) -> Vec<(f64, TheorySettings)> {
        let (base, values) = (self.base, &self.sweep);
        match sweep {
            Sweep::Width => {
                let set = |width: &usize| (*width as f64, TheorySettings { width: *width, ..base });
                values.width.iter().map(set).collect()
            }
            Sweep::Separation => {
                let set = |value: &f64| (*value, TheorySettings { separation: *value, ..base });
                values.separation.iter().map(set).collect()
            }
            Sweep::LocalSteps => {
                let set =
                    |steps: &usize| (*steps as f64, TheorySettings { local_steps: *steps, ..base });
                values.local_steps.iter().map(set).collect()
            }
            Sweep::Heterogeneity => {
                let set = |share: &f64| (*share, TheorySettings { heterogeneity: *share, ..base });
                values.heterogeneity.iter().map(set).collect()
            }
        }
    }

    /// The seeds of every value.
    pub fn seeds(&self) -> impl Iterator<Item = u64> {
        (0..self.seeds).map(|index| self.seed.wrapping_add(index))
    }

    /// What must be run for `sweeps`: every simulation once, although sweeps meet at the base.
    pub fn simulations(&self, sweeps: &[Sweep]) -> Vec<Simulation> {
        let mut all: Vec<Simulation> = Vec::new();
        for (_, settings) in sweeps.iter().flat_map(|sweep| self.values(*sweep)) {
            for seed in self.seeds() {
                let simulation = Simulation { settings, seed };
                if !all.contains(&simulation) {
                    all.push(simulation);
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_vary_one_setting_and_meet_at_the_base() {
        let config = TheoryConfig::default();
        config.check().unwrap();
        let count = |sweeps: &[Sweep]| config.simulations(sweeps).len();
        let each: usize = Sweep::ALL.iter().map(|sweep| count(&[*sweep])).sum();
        // The base is in each of the four.
        assert_eq!(count(&Sweep::ALL), each - 3 * config.seeds as usize);
        for (value, settings) in config.values(Sweep::LocalSteps) {
            let expected = TheorySettings { local_steps: value as usize, ..config.base };
            assert_eq!(settings, expected);
        }
    }

    #[test]
    fn every_value_has_the_same_seeds() {
        let config = TheoryConfig { seed: u64::MAX, seeds: 2, ..TheoryConfig::default() };
        let simulations = config.simulations(&[Sweep::Heterogeneity]);
        let seeds: Vec<u64> = simulations.iter().map(|simulation| simulation.seed).collect();
        assert_eq!(seeds, [u64::MAX, 0].repeat(3));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let refused = |change: fn(&mut TheoryConfig), words: &str| {
            let mut config = TheoryConfig::default();
            change(&mut config);
            let message = config.check().unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        };
        refused(|config| config.seeds = 0, "`seeds`");
        refused(|config| config.seeds = u64::MAX, "`seeds`");
        refused(|config| config.base.clients = 0, "`clients`");
        refused(|config| config.sweep.width = vec![4, 0], "`width`");
        refused(|config| config.sweep.width = vec![4, 8, 4], "sweep.width");
        refused(|config| config.sweep.separation = vec![2.0], "`separation`");
        refused(|config| config.sweep.local_steps = Vec::new(), "`sweep.local_steps`");
        refused(|config| config.sweep.heterogeneity = vec![-0.5], "`heterogeneity`");
    }
}
