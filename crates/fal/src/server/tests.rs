//! What holds for every aggregator.

use proptest::prelude::*;

use super::update::updates_of;
use super::*;

const PARAMETERS: usize = 5;

fn geometric_median() -> AggregatorChoice {
    AggregatorChoice::GeometricMedian { iterations: 1000, smoothing: 1e-6, tolerance: 1e-9 }
}

/// Those that withstand one bad client of eleven.
fn robust() -> [AggregatorChoice; 6] {
    [
        AggregatorChoice::Median,
        AggregatorChoice::TrimmedMean { share: 0.2 },
        AggregatorChoice::Krum { byzantine: 2 },
        AggregatorChoice::MultiKrum { byzantine: 2, keep: None },
        AggregatorChoice::Bulyan { byzantine: 2 },
        geometric_median(),
    ]
}

fn all() -> Vec<AggregatorChoice> {
    let plain = [
        AggregatorChoice::Mean { weighting: Weighting::Uniform },
        AggregatorChoice::Mean { weighting: Weighting::Samples },
        AggregatorChoice::Nova,
        AggregatorChoice::Slack { alpha: 0.2, top: 1 },
    ];
    plain.into_iter().chain(robust()).collect()
}

/// Eleven updates with different samples, steps and losses.
fn some_updates() -> impl Strategy<Value = Vec<Update>> {
    let delta = prop::collection::vec(-1.0..1.0_f32, PARAMETERS);
    prop::collection::vec((delta, 1..50_usize, 1..9_usize), 11).prop_map(|updates| {
        let number = |(client, (delta, samples, steps))| Update {
            client,
            delta,
            samples,
            steps,
            loss: (client * 7 % 11) as f64,
        };
        updates.into_iter().enumerate().map(number).collect()
    })
}

fn aggregate(choice: AggregatorChoice, updates: &[Update]) -> Vec<f32> {
    choice.aggregate(1, updates).unwrap()
}

/// The smallest and the largest value of each coordinate.
fn ranges(updates: &[Update]) -> Vec<(f32, f32)> {
    let range = |index: usize| {
        let values = updates.iter().map(|update| update.delta[index]);
        (values.clone().fold(f32::INFINITY, f32::min), values.fold(f32::NEG_INFINITY, f32::max))
    };
    (0..PARAMETERS).map(range).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_order_of_updates_does_not_matter(updates in some_updates(), turn in 1..11_usize) {
        let mut turned = updates.clone();
        turned.rotate_left(turn);
        for choice in all() {
            let pairs = aggregate(choice, &updates).into_iter().zip(aggregate(choice, &turned));
            for (left, right) in pairs {
                prop_assert!((left - right).abs() < 1e-5, "{choice:?}: {left} {right}");
            }
        }
    }

    /// FedNova can leave the range: it multiplies by the mean number of steps.
    #[test]
    fn the_result_lies_among_the_updates(updates in some_updates()) {
        for choice in all().into_iter().filter(|choice| *choice != AggregatorChoice::Nova) {
            let found = aggregate(choice, &updates);
            for (x, (low, high)) in found.into_iter().zip(ranges(&updates)) {
                prop_assert!((low - 1e-5..=high + 1e-5).contains(&x), "{choice:?}");
            }
        }
    }

    #[test]
    fn scaled_updates_give_the_scaled_result(updates in some_updates(), factor in 0.1..10.0_f32) {
        let mut scaled = updates.clone();
        scaled.iter_mut().flat_map(|update| &mut update.delta).for_each(|x| *x *= factor);
        for choice in all() {
            for (left, right) in aggregate(choice, &updates).iter().zip(aggregate(choice, &scaled)) {
                prop_assert!((left * factor - right).abs() < 1e-3, "{choice:?}: {left} {right}");
            }
        }
    }

    #[test]
    fn krum_takes_one_of_the_updates(updates in some_updates(), byzantine in 0..5_usize) {
        let found = aggregate(AggregatorChoice::Krum { byzantine }, &updates);
        prop_assert!(updates.iter().any(|update| update.delta == found));
    }

    /// Two of eleven updates can be anything, also equal to each other, and the result stays near the honest ones: within
    /// their range for the rules that choose by coordinate or by update, within twice the widest spread for the geometric
    /// median.
    #[test]
    fn bad_updates_do_not_carry_the_result_away(
        updates in some_updates(), size in 1.0..1e6_f32, same: bool,
    ) {
        let mut attacked = updates.clone();
        for (index, update) in attacked[..2].iter_mut().enumerate() {
            let sign = if same || index == 0 { 1.0 } else { -1.0 };
            update.delta.fill(sign * (2.0 + size));
        }
        let honest = ranges(&attacked[2..]);
        for choice in robust() {
            let slack = if choice == geometric_median() { 4.0 } else { 1e-5 };
            for (x, (low, high)) in aggregate(choice, &attacked).into_iter().zip(&honest) {
                prop_assert!((low - slack..=high + slack).contains(&x), "{choice:?}: {x}");
            }
        }
        let mean = aggregate(AggregatorChoice::Mean { weighting: Weighting::Uniform }, &attacked);
        if same && size > 100.0 {
            prop_assert!(mean[0] > honest[0].1);
        }
    }

    #[test]
    fn equal_updates_are_their_own_aggregate(delta in prop::collection::vec(-1.0..1.0_f32, PARAMETERS)) {
        let updates = updates_of(&[delta.as_slice(); 11]);
        for choice in all() {
            for (x, expected) in aggregate(choice, &updates).into_iter().zip(&delta) {
                prop_assert!((x - expected).abs() < 1e-6, "{choice:?}");
            }
        }
    }
}

/// Those that some numbers of clients from 0 to 12 are too few for, and settings that make no sense.
fn at_the_limit() -> Vec<AggregatorChoice> {
    let multi_krum = |byzantine, keep| AggregatorChoice::MultiKrum { byzantine, keep };
    vec![
        AggregatorChoice::Slack { alpha: 0.2, top: 5 },
        AggregatorChoice::Slack { alpha: 1.0, top: 1 },
        AggregatorChoice::TrimmedMean { share: 0.09 },
        AggregatorChoice::TrimmedMean { share: 0.49 },
        AggregatorChoice::TrimmedMean { share: 0.5 },
        AggregatorChoice::Krum { byzantine: 0 },
        AggregatorChoice::Krum { byzantine: usize::MAX },
        multi_krum(0, None),
        multi_krum(1, Some(0)),
        multi_krum(1, Some(1)),
        multi_krum(1, Some(7)),
        multi_krum(usize::MAX, None),
        AggregatorChoice::Bulyan { byzantine: 0 },
        AggregatorChoice::Bulyan { byzantine: 1 },
        AggregatorChoice::Bulyan { byzantine: usize::MAX },
    ]
}

/// Slack for everybody is a mean, which a round of few clients may come to, but nobody asks for.
#[test]
fn so_many_clients_are_refused_as_their_updates_would_be() {
    let delta: &[f32] = &[0.5];
    for choice in all().into_iter().chain(at_the_limit()) {
        for clients in 0..=12 {
            let made = choice.aggregate(1, &updates_of(&vec![delta; clients])).map(drop);
            let checked = choice.check_for(clients);
            match choice {
                AggregatorChoice::Slack { top, .. } if made.is_ok() => {
                    assert_eq!(checked.is_ok(), top < clients, "{choice:?} of {clients}");
                }
                _ => assert_eq!(checked, made, "{choice:?} of {clients}"),
            }
        }
    }
}

/// No memory holds updates of the larger number, nor the distances between those of the smaller.
#[test]
fn any_number_of_clients_is_checked_by_arithmetic() {
    for clients in [1_000_000, usize::MAX] {
        for choice in all() {
            assert_eq!(choice.check_for(clients), Ok(()), "{choice:?} of {clients}");
        }
    }
    let refused = AggregatorChoice::Krum { byzantine: 500_000 }.check_for(1_000_000);
    assert!(matches!(refused, Err(ServerError::TooFewUpdates { needed: 1_000_003, .. })));
}

#[test]
fn the_paper_s_server_adds_the_mean_of_deltas() {
    let (mut state, mut global) = (ServerState::default(), vec![1.0, 1.0]);
    let updates = updates_of(&[&[1.0, 0.0], &[0.0, -1.0]]);
    ServerChoice::paper(0.5).step(&mut state, &mut global, updates).unwrap();
    assert_eq!(global, [1.25, 0.75]);
    assert_eq!(state.rounds, 1);
}

/// 10 samples and 30 samples, as in the run of the Flower server that the specification records: 1.75.
#[test]
fn fedavg_weights_by_samples() {
    let (mut state, mut global) = (ServerState::default(), vec![0.0]);
    let mut updates = updates_of(&[&[1.0], &[2.0]]);
    (updates[0].samples, updates[1].samples) = (10, 30);
    ServerChoice::fedavg().step(&mut state, &mut global, updates).unwrap();
    assert_eq!(global, [1.75]);
    assert_eq!(ServerChoice::default(), ServerChoice::fedavg());
}

/// At the smallest number of clients for two bad ones, of whom some send what is not finite and the others something large.
#[test]
fn bad_clients_that_are_known_leave_fewer_to_withstand() {
    let multi_krum = |keep| AggregatorChoice::MultiKrum { byzantine: 2, keep };
    for (choice, clients) in [
        (AggregatorChoice::Krum { byzantine: 2 }, 7),
        (multi_krum(None), 7),
        (multi_krum(Some(5)), 7),
        (AggregatorChoice::Bulyan { byzantine: 2 }, 11),
        (AggregatorChoice::TrimmedMean { share: 0.3 }, 7),
        (AggregatorChoice::TrimmedMean { share: 0.45 }, 5),
    ] {
        for set_aside in 0..=2 {
            let mut deltas = vec![[1e6_f32]; 2 - set_aside];
            deltas.extend((0..clients - 2).map(|client| [client as f32 * 0.1]));
            let deltas: Vec<&[f32]> = deltas.iter().map(<[f32; 1]>::as_slice).collect();
            let updates = updates_of(&deltas);
            let server = ServerChoice { aggregator: choice, ..ServerChoice::paper(1.0) };
            let (mut state, mut global) = (ServerState::default(), [0.0]);
            let received = Received { updates, set_aside };
            let moved = server.step(&mut state, &mut global, received);
            assert_eq!(moved, Ok(true), "{choice:?}, {set_aside} set aside");
            assert!((0.0..1.0).contains(&global[0]), "{choice:?}, {set_aside}: {global:?}");
        }
    }
    // Nothing but the mean is left where so few are.
    let rest = updates_of(&[&[0.0], &[1.0], &[5.0]]);
    for set_aside in [2, 3] {
        assert_eq!(multi_krum(None).combine(1, &rest, set_aside).unwrap().delta, [2.0]);
    }
}

/// All bad clients are among those whose updates are finite.
#[test]
fn honest_clients_that_diverge_do_not_switch_a_rule_off() {
    for (choice, clients) in [
        (AggregatorChoice::Krum { byzantine: 2 }, 13),
        (AggregatorChoice::MultiKrum { byzantine: 2, keep: None }, 13),
        (AggregatorChoice::Bulyan { byzantine: 2 }, 13),
        (AggregatorChoice::TrimmedMean { share: 0.2 }, 10),
    ] {
        let mut deltas = vec![[1e6_f32]; 2];
        deltas.extend((0..clients - 4).map(|client| [client as f32 * 0.1]));
        let deltas: Vec<&[f32]> = deltas.iter().map(<[f32; 1]>::as_slice).collect();
        let found = choice.combine(1, &updates_of(&deltas), 2).unwrap().delta;
        assert!((0.0..1.0).contains(&found[0]), "{choice:?}: {found:?}");
    }
}

#[test]
fn slack_begins_in_the_second_round() {
    let mut updates = updates_of(&[&[1.0], &[3.0]]);
    (updates[0].loss, updates[1].loss) = (0.2, 0.9);
    let choice = AggregatorChoice::Slack { alpha: 0.5, top: 1 };
    assert_eq!(choice.aggregate(0, &updates).unwrap(), [2.0]);
    assert_eq!(choice.aggregate(1, &updates).unwrap(), [1.5]);
}

#[test]
fn long_updates_are_clipped_before_they_are_averaged() {
    let server = ServerChoice { clip: Some(1.0), ..ServerChoice::paper(1.0) };
    let (mut state, mut global) = (ServerState::default(), vec![0.0, 0.0]);
    server.step(&mut state, &mut global, updates_of(&[&[300.0, 400.0], &[0.0, 0.0]])).unwrap();
    assert!((global[0] - 0.3).abs() < 1e-6 && (global[1] - 0.4).abs() < 1e-6);
}

#[test]
fn a_refused_round_changes_nothing() {
    let server =
        ServerChoice { aggregator: AggregatorChoice::Krum { byzantine: 1 }, ..Default::default() };
    let (mut state, mut global) = (ServerState::default(), vec![1.0]);
    for (updates, is_expected) in [
        (
            updates_of(&[]),
            (|error| matches!(error, ServerError::NoUpdates)) as fn(ServerError) -> bool,
        ),
        (updates_of(&[&[1.0]]), |error| matches!(error, ServerError::TooFewUpdates { .. })),
        (updates_of(&[&[1.0, 2.0]]), |error| matches!(error, ServerError::Length { .. })),
        (updates_of(&[&[f32::NAN]]), |error| matches!(error, ServerError::NotFinite { .. })),
    ] {
        assert!(is_expected(server.step(&mut state, &mut global, updates).unwrap_err()));
    }
    assert_eq!((state, global), (ServerState::default(), vec![1.0]));
}

#[test]
fn settings_out_of_range_are_named() {
    let refused = |text: &str| {
        let server: ServerChoice = serde_json::from_str(text).unwrap();
        match server.check() {
            Err(ServerError::OutOfRange { setting, .. }) => setting,
            other => panic!("{text}: {other:?}"),
        }
    };
    assert_eq!(refused(r#"{"clip": 0.0}"#), "clip");
    let aggregator = |fields: &str| refused(&format!(r#"{{"aggregator": {{"kind": {fields}}}}}"#));
    assert_eq!(aggregator(r#""slack", "alpha": 1.0"#), "alpha");
    assert_eq!(aggregator(r#""slack", "alpha": 0.0"#), "alpha");
    assert_eq!(aggregator(r#""slack", "alpha": 0.1, "top": 0"#), "top");
    assert_eq!(aggregator(r#""trimmed-mean", "share": 0.5"#), "share");
    assert_eq!(aggregator(r#""multi-krum", "byzantine": 1, "keep": 0"#), "keep");
    assert_eq!(aggregator(r#""geometric-median", "iterations": 0"#), "iterations");
    assert_eq!(aggregator(r#""geometric-median", "smoothing": 0.0"#), "smoothing");
    assert_eq!(aggregator(r#""geometric-median", "smoothing": 1e-310"#), "smoothing");
    assert_eq!(aggregator(r#""geometric-median", "tolerance": -1.0"#), "tolerance");
    let optimizer = |fields: &str| refused(&format!(r#"{{"optimizer": {{"kind": {fields}}}}}"#));
    assert_eq!(optimizer(r#""rate", "rate": 0.0"#), "rate");
    assert_eq!(optimizer(r#""momentum", "rate": -1.0"#), "rate");
    assert_eq!(optimizer(r#""momentum", "momentum": 1.0"#), "momentum");
    assert_eq!(optimizer(r#""adam", "rate": 0.0"#), "rate");
    assert_eq!(optimizer(r#""yogi", "first": 1.0"#), "first");
    assert_eq!(optimizer(r#""adagrad", "second": -0.1"#), "second");
    assert_eq!(optimizer(r#""adam", "floor": 0.0"#), "floor");
}

#[test]
fn unknown_settings_are_refused() {
    let read = serde_json::from_str::<ServerChoice>;
    assert!(read(r#"{"clipping": 1.0}"#).is_err());
    assert!(read(r#"{"aggregator": {"kind": "krum"}}"#).is_err());
    assert!(read(r#"{"aggregator": {"kind": "krum", "byzantine": 1, "keep": 2}}"#).is_err());
    assert!(read(r#"{"optimizer": {"kind": "adam", "beta": 1}}"#).is_err());
    assert!(read("{}").is_ok());
}
