//! How far the inner loop brings down the loss of the facts, before and after the outer loop has learned.

use experiment::figure::{Axis, FigureError, LineChart, Series};
use experiment::metrics::Row;

use super::curves::loss_axis;
use super::{Figure, Group, Run, span};

/// The share of the steps that the start and the end of training are averages over.
const SHARE: f64 = 0.05;

/// Inner loss before each inner step, at the start and at the end of training; `None` without inner loops.
///
/// # Errors
/// [`FigureError`] if it cannot be drawn.
pub(super) fn inner_loss(groups: &[Group]) -> Result<Option<Figure>, FigureError> {
    let lines = |name: &str, part: Part| -> Vec<(String, Vec<f64>)> {
        groups
            .iter()
            .map(|group| (format!("{}, {name}", group.label), losses(group, part)))
            .collect()
    };
    // The ends come first so that they have the colours that the groups have elsewhere.
    let lines = [lines("end of training", Part::End), lines("start", Part::Start)].concat();
    let all: Vec<f64> = lines.iter().flat_map(|(_, losses)| losses.iter().copied()).collect();
    if all.is_empty() {
        return Ok(None);
    }
    let batch = span(groups.iter().map(|group| group.config().outer.batch));
    let chart = LineChart::new(
        format!("Loss of the facts over the inner steps (meta-batches of {batch})"),
        Axis::counts("inner steps taken").including(0.0),
        loss_axis(&format!("inner loss, nats {}", unit(groups)), &all),
    );
    let series = |(name, losses): (String, Vec<f64>)| match losses.is_empty() {
        true => Series::new("", []),
        false => Series::new(
            name,
            losses.into_iter().enumerate().map(|(step, loss)| (step as f64, loss)),
        ),
    };
    let chart = lines.into_iter().map(series).fold(chart, LineChart::series);
    let caption = "Causal language-modelling loss of the facts before each inner step: mean over the first and over \
                   the last twentieth of the outer steps, and over seeds. The loss after the last inner step is not \
                   logged."
        .to_owned();
    Ok(Some(Figure { name: "inner-loss".into(), svg: chart.to_svg()?, caption }))
}

/// Over what the loss of the facts is a sum or a mean.
fn unit(groups: &[Group]) -> &'static str {
    let descend = groups.iter().map(Group::config).filter(|config| config.method.has_inner_loop());
    let (means, sums): (Vec<_>, Vec<_>) =
        descend.partition(|config| config.objective.facts.is_mean());
    match (means.is_empty(), sums.is_empty()) {
        (_, true) => "a token",
        (true, false) => "a token, summed over facts",
        (false, false) => "a token, of some summed over facts",
    }
}

#[derive(Clone, Copy)]
enum Part {
    Start,
    End,
}

/// The mean over runs and rows of the loss before each inner step; empty without inner loop.
fn losses(group: &Group, part: Part) -> Vec<f64> {
    let of_step = |step: usize| {
        let name = format!("inner loss {step}");
        let values: Vec<f64> = group
            .runs
            .iter()
            .flat_map(|run| rows(run, part))
            .filter_map(|row| row.values.get(&name).copied())
            .collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    (0..).map_while(of_step).collect()
}

fn rows(run: &Run, part: Part) -> &[Row] {
    let rows = &run.metrics;
    let count = ((SHARE * rows.len() as f64).ceil() as usize).min(rows.len());
    match part {
        Part::Start => &rows[..count],
        Part::End => &rows[rows.len() - count..],
    }
}

#[cfg(test)]
mod tests {
    use super::super::grouped;
    use super::super::run::test_run;
    use super::*;

    #[test]
    fn the_ends_of_training_are_averages_of_a_twentieth() {
        let groups = grouped(vec![test_run("a", 0)]);
        let (start, end) = (losses(&groups[0], Part::Start), losses(&groups[0], Part::End));
        assert_eq!(start.len(), 3);
        assert!((start[0] - (3.0 + 1.5) / 2.0).abs() < 1e-12);
        assert!((end[2] - (3.0 / 39.0 + 3.0 / 40.0) / 6.0).abs() < 1e-12);
    }

    #[test]
    fn both_ends_are_lines() {
        let figure = inner_loss(&grouped(vec![test_run("exact", 0)])).unwrap().unwrap();
        assert!(
            figure.svg.contains("exact, start") && figure.svg.contains("exact, end of training")
        );
    }

    #[test]
    fn without_an_inner_loop_there_is_no_figure() {
        let mut run = test_run("a", 0);
        run.metrics
            .iter_mut()
            .for_each(|row| row.values.retain(|name, _| !name.starts_with("inner")));
        assert!(inner_loss(&grouped(vec![run])).unwrap().is_none());
    }
}
