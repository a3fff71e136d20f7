//! Clients that lie, diverge or are lost.

use super::*;

#[test]
fn clients_that_lie_mislead_a_mean_and_not_a_median() {
    let lying = |behaviour, aggregator| {
        let mut config = plain(5);
        config.client.work = Work::Steps { count: 5 };
        config.clients.attackers = Some(Attackers { share: 0.2, behaviour });
        config.server.aggregator = aggregator;
        config.adversary = AdversaryConfig::none();
        trained(&config, 40)
    };
    let mean = AggregatorChoice::Mean { weighting: Weighting::Uniform };
    let reversed = AttackerChoice::SignFlip { factor: 10.0 };
    assert!(accuracy(&lying(reversed, mean)) < 0.6);
    assert!(accuracy(&lying(reversed, AggregatorChoice::Median)) > 0.9);
    let flipped = lying(AttackerChoice::LabelFlip, mean);
    assert_ne!(flipped.state(), lying(reversed, mean).state());
    let honest = AttackerChoice::Scaled { factor: 1.0 };
    assert_ne!(flipped.state(), lying(honest, mean).state());
}

#[test]
fn updates_that_are_not_finite_are_set_aside_and_told() {
    let mut config = plain(3);
    config.clients.attackers =
        Some(Attackers { share: 0.34, behaviour: AttackerChoice::Scaled { factor: 1e300 } });
    let mut some = federation(&config);
    let report = some.round().unwrap();
    assert_eq!((report.participants, report.set_aside.len()), (2, 1));
    assert!(some.state().global.iter().all(|x| x.is_finite()));
    config.clients.attackers =
        Some(Attackers { share: 1.0, behaviour: AttackerChoice::Scaled { factor: 1e300 } });
    let mut all = federation(&config);
    let before = all.state().clone();
    let refused = all.round().unwrap_err();
    assert!(matches!(refused, TrainingError::NothingFinite { round: 1, rounds: 1, .. }));
    assert_eq!(*all.state(), before);
}

/// At the smallest number of clients that the rules work with, in every round.
#[test]
fn a_client_that_sends_what_is_not_finite_does_not_switch_training_off() {
    for (aggregator, clients) in [
        (AggregatorChoice::Krum { byzantine: 1 }, 5),
        (AggregatorChoice::MultiKrum { byzantine: 1, keep: None }, 5),
        (AggregatorChoice::Bulyan { byzantine: 1 }, 7),
        (AggregatorChoice::TrimmedMean { share: 0.2 }, 5),
    ] {
        let mut config = plain(clients);
        config.client.work = Work::Steps { count: 5 };
        config.adversary = AdversaryConfig::none();
        config.server.aggregator = aggregator;
        let behaviour = AttackerChoice::Scaled { factor: 1e300 };
        config.clients.attackers = Some(Attackers { share: 0.2, behaviour });
        let mut federation = federation(&config);
        for _ in 0..40 {
            let report = federation.round().unwrap();
            assert_eq!((report.participants, report.set_aside.len()), (clients - 1, 1));
            assert!(report.is_used, "{aggregator:?}");
        }
        let reached = accuracy(&federation);
        assert!(reached > 0.8, "{aggregator:?}: {reached}");
    }
}

/// A fifth of the clients, and each of them is asked alone in some rounds.
#[test]
fn a_round_in_which_nothing_finite_comes_of_some_clients_is_passed_over() {
    let mut config = plain(5);
    config.clients.participation = Participation { fraction: 0.2, ..Participation::default() };
    let behaviour = AttackerChoice::Scaled { factor: 1e300 };
    config.clients.attackers = Some(Attackers { share: 0.2, behaviour });
    let mut some = federation(&config);
    let mut passed_over = 0;
    for round in 1..=40 {
        let before = some.state().global.clone();
        let report = some.round().unwrap();
        assert_eq!((report.round, some.rounds()), (round, round));
        assert_eq!(report.is_used, report.set_aside.is_empty());
        assert_eq!(report.is_used, some.state().global != before);
        passed_over += usize::from(!report.is_used);
    }
    assert!((1..20).contains(&passed_over), "{passed_over}");

    // Where most of them do it, it is told after a few rounds, from a saved state as without a stop.
    config.clients.attackers = Some(Attackers { share: 1.0, behaviour });
    let mut all = federation(&config);
    let last = loop {
        if let Err(refused) = all.round() {
            break refused;
        }
        let bytes = all.state().to_bytes().unwrap();
        let state = FederationState::from_bytes(bytes).unwrap();
        assert_eq!(state, *all.state());
        all = federation(&config).with_state(state).unwrap();
    };
    let TrainingError::NothingFinite { round, rounds, .. } = last else { panic!("{last}") };
    assert_eq!(round, rounds);
    assert!((3..=20).contains(&rounds), "{rounds}");
}

/// A bound on updates helps only where it is the model that grew.
#[test]
fn a_bound_on_updates_is_advised_only_where_it_can_help() {
    let mut config = plain(2);
    config.clients.attackers =
        Some(Attackers { share: 1.0, behaviour: AttackerChoice::Scaled { factor: 1e300 } });
    let refused = |config: &ExperimentConfig, growth: f32| {
        let federation = federation(config);
        let mut state = federation.state().clone();
        state.global.iter_mut().for_each(|x| *x *= growth);
        federation.with_state(state).unwrap().round().unwrap_err().to_string()
    };
    for (growth, clip, advised) in [(1.0, None, false), (1e3, None, true), (1e3, Some(1.0), false)]
    {
        config.server.clip = clip;
        let told = refused(&config, growth);
        assert_eq!(told.contains("`server.clip`"), advised, "{told}");
        for remedy in ["`client.rate`", "`loss`", "`client.weight_decay`", "`clients.attackers`"] {
            assert!(told.contains(remedy), "{told}");
        }
    }
}

#[test]
fn a_median_that_did_not_come_to_rest_is_told() {
    let mut config = plain(5);
    let iterating = |iterations| AggregatorChoice::GeometricMedian {
        iterations,
        smoothing: 1e-6,
        tolerance: 1e-6,
    };
    for (iterations, converges) in [(1, false), (1000, true)] {
        config.server.aggregator = iterating(iterations);
        let report = federation(&config).round().unwrap();
        assert!(report.is_used);
        assert_eq!(report.is_converged, converges, "{iterations}");
    }
}

/// Every update is finite, and their sum with the model is not.
#[test]
fn a_model_that_would_not_be_finite_ends_the_training_before_it_is_kept() {
    let mut config = plain(3);
    config.server = ServerChoice::paper(1e45);
    let mut federation = federation(&config);
    let before = federation.state().clone();
    let refused = federation.round().unwrap_err();
    let TrainingError::Aggregation { round: 1, source } = &refused else { panic!("{refused}") };
    assert!(source.to_string().contains("the model would not be finite"), "{source}");
    assert_eq!(*federation.state(), before);
}

/// At this rate the loss of a second step is not finite: clients that were too slow for one are all that is left.
#[test]
fn a_client_whose_loss_is_not_finite_is_set_aside_and_told() {
    let mut config = plain(4);
    config.client.work = Work::Steps { count: 2 };
    config.client.rate = 1e30;
    config.clients.participation = Participation { straggling: 0.5, ..Participation::default() };
    let first_round = |seed: u64| {
        let mut federation = federation(&ExperimentConfig { seed, ..config.clone() });
        federation.round()
    };
    let mixed = |report: &RoundReport| report.participants > 0 && !report.set_aside.is_empty();
    let report = (0..20).filter_map(|seed| first_round(seed).ok()).find(mixed).unwrap();
    assert_eq!(report.participants + report.set_aside.len(), 4);
    assert!(report.is_used && report.loss.unwrap().is_finite());
}

#[test]
fn a_round_with_too_few_updates_for_the_rule_is_passed_over() {
    let mut config = plain(5);
    config.server.aggregator = AggregatorChoice::Krum { byzantine: 1 };
    config.clients.participation = Participation { dropout: 0.3, ..Participation::default() };
    let mut federation = federation(&config);
    let (mut used, mut passed_over) = (0, 0);
    for round in 1..=20 {
        let before = federation.state().global.clone();
        let report = federation.round().unwrap();
        assert_eq!((report.round, federation.rounds()), (round, round));
        assert_eq!(report.is_used, report.participants == 5);
        assert_eq!(report.is_used, federation.state().global != before);
        *if report.is_used { &mut used } else { &mut passed_over } += 1;
    }
    assert!(used > 0 && passed_over > 0, "{used} {passed_over}");
}

#[test]
fn a_round_in_which_everybody_is_lost_changes_nothing_but_the_count() {
    let mut config = plain(2);
    config.clients.participation = Participation { dropout: 0.999, ..Participation::default() };
    let mut federation = federation(&config);
    let before = federation.state().global.clone();
    let report = federation.round().unwrap();
    assert_eq!((report.participants, report.loss, report.dropped.len()), (0, None, 2));
    assert_eq!((federation.state().global.clone(), federation.rounds()), (before, 1));
}
