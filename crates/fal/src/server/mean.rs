//! Means.

use std::ops::Range;

use super::blocks::in_blocks;
use super::{ServerError, Update};

/// Coordinates that are added up before the next ones are looked at.
const COORDINATES: usize = 4096;

/// The mean in which each counts the same.
pub(super) fn uniform(deltas: &[&[f32]]) -> Vec<f32> {
    weighted(deltas, &vec![1.0 / deltas.len() as f64; deltas.len()])
}

/// `sum_i weights_i deltas_i`, added up in order in double precision.
pub(super) fn weighted(deltas: &[&[f32]], weights: &[f64]) -> Vec<f32> {
    sum(deltas, weights).into_iter().map(|x| x as f32).collect()
}

/// `sum_i weights_i deltas_i`.
pub(super) fn sum(deltas: &[&[f32]], weights: &[f64]) -> Vec<f64> {
    let coordinates = deltas.first().map_or(0, |delta| delta.len());
    let mut all = Vec::with_capacity(coordinates);
    let part = |block: Range<usize>| {
        let mut total = vec![0.0; block.len()];
        for (delta, weight) in deltas.iter().zip(weights) {
            let values = &delta[block.clone()];
            total.iter_mut().zip(values).for_each(|(total, x)| *total += weight * f64::from(*x));
        }
        total
    };
    in_blocks(coordinates, COORDINATES, part, |part| all.extend(part));
    all
}

/// Each client's share of all samples.
pub(super) fn by_samples(updates: &[Update]) -> Result<Vec<f64>, ServerError> {
    let total: usize = updates.iter().map(|update| update.samples).sum();
    if total == 0 {
        return Err(ServerError::NoWeight { what: "samples" });
    }
    Ok(updates.iter().map(|update| update.samples as f64 / total as f64).collect())
}

/// `(sum_i p_i tau_i) sum_i p_i delta_i / tau_i` for shares `p` of samples and numbers `tau` of steps.
pub(super) fn normalised(deltas: &[&[f32]], updates: &[Update]) -> Result<Vec<f32>, ServerError> {
    if updates.iter().any(|update| update.steps == 0) {
        return Err(ServerError::NoWeight { what: "local steps in every update" });
    }
    let shares = by_samples(updates)?;
    let steps = || updates.iter().map(|update| update.steps as f64);
    let effective: f64 = shares.iter().zip(steps()).map(|(share, steps)| share * steps).sum();
    let weights: Vec<f64> =
        shares.iter().zip(steps()).map(|(share, steps)| effective * share / steps).collect();
    Ok(weighted(deltas, &weights))
}

/// Weights in which the `top` clients with the smallest loss count `(1 + alpha) / (1 - alpha)` times as much as others;
/// of clients with the same loss, the first.
pub(super) fn slack(updates: &[Update], alpha: f64, top: usize) -> Result<Vec<f64>, ServerError> {
    if let Some(update) = updates.iter().find(|update| !update.loss.is_finite()) {
        return Err(ServerError::NotFinite { client: update.client, what: "a loss" });
    }
    let mut order: Vec<usize> = (0..updates.len()).collect();
    order.sort_by(|left, right| updates[*left].loss.total_cmp(&updates[*right].loss));
    let mut weights = vec![1.0; updates.len()];
    order.iter().take(top).for_each(|index| weights[*index] = (1.0 + alpha) / (1.0 - alpha));
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= total);
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::super::update::updates_of;
    use super::*;

    fn updates() -> Vec<Update> {
        let mut updates = updates_of(&[&[1.0, 0.0], &[2.0, 4.0], &[6.0, -1.0]]);
        for (update, (samples, steps, loss)) in
            updates.iter_mut().zip([(1, 1, 0.5), (3, 2, 0.1), (0, 4, 0.9)])
        {
            (update.samples, update.steps, update.loss) = (samples, steps, loss);
        }
        updates
    }

    fn deltas(updates: &[Update]) -> Vec<&[f32]> {
        updates.iter().map(|update| update.delta.as_slice()).collect()
    }

    #[test]
    fn means_are_those_of_arithmetic() {
        let updates = updates();
        assert_eq!(uniform(&deltas(&updates)), [3.0, 1.0]);
        let shares = by_samples(&updates).unwrap();
        assert_eq!(shares, [0.25, 0.75, 0.0]);
        assert_eq!(weighted(&deltas(&updates), &shares), [1.75, 3.0]);
    }

    /// tau_eff = 0.25 * 1 + 0.75 * 2 = 1.75; 1.75 * (0.25 * 1 + 0.75 * 2/2) = 1.75 and 1.75 * 0.75 * 4/2 = 2.625.
    #[test]
    fn steps_are_divided_out() {
        let updates = updates();
        assert_eq!(normalised(&deltas(&updates), &updates).unwrap(), [1.75, 2.625]);
    }

    #[test]
    fn the_clients_with_the_smallest_loss_count_more() {
        for (alpha, top, expected) in [
            (0.2, 1, [1.0 / 3.5, 1.5 / 3.5, 1.0 / 3.5]),
            (0.0, 1, [1.0 / 3.0; 3]),
            (0.5, 2, [3.0 / 7.0, 3.0 / 7.0, 1.0 / 7.0]),
            (0.5, 9, [1.0 / 3.0; 3]),
        ] {
            let weights = slack(&updates(), alpha, top).unwrap();
            let errors = weights.iter().zip(expected).map(|(found, expected)| found - expected);
            assert!(errors.into_iter().all(|error| error.abs() < 1e-15), "{weights:?}");
        }
    }

    #[test]
    fn weights_of_nothing_are_refused() {
        let mut updates = updates();
        updates[0].loss = f64::NAN;
        let refused = ServerError::NotFinite { client: 0, what: "a loss" };
        assert_eq!(slack(&updates, 0.2, 1), Err(refused));
        updates[0].steps = 0;
        let nova = normalised(&deltas(&updates), &updates);
        assert!(matches!(nova, Err(ServerError::NoWeight { .. })));
        updates.iter_mut().for_each(|update| update.samples = 0);
        assert!(matches!(by_samples(&updates), Err(ServerError::NoWeight { what: "samples" })));
    }
}
