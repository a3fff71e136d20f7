//! Keeping the adapted tensors inside a set.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::length::{largest, shrinkage};
use super::{InnerOptimizer, Iterate};
use crate::settings::{refuse_half_precision, require_even_rows, require_positive};
use crate::tensors::Tensors;
use crate::{Error, Result};

/// The Euclidean projection onto a convex set, applied to each adapted tensor `[elements]` after every step.
pub trait Projection: Clone + Send + Sync + 'static {
    /// The point of the set that is nearest to `theta`, for settings and sizes that [`Self::check`] accepts.
    fn project<B: Backend>(&self, theta: Tensor<B, 1>) -> Tensor<B, 1>;

    /// Checks the set, and that it is one for adapted tensors of these sizes. Called once a loop.
    ///
    /// # Errors
    /// An empty set, a setting out of its range, or one that does not fit a tensor.
    fn check<B: Backend>(&self, _theta: &Tensors<B>) -> Result<()> {
        Ok(())
    }
}

/// An update rule followed by a projection.
#[derive(Clone, Copy, Debug)]
pub struct Projected<O, P> {
    /// The rule.
    pub rule: O,
    /// The set.
    pub onto: P,
}

impl<O: InnerOptimizer, P: Projection> InnerOptimizer for Projected<O, P> {
    fn check<B: Backend>(&self, theta: &Tensors<B>) -> Result<()> {
        self.rule.check(theta)?;
        self.onto.check(theta)
    }

    fn rests_elsewhere(&self) -> Option<&'static str> {
        Some("the projection of `Projected`")
    }

    fn state<B: Backend>(&self, theta: &Tensors<B>) -> Tensors<B> {
        self.rule.state(theta)
    }

    fn step<B: Backend>(
        &self,
        step: usize,
        rates: &Tensors<B>,
        at: Iterate<B>,
        gradient: &Tensors<B>,
    ) -> Iterate<B> {
        let next = self.rule.step(step, rates, at, gradient);
        let theta = next.theta.0.into_iter().map(|theta| self.onto.project(theta)).collect();
        Iterate { theta: Tensors(theta), ..next }
    }
}

/// The ball `|theta|_inf <= radius` around zero.
#[derive(Clone, Copy, Debug)]
pub struct LinfBall {
    /// Radius, above 0.
    pub radius: f64,
}

impl Projection for LinfBall {
    fn project<B: Backend>(&self, theta: Tensor<B, 1>) -> Tensor<B, 1> {
        theta.clamp(-self.radius, self.radius)
    }

    fn check<B: Backend>(&self, _theta: &Tensors<B>) -> Result<()> {
        require_positive("LinfBall::radius", self.radius)
    }
}

/// The box `lower <= theta <= upper`.
#[derive(Clone, Copy, Debug)]
pub struct BoxConstraint {
    /// Smallest value of an element.
    pub lower: f64,
    /// Largest value of an element, at least the smallest.
    pub upper: f64,
}

impl Projection for BoxConstraint {
    fn project<B: Backend>(&self, theta: Tensor<B, 1>) -> Tensor<B, 1> {
        theta.clamp(self.lower, self.upper)
    }

    fn check<B: Backend>(&self, _theta: &Tensors<B>) -> Result<()> {
        match self.lower <= self.upper {
            true => Ok(()),
            false => Err(Error::EmptyBox { lower: self.lower, upper: self.upper }),
        }
    }
}

/// The balls `|theta_r|_2 <= radius` around zero, one for each of `rows` equal blocks of a tensor.
#[derive(Clone, Copy, Debug)]
pub struct L2Ball {
    /// Radius, above 0.
    pub radius: f64,
    /// Blocks of consecutive elements with a ball of their own, such as the samples of a perturbation
    /// `[samples, features]`; 1 for one ball a tensor. Every tensor's size must be a multiple of it.
    pub rows: usize,
}

impl Projection for L2Ball {
    fn project<B: Backend>(&self, theta: Tensor<B, 1>) -> Tensor<B, 1> {
        let elements = theta.dims()[0];
        let blocks = theta.reshape([self.rows, elements / self.rows]);
        let squares =
            |units: &Tensor<B, 2>| (blocks.clone() * units.clone()).powi_scalar(2).sum_dim(1);
        let factors = shrinkage(self.radius, largest(&blocks), squares);
        (blocks * factors).reshape([elements])
    }

    fn check<B: Backend>(&self, theta: &Tensors<B>) -> Result<()> {
        require_positive("L2Ball::radius", self.radius)?;
        refuse_half_precision("L2Ball", theta)?;
        require_even_rows("L2Ball::rows", self.rows, theta)
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{DType, TensorData};
    use proptest::prelude::*;

    use super::super::NormalizedAscent;
    use super::*;
    use crate::tensors::to_f64;

    fn project(set: &impl Projection, values: &[f64]) -> Vec<f64> {
        let data = TensorData::new(values.to_vec(), [values.len()]);
        to_f64(&set.project(Tensor::<Flex, 1>::from_data(data, (&Default::default(), DType::F64))))
    }

    fn refused(set: &impl Projection) -> Error {
        let theta = |elements| Tensor::zeros([elements], (&Default::default(), DType::F64));
        set.check(&Tensors::<Flex>(vec![theta(4), theta(6)])).unwrap_err()
    }

    #[test]
    fn balls_need_a_radius() {
        for radius in [0.0, -1.0, f64::NAN] {
            let of_rows = refused(&L2Ball { radius, rows: 1 });
            assert!(matches!(of_rows, Error::OutOfRange { setting: "L2Ball::radius", .. }));
            let of_elements = refused(&LinfBall { radius });
            assert!(matches!(of_elements, Error::OutOfRange { setting: "LinfBall::radius", .. }));
            assert!(of_elements.to_string().contains("above 0"), "{of_elements}");
        }
    }

    #[test]
    fn boxes_hold_a_point() {
        for (lower, upper) in [(1.0, 0.0), (f64::NAN, 0.0)] {
            let found = refused(&BoxConstraint { lower, upper });
            assert!(matches!(found, Error::EmptyBox { .. }));
            assert!(found.to_string().contains("lower bound that is at most the upper"), "{found}");
        }
        let point = BoxConstraint { lower: 1.0, upper: 1.0 };
        point.check(&Tensors::<Flex>(Vec::new())).unwrap();
    }

    #[test]
    fn rows_divide_every_tensor() {
        for (rows, elements) in [(0, 4), (3, 4), (4, 6)] {
            let found = refused(&L2Ball { radius: 1.0, rows });
            assert!(matches!(found, Error::UnevenRows { elements: size, .. } if size == elements));
            assert!(found.to_string().contains("number of samples"), "{found}");
        }
    }

    #[test]
    fn projected_rules_check_the_rule_and_the_set() {
        let theta = Tensors::<Flex>(vec![Tensor::zeros([4], &Default::default())]);
        let ascent = |rows| NormalizedAscent { rows };
        let check = |rule_rows, rows| {
            Projected { rule: ascent(rule_rows), onto: L2Ball { radius: 1.0, rows } }.check(&theta)
        };
        check(2, 4).unwrap();
        let refused = [check(3, 2), check(2, 3)].map(|checked| checked.unwrap_err());
        assert!(matches!(refused[0], Error::UnevenRows { setting: "NormalizedAscent::rows", .. }));
        assert!(matches!(refused[1], Error::UnevenRows { setting: "L2Ball::rows", .. }));
    }

    #[test]
    fn a_block_whose_square_is_infinite_goes_to_the_sphere() {
        for dtype in [DType::F32, DType::F64] {
            let theta = [3e20, -4e20, 0.3, 0.4, -1e38, 0.0];
            let data = TensorData::new(theta.to_vec(), [6]);
            let theta = Tensor::<Flex, 1>::from_data(data, (&Default::default(), dtype));
            let found = to_f64(&L2Ball { radius: 2.0, rows: 3 }.project(theta.clone()));
            for (found, expected) in found.iter().zip([1.2, -1.6, 0.3, 0.4, -2.0, 0.0]) {
                assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
            }
            let wide = L2Ball { radius: 1e30, rows: 1 };
            assert_eq!(to_f64(&wide.project(theta.clone() * 1e-10)), to_f64(&(theta * 1e-10)));
        }
    }

    fn inner_product(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    /// The projection onto a convex set is a point `p` of it with `<x - p, q - p> <= 0` for every other point `q`.
    fn check(set: &impl Projection, x: &[f64; 4], other: &[f64; 4]) {
        let (p, q) = (project(set, x), project(set, other));
        assert_eq!(project(set, &p), p, "a point of the set stays where it is");
        let to_x: Vec<f64> = x.iter().zip(&p).map(|(x, p)| x - p).collect();
        let to_q: Vec<f64> = q.iter().zip(&p).map(|(q, p)| q - p).collect();
        assert!(inner_product(&to_x, &to_q) <= 1e-12, "{p:?} is not the point nearest to {x:?}");
    }

    proptest! {
        #[test]
        fn projections_are_nearest_points(
            x in prop::array::uniform4(-3.0_f64..3.0),
            other in prop::array::uniform4(-3.0_f64..3.0),
            radius in 0.1_f64..2.0,
        ) {
            check(&LinfBall { radius }, &x, &other);
            check(&BoxConstraint { lower: -0.3, upper: radius }, &x, &other);
        }

        /// Rounding may leave a projected point a last digit outside of a ball, so points stay only up to that.
        #[test]
        fn balls_hold_every_row(x in prop::array::uniform4(-3.0_f64..3.0), radius in 0.1_f64..2.0) {
            let projected = project(&L2Ball { radius, rows: 2 }, &x);
            for (row, before) in projected.chunks(2).zip(x.chunks(2)) {
                let (norm, length) = (row[0].hypot(row[1]), before[0].hypot(before[1]));
                if length < radius {
                    prop_assert_eq!(row, before);
                } else {
                    prop_assert!((norm - radius).abs() < 1e-12);
                    prop_assert!((row[0] * before[1] - row[1] * before[0]).abs() < 1e-12);
                }
            }
        }
    }
}
