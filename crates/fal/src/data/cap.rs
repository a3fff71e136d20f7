//! The theorem's ball of perturbations: a cap of the sphere around a point.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::sphere::radius;

/// The points of the sphere at most `bound` from `centres` that lie nearest to the directions of `moved`, both
/// `[batch, dimension]`: the projection onto the theorem's ball, which is a cap of the sphere.
///
/// The last coordinate stays 1/2. The others are brought back to length `sqrt(3)/2`; where they are then too far away,
/// they go along the great circle to the rim of the cap, at the angle `2 asin(bound / sqrt(3))`. To the point opposite to the
/// centre all great circles lead, so that what was moved there stays at its centre.
pub fn chord_projection<B: Backend>(
    moved: Tensor<B, 2>,
    centres: Tensor<B, 2>,
    bound: f64,
) -> Tensor<B, 2> {
    let [batch, dimension] = centres.dims();
    let free = |points: Tensor<B, 2>| points.slice([0..batch, 0..dimension - 1]);
    let last = centres.clone().slice([0..batch, dimension - 1..dimension]);
    let to_unit = |rows: Tensor<B, 2>| {
        let norms = rows.clone().powi_scalar(2).sum_dim(1).sqrt();
        rows / norms.clamp_min(1e-12)
    };
    let (centre, direction) = (to_unit(free(centres)), to_unit(free(moved)));
    let angle = 2.0 * (bound / (2.0 * radius())).clamp(0.0, 1.0).asin();
    let cosine = (centre.clone() * direction.clone()).sum_dim(1);
    let aside = direction.clone() - centre.clone() * cosine.clone();
    // In single precision a point opposite to the centre still lies aside of it, in a direction that is rounding.
    let opposite =
        aside.clone().powi_scalar(2).sum_dim(1).lower_elem(1e-10).bool_and(cosine.lower_elem(0.0));
    let rim = centre.clone() * angle.cos() + to_unit(aside) * angle.sin();
    let rim = rim.mask_where(opposite.expand([batch, dimension - 1]), centre.clone());
    // Not by the cosine, which single precision rounds to 1 within a ten-thousandth of the centre.
    let apart = (direction.clone() - centre.clone()).powi_scalar(2).sum_dim(1).sqrt();
    let outside = apart.greater_elem(2.0 * (angle / 2.0).sin()).expand([batch, dimension - 1]);
    let found = direction.mask_where(outside, to_unit(rim));
    Tensor::cat(vec![found * radius(), last], 1)
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use experiment::seed::Seed;
    use inner_outer::tensors::to_f64;
    use proptest::prelude::*;

    use super::super::SphereSet;
    use super::super::sphere::distance;
    use super::*;

    fn norm(point: &[f64]) -> f64 {
        point.iter().map(|x| x * x).sum::<f64>().sqrt()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn projected_points_stay_on_the_sphere_and_near(number: u64, bound in prop_oneof![0.01..1.5_f64, 1e-6..0.01_f64], push in 0.0..3.0_f64) {
            let device = Default::default();
            let set = SphereSet::separable(4, 5, 0.0, &Seed::new(number)).unwrap();
            let (centres, _) = set.batch::<Flex>(&[0, 1], &device);
            let (others, _) = set.batch::<Flex>(&[2, 3], &device);
            let moved = centres.clone() + others * push;
            let found = to_f64(&chord_projection(moved, centres, bound));
            for (index, point) in found.chunks(5).enumerate() {
                prop_assert!((norm(point) - 1.0).abs() < 1e-5);
                prop_assert_eq!(point[4], 0.5);
                prop_assert!(distance(point, set.point(index)) < bound + 1e-6);
            }
        }
    }

    #[test]
    fn points_inside_the_cap_are_only_brought_back_to_the_sphere() {
        let device = Default::default();
        let set = SphereSet::separable(1, 4, 0.0, &Seed::new(1)).unwrap();
        let (centre, _) = set.batch::<Flex>(&[0], &device);
        let same = chord_projection(centre.clone(), centre.clone(), 0.3);
        assert!(distance(&to_f64(&same), set.point(0)) < 1e-6);
        let mut near = set.point(0).to_vec();
        near[0] += 0.05;
        let moved = Tensor::<Flex, 1>::from_data(near.as_slice(), &device).unsqueeze();
        let found = to_f64(&chord_projection(moved, centre, 0.3));
        let length = norm(&near[..3]);
        let expected: Vec<f64> = near[..3].iter().map(|x| x / length * radius()).collect();
        assert!(distance(&found[..3], &expected) < 1e-6);
    }

    #[test]
    fn points_opposite_to_the_centre_stay_there() {
        let device = Default::default();
        for number in 0..20 {
            let set = SphereSet::separable(1, 5, 0.0, &Seed::new(number)).unwrap();
            let (centre, _) = set.batch::<Flex>(&[0], &device);
            for (bound, factor) in [(0.4, 1.0), (1.3, 0.7), (1.6, 2.0)] {
                let found =
                    to_f64(&chord_projection(centre.clone() * -factor, centre.clone(), bound));
                assert!(distance(&found, set.point(0)) < 1e-6, "{found:?}");
            }
        }
    }

    #[test]
    fn points_beyond_the_cap_go_to_its_rim() {
        let device = Default::default();
        let r = radius();
        let centre = Tensor::<Flex, 2>::from_data([[r, 0.0, 0.5]], &device);
        let moved = Tensor::<Flex, 2>::from_data([[0.0, 2.0, 0.5]], &device);
        let found = to_f64(&chord_projection(moved, centre.clone(), 0.4));
        assert!((distance(&found, &[r, 0.0, 0.5]) - 0.4).abs() < 1e-6, "{found:?}");
        assert!(found[1] > 0.0);
    }
}
