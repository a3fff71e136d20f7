//! Runs that differ only in their seed, taken together.

use std::ffi::OsStr;

use experiment::statistics::{Interval, mean_over_runs};

use super::Run;
use crate::config::ExperimentConfig;

/// Runs of one configuration under one or more seeds.
#[derive(Clone, Debug)]
pub struct Group {
    /// What the names of the runs' directories have in common.
    pub label: String,
    /// The runs, at least one, in the order they were given.
    pub runs: Vec<Run>,
}

/// Puts runs that differ only in their seed together, in the order of each group's first run; of two with one seed, which are no
/// two samples, each has a group. Groups whose runs are named alike get numbers.
pub fn grouped(runs: Vec<Run>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for run in runs {
        let seedless = without_seed(&run.config);
        let takes = |group: &Group| {
            without_seed(&group.runs[0].config) == seedless
                && group.runs.iter().all(|other| other.config.seed != run.config.seed)
        };
        match groups.iter_mut().find(|group| takes(group)) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { label: String::new(), runs: vec![run] }),
        }
    }
    for index in 0..groups.len() {
        let label = common_name(&groups[index].runs);
        let namesakes =
            groups[..index].iter().filter(|group| common_name(&group.runs) == label).count();
        groups[index].label =
            if namesakes == 0 { label } else { format!("{label} ({})", namesakes + 1) };
    }
    groups
}

impl Group {
    /// The configuration of the runs, with the first one's seed.
    pub fn config(&self) -> &ExperimentConfig {
        &self.runs[0].config
    }

    /// A proportion that every run has: a single run's own interval, the mean of several runs with that over runs and questions.
    /// `None` as soon as one run lacks it, so that means are always over the same runs.
    pub fn proportion(&self, of: impl Fn(&Run) -> Option<Interval>) -> Option<Interval> {
        let intervals: Vec<Interval> = self.runs.iter().map(of).collect::<Option<_>>()?;
        Some(mean_over_runs(&intervals).ok()?.within(0.0..=1.0))
    }
}

/// Runs of several seeds that start from trained systems each start from that of their own seed, so the seed at the end of a
/// folder's name is left out, too.
fn without_seed(config: &ExperimentConfig) -> ExperimentConfig {
    let seedless = |part: &OsStr| name_without_seed(&part.to_string_lossy(), config.seed);
    let start = config.start_from.as_ref().map(|folder| folder.iter().map(seedless).collect());
    ExperimentConfig { seed: 0, start_from: start, ..config.clone() }
}

/// `language-1` is `language-SEED` for the seed 1; other numbers, and parts of numbers such as that of `rate-0.1`, stay.
fn name_without_seed(name: &str, seed: u64) -> String {
    match name.strip_suffix(&seed.to_string()) {
        Some(rest) if !rest.ends_with(|letter: char| letter.is_ascii_digit() || letter == '.') => {
            format!("{rest}SEED")
        }
        _ => name.to_owned(),
    }
}

/// `clutrr-seed-1`, `clutrr-seed-2` have the name `clutrr`; runs with nothing in common that of the first.
fn common_name(runs: &[Run]) -> String {
    let first = &runs[0].name;
    if runs.len() == 1 {
        return first.clone();
    }
    let shared = |run: &Run| {
        first.chars().zip(run.name.chars()).take_while(|(left, right)| left == right).count()
    };
    let shared = runs.iter().map(shared).min().unwrap_or_default();
    let common: String = first.chars().take(shared).collect();
    let ends =
        |text: &str| text.trim_end_matches(|letter: char| !letter.is_alphanumeric()).to_owned();
    let common = ends(&common);
    let common = ends(common.strip_suffix("seed").unwrap_or(&common));
    if common.is_empty() { first.clone() } else { common }
}

#[cfg(test)]
mod tests {
    use super::super::run::test_run;
    use super::*;
    use crate::config::Method;

    #[test]
    fn runs_that_differ_only_in_the_seed_are_one_group() {
        let mut baseline = test_run("baseline", 1);
        baseline.config.method = Method::InContext;
        let groups =
            grouped(vec![test_run("exact-seed-1", 1), baseline, test_run("exact-seed-2", 2)]);
        let labels: Vec<(&str, usize)> =
            groups.iter().map(|group| (group.label.as_str(), group.runs.len())).collect();
        assert_eq!(labels, [("exact", 2), ("baseline", 1)]);
    }

    #[test]
    fn a_seed_counts_once_in_a_group() {
        let runs = [("a", 0), ("b", 1), ("a-copy", 0)].map(|(name, seed)| test_run(name, seed));
        let groups = grouped(runs.to_vec());
        let names = |group: &Group| group.runs.iter().map(|run| run.name.clone()).collect();
        let names: Vec<Vec<String>> = groups.iter().map(names).collect();
        assert_eq!(names, [vec!["a".to_owned(), "b".to_owned()], vec!["a-copy".to_owned()]]);
    }

    #[test]
    fn runs_that_start_from_the_one_of_their_seed_are_one_group() {
        let from = |name: &str, seed: u64, start: &str| {
            let mut run = test_run(name, seed);
            run.config.start_from = Some(start.into());
            run
        };
        let runs = [
            ("a-0", 0, "runs/first-0/system"),
            ("a-1", 1, "runs/first-1/system"),
            ("b", 0, "runs/other-0/system"),
        ];
        let groups = grouped(runs.map(|(name, seed, start)| from(name, seed, start)).to_vec());
        assert_eq!(groups.iter().map(|group| group.runs.len()).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn runs_that_start_from_different_systems_are_not_one_group() {
        let from = |seed: u64, start: &str| {
            let mut run = test_run("a", seed);
            run.config.start_from = Some(start.into());
            run
        };
        for [first, second] in [
            ["runs/clutrr-2/system", "runs/clutrr-3/system"],
            ["runs/steps-100/system", "runs/steps-200/system"],
            ["runs/rate-0.0/system", "runs/rate-0.1/system"],
            ["runs/first-10/system", "runs/first-11/system"],
        ] {
            let groups = grouped(vec![from(0, first), from(1, second)]);
            assert_eq!(groups.len(), 2, "{first} and {second}");
        }
        assert_eq!(name_without_seed("first-10", 10), "first-SEED");
        assert_eq!(name_without_seed("first-10", 0), "first-10");
    }

    #[test]
    fn labels_are_distinct_and_never_empty() {
        let mut other = test_run("same", 1);
        other.config.outer.batch += 1;
        let groups = grouped(vec![test_run("same", 1), other]);
        assert_eq!((groups[0].label.as_str(), groups[1].label.as_str()), ("same", "same (2)"));
        let groups = grouped(vec![test_run("1", 1), test_run("2", 2)]);
        assert_eq!(groups[0].label, "1");
    }

    #[test]
    fn one_run_keeps_its_interval_and_several_have_that_of_their_mean() {
        let overall = |run: &Run| run.overall("2 hops");
        let run = test_run("a", 1);
        let expected = run.overall("2 hops");
        assert_eq!(grouped(vec![run.clone()])[0].proportion(overall), expected);
        let mut better = test_run("b", 2);
        better.accuracies[0].overall.mean = 1.0;
        let both = grouped(vec![run.clone(), better])[0].proportion(overall).unwrap();
        assert!((both.mean - 0.9).abs() < 1e-12 && both.n == 2);
        assert_eq!(both.high, 1.0, "an accuracy is never above one");
        let unfinished = Run { accuracies: Vec::new(), ..test_run("c", 3) };
        assert_eq!(grouped(vec![run, unfinished])[0].proportion(overall), None);
    }
}
