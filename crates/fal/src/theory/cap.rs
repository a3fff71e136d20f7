//! The set that the theorem's adversary stays in.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use inner_outer::inner::Projection;
use inner_outer::tensors::Tensors;
use inner_outer::{Error, Result};

use crate::data::{SphereSet, chord_projection};

/// Changes of points that leave each on the sphere and within a distance of where it was: the theorem's `B(x, rho)` within
/// `X`, a cap of the sphere around every point.
///
/// It fits an adapted tensor of `[points, dimension - 1]` changes. A cap is not convex; "the nearest point" of a
/// [`Projection`] is here the one on the same great circle ([`chord_projection`]).
#[derive(Clone, Debug)]
pub struct SphericalCap {
    /// `[points, dimension]`.
    centres: TensorData,
    radius: f64,
}

impl SphericalCap {
    /// Caps of a `radius` of at least 0, as a straight distance, around the points of `set` at `indices`.
    ///
    /// # Panics
    /// If one of `indices` is no point of the set.
    pub fn new(set: &SphereSet, indices: &[usize], radius: f64) -> Self {
        let centres: Vec<f64> =
            indices.iter().flat_map(|index| set.point(*index)).copied().collect();
        Self { centres: TensorData::new(centres, [indices.len(), set.dimension()]), radius }
    }

    fn free_coordinates(&self) -> [usize; 2] {
        [self.centres.shape[0], self.centres.shape[1] - 1]
    }
}

impl Projection for SphericalCap {
    fn project<B: Backend>(&self, theta: Tensor<B, 1>) -> Tensor<B, 1> {
        let [points, free] = self.free_coordinates();
        let centres =
            Tensor::<B, 2>::from_data(self.centres.clone(), (&theta.device(), theta.dtype()));
        let [start, last] =
            [0..free, free..free + 1].map(|columns| centres.clone().slice([0..points, columns]));
        let moved = start.clone() + theta.reshape([points, free]);
        let found = chord_projection(Tensor::cat(vec![moved, last], 1), centres, self.radius);
        (found.slice([0..points, 0..free]) - start).reshape([points * free])
    }

    fn check<B: Backend>(&self, theta: &Tensors<B>) -> Result<()> {
        if !(self.radius.is_finite() && self.radius >= 0.0) {
            let (setting, value) = ("SphericalCap::radius", self.radius);
            return Err(Error::OutOfRange {
                setting,
                value,
                range: "a finite number of at least 0",
            });
        }
        let [points, free] = self.free_coordinates();
        match theta.0.iter().map(|tensor| tensor.dims()[0]).find(|found| *found != points * free) {
            Some(found) => Err(Error::OutOfRange {
                setting: "elements of an adapted tensor",
                value: found as f64,
                range: "one for every coordinate but the last of every centre of the `SphericalCap`",
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::DType;
    use experiment::seed::Seed;
    use inner_outer::tensors::to_f64;
    use proptest::prelude::*;

    use super::*;

    const DIMENSION: usize = 5;
    const FREE: usize = DIMENSION - 1;

    fn set(number: u64) -> SphereSet {
        SphereSet::separable(3, DIMENSION, 0.1, &Seed::new(number)).unwrap()
    }

    fn project(cap: &SphericalCap, change: &[f64]) -> Vec<f64> {
        let data = TensorData::new(change.to_vec(), [change.len()]);
        to_f64(&cap.project(Tensor::<Flex, 1>::from_data(data, (&Default::default(), DType::F64))))
    }

    fn length(vector: &[f64]) -> f64 {
        vector.iter().map(|x| x * x).sum::<f64>().sqrt()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// On the sphere of radius sqrt(3)/2, within the distance, and what is inside already stays.
        #[test]
        fn changes_stay_in_their_caps(
            number: u64,
            change in prop::collection::vec(-1.5..1.5_f64, 2 * FREE),
            radius in 0.0..1.2_f64,
        ) {
            let set = set(number);
            let cap = SphericalCap::new(&set, &[2, 0], radius);
            let projected = project(&cap, &change);
            for (index, change) in [2, 0].into_iter().zip(projected.chunks(FREE)) {
                let moved: Vec<f64> =
                    set.point(index).iter().zip(change).map(|(x, change)| x + change).collect();
                prop_assert!((length(&moved) - 0.75_f64.sqrt()).abs() < 1e-9);
                prop_assert!(length(change) <= radius + 1e-6, "{} {radius}", length(change));
            }
            let again = project(&cap, &projected);
            let moved = projected.iter().zip(&again).map(|(left, right)| left - right);
            prop_assert!(length(&moved.collect::<Vec<_>>()) < 1e-6);
        }

        /// No random point of the cap is nearer to what is projected, up to rounding: for changes along the sphere the
        /// great circle is the shortest way.
        #[test]
        fn no_point_of_the_cap_is_nearer(
            number: u64,
            change in prop::collection::vec(-1.0..1.0_f64, FREE),
            other in prop::collection::vec(-1.0..1.0_f64, FREE),
            radius in 0.1..0.8_f64,
        ) {
            let set = set(number);
            let cap = SphericalCap::new(&set, &[1], radius);
            let [found, other] = [&change, &other].map(|change| project(&cap, change));
            let to = |point: &[f64]| {
                length(&change.iter().zip(point).map(|(a, b)| a - b).collect::<Vec<_>>())
            };
            prop_assert!(to(&found) <= to(&other) + 1e-6, "{} {}", to(&found), to(&other));
        }
    }

    #[test]
    fn a_cap_of_no_radius_is_its_centre() {
        let projected = project(&SphericalCap::new(&set(1), &[0], 0.0), &[0.3, -0.2, 0.9, 0.0]);
        assert!(length(&projected) < 1e-12, "{projected:?}");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let theta =
            |elements| Tensors::<Flex>(vec![Tensor::zeros([elements], &Default::default())]);
        let refused = |radius, elements| {
            SphericalCap::new(&set(1), &[0, 1], radius).check(&theta(elements)).unwrap_err()
        };
        for radius in [-0.1, f64::NAN, f64::INFINITY] {
            let refused = refused(radius, 2 * FREE);
            assert!(matches!(refused, Error::OutOfRange { setting: "SphericalCap::radius", .. }));
        }
        let uneven = refused(0.1, FREE).to_string();
        assert!(uneven.contains("is 4, but must be one for every coordinate"), "{uneven}");
        SphericalCap::new(&set(1), &[0, 1], 0.0).check(&theta(2 * FREE)).unwrap();
    }
}
