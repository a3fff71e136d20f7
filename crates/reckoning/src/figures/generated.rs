//! Generated answers and recalled facts of examined systems, by length of reasoning and by number of distractors.

use std::collections::{BTreeMap, BTreeSet};

use experiment::figure::{Axis, FigureError, LineChart, Series};
use experiment::statistics::Interval;

use super::{Figure, span};
use crate::examination::{Breakdown, Evaluation, Scores};

/// An evaluation with the name of its folder.
pub type Named = (String, Evaluation);

/// What questions are grouped by.
#[derive(Clone, Copy)]
struct Grouping {
    file: &'static str,
    axis: &'static str,
    of: fn(&Breakdown) -> &BTreeMap<usize, Scores>,
}

const GROUPINGS: [Grouping; 2] = [
    Grouping { file: "hops", axis: "hops", of: |scores| &scores.by_hops },
    Grouping {
        file: "distractors",
        axis: "distractors (facts the question does not need)",
        of: |scores| &scores.by_distractors,
    },
];

/// The figures that the evaluations have data for: answers and recall by hops and by distractors, where there are at
/// least two numbers of them.
///
/// # Errors
/// [`FigureError`] where a figure has data but cannot be drawn.
pub fn generated_figures(evaluations: &[Named]) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for grouping in GROUPINGS {
        figures.extend(answers(evaluations, grouping)?);
        figures.extend(recall(evaluations, grouping)?);
    }
    Ok(figures)
}

fn answers(evaluations: &[Named], grouping: Grouping) -> Result<Option<Figure>, FigureError> {
    let line = |(name, evaluation): &Named| {
        (name.clone(), points(evaluation, grouping, |scores| Some(scores.exact_match)))
    };
    let lines: Vec<_> = evaluations.iter().map(line).collect();
    let Some(chart) = chart("Generated answers", evaluations, grouping, lines) else {
        return Ok(None);
    };
    let caption =
        "Generated answers that match exactly. Bands are 95 % intervals over the questions.";
    let (name, svg) = (format!("generated-answers-by-{}", grouping.file), chart.to_svg()?);
    Ok(Some(Figure { name, svg, caption: caption.into() }))
}

fn recall(evaluations: &[Named], grouping: Grouping) -> Result<Option<Figure>, FigureError> {
    let lines = |(name, evaluation): &Named| {
        [
            (format!("{name}, F1"), points(evaluation, grouping, |scores| scores.recall_f1)),
            (
                format!("{name}, lenient"),
                points(evaluation, grouping, |scores| scores.recall_lenient),
            ),
        ]
    };
    let lines: Vec<_> = evaluations.iter().flat_map(lines).collect();
    let Some(chart) = chart("Recalled facts", evaluations, grouping, lines) else {
        return Ok(None);
    };
    let caption = "Strict F1 over whole facts, and the official lenient share of recalled chunks that are part of the right \
                   facts. Bands are 95 % t intervals, over theories where those are asked several questions.";
    let (name, svg) = (format!("recall-by-{}", grouping.file), chart.to_svg()?);
    Ok(Some(Figure { name, svg, caption: caption.into() }))
}

fn points(
    evaluation: &Evaluation,
    grouping: Grouping,
    score: impl Fn(&Scores) -> Option<Interval>,
) -> Vec<(f64, Interval)> {
    let Some(scores) = evaluation.scores.all() else { return Vec::new() };
    let parts = (grouping.of)(scores).iter();
    parts.filter_map(|(key, scores)| Some((*key as f64, score(scores)?.scale(100.0)))).collect()
}

/// `None` where there are fewer than two places on the axis.
fn chart(
    title: &str,
    evaluations: &[Named],
    grouping: Grouping,
    lines: Vec<(String, Vec<(f64, Interval)>)>,
) -> Option<LineChart> {
    let places = lines.iter().flat_map(|(_, points)| points).map(|(place, _)| *place as usize);
    if places.collect::<BTreeSet<_>>().len() < 2 {
        return None;
    }
    let questions = evaluations.iter().map(|(_, evaluation)| {
        let asked = points(evaluation, grouping, |scores| Some(scores.exact_match));
        asked.iter().map(|(_, interval)| interval.n).sum::<usize>()
    });
    let questions = span(questions.filter(|count| *count > 0));
    let title = format!("{title} by {} ({questions} questions)", grouping.file);
    let share = Axis::linear("share, %").including(0.0).including(100.0);
    let chart = LineChart::new(title, Axis::counts(grouping.axis), share);
    let series = |(name, points): (String, Vec<(f64, Interval)>)| match points.is_empty() {
        true => Series::new("", []),
        false => Series::of_intervals(name, points),
    };
    Some(lines.into_iter().map(series).fold(chart, LineChart::series))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examination::test_evaluation;

    fn names(evaluation: Evaluation) -> Vec<String> {
        let figures = generated_figures(&[("eval".to_owned(), evaluation)]).unwrap();
        figures.into_iter().map(|figure| figure.name).collect()
    }

    #[test]
    fn answers_and_recall_are_drawn_by_hops_and_distractors() {
        let all = [
            "generated-answers-by-hops",
            "recall-by-hops",
            "generated-answers-by-distractors",
            "recall-by-distractors",
        ];
        assert_eq!(names(test_evaluation(true)), all);
        assert_eq!(names(test_evaluation(false)), [all[0], all[2]]);
        let figures = generated_figures(&[("eval".to_owned(), test_evaluation(true))]).unwrap();
        assert!(figures[1].svg.contains("eval, F1") && figures[1].svg.contains("eval, lenient"));
        assert!(figures.iter().all(|figure| figure.svg.contains("(3 questions)")));
    }

    #[test]
    fn one_number_of_hops_is_no_line() {
        let mut evaluation = test_evaluation(true);
        let scores = &mut evaluation.scores.tests[0].scores;
        scores.by_hops.pop_last();
        assert!(names(evaluation).iter().all(|name| !name.ends_with("hops")));
    }
}
