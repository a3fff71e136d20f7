//! Sets for perturbations of data: bounds of each element's own, and one set after another.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::Projection;
use crate::tensors::Tensors;
use crate::{Error, Result};

/// The box `lower_i <= theta_i <= upper_i` with bounds of its own for every element, such as what is left to a pixel
/// before it is black or white. It fits adapted tensors of that many elements.
#[derive(Clone, Debug)]
pub struct Intervals {
    lower: TensorData,
    upper: TensorData,
}

impl Intervals {
    /// The box between two corners, `[elements]` each.
    ///
    /// # Errors
    /// [`Error::EmptyBox`] with the first element whose lower bound is not at most its upper;
    /// [`Error::IntervalCount`] if there are not as many lower bounds as upper ones.
    pub fn new(lower: Vec<f32>, upper: Vec<f32>) -> Result<Self> {
        if lower.len() != upper.len() {
            return Err(Error::IntervalCount { bounds: lower.len(), elements: upper.len() });
        }
        // A bound that is no number is in no order.
        match lower.iter().zip(&upper).find(
            |(lower, upper)| !matches!(lower.partial_cmp(upper), Some(order) if order.is_le()),
        ) {
            Some((&lower, &upper)) => {
                Err(Error::EmptyBox { lower: lower.into(), upper: upper.into() })
            }
            None => {
                let elements = [lower.len()];
                Ok(Self {
                    lower: TensorData::new(lower, elements),
                    upper: TensorData::new(upper, elements),
                })
            }
        }
    }
}

impl Projection for Intervals {
    fn project<B: Backend>(&self, theta: Tensor<B, 1>) -> Tensor<B, 1> {
        let like = (&theta.device(), theta.dtype());
        let lower = Tensor::from_data(self.lower.clone(), like);
        let upper = Tensor::from_data(self.upper.clone(), like);
        theta.max_pair(lower).min_pair(upper)
    }

    fn check<B: Backend>(&self, theta: &Tensors<B>) -> Result<()> {
        let bounds = self.lower.shape[0];
        match theta.0.iter().map(|tensor| tensor.dims()[0]).find(|elements| *elements != bounds) {
            Some(elements) => Err(Error::IntervalCount { bounds, elements }),
            None => Ok(()),
        }
    }
}

/// One projection after another. The result lies in the second set; it lies in the first as well where the second only
/// moves points towards one that both hold, as a box does that holds the centre of a ball.
#[derive(Clone, Copy, Debug)]
pub struct Successive<P, Q> {
    /// The set to project onto first.
    pub first: P,
    /// The set to project onto then.
    pub then: Q,
}

impl<P: Projection, Q: Projection> Projection for Successive<P, Q> {
    fn project<B: Backend>(&self, theta: Tensor<B, 1>) -> Tensor<B, 1> {
        self.then.project(self.first.project(theta))
    }

    fn check<B: Backend>(&self, theta: &Tensors<B>) -> Result<()> {
        self.first.check(theta)?;
        self.then.check(theta)
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::DType;
    use proptest::prelude::*;

    use super::super::L2Ball;
    use super::*;
    use crate::tensors::to_f64;

    fn vector(values: &[f64]) -> Tensor<Flex, 1> {
        let data = TensorData::new(values.to_vec(), [values.len()]);
        Tensor::from_data(data, (&Default::default(), DType::F64))
    }

    #[test]
    fn every_element_has_its_own_bounds() {
        let set = Intervals::new(vec![-1.0, 0.0, 2.0], vec![1.0, 0.5, 2.0]).unwrap();
        assert_eq!(to_f64(&set.project(vector(&[-3.0, 0.25, 7.0]))), [-1.0, 0.25, 2.0]);
        set.check(&Tensors(vec![vector(&[0.0; 3])])).unwrap();
    }

    #[test]
    fn what_is_no_box_is_refused() {
        for (lower, upper) in [(1.0, 0.0), (f32::NAN, 0.0), (0.0, f32::NAN)] {
            let refused = Intervals::new(vec![0.0, lower], vec![0.0, upper]).unwrap_err();
            assert!(matches!(refused, Error::EmptyBox { .. }), "{refused}");
        }
        let uneven = Intervals::new(vec![0.0], vec![]).unwrap_err();
        assert!(matches!(uneven, Error::IntervalCount { bounds: 1, elements: 0 }), "{uneven}");
        let set = Intervals::new(vec![0.0; 3], vec![1.0; 3]).unwrap();
        let refused = set.check(&Tensors(vec![vector(&[0.0; 4])])).unwrap_err();
        assert!(matches!(refused, Error::IntervalCount { bounds: 3, elements: 4 }), "{refused}");
        assert!(refused.to_string().contains("of the same batch"), "{refused}");
    }

    proptest! {
        /// A box that holds the centre of a ball leaves what it cuts within the ball.
        #[test]
        fn both_sets_hold_the_point(
            x in prop::array::uniform4(-3.0_f64..3.0),
            corners in prop::array::uniform4((0.0_f32..2.0, 0.0_f32..2.0)),
            radius in 0.1_f64..2.0,
        ) {
            let (lower, upper) = corners.iter().map(|(low, high)| (-low, *high)).unzip();
            let set = Successive {
                first: L2Ball { radius, rows: 2 },
                then: Intervals::new(lower, upper).unwrap(),
            };
            let point = to_f64(&set.project(vector(&x)));
            for row in point.chunks(2) {
                prop_assert!(row[0].hypot(row[1]) <= radius * (1.0 + 1e-12));
            }
            for (x, (low, high)) in point.iter().zip(corners) {
                prop_assert!(*x >= -f64::from(low) && *x <= f64::from(high));
            }
        }
    }
}
