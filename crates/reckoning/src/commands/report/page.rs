//! The page: tables of results and runs, the figures, and what the runs were set to.

use std::collections::{BTreeMap, BTreeSet};

use experiment::report::Report;
use experiment::statistics::Interval;
use serde_json::Value;

use super::{Contents, tables};
use crate::config::Method;
use crate::evaluate::{Accuracy, SEEN, UNSEEN};
use crate::figures::{Group, Run};

/// What stands in a cell without a value.
pub(super) const ABSENT: &str = "–";

/// The report on `contents`.
pub fn page(contents: &Contents) -> Report {
    let Contents { groups, evaluations, benchmarks, figures, notes } = contents;
    let mut report = Report::new(title(contents));
    if !groups.is_empty() {
        report = accuracy(report, groups);
    }
    report = notes.iter().fold(report, |report, note| report.paragraph(note));
    if !groups.is_empty() {
        report = runs_table(report.heading("Runs"), groups);
    }
    report = tables::evaluations(report, evaluations);
    report = tables::benchmarks(report, benchmarks);
    if !figures.is_empty() {
        report = report.heading("Figures");
    }
    report =
        figures.iter().fold(report, |report, figure| report.figure(&figure.svg, &figure.caption));
    if groups.is_empty() { report } else { settings_table(report.heading("Settings"), groups) }
}

fn title(contents: &Contents) -> String {
    let Contents { groups, evaluations, benchmarks, .. } = contents;
    let alone = match (groups.as_slice(), evaluations.as_slice(), benchmarks.as_slice()) {
        ([only], ..) => &only.label,
        ([], [(only, _)], _) | ([], [], [(only, _)]) => only,
        ([], ..) => return "RECKONING: evaluations and benchmarks".into(),
        (groups, ..) => return format!("RECKONING: {} systems", groups.len()),
    };
    format!("RECKONING: {alone}")
}

fn accuracy(report: Report, groups: &[Group]) -> Report {
    let report = report.heading("Accuracy").paragraph(
        "Share of questions whose answer matches exactly, with 95 % intervals: over the questions of a \
         single run (Wilson; questions on one theory are alike and count as fewer), over the runs too where several differ only in the seed.",
    );
    let report = accuracy_table(report, groups);
    let report = part_table(report, "hops", groups, Run::by_hops);
    part_table(report, "distractors", groups, Run::by_distractors)
}

/// A row for each number of hops or distractors, over all test sets; nothing where there is one alone.
fn part_table(
    report: Report,
    what: &str,
    groups: &[Group],
    part: impl Fn(&Run) -> BTreeMap<usize, Interval>,
) -> Report {
    let runs = groups.iter().flat_map(|group| &group.runs);
    let keys: BTreeSet<usize> = runs.flat_map(|run| part(run).into_keys()).collect();
    if keys.len() < 2 {
        return report;
    }
    let row = |key: usize| {
        let of = |group: &Group| shown(group.proportion(|run| part(run).get(&key).copied()));
        std::iter::once(key.to_string()).chain(groups.iter().map(of)).collect::<Vec<_>>()
    };
    let header = [what].into_iter().chain(groups.iter().map(|group| group.label.as_str()));
    report.table(header, keys.into_iter().map(row).collect::<Vec<_>>())
}

/// Names of the test sets of a group, in the order of its runs.
pub(super) fn test_sets(group: &Group) -> Vec<String> {
    distinct(
        group.runs.iter().flat_map(|run| &run.accuracies).map(|accuracy| accuracy.name.clone()),
    )
}

/// A row for each test set, and for the questions of it that were trained on and that were not; a column for each group.
fn accuracy_table(report: Report, groups: &[Group]) -> Report {
    let row = |test: &str, name: String, part: fn(&Accuracy) -> Option<Interval>| {
        let of = |group: &Group| shown(group.proportion(|run| part(run.accuracy(test)?)));
        [vec![name], groups.iter().map(of).collect()].concat()
    };
    let runs = || groups.iter().flat_map(|group| &group.runs);
    let rows = |test: String| {
        let all = row(&test, test.clone(), |accuracy| Some(accuracy.overall));
        let is_seen = |run: &Run| run.accuracy(&test).is_some_and(|of| of.seen.is_some());
        let parts = runs().any(is_seen).then(|| {
            let seen = row(&test, format!("… {SEEN}"), |accuracy| accuracy.seen);
            [seen, row(&test, format!("… {UNSEEN}"), |accuracy| accuracy.unseen)]
        });
        [vec![all], parts.into_iter().flatten().collect()].concat()
    };
    let header = ["test set"].into_iter().chain(groups.iter().map(|group| group.label.as_str()));
    let tests = distinct(groups.iter().flat_map(test_sets));
    let report = match tests.is_empty() {
        true => report,
        false => report.table(header, tests.into_iter().flat_map(rows)),
    };
    remarks(groups).iter().fold(report, |report, remark| report.paragraph(remark))
}

/// How many questions of each test set training says and asks, too.
pub(super) fn remarks(groups: &[Group]) -> Vec<String> {
    let runs = groups.iter().flat_map(|group| &group.runs);
    let accuracies = runs.flat_map(|run| run.accuracies.iter().map(move |of| (&run.name, of)));
    let remark = |(run, Accuracy { name, overall, seen, .. }): (&String, &Accuracy)| {
        let (seen, all) = (seen.as_ref()?.n, overall.n);
        Some(format!(
            "{run}: {seen} of {all} questions of {name} say and ask the same as a training one."
        ))
    };
    accuracies.filter_map(remark).collect()
}

/// What was run, and, where groups have several seeds, what each run reached by itself.
fn runs_table(report: Report, groups: &[Group]) -> Report {
    let runs = || groups.iter().flat_map(|group| &group.runs);
    let about = |run: &Run| {
        let Run { name, config, .. } = run;
        let (steps, minutes) = (run.steps().to_string(), format!("{:.1}", run.seconds() / 60.0));
        [name.clone(), method(config.method).to_owned(), config.seed.to_string(), steps, minutes]
    };
    let report =
        report.table(["run", "method", "seed", "outer steps", "minutes"], runs().map(about));
    if groups.iter().all(|group| group.runs.len() == 1) {
        return report;
    }
    let tests = distinct(groups.iter().flat_map(test_sets));
    let reached = |run: &Run| {
        let measured = tests.iter().map(|name| shown(run.overall(name)));
        [run.name.clone()].into_iter().chain(measured).collect::<Vec<_>>()
    };
    let header = ["run"].into_iter().chain(tests.iter().map(String::as_str));
    report.table(header, runs().map(reached))
}

fn shown(accuracy: Option<Interval>) -> String {
    accuracy.map_or_else(|| ABSENT.to_owned(), |accuracy| accuracy.percent().to_string())
}

/// The settings in which the groups differ; all settings of a single group.
fn settings_table(report: Report, groups: &[Group]) -> Report {
    let settings: Vec<BTreeMap<String, String>> = groups.iter().map(settings).collect();
    let fields = distinct(settings.iter().flat_map(BTreeMap::keys).cloned());
    let of = |field: &String| -> Vec<String> {
        settings
            .iter()
            .map(|group| group.get(field).cloned().unwrap_or_else(|| ABSENT.into()))
            .collect()
    };
    let shown = fields
        .into_iter()
        .filter(|field| groups.len() == 1 || of(field).iter().any(|value| *value != of(field)[0]));
    let rows: Vec<Vec<String>> =
        shown.map(|field| [vec![field.clone()], of(&field)].concat()).collect();
    let intro = match groups.len() {
        1 => "What the runs were set to, but for the seed.",
        _ => "The settings in which the systems differ; all others are the same.",
    };
    let header: Vec<&str> =
        std::iter::once("setting").chain(groups.iter().map(|group| group.label.as_str())).collect();
    report.paragraph(intro).table(header, rows)
}

/// The configuration as fields by dotted path, without the seed.
fn settings(group: &Group) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut config = group.config().clone();
    if let Some(model) = group.runs.iter().find_map(|run| run.model.clone()) {
        config.model = model;
    }
    let config = serde_json::to_value(config).unwrap_or_default();
    collect(&config, "", &mut fields);
    fields.remove("seed");
    fields
}

fn collect(value: &Value, path: &str, fields: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(section) => {
            for (key, value) in section {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(value, &path, fields);
            }
        }
        Value::String(text) => drop(fields.insert(path.to_owned(), text.clone())),
        Value::Null => drop(fields.insert(path.to_owned(), ABSENT.to_owned())),
        other => drop(fields.insert(path.to_owned(), other.to_string())),
    }
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Reckoning => "RECKONING",
        Method::InContext => "in-context (FT-ICR)",
        Method::NoFacts => "No-Facts",
        Method::NoQuestion => "No-Question",
        Method::RandomFacts => "Random-Facts",
        Method::Language => "language modelling",
    }
}

/// The names without repetitions, in the order of their first appearance.
fn distinct(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in names {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ExperimentConfig;
    use crate::evaluate::Outcome;
    use crate::examination::test_evaluation;
    use crate::figures::{grouped, test_benchmark, test_run};

    fn run(name: &str, seed: u64, change: impl Fn(&mut ExperimentConfig)) -> Run {
        let mut config = ExperimentConfig { seed, ..ExperimentConfig::default() };
        change(&mut config);
        let outcome = |index: u64| {
            let theory = index.to_string();
            let seen = name == "seen" && index < 30;
            Outcome { theory, hops: 2, distractors: 0, correct: index > seed, seen }
        };
        let outcomes: Vec<Outcome> = (0..100).map(outcome).collect();
        let accuracies = Accuracy::of("2 hops", &outcomes).into_iter().collect();
        Run { name: name.into(), config, model: None, metrics: Vec::new(), accuracies, rates: None }
    }

    fn contents(groups: Vec<Group>, notes: &[&str]) -> Contents {
        Contents {
            groups,
            evaluations: Vec::new(),
            benchmarks: Vec::new(),
            figures: Vec::new(),
            notes: notes.iter().map(|note| (*note).to_owned()).collect(),
        }
    }

    #[test]
    fn without_runs_there_is_neither_accuracy_nor_settings() {
        let mut contents = contents(Vec::new(), &[]);
        contents.evaluations = vec![("eval".into(), test_evaluation(true))];
        let html = page(&contents).to_html();
        assert!(html.contains("RECKONING: eval") && html.contains("recall F1"));
        assert!(!html.contains("<h2>Accuracy</h2>") && !html.contains("<h2>Settings</h2>"));
        contents.benchmarks = vec![("bench".into(), test_benchmark())];
        assert!(page(&contents).to_html().contains("Run time and memory"));
    }

    #[test]
    fn hops_and_distractors_have_tables_where_there_are_several() {
        let html = page(&contents(grouped(vec![test_run("a", 0)]), &[])).to_html();
        assert!(html.contains("<th>hops</th>") && html.contains("<th>distractors</th>"));
        let html = page(&contents(grouped(vec![run("a", 0, |_| ())]), &[])).to_html();
        assert!(!html.contains("<th>hops</th>"));
    }

    #[test]
    fn questions_that_were_trained_on_are_told_and_scored_apart() {
        let html = page(&contents(grouped(vec![run("seen", 0, |_| ())]), &[])).to_html();
        for text in [
            "seen: 30 of 100 questions of 2 hops say and ask the same as a training one.",
            "… asked in training, too",
            "… not asked in training",
            "96.7 % [",
            "100.0 % [",
        ] {
            assert!(html.contains(text), "{text} in {html}");
        }
        let html = page(&contents(grouped(vec![run("a", 0, |_| ())]), &[])).to_html();
        assert!(!html.contains("in training"), "{html}");
    }

    #[test]
    fn means_come_before_the_runs_that_they_are_of() {
        let groups = grouped(vec![run("exact-1", 1, |_| ()), run("exact-2", 2, |_| ())]);
        let html = page(&contents(groups, &["a note"])).to_html();
        for text in ["98.0 % [", "97.0 % [", "97.5 % [", "RECKONING: exact", "a note", "inner.rate"]
        {
            assert!(html.contains(text), "{text} in {html}");
        }
        let alone = page(&contents(grouped(vec![run("exact", 1, |_| ())]), &[])).to_html();
        assert_eq!(alone.matches("98.0 % [").count(), 1, "one run is shown once");
    }

    #[test]
    fn only_differing_settings_are_listed() {
        let first = run("first-order", 1, |config| config.inner.steps = 5);
        let html = page(&contents(grouped(vec![run("exact", 1, |_| ()), first]), &[])).to_html();
        assert!(html.contains("<td>inner.steps</td>") && !html.contains("<td>inner.rate</td>"));
        assert!(html.contains("2 systems"));
    }

    #[test]
    fn a_run_without_results_has_empty_cells() {
        let unfinished =
            Run { accuracies: Vec::new(), ..run("unfinished", 2, |config| config.inner.steps = 5) };
        let html =
            page(&contents(grouped(vec![run("exact", 1, |_| ()), unfinished]), &[])).to_html();
        assert!(html.contains(&format!("<td>{ABSENT}</td>")));
    }
}
