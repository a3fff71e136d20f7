//! The shortest way from an image to a hyperplane that does not leave the pixel range.

use super::{Norm, ThreatModel};

/// The change `d` of smallest norm with `<normal, d> = rise` that keeps `from + d` within the pixel range; where the range
/// is too tight for that, the one that comes closest.
///
/// Every pixel moves the way that helps, `lambda` times its speed and no further than its range goes: all at the same speed
/// for Linf, as fast as its weight for L2 (the condition of optimality). What is gained is a concave, piecewise linear
/// function of `lambda`, so Newton's method from 0 climbs to the solution from below and hits it exactly as soon as no
/// further pixel comes to its end.
pub(super) fn shortest_change(
    threat: &ThreatModel,
    from: &[f32],
    normal: &[f32],
    rise: f64,
) -> Vec<f64> {
    let mut pixels: Vec<Pixel> =
        from.iter().zip(normal).map(|(x, weight)| Pixel::new(threat, *x, *weight, rise)).collect();
    let mut lambda = 0.0;
    let mut moving_before = None;
    loop {
        let free = pixels.iter().filter(|pixel| lambda * pixel.speed < pixel.room);
        let (moving, slope) = free.fold((0, 0.0), |(moving, slope), pixel| {
            (moving + 1, slope + pixel.weight * pixel.speed)
        });
        let no_further_pixel_ended = moving_before == Some(moving);
        if slope == 0.0 || no_further_pixel_ended {
            break;
        }
        moving_before = Some(moving);
        let gained: f64 = pixels.iter().map(|pixel| pixel.weight * pixel.way(lambda)).sum();
        lambda += (rise.abs() - gained).max(0.0) / slope;
    }
    pixels.iter_mut().map(|pixel| pixel.sign * pixel.way(lambda)).collect()
}

/// One pixel on its way towards the hyperplane.
struct Pixel {
    /// Which way helps.
    sign: f64,
    /// Gain for each unit of way.
    weight: f64,
    speed: f64,
    /// How far it may go.
    room: f64,
}

impl Pixel {
    fn new(threat: &ThreatModel, from: f32, normal: f32, rise: f64) -> Self {
        let weight = f64::from(normal.abs());
        let sign = f64::from(normal.signum()) * rise.signum();
        let end = if sign > 0.0 { threat.high } else { threat.low };
        let speed = match threat.norm {
            Norm::Linf => f64::from(u8::from(weight > 0.0)),
            Norm::L2 => weight,
        };
        Self { sign, weight, speed, room: (f64::from(end) - f64::from(from)).abs() }
    }

    fn way(&self, lambda: f64) -> f64 {
        (lambda * self.speed).min(self.room)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gain(normal: &[f32], change: &[f64]) -> f64 {
        normal.iter().zip(change).map(|(weight, change)| f64::from(*weight) * change).sum()
    }

    fn vector(range: std::ops::Range<f32>) -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(range, 6)
    }

    proptest! {
        /// No feasible change of the same gain is shorter: any is a mixture of this one and of one that gains nothing.
        #[test]
        fn it_reaches_the_plane_by_the_shortest_way(
            from in vector(0.0..1.0), to in vector(0.0..1.0), normal in vector(-2.0..2.0), linf: bool,
        ) {
            let threat = if linf { ThreatModel::linf(1.0) } else { ThreatModel::l2(1.0) };
            let wish: Vec<f64> = from.iter().zip(&to).map(|(a, b)| f64::from(b - a)).collect();
            let rise = gain(&normal, &wish);
            let change = shortest_change(&threat, &from, &normal, rise);
            prop_assert!((gain(&normal, &change) - rise).abs() < 1e-9);
            for (x, change) in from.iter().zip(&change) {
                prop_assert!((-1e-12..=1.0 + 1e-12).contains(&(f64::from(*x) + change)));
            }
            // `to` lies in the range and gains as much, so it is one of the ways.
            let length = |change: &[f64]| threat.norm.length(change.iter().copied());
            prop_assert!(length(&change) <= length(&wish) + 1e-9);
        }

        #[test]
        fn without_bounds_the_distance_is_that_of_a_plane(normal in vector(-2.0..2.0), rise in -0.5..0.5_f64) {
            prop_assume!(normal.iter().any(|weight| weight.abs() > 0.1));
            let dual = |threat: ThreatModel| match threat.norm {
                Norm::Linf => normal.iter().map(|weight| f64::from(weight.abs())).sum::<f64>(),
                Norm::L2 => Norm::L2.length(normal.iter().map(|weight| f64::from(*weight))),
            };
            for threat in [ThreatModel::linf(1.0), ThreatModel::l2(1.0)].map(|threat| threat.pixels(-99.0, 99.0)) {
                let change = shortest_change(&threat, &[0.0; 6], &normal, rise);
                let length = threat.norm.length(change);
                prop_assert!((length - rise.abs() / dual(threat)).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_plane_out_of_reach_is_approached_as_far_as_the_range_goes() {
        for threat in [ThreatModel::linf(1.0), ThreatModel::l2(1.0)] {
            let change = shortest_change(&threat, &[0.25, 0.5, 0.5], &[1.0, -2.0, 0.0], 50.0);
            assert_eq!(change, [0.75, -0.5, 0.0]);
            assert_eq!(shortest_change(&threat, &[0.5; 2], &[0.0; 2], 1.0), [0.0; 2]);
            assert_eq!(Norm::Linf.length(shortest_change(&threat, &[0.5; 2], &[1.0; 2], 0.0)), 0.0);
        }
    }

    #[test]
    fn full_pixels_hand_their_share_to_the_others() {
        let linf = shortest_change(&ThreatModel::linf(1.0), &[0.9, 0.0], &[1.0, 1.0], 0.5);
        let l2 = shortest_change(&ThreatModel::l2(1.0), &[0.9, 0.0], &[2.0, 1.0], 0.5);
        for (found, expected) in linf.iter().chain(&l2).zip([0.1, 0.4, 0.1, 0.3]) {
            assert!((found - expected).abs() < 1e-6, "{linf:?} {l2:?}");
        }
    }
}
