use burn::backend::Flex;

use super::super::Measurement;
use super::*;

fn course(settings: TheorySettings, seed: u64) -> Course {
    simulate::<Flex>(settings, seed, Threads::new(1), &Default::default()).unwrap()
}

/// Rounds are few and looks are rare, so that tests are quick.
fn short() -> TheorySettings {
    let measurement = Measurement { every: 10, steps: 5, restarts: 2 };
    TheorySettings { clients: 3, width: 64, rounds: 25, measurement, ..TheorySettings::default() }
}

#[test]
fn the_start_the_end_and_every_nth_round_are_looked_at() {
    let course = course(short(), 1);
    let rounds: Vec<u64> = course.measures.iter().map(|measure| measure.round).collect();
    assert_eq!(rounds, [0, 10, 20, 25]);
    let start = course.measures[0];
    assert_eq!((start.drift, start.least_robust_loss), (0.0, start.robust_loss));
    let mut least = f64::INFINITY;
    for measure in &course.measures {
        least = least.min(measure.robust_loss);
        assert_eq!(measure.least_robust_loss, least);
        assert!(measure.clean_loss <= measure.robust_loss + 1e-6);
    }
    assert!(course.end().drift > 0.0);
    assert!(course.end().least_robust_loss < 0.8 * start.robust_loss, "{course:?}");
    let [delta, rho] = [course.separation, short().adversary.radius];
    assert!(
        delta >= short().separation && (course.margin - delta * (delta - 2.0 * rho)).abs() < 1e-12
    );
}

#[test]
fn a_measure_that_is_not_finite_is_a_divergence() {
    let start = course(TheorySettings { rounds: 1, ..short() }, 1).measures[0];
    assert_eq!(start.finite().unwrap(), start);
    for lost in [
        Measure { robust_loss: f64::NAN, round: 7, ..start },
        Measure { drift: f64::INFINITY, round: 7, ..start },
    ] {
        assert!(matches!(lost.finite(), Err(TrainingError::Diverged { round: 7 })));
    }
}

/// With a step a round nobody but the measurement looks at where the last one led: the ascent of its adversary does first.
#[test]
fn a_network_whose_measurement_fails_has_diverged() {
    for local_rate in [1e24, 1e30] {
        let measurement = Measurement { every: 1, ..short().measurement };
        let settings = TheorySettings { local_steps: 1, local_rate, measurement, ..short() };
        let ended = simulate::<Flex>(settings, 1, Threads::new(1), &Default::default());
        assert!(matches!(ended, Err(TrainingError::Diverged { round: 1.. })), "{ended:?}");
    }
}

#[test]
fn looking_does_not_change_the_course() {
    let rare = course(short(), 2).end();
    let mut settings = short();
    settings.measurement.every = 1;
    let often = course(settings, 2).end();
    assert_eq!((rare.robust_loss, rare.drift), (often.robust_loss, often.drift));
}

#[test]
fn threads_do_not_change_a_course() {
    let of = |threads| {
        let settings = TheorySettings { rounds: 3, ..short() };
        simulate::<Flex>(settings, 3, Threads::new(threads), &Default::default()).unwrap()
    };
    assert_eq!(of(1), of(2));
    assert_eq!(of(1), of(8));
}

/// At the same round and for the same seed, pair by pair.
#[test]
fn wider_networks_stay_nearer_to_their_start() {
    for seed in 0..4 {
        let end = |width| course(TheorySettings { width, ..short() }, seed).end();
        let (narrow, middle, wide) = (end(32), end(512), end(8192));
        for (less, more) in [(narrow, middle), (middle, wide)] {
            assert!(more.drift < 0.5 * less.drift, "{seed}: {more:?} {less:?}");
            assert!(more.pseudo_gap < less.pseudo_gap, "{seed}: {more:?} {less:?}");
            let gaps = [less, more].map(|measure| measure.perturbed_pseudo_gap);
            assert!(gaps[1] < gaps[0], "{seed}: {gaps:?}");
        }
    }
}

/// Pair by pair, the same network and rounds.
#[test]
fn the_least_loss_falls_faster_where_points_are_farther_apart() {
    for seed in 0..4 {
        let least = |separation| {
            let settings =
                TheorySettings { separation, width: 256, rounds: 100, clients: 5, ..short() };
            course(settings, seed).end().least_robust_loss
        };
        let (near, far) = (least(0.1), least(0.5));
        assert!(far < near, "{seed}: {far} {near}");
    }
}
