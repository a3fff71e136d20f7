//! What a sweep shows: a row a value, with intervals over seeds.

use std::fmt;

use experiment::statistics::{Interval, StatisticsError, mean_interval};
use serde::Serialize;

use super::{Course, Ledger, Measure, Simulation, Sweep, TheoryConfig};

/// The finished simulations of a sweep side by side.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What varies.
    pub sweep: Sweep,
    /// One for each value, in order.
    pub rows: Vec<Row>,
    /// How what the proof rests on goes with the width, in the sweep over it with at least two widths, all of whose networks moved.
    pub exponents: Option<Exponents>,
    /// For each value the courses of its seeds.
    #[serde(skip)]
    pub courses: Vec<Vec<Course>>,
}

/// One value of a sweep after the last round: means over seeds.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The value.
    pub value: f64,
    /// The least distance between two points, as measured.
    pub separation: Interval,
    /// The largest gamma for which the points are separable.
    pub margin: Interval,
    /// The least robust loss of all rounds.
    pub least_robust_loss: Interval,
    /// The least robust loss less that of the first value with the same seed.
    pub change: Interval,
    /// The loss at the points themselves.
    pub clean_loss: Interval,
    /// The farthest that a neuron moved.
    pub drift: Interval,
    /// The largest distance of network and pseudo-network on the points.
    pub pseudo_gap: Interval,
    /// The same on perturbed points.
    pub perturbed_pseudo_gap: Interval,
}

/// Slopes of straight lines through logarithms: what goes as `m^slope`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Exponents {
    /// Of the drift; the theorem lets a neuron move by the order of `m^(-2/3)`.
    pub drift: Interval,
    /// Of the distance of network and pseudo-network on the points. A neuron whose input is of the order `m^(-1/2)` changes
    /// sides with a drift of `m^(-2/3)` for a share of `m^(-1/6)` of the points, and that is what the two differ by; the
    /// output at the start adds a part of the order `m^(-1/3)`.
    pub pseudo_gap: Interval,
    /// The same on perturbed points.
    pub perturbed_pseudo_gap: Interval,
}

/// Simulations that cannot be compared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ComparisonError {
    /// One has not been run.
    #[error(
        "the sweep over {sweep} with seed {seed} is not finished; run `simulate` for it and add it to the ledger"
    )]
    Missing {
        /// The sweep.
        sweep: &'static str,
        /// The seed.
        seed: u64,
    },
    /// One diverged.
    #[error("a simulation diverged; lower `base.global_rate` or `base.local_rate`")]
    Diverged(#[from] StatisticsError),
}

impl Comparison {
    /// The simulations of `sweep` in `ledger`.
    ///
    /// # Errors
    /// [`ComparisonError`] where one is not done or diverged.
    pub fn new(
        config: &TheoryConfig,
        sweep: Sweep,
        ledger: &Ledger,
    ) -> Result<Self, ComparisonError> {
        let values = config.values(sweep);
        let of_value = |settings| {
            let course = |seed| {
                let course = ledger.course(&Simulation { settings, seed }).cloned();
                course.ok_or(ComparisonError::Missing { sweep: sweep.name(), seed })
            };
            config.seeds().map(course).collect::<Result<Vec<Course>, _>>()
        };
        let courses = values.iter().map(|(_, settings)| of_value(*settings));
        let courses = courses.collect::<Result<Vec<_>, _>>()?;
        let rows = values.iter().zip(&courses);
        let rows = rows.map(|((value, _), own)| Row::new(*value, own, &courses[0]));
        let rows = rows.collect::<Result<_, _>>()?;
        let widths: Vec<f64> = values.iter().map(|(value, _)| *value).collect();
        let exponents = match sweep {
            Sweep::Width if widths.len() > 1 && courses.iter().flatten().all(Course::moved) => {
                Some(Exponents::new(&widths, &courses)?)
            }
            _ => None,
        };
        Ok(Self { sweep, rows, exponents, courses })
    }
}

impl Row {
    fn new(value: f64, courses: &[Course], first: &[Course]) -> Result<Self, StatisticsError> {
        let mean =
            |of: fn(&Course) -> f64| mean_interval(&courses.iter().map(of).collect::<Vec<_>>());
        let least = |course: &Course| course.end().least_robust_loss;
        let change = courses.iter().zip(first).map(|(own, first)| least(own) - least(first));
        Ok(Self {
            value,
            separation: mean(|course| course.separation)?,
            margin: mean(|course| course.margin)?,
            least_robust_loss: mean(|course| course.end().least_robust_loss)?,
            change: mean_interval(&change.collect::<Vec<_>>())?,
            clean_loss: mean(|course| course.end().clean_loss)?,
            drift: mean(|course| course.end().drift)?,
            pseudo_gap: mean(|course| course.end().pseudo_gap)?,
            perturbed_pseudo_gap: mean(|course| course.end().perturbed_pseudo_gap)?,
        })
    }
}

impl Exponents {
    fn new(widths: &[f64], courses: &[Vec<Course>]) -> Result<Self, StatisticsError> {
        let slopes = |of: fn(Measure) -> f64| {
            let of_seed = |seed: usize| {
                let values = courses.iter().map(|of_width| of(of_width[seed].end()));
                slope(&logarithms(widths.iter().copied()), &logarithms(values))
            };
            mean_interval(&(0..courses[0].len()).map(of_seed).collect::<Vec<_>>())
        };
        Ok(Self {
            drift: slopes(|end| end.drift)?,
            pseudo_gap: slopes(|end| end.pseudo_gap)?,
            perturbed_pseudo_gap: slopes(|end| end.perturbed_pseudo_gap)?,
        })
    }
}

fn logarithms(values: impl Iterator<Item = f64>) -> Vec<f64> {
    values.map(f64::ln).collect()
}

/// The slope of the straight line with the least squares of errors in `y`.
fn slope(x: &[f64], y: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (x_mean, y_mean) = (mean(x), mean(y));
    let products = x.iter().zip(y).map(|(x, y)| (x - x_mean) * (y - y_mean));
    products.sum::<f64>() / x.iter().map(|x| (x - x_mean).powi(2)).sum::<f64>()
}

impl Comparison {
    /// The names of the columns of [`Self::cells`]: those that this sweep is about.
    pub fn header(&self) -> Vec<&'static str> {
        let own: &[&str] = match self.sweep {
            Sweep::Width => &["drift", "|F - G|", "|F - G| perturbed"],
            Sweep::Separation => &["δ measured", "γ at most"],
            Sweep::LocalSteps | Sweep::Heterogeneity => &["drift"],
        };
        [&[self.sweep.symbol(), "least robust loss", "against the first", "clean loss"], own]
            .concat()
    }

    /// The rows as text.
    pub fn cells(&self) -> Vec<Vec<String>> {
        let cells = |row: &Row| {
            let own: &[Interval] = match self.sweep {
                Sweep::Width => &[row.drift, row.pseudo_gap, row.perturbed_pseudo_gap],
                Sweep::Separation => &[row.separation, row.margin],
                Sweep::LocalSteps | Sweep::Heterogeneity => &[row.drift],
            };
            let intervals = [&[row.least_robust_loss, row.change, row.clean_loss], own].concat();
            let intervals = intervals.into_iter().map(|interval| format!("{interval:.3}"));
            [row.value.to_string()].into_iter().chain(intervals).collect()
        };
        self.rows.iter().map(cells).collect()
    }
}

/// The table, with columns of one width, and the exponents below.
impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.sweep.name())?;
        let header: Vec<String> = self.header().into_iter().map(str::to_owned).collect();
        let columns = header.len();
        let rows: Vec<Vec<String>> = [header].into_iter().chain(self.cells()).collect();
        let width = |column: usize| {
            rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &rows {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            write!(formatter, "\n  {}", cells.join("  ").trim_end())?;
        }
        match &self.exponents {
            Some(exponents) => write!(formatter, "\n  {exponents}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Exponents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { drift, pseudo_gap, perturbed_pseudo_gap } = self;
        write!(
            formatter,
            "As powers of m: drift {drift:.2}, |F - G| {pseudo_gap:.2}, |F - G| perturbed {perturbed_pseudo_gap:.2}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::Finished;
    use super::*;

    /// A ledger in which everything is a power of the width, times a factor of the seed.
    fn ledger(config: &TheoryConfig, folder: &std::path::Path, sweep: Sweep) -> Ledger {
        ledger_with(config, folder, sweep, |_| ())
    }

    /// The same with a `change` in every course.
    fn ledger_with(
        config: &TheoryConfig,
        folder: &std::path::Path,
        sweep: Sweep,
        change: impl Fn(&mut Course),
    ) -> Ledger {
        let mut ledger = Ledger::open(&folder.join("ledger")).unwrap();
        for simulation in config.simulations(&[sweep]) {
            let m = simulation.settings.width as f64;
            let factor = 1.0 + simulation.seed as f64 / 10.0;
            let measure = Measure {
                round: 1,
                robust_loss: factor,
                least_robust_loss: factor + simulation.settings.separation,
                clean_loss: 0.5,
                drift: factor * m.powf(-2.0 / 3.0),
                pseudo_gap: factor * m.powf(-1.0 / 3.0),
                perturbed_pseudo_gap: factor * m.powf(-0.25),
            };
            let mut course = Course { separation: 0.3, margin: 0.1, measures: vec![measure] };
            change(&mut course);
            ledger.add(&Finished { simulation, course }).unwrap();
        }
        ledger
    }

    #[test]
    fn exponents_are_those_of_powers() {
        let (folder, config) = (tempfile::tempdir().unwrap(), TheoryConfig::default());
        let ledger = ledger(&config, folder.path(), Sweep::Width);
        let found = Comparison::new(&config, Sweep::Width, &ledger).unwrap();
        let Exponents { drift, pseudo_gap, perturbed_pseudo_gap } = found.exponents.unwrap();
        for (found, expected) in
            [(drift, -2.0 / 3.0), (pseudo_gap, -1.0 / 3.0), (perturbed_pseudo_gap, -0.25)]
        {
            assert!((found.mean - expected).abs() < 1e-9 && found.high - found.low < 1e-9);
        }
        assert!(found.to_string().contains("As powers of m: drift -0.67"), "{found}");
    }

    #[test]
    fn a_network_that_never_moves_has_no_exponent() {
        let (folder, config) = (tempfile::tempdir().unwrap(), TheoryConfig::default());
        let still = |course: &mut Course| course.measures[0].pseudo_gap = 0.0;
        let ledger = ledger_with(&config, folder.path(), Sweep::Width, still);
        let found = Comparison::new(&config, Sweep::Width, &ledger).unwrap();
        assert!(found.exponents.is_none());
        assert_eq!(found.rows[0].pseudo_gap.mean, 0.0);
        assert!(!found.to_string().contains("powers of m"), "{found}");
    }

    #[test]
    fn pairs_of_a_seed_compare_although_seeds_differ() {
        let (folder, config) = (tempfile::tempdir().unwrap(), TheoryConfig::default());
        let ledger = ledger(&config, folder.path(), Sweep::Separation);
        let found = Comparison::new(&config, Sweep::Separation, &ledger).unwrap();
        assert!(found.exponents.is_none());
        assert_eq!(found.rows.len(), config.sweep.separation.len());
        let (first, last) = (&found.rows[0], found.rows.last().unwrap());
        assert_eq!((first.change.mean, first.change.high), (0.0, 0.0));
        let step = last.value - first.value;
        assert!((last.change.mean - step).abs() < 1e-12 && last.change.high - step < 1e-9);
        assert!(last.least_robust_loss.high - last.least_robust_loss.mean > 0.05);
        assert_eq!(found.to_string().lines().count(), 2 + found.rows.len());
    }

    #[test]
    fn a_sweep_that_is_not_done_is_refused() {
        let (folder, config) = (tempfile::tempdir().unwrap(), TheoryConfig::default());
        let ledger = ledger(&config, folder.path(), Sweep::Width);
        let refused = Comparison::new(&config, Sweep::LocalSteps, &ledger).unwrap_err();
        assert_eq!(refused, ComparisonError::Missing { sweep: "local-steps", seed: 0 });
        assert!(refused.to_string().contains("not finished"));
    }
}
