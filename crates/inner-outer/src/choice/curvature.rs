//! The curvature engine as data.

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::curvature::{CentralDifference, Curvature, ForwardOverReverse, Nested, Point, Product};
use crate::problem::{Instance, Problem};
use crate::tensors::Cotangents;

/// A curvature engine chosen at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CurvatureChoice {
    /// [`ForwardOverReverse`].
    #[default]
    ForwardOverReverse,
    /// [`Nested`].
    Nested,
    /// [`CentralDifference`].
    CentralDifference,
}

impl Curvature for CurvatureChoice {
    fn product<P: Problem, B: Backend>(
        &self,
        instance: &Instance<P, B>,
        point: Point<B>,
        direction: &Cotangents<B>,
    ) -> Result<Product<B>> {
        match self {
            Self::ForwardOverReverse => ForwardOverReverse.product(instance, point, direction),
            Self::Nested => Nested.product(instance, point, direction),
            Self::CentralDifference => {
                CentralDifference::default().product(instance, point, direction)
            }
        }
    }
}
