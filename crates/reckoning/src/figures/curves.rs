//! Learning curves: what the outer loop reaches over its steps.

use std::collections::BTreeMap;

use experiment::figure::{Axis, FigureError, LineChart};
use experiment::statistics::{Interval, mean_interval};

use super::{Figure, Group, Run, counted, lines, span};

/// Points of a curve at most; the steps between two of them are averaged.
const POINTS: u64 = 80;
/// Losses that span more than this factor are shown on a logarithmic axis.
const LOGARITHMIC_FROM: f64 = 20.0;

const VALIDATION: &str = "validation accuracy";
const OUTER_LOSS: &str = "outer loss";

/// Accuracy on the validation sets over outer steps; `None` where no run has one.
///
/// # Errors
/// [`FigureError`] if it cannot be drawn.
pub(super) fn validation_accuracy(groups: &[Group]) -> Result<Option<Figure>, FigureError> {
    let points = |group: &Group| {
        let curve = mean_curve(group, |run| logged(run, VALIDATION, 1));
        curve
            .into_iter()
            .map(|(step, interval)| (step, interval.within(0.0..=1.0).scale(100.0)))
            .collect::<Vec<_>>()
    };
    if groups.iter().all(|group| points(group).is_empty()) {
        return Ok(None);
    }
    let sets = span(groups.iter().map(|group| group.config().evaluation.sets));
    let title = format!("Validation accuracy (at most {sets} knowledge sets)");
    let accuracy = Axis::linear("accuracy, %").including(0.0).including(100.0);
    let chart = LineChart::new(title, step_axis(), accuracy);
    let chart = lines(groups, points).into_iter().fold(chart, LineChart::series);
    let caption = format!("Accuracy on held-out questions while training. {}", over_runs(groups));
    Ok(Some(Figure { name: "validation-accuracy".into(), svg: chart.to_svg()?, caption }))
}

/// Outer loss of the meta-batches over outer steps; `None` where no step was logged.
///
/// # Errors
/// [`FigureError`] if it cannot be drawn.
pub(super) fn outer_loss(groups: &[Group]) -> Result<Option<Figure>, FigureError> {
    let width = |group: &Group| (group.config().outer.steps as u64).div_ceil(POINTS).max(1);
    let points = |group: &Group| {
        let curve = mean_curve(group, |run| logged(run, OUTER_LOSS, width(group)));
        curve
            .into_iter()
            .map(|(step, interval)| (step, interval.within(0.0..=f64::INFINITY)))
            .collect::<Vec<_>>()
    };
    let means: Vec<f64> = groups
        .iter()
        .flat_map(points)
        .map(|(_, interval)| interval.mean)
        .filter(|mean| mean.is_finite())
        .collect();
    if means.is_empty() {
        return Ok(None);
    }
    let batch = span(groups.iter().map(|group| group.config().outer.batch));
    let title = format!("Outer loss (meta-batches of {batch})");
    let chart = LineChart::new(title, step_axis(), loss_axis("outer loss, nats", &means));
    let chart = lines(groups, points).into_iter().fold(chart, LineChart::series);
    let averaged = match span(groups.iter().map(|group| width(group) as usize)).as_str() {
        "1" => String::new(),
        steps => format!(" Each point is a mean over {steps} steps."),
    };
    let caption = format!("Outer loss of the training examples.{averaged} {}", over_runs(groups));
    Ok(Some(Figure { name: "outer-loss".into(), svg: chart.to_svg()?, caption }))
}

/// An axis for `losses`: logarithmic where they span much and are positive, from zero otherwise.
pub(super) fn loss_axis(label: &str, losses: &[f64]) -> Axis {
    let smallest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = losses.iter().copied().fold(0.0, f64::max);
    match smallest > 0.0 && largest > LOGARITHMIC_FROM * smallest {
        true => Axis::logarithmic(label),
        false => Axis::linear(label).including(0.0),
    }
}

fn step_axis() -> Axis {
    Axis::counts("outer step").including(0.0)
}

fn over_runs(groups: &[Group]) -> String {
    let most = groups.iter().map(|group| group.runs.len()).max().unwrap_or_default();
    match most {
        0 | 1 => "One run a line.".to_owned(),
        most => format!(
            "Means of up to {} that differ in the seed, with 95 % t intervals.",
            counted(most, "run")
        ),
    }
}

/// The metric `name` of a run, averaged over every `width` steps, by the last of those steps.
fn logged(run: &Run, name: &str, width: u64) -> BTreeMap<u64, f64> {
    let mut bins: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for row in &run.metrics {
        if let Some(value) = row.values.get(name) {
            bins.entry(row.step.div_ceil(width) * width).or_default().push(*value);
        }
    }
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let last = run.steps();
    bins.into_iter().map(|(step, values)| (step.min(last), mean(values))).collect()
}

/// The mean of the runs' curves with its t interval, at the steps that every run has.
fn mean_curve(group: &Group, curve: impl Fn(&Run) -> BTreeMap<u64, f64>) -> Vec<(f64, Interval)> {
    let curves: Vec<BTreeMap<u64, f64>> = group.runs.iter().map(curve).collect();
    let point = |step: &u64| {
        let values: Vec<f64> =
            curves.iter().map(|curve| curve.get(step).copied()).collect::<Option<_>>()?;
        Some((*step as f64, mean_interval(&values).ok()?))
    };
    curves.first().map(|first| first.keys().filter_map(point).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::grouped;
    use super::super::run::test_run;
    use super::*;

    #[test]
    fn steps_are_averaged_in_even_parts_and_the_last_part_ends_with_the_run() {
        let mut run = test_run("a", 0);
        run.metrics.truncate(25);
        let steps: Vec<u64> = logged(&run, OUTER_LOSS, 10).into_keys().collect();
        assert_eq!(steps, [10, 20, 25]);
        let first = logged(&run, OUTER_LOSS, 10)[&10];
        let expected = (1..=10).map(|step| 3.0 / f64::from(step)).sum::<f64>() / 10.0;
        assert!((first - expected).abs() < 1e-12);
    }

    #[test]
    fn a_mean_over_runs_stops_where_one_of_them_does() {
        let mut short = test_run("a-1", 1);
        short.metrics.truncate(7);
        let groups = grouped(vec![short, test_run("a-2", 2)]);
        let curve = mean_curve(&groups[0], |run| logged(run, OUTER_LOSS, 1));
        assert_eq!(curve.len(), 7);
        assert!((curve[0].1.mean - 3.015).abs() < 1e-12, "{curve:?}");
    }

    #[test]
    fn losses_are_logarithmic_only_where_they_can_and_need_be() {
        let logarithmic = Axis::logarithmic("loss");
        assert_eq!(loss_axis("loss", &[3.0, 0.01]), logarithmic);
        assert_ne!(loss_axis("loss", &[3.0, 0.5]), logarithmic);
        assert_ne!(loss_axis("loss", &[3.0, 0.0]), logarithmic);
    }

    #[test]
    fn without_the_metric_there_is_no_figure() {
        let run = Run { metrics: Vec::new(), ..test_run("a", 0) };
        let groups = grouped(vec![run]);
        assert!(validation_accuracy(&groups).unwrap().is_none());
        assert!(outer_loss(&groups).unwrap().is_none());
    }
}
