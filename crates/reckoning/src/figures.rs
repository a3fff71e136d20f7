//! What runs have learned, as figures: accuracy by hops and by distractors, learning curves, inner losses, learned
//! inner rates.
//!
//! Every figure shows [`Group`]s: runs that differ only in their seed are one line, the mean of the runs. A group has
//! the same colour in every figure.

mod accuracy;
mod benchmark;
mod curves;
mod generated;
mod group;
mod inner_loss;
mod rates;
mod run;

use experiment::figure::{FigureError, Series};
use experiment::statistics::Interval;

pub use benchmark::benchmark_figures;
#[cfg(test)]
pub(crate) use benchmark::tests::benchmark as test_benchmark;
pub use generated::{Named, generated_figures};
pub use group::{Group, grouped};
#[cfg(test)]
pub(crate) use run::test_run;
pub use run::{LearnedRates, Run};

/// A figure for a page or a book.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Name for a file, without extension: `accuracy-by-hops`.
    pub name: String,
    /// The figure.
    pub svg: String,
    /// What is seen, and how it was made.
    pub caption: String,
}

/// Every figure that the `groups` have data for, in the order of a report.
///
/// # Errors
/// [`FigureError`] where a figure has data but cannot be drawn.
pub fn figures(groups: &[Group]) -> Result<Vec<Figure>, FigureError> {
    let single = [
        accuracy::by_hops(groups)?,
        accuracy::by_distractors(groups)?,
        curves::validation_accuracy(groups)?,
        curves::outer_loss(groups)?,
        inner_loss::inner_loss(groups)?,
    ];
    let mut figures: Vec<Figure> = single.into_iter().flatten().collect();
    for group in groups {
        figures.extend(rates::learned_rates(group)?);
    }
    Ok(figures)
}

/// What a band around a line means, for captions.
const BANDS: &str = "Bands are 95 % intervals: over runs and questions where a line has several seeds, \
                     over the questions where it is a single run.";

/// One line for each group. A group without points keeps its colour for the figures that it is in.
fn lines(groups: &[Group], points: impl Fn(&Group) -> Vec<(f64, Interval)>) -> Vec<Series> {
    let line = |group: &Group| match points(group) {
        empty if empty.is_empty() => Series::new("", []),
        points => Series::of_intervals(&group.label, points),
    };
    groups.iter().map(line).collect()
}

/// `1 run`, `3 runs`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// `200`, or `50 to 200`, for titles that tell sizes.
fn span(values: impl IntoIterator<Item = usize>) -> String {
    let ends = values.into_iter().fold(None, |ends: Option<(usize, usize)>, value| {
        Some(ends.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
    });
    match ends {
        None => "no".to_owned(),
        Some((low, high)) if low == high => low.to_string(),
        Some((low, high)) => format!("{low} to {high}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_with_everything_get_every_figure() {
        let groups = grouped(vec![test_run("a-1", 1), test_run("a-2", 2)]);
        let figures = figures(&groups).unwrap();
        let names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "accuracy-by-hops",
                "accuracy-by-distractors",
                "validation-accuracy",
                "outer-loss",
                "inner-loss",
                "learned-rates-a",
            ]
        );
        assert!(
            figures
                .iter()
                .all(|figure| figure.svg.starts_with("<svg") && !figure.caption.is_empty())
        );
    }

    #[test]
    fn a_run_that_has_just_begun_has_none() {
        let run =
            Run { metrics: Vec::new(), accuracies: Vec::new(), rates: None, ..test_run("a", 1) };
        assert!(figures(&grouped(vec![run])).unwrap().is_empty());
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(
            (span([3, 3]), span([5, 1, 2]), span([])),
            ("3".into(), "1 to 5".into(), "no".into())
        );
        assert_eq!((counted(1, "run"), counted(2, "run")), ("1 run".into(), "2 runs".into()));
    }
}
