//! One run as figures and tables need it.

use std::collections::BTreeMap;

use experiment::metrics::Row;
use experiment::statistics::{Interval, pooled_interval};

use crate::config::ExperimentConfig;
use crate::evaluate::Accuracy;
use crate::model::ModelConfig;

/// What a run's directory holds.
#[derive(Clone, Debug)]
pub struct Run {
    /// Name of the directory.
    pub name: String,
    /// The resolved configuration.
    pub config: ExperimentConfig,
    /// The shape of the model that was trained: the data, or the system that it starts from, give it what the configuration does not
    /// say. `None` before training has ended.
    pub model: Option<ModelConfig>,
    /// Logged values, in the order of the steps.
    pub metrics: Vec<Row>,
    /// Accuracy on each test set; empty before the end of training.
    pub accuracies: Vec<Accuracy>,
    /// The inner rates of the trained system, where they are learned and training has ended.
    pub rates: Option<LearnedRates>,
}

/// Inner rates by adapted tensor and inner step.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedRates {
    /// Path of each tensor; a single `all tensors` where they share one rate.
    pub tensors: Vec<String>,
    /// `values[tensor][step]`; one step where all share a rate, means over elements where each has its own.
    pub values: Vec<Vec<f64>>,
}

impl Run {
    /// Outer steps that were logged.
    pub fn steps(&self) -> u64 {
        self.metrics.last().map_or(0, |row| row.step)
    }

    /// Seconds of run time up to the last logged step.
    pub fn seconds(&self) -> f64 {
        self.metrics.last().map_or(0.0, |row| row.seconds)
    }

    /// Accuracy on the test set `name`, with its parts.
    pub fn accuracy(&self, name: &str) -> Option<&Accuracy> {
        self.accuracies.iter().find(|accuracy| accuracy.name == name)
    }

    /// Accuracy on the test set `name`.
    pub fn overall(&self, name: &str) -> Option<Interval> {
        self.accuracy(name).map(|accuracy| accuracy.overall)
    }

    /// Accuracy by hops, over the questions of all test sets.
    pub fn by_hops(&self) -> BTreeMap<usize, Interval> {
        self.pooled(|accuracy| &accuracy.by_hops)
    }

    /// Accuracy by number of distractors, over the questions of all test sets.
    pub fn by_distractors(&self) -> BTreeMap<usize, Interval> {
        self.pooled(|accuracy| &accuracy.by_distractors)
    }

    fn pooled(
        &self,
        part: impl Fn(&Accuracy) -> &BTreeMap<usize, Interval>,
    ) -> BTreeMap<usize, Interval> {
        let mut parts: BTreeMap<usize, Vec<Interval>> = BTreeMap::new();
        for (key, interval) in self.accuracies.iter().flat_map(part) {
            parts.entry(*key).or_default().push(*interval);
        }
        let pooled =
            |(key, parts): (usize, Vec<Interval>)| Some((key, pooled_interval(&parts).ok()?));
        parts.into_iter().filter_map(pooled).collect()
    }
}

/// A finished run of 40 steps with all that figures show.
#[cfg(test)]
pub(crate) fn test_run(name: &str, seed: u64) -> Run {
    use experiment::statistics::proportion_interval;

    let mut config = ExperimentConfig { seed, ..ExperimentConfig::default() };
    config.outer.steps = 40;
    let row = |step: u64| {
        let loss = 3.0 / step as f64 + 0.01 * seed as f64;
        let mut values: BTreeMap<String, f64> = (0..3)
            .map(|inner| (format!("inner loss {inner}"), loss / f64::from(inner + 1)))
            .collect();
        values.insert("outer loss".into(), loss);
        if step.is_multiple_of(10) {
            values.insert("validation accuracy".into(), step as f64 / 50.0);
        }
        Row { step, seconds: step as f64, values }
    };
    let interval = |correct| proportion_interval(correct, 100).unwrap();
    let accuracy = |hops: usize| Accuracy {
        name: format!("{hops} hops"),
        overall: interval(90 - 5 * hops),
        by_hops: BTreeMap::from([(hops, interval(90 - 5 * hops))]),
        by_distractors: BTreeMap::from([(0, interval(95)), (4, interval(60))]),
        seen: None,
        unseen: None,
    };
    let tensors = [
        "token_embedding.weight",
        "blocks.0.attention.input.linear.weight",
        "blocks.1.attention.input.linear.weight",
    ];
    let rates = LearnedRates {
        tensors: tensors.map(String::from).to_vec(),
        values: vec![vec![0.05, 0.04, 0.06], vec![0.01, 0.02, 0.03], vec![0.03, 0.04, 0.05]],
    };
    Run {
        name: name.to_owned(),
        config,
        model: None,
        metrics: (1..=40).map(row).collect(),
        accuracies: vec![accuracy(2), accuracy(3)],
        rates: Some(rates),
    }
}

#[cfg(test)]
mod tests {
    use experiment::statistics::proportion_interval;

    use super::*;

    #[test]
    fn questions_of_all_test_sets_count_once_each() {
        let run = test_run("a", 0);
        assert_eq!(run.by_hops()[&3], proportion_interval(75, 100).unwrap());
        let part = proportion_interval(60, 100).unwrap();
        assert_eq!(run.by_distractors()[&4], pooled_interval(&[part, part]).unwrap());
    }

    #[test]
    fn what_is_not_there_is_none() {
        let run = Run { metrics: Vec::new(), ..test_run("a", 0) };
        assert_eq!((run.steps(), run.seconds()), (0, 0.0));
        assert!(run.overall("9 hops").is_none());
        assert_eq!(run.overall("2 hops"), Some(proportion_interval(80, 100).unwrap()));
    }
}
