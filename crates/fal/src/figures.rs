//! What runs have learned, as figures.

use std::collections::BTreeMap;

use experiment::figure::{Axis, BarChart, FigureError, LineChart, Series};
use experiment::statistics::{Interval, mean_interval};

use crate::finished::{Group, columns};

/// A figure for a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Name for a file, without extension.
    pub name: &'static str,
    /// The figure.
    pub svg: String,
    /// What is seen.
    pub caption: String,
}

/// Accuracies of the last judgement as bars, accuracies and losses over rounds as curves, where there were rounds.
///
/// # Errors
/// [`FigureError`] where one cannot be drawn.
pub fn figures(groups: &[Group]) -> Result<Vec<Figure>, FigureError> {
    let mut figures = vec![bars(groups)?];
    for curve in &CURVES {
        figures.extend(curve.draw(groups)?);
    }
    Ok(figures)
}

/// A value over rounds.
struct Curve {
    name: &'static str,
    /// Its name in the metrics.
    value: &'static str,
    title: &'static str,
    /// Whether it is a share, which is shown in percent, or a loss.
    is_share: bool,
}

const CURVES: [Curve; 3] = [
    Curve {
        name: "clean-curve",
        value: "clean accuracy",
        title: "Accuracy on test images over rounds",
        is_share: true,
    },
    Curve {
        name: "attacked-curve",
        value: "attacked accuracy",
        title: "Accuracy under PGD-10 over rounds",
        is_share: true,
    },
    Curve {
        name: "loss-curve",
        value: "loss",
        title: "Loss of the clients on perturbed samples",
        is_share: false,
    },
];

fn bars(groups: &[Group]) -> Result<Figure, FigureError> {
    let attacks = columns(groups);
    let axis = Axis::linear("accuracy, %").including(100.0);
    let mut chart = BarChart::new("Accuracy, clean and under attack", axis, attacks.clone());
    for group in groups {
        let found: BTreeMap<String, Interval> = group.accuracies().into_iter().collect();
        let bar = |attack| found.get(attack).map_or(Interval::ABSENT, |found| found.scale(100.0));
        chart = chart.series(group.name.clone(), attacks.iter().map(bar));
    }
    let caption = "Test images that the network gets right, as they are and after each attack. Whiskers are 95 % intervals: \
                   over images, and over seeds too where there are several."
        .into();
    Ok(Figure { name: "accuracy", svg: chart.to_svg()?, caption })
}

impl Curve {
    /// None where no run has a point to draw.
    fn draw(&self, groups: &[Group]) -> Result<Option<Figure>, FigureError> {
        let Self { name, title, is_share, .. } = *self;
        let curves: Vec<_> = groups.iter().map(|group| self.points(group)).collect();
        if !curves.iter().flatten().any(|(_, found)| found.mean.is_finite()) {
            return Ok(None);
        }
        let unit = if is_share { "accuracy, %" } else { "loss" };
        let mut chart =
            LineChart::new(title, Axis::counts("round"), Axis::linear(unit).including(0.0));
        for (group, points) in groups.iter().zip(curves) {
            chart = chart.series(Series::of_intervals(group.name.clone(), points));
        }
        let caption =
            format!("{title}. Bands are 95 % intervals over seeds where there are several.");
        Ok(Some(Figure { name, svg: chart.to_svg()?, caption }))
    }

    /// The mean of the runs at each round.
    fn points(&self, group: &Group) -> Vec<(f64, Interval)> {
        let mut at: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for row in group.runs.iter().flat_map(|run| &run.rows) {
            if let Some(found) = row.values.get(self.value) {
                at.entry(row.step).or_default().push(*found);
            }
        }
        let interval = |found: &[f64]| match mean_interval(found) {
            Ok(interval) if found.len() > 1 => interval,
            _ => Interval { mean: found[0], low: found[0], high: found[0], n: 1 },
        };
        let point = |found: Vec<f64>| match self.is_share {
            true => interval(&found).within(0.0..=1.0).scale(100.0),
            false => interval(&found),
        };
        at.into_iter().map(|(round, found)| (round as f64, point(found))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finished::grouped;
    use crate::finished::tests::run;

    #[test]
    fn every_figure_names_the_groups() {
        let mut plain = run("plain", 0, 0.9);
        plain.config.adversary.steps = 0;
        let runs = vec![run("robust-0", 0, 0.8), run("robust-1", 1, 0.7), plain];
        let groups = grouped(runs).unwrap();
        let figures = figures(&groups).unwrap();
        assert_eq!(figures.len(), 4);
        for figure in figures {
            assert!(
                figure.svg.contains("robust") && figure.svg.contains("plain"),
                "{}",
                figure.name
            );
        }
        let points = CURVES[0].points(&groups[0]);
        assert_eq!(points.len(), 3);
        assert!((points[0].1.mean - 75.0).abs() < 1e-9 && points[0].1.n == 2);
        assert_eq!(points[0].1.high, 100.0, "nothing is right more often than always");
    }

    #[test]
    fn every_attack_has_its_bars_and_runs_without_rounds_have_no_curves() {
        let mut first = run("first", 0, 0.9);
        first.judgement.report.robust.clear();
        first.rows.clear();
        let mut second = run("second", 0, 0.8);
        second.config.adversary.steps = 0;
        second.rows.clear();
        let figures = figures(&grouped(vec![first, second]).unwrap()).unwrap();
        assert_eq!(figures.len(), 1);
        assert!(figures[0].svg.contains("PGD-20"));
    }
}
