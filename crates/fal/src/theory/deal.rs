//! Who has which points.

use experiment::seed::Seed;
use rand::seq::SliceRandom;

/// Deals out points to `clients` so that each gets as many: a share `heterogeneity` of them, from 0 to 1, sorted by their
/// `targets`, so that clients have targets of their own, the others at random. Positions come in ascending order.
///
/// The points that are sorted are the first of an order drawn from `seed`, so with the same seed a larger share sorts
/// those of a smaller one and some more.
///
/// # Panics
/// If the points cannot be divided evenly, or there are no clients.
pub fn deal(targets: &[f64], clients: usize, heterogeneity: f64, seed: &Seed) -> Vec<Vec<usize>> {
    assert!(targets.len().is_multiple_of(clients), "every client gets as many points");
    let each = targets.len() / clients;
    let mut order: Vec<usize> = (0..targets.len()).collect();
    order.shuffle(&mut seed.child("deal").rng());
    let sorted_points = (heterogeneity * targets.len() as f64).round() as usize;
    let (sorted, mut rest) = order.split_at(sorted_points.min(targets.len()));
    let mut sorted = sorted.to_vec();
    sorted.sort_by(|left, right| targets[*left].total_cmp(&targets[*right]));
    let deal_to = |client: usize| {
        let (from, to) = (client * sorted.len() / clients, (client + 1) * sorted.len() / clients);
        let (random, left) = rest.split_at(each - (to - from));
        rest = left;
        let mut own = [&sorted[from..to], random].concat();
        own.sort_unstable();
        own
    };
    (0..clients).map(deal_to).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The mean over clients of the distance between the share of positive targets of a client and of all.
    fn skew(targets: &[f64], clients: &[Vec<usize>]) -> f64 {
        let share = |points: &[usize]| {
            points.iter().filter(|point| targets[**point] > 0.0).count() as f64
                / points.len() as f64
        };
        let all: Vec<usize> = (0..targets.len()).collect();
        let distances = clients.iter().map(|own| (share(own) - share(&all)).abs());
        distances.sum::<f64>() / clients.len() as f64
    }

    fn alternating(points: usize) -> Vec<f64> {
        (0..points).map(|index| if index % 2 == 0 { 1.0 } else { -1.0 }).collect()
    }

    proptest! {
        #[test]
        fn every_point_goes_to_one_client_and_all_get_as_many(
            clients in 1_usize..9,
            each in 1_usize..9,
            heterogeneity in 0.0..=1.0_f64,
            number: u64,
        ) {
            let dealt =
                deal(&alternating(clients * each), clients, heterogeneity, &Seed::new(number));
            prop_assert!(dealt.iter().all(|own| own.len() == each));
            let mut all = dealt.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..clients * each).collect::<Vec<_>>());
        }
    }

    #[test]
    fn sorted_points_make_clients_unlike() {
        let targets = alternating(400);
        let at = |heterogeneity| skew(&targets, &deal(&targets, 4, heterogeneity, &Seed::new(3)));
        assert_eq!(at(1.0), 0.5);
        assert!((at(0.5) - 0.25).abs() < 0.08, "{}", at(0.5));
        assert!(at(0.0) < 0.08, "{}", at(0.0));
    }

    #[test]
    #[should_panic(expected = "as many points")]
    fn uneven_shares_are_refused() {
        deal(&[1.0; 5], 2, 0.0, &Seed::new(0));
    }
}
