//! The server's rules against Flower, SciPy and NumPy, see `golden/aggregators/make.py`.

use std::collections::BTreeMap;

use fal::server::{
    Adaptive, AggregatorChoice, OptimizerChoice, ServerChoice, ServerState, Update, Weighting,
};
use serde::Deserialize;
use workspace_tests::{assert_close, golden_text};

/// Numbers that go through single precision.
const SINGLE: f64 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    updates: Updates,
    aggregates: BTreeMap<String, Vec<f64>>,
    settings: Settings,
    start: Vec<f32>,
    rounds: Vec<Vec<f32>>,
    optimizers: BTreeMap<String, Vec<Vec<f64>>>,
}

#[derive(Deserialize)]
struct Updates {
    delta: Vec<Vec<f32>>,
    samples: Vec<usize>,
    steps: Vec<usize>,
    loss: Vec<f64>,
}

#[derive(Deserialize)]
struct Settings {
    rate: f64,
    momentum: f64,
    first: f64,
    second: f64,
    floor: f64,
}

fn golden() -> Golden {
    serde_json::from_str(&golden_text("aggregators/golden.json").unwrap()).unwrap()
}

fn updates(golden: &Golden) -> Vec<Update> {
    let Updates { delta, samples, steps, loss } = &golden.updates;
    let update = |client: usize| Update {
        client,
        delta: delta[client].clone(),
        samples: samples[client],
        steps: steps[client],
        loss: loss[client],
    };
    (0..delta.len()).map(update).collect()
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

#[test]
fn aggregates_are_those_of_the_references() {
    let golden = golden();
    let updates = updates(&golden);
    let precise =
        AggregatorChoice::GeometricMedian { iterations: 10_000, smoothing: 1e-9, tolerance: 1e-12 };
    for (name, choice) in [
        ("mean-uniform", AggregatorChoice::Mean { weighting: Weighting::Uniform }),
        ("mean-samples", AggregatorChoice::Mean { weighting: Weighting::Samples }),
        ("nova", AggregatorChoice::Nova),
        ("slack", AggregatorChoice::Slack { alpha: 0.2, top: 2 }),
        ("median", AggregatorChoice::Median),
        ("trimmed-mean", AggregatorChoice::TrimmedMean { share: 0.2 }),
        ("krum", AggregatorChoice::Krum { byzantine: 3 }),
        ("multi-krum", AggregatorChoice::MultiKrum { byzantine: 3, keep: Some(10) }),
        ("bulyan", AggregatorChoice::Bulyan { byzantine: 3 }),
        ("geometric-median", precise),
    ] {
        let found = choice.aggregate(1, &updates).unwrap();
        assert_close(name, &doubles(&found), &golden.aggregates[name], SINGLE);
    }
}

/// What a configuration gets by default is good to a tenth of a percent.
#[test]
fn the_geometric_median_converges_by_default() {
    let golden = golden();
    let choice: AggregatorChoice = serde_json::from_str(r#"{"kind": "geometric-median"}"#).unwrap();
    let found = choice.aggregate(0, &updates(&golden)).unwrap();
    assert_close("by default", &doubles(&found), &golden.aggregates["geometric-median"], 1e-3);
}

#[test]
fn clipped_updates_are_those_of_the_formula() {
    let golden = golden();
    let server = ServerChoice { clip: Some(2.0), ..ServerChoice::paper(1.0) };
    let mut global = vec![0.0; golden.start.len()];
    server.step(&mut ServerState::default(), &mut global, updates(&golden)).unwrap();
    assert_close("clipped", &doubles(&global), &golden.aggregates["clipped"], SINGLE);
}

#[test]
fn optimisers_are_those_of_flower() {
    let golden = golden();
    let Settings { rate, momentum, first, second, floor } = golden.settings;
    let adaptive = Adaptive { rate, first, second, floor };
    for (name, choice) in [
        ("momentum", OptimizerChoice::Momentum { rate, momentum }),
        ("adam", OptimizerChoice::Adam(adaptive)),
        ("yogi", OptimizerChoice::Yogi(adaptive)),
        ("adagrad", OptimizerChoice::Adagrad(Adaptive { rate, floor, ..Adaptive::adagrad() })),
        ("adagrad-first", OptimizerChoice::Adagrad(adaptive)),
    ] {
        let (mut state, mut global) = (ServerState::default(), golden.start.clone());
        for (round, expected) in golden.rounds.iter().zip(&golden.optimizers[name]) {
            choice.step(&mut state, &mut global, round).unwrap();
            assert_close(name, &doubles(&global), expected, SINGLE);
        }
    }
}
