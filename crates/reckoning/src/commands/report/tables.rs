//! Tables of evaluations and benchmarks.

use std::collections::BTreeMap;

use experiment::report::Report;
use experiment::statistics::Interval;

use super::page::ABSENT;
use crate::commands::bench::{Benchmark, BreakEven};
use crate::examination::{Asked, Breakdown, Evaluation, Scores, TestScores};
use crate::figures::Named;

/// Scores of generated answers: a row for each test set, and for its questions by hops and by distractors.
pub(super) fn evaluations(report: Report, evaluations: &[Named]) -> Report {
    if evaluations.is_empty() {
        return report;
    }
    let report = report.heading("Generated answers").paragraph(
        "Answers by search, with 95 % intervals over the questions: Wilson's for answers, Student's t for recall; questions on one theory are alike and count as fewer. The likeliest \
         label is the right one where none of the test set's answers is more likely. F1 is over whole facts; the lenient share is \
         the official one, of recalled chunks that are part of the right facts.",
    );
    evaluations.iter().fold(report, |report, (name, evaluation)| of_one(report, name, evaluation))
}

fn of_one(report: Report, name: &str, evaluation: &Evaluation) -> Report {
    let Evaluation { system, beams, length_penalty, asked, remarks, scores, .. } = evaluation;
    let searched = match (*beams, length_penalty) {
        (1, _) => "greedy".to_owned(),
        (beams, Some(power)) => format!("{beams} beams, length penalty {power}"),
        (beams, None) => format!("{beams} beams, length penalty not recorded"),
    };
    let distractors = match asked {
        Some(Asked { data, .. }) => match &data.distractors {
            Some(distractors) => distractors.to_string(),
            None => "as the data has them".to_owned(),
        },
        None => "not recorded".to_owned(),
    };
    let about =
        format!("{name}: system {}, {searched}, distractors {distractors}.", system.display());
    let recalls = scores.all().is_some_and(|all| all.overall.recall_f1.is_some());
    let mut rows: Vec<Vec<String>> = Vec::new();
    for TestScores { name, part, scores } in &scores.tests {
        rows.extend(breakdown(&format!("{name} ({})", part.reason()), scores, recalls));
    }
    if let Some(together) = &scores.together {
        rows.extend(breakdown("all test sets", together, recalls));
    }
    let header = ["questions", "number", "exact match", "likeliest label"].into_iter();
    let header = header.chain(["recall F1", "recall, lenient"].into_iter().filter(|_| recalls));
    let report = report.paragraph(&about).table(header, rows);
    remarks.iter().fold(report, |report, remark| report.paragraph(&format!("Note: {remark}.")))
}

/// A row for all questions, and one for each part where there are several.
fn breakdown(name: &str, breakdown: &Breakdown, recalls: bool) -> Vec<Vec<String>> {
    let parts = breakdown.parts().into_iter();
    let parts = parts.map(|(part, scores)| row(format!("… {part}"), scores, recalls));
    std::iter::once(row(name.to_owned(), &breakdown.overall, recalls)).chain(parts).collect()
}

fn row(name: String, scores: &Scores, recalls: bool) -> Vec<String> {
    let shown = |interval: Option<Interval>| {
        interval.map_or_else(|| ABSENT.to_owned(), |interval| interval.percent().to_string())
    };
    let Scores { exact_match, likeliest_label, recall_f1, recall_lenient } = *scores;
    let mut cells = vec![
        name,
        exact_match.n.to_string(),
        shown(Some(exact_match)),
        shown(Some(likeliest_label)),
    ];
    if recalls {
        cells.extend([shown(recall_f1), shown(recall_lenient)]);
    }
    cells
}

/// Seconds, break-even and memory.
pub(super) fn benchmarks(report: Report, benchmarks: &[(String, Benchmark)]) -> Report {
    let Some(_) = benchmarks.first() else { return report };
    benchmarks.iter().fold(report.heading("Run time and memory"), |report, (name, benchmark)| {
        let Benchmark { setting, break_even, .. } = benchmark;
        let about = format!(
            "{name}: {} facts of {} tokens, questions of {}, {} layers of width {}, on {}.",
            setting.facts,
            setting.fact_tokens,
            setting.question_tokens,
            setting.model.layers,
            setting.model.width,
            setting.device
        );
        let report = memory(seconds(report.paragraph(&about), benchmark), benchmark);
        let verdicts: Vec<String> = break_even.iter().map(BreakEven::verdict).collect();
        if verdicts.is_empty() { report } else { report.paragraph(&(verdicts.join("; ") + ".")) }
    })
}

/// A row for each reader, a column for each number of questions.
fn seconds(report: Report, benchmark: &Benchmark) -> Report {
    let points =
        || benchmark.seconds.iter().map(|point| (&point.reader, point.questions, point.seconds));
    columns(report, "seconds for questions", points(), |seconds| format!("{seconds:.3}"))
}

/// A row for each hypergradient, a column for each number of inner steps.
fn memory(report: Report, benchmark: &Benchmark) -> Report {
    let points = benchmark.memory.iter();
    let points = points.map(|used| (&used.hypergradient, used.inner_steps, used.peak_mebibytes()));
    columns(report, "peak MiB for inner steps", points, |mebibytes| format!("{mebibytes:.0}"))
}

fn columns<'a>(
    report: Report,
    title: &str,
    points: impl Iterator<Item = (&'a String, usize, f64)>,
    shown: impl Fn(f64) -> String,
) -> Report {
    let mut rows: Vec<(&String, BTreeMap<usize, f64>)> = Vec::new();
    for (name, column, value) in points {
        match rows.iter_mut().find(|(other, _)| *other == name) {
            Some((_, values)) => drop(values.insert(column, value)),
            None => rows.push((name, BTreeMap::from([(column, value)]))),
        }
    }
    let Some((_, first)) = rows.first() else { return report };
    let places: Vec<usize> = first.keys().copied().collect();
    let header = std::iter::once(title.to_owned()).chain(places.iter().map(usize::to_string));
    let cells = |(name, values): &(&String, BTreeMap<usize, f64>)| {
        let value =
            |place| values.get(place).map_or_else(|| ABSENT.to_owned(), |value| shown(*value));
        std::iter::once((*name).clone()).chain(places.iter().map(value)).collect::<Vec<_>>()
    };
    report.table(header, rows.iter().map(cells).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examination::test_evaluation;
    use crate::figures::test_benchmark;

    #[test]
    fn every_part_of_an_evaluation_is_a_row() {
        let html = |recalls| {
            let named = [("eval".to_owned(), test_evaluation(recalls))];
            evaluations(Report::new("page"), &named).to_html()
        };
        let whole = html(true);
        for text in [
            "held-out part",
            "… 2 hops",
            "… 3 hops",
            "… 4 distractors",
            "… asked in training, too",
            "… not asked in training",
            "recall F1",
            "lenient",
            "Note: something is left out.",
        ] {
            assert!(whole.contains(text), "{text} in {whole}");
        }
        assert!(!html(false).contains("<th>recall F1</th>"));
    }

    #[test]
    fn a_benchmark_is_told_in_full() {
        let html = benchmarks(Report::new("page"), &[("bench".into(), test_benchmark())]).to_html();
        for text in
            ["peak MiB", "from 3 questions on", "<td class=\"number\">4.000</td>", "first-order"]
        {
            assert!(html.contains(text), "{text} in {html}");
        }
        assert_eq!(benchmarks(Report::new("page"), &[]).to_html(), Report::new("page").to_html());
    }
}
