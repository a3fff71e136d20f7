//! Answer accuracy on the test sets, by length of reasoning and by number of distractors.

use std::collections::{BTreeMap, BTreeSet};

use experiment::figure::{Axis, FigureError, LineChart};
use experiment::statistics::Interval;

use super::{BANDS, Figure, Group, Run, lines, span};
use crate::config::{DataConfig, Source};

/// Accuracy over the lengths of reasoning; `None` where there are fewer than two lengths.
///
/// # Errors
/// [`FigureError`] if it cannot be drawn.
pub(super) fn by_hops(groups: &[Group]) -> Result<Option<Figure>, FigureError> {
    let title = "Answer accuracy by hops";
    let Some(mut chart) = chart(title, "hops", groups, Run::by_hops) else { return Ok(None) };
    if let Some(hops) = end_of_training(groups) {
        chart = chart.marker("longest in training", hops as f64);
    }
    let caption = format!(
        "Answers that match exactly, by the number of facts that the question needs. {BANDS}"
    );
    Ok(Some(Figure { name: "accuracy-by-hops".into(), svg: chart.to_svg()?, caption }))
}

/// Accuracy over the number of facts that the question does not need; `None` where there are fewer than two numbers.
///
/// # Errors
/// [`FigureError`] if it cannot be drawn.
pub(super) fn by_distractors(groups: &[Group]) -> Result<Option<Figure>, FigureError> {
    let title = "Answer accuracy by distractors";
    let Some(chart) =
        chart(title, "distractors (facts the question does not need)", groups, Run::by_distractors)
    else {
        return Ok(None);
    };
    let caption = format!(
        "Answers that match exactly, by the number of irrelevant facts in the knowledge set. {BANDS}"
    );
    Ok(Some(Figure { name: "accuracy-by-distractors".into(), svg: chart.to_svg()?, caption }))
}

fn chart(
    title: &str,
    x: &str,
    groups: &[Group],
    part: impl Fn(&Run) -> BTreeMap<usize, Interval>,
) -> Option<LineChart> {
    let runs = || groups.iter().flat_map(|group| &group.runs);
    let mean = |group: &Group, key: &usize| group.proportion(|run| part(run).get(key).copied());
    let mut keys: BTreeSet<usize> = runs().flat_map(|run| part(run).into_keys()).collect();
    // Those of runs beside which one is not finished have no mean.
    keys.retain(|key| groups.iter().any(|group| mean(group, key).is_some()));
    if keys.len() < 2 {
        return None;
    }
    let questions = runs().map(|run| part(run).values().map(|interval| interval.n).sum());
    let title = format!("{title} ({} questions a run)", span(questions.filter(|count| *count > 0)));
    let accuracy = Axis::linear("accuracy, %").including(0.0).including(100.0);
    let points = |group: &Group| {
        let point = |key: &usize| Some((*key as f64, mean(group, key)?.scale(100.0)));
        keys.iter().filter_map(point).collect()
    };
    let chart = LineChart::new(title, Axis::counts(x), accuracy);
    Some(lines(groups, points).into_iter().fold(chart, LineChart::series))
}

/// The most hops of training, where all groups agree on it and some test questions have more.
fn end_of_training(groups: &[Group]) -> Option<usize> {
    let trained: BTreeSet<_> =
        groups.iter().map(|group| longest_in_training(&group.config().data)).collect();
    let (Some(Some(longest)), 1) = (trained.first(), trained.len()) else { return None };
    let tested =
        groups.iter().flat_map(|group| &group.runs).flat_map(|run| run.by_hops().into_keys()).max();
    tested.is_some_and(|tested| tested > *longest).then_some(*longest)
}

/// The most hops that a training question has; `None` where a file decides.
fn longest_in_training(data: &DataConfig) -> Option<usize> {
    let hops = match &data.source {
        Source::Kinship(kinship) => &kinship.hops,
        Source::Rules(rules) => &rules.hops,
        Source::File { .. } => &data.train_hops,
    };
    hops.iter().max().copied()
}

#[cfg(test)]
mod tests {
    use super::super::grouped;
    use super::super::run::test_run;
    use super::*;

    #[test]
    fn the_title_tells_how_many_questions_and_the_marker_what_was_trained() {
        let figure = by_hops(&grouped(vec![test_run("a", 1)])).unwrap().unwrap();
        assert!(figure.svg.contains("(200 questions a run)"), "{}", figure.svg);
        assert!(figure.svg.contains("longest in training"));
        assert!(figure.svg.contains("accuracy, %"));
    }

    #[test]
    fn groups_of_different_training_have_no_marker() {
        let mut file = test_run("file", 1);
        file.config.data.source = Source::File { path: "data".into(), options: Default::default() };
        let figure = by_hops(&grouped(vec![test_run("a", 1), file])).unwrap().unwrap();
        assert!(!figure.svg.contains("longest in training"));
    }

    #[test]
    fn tests_of_what_was_trained_need_no_marker() {
        let mut run = test_run("a", 1);
        let Source::Kinship(kinship) = &mut run.config.data.source else {
            panic!("the default is kinship")
        };
        kinship.hops = vec![2, 3];
        let figure = by_hops(&grouped(vec![run])).unwrap().unwrap();
        assert!(!figure.svg.contains("longest in training"));
    }

    #[test]
    fn a_group_that_is_not_finished_has_no_line() {
        let mut unfinished = test_run("a-2", 2);
        unfinished.accuracies.clear();
        let alone = grouped(vec![test_run("a-1", 1), unfinished.clone()]);
        assert!(by_hops(&alone).unwrap().is_none());
        let mut baseline = test_run("b", 1);
        baseline.config.outer.steps = 41;
        let beside = grouped(vec![test_run("a-1", 1), unfinished, baseline]);
        assert!(by_hops(&beside).unwrap().is_some());
    }

    #[test]
    fn one_length_alone_is_no_line() {
        let mut run = test_run("a", 1);
        run.accuracies.truncate(1);
        let groups = grouped(vec![run]);
        assert!(by_hops(&groups).unwrap().is_none());
        assert!(by_distractors(&groups).unwrap().is_some());
    }
}
