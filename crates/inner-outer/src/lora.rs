//! Low-rank adaptation of 2-D weights (Hu et al. 2022).
//!
//! A weight `W: [in, out]` becomes `W + (alpha / rank) A B` with `A: [in, rank]` random and `B: [rank, out]` zero, so
//! that the adapted layer starts as the layer itself.

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Distribution, Tensor};

/// The low-rank change of one weight.
#[derive(Module, Debug)]
pub struct Lora<B: Backend> {
    /// `A: [in, rank]`.
    pub a: Param<Tensor<B, 2>>,
    /// `B: [rank, out]`, zero at first.
    pub b: Param<Tensor<B, 2>>,
    /// The factor `alpha / rank` of the product.
    pub scale: f64,
}

impl<B: Backend> Lora<B> {
    /// A change of zero for a weight `[shape[0], shape[1]]`. `A` is uniform in `+-1/sqrt(in)`, drawn from the backend's
    /// generator.
    ///
    /// # Panics
    /// If `rank` is zero.
    pub fn new(shape: [usize; 2], rank: usize, alpha: f64, device: &Device<B>) -> Self {
        assert!(rank > 0, "a LoRA needs a rank of at least 1");
        let bound = 1.0 / (shape[0] as f64).sqrt();
        let a = Tensor::random([shape[0], rank], Distribution::Uniform(-bound, bound), device);
        let b = Tensor::zeros([rank, shape[1]], device);
        Self { a: Param::from_tensor(a), b: Param::from_tensor(b), scale: alpha / rank as f64 }
    }

    /// `(alpha / rank) A B`, `[in, out]`.
    pub fn change(&self) -> Tensor<B, 2> {
        self.a.val().matmul(self.b.val()) * self.scale
    }

    /// `(alpha / rank) x A B`: `[rows, in]` to `[rows, out]`, without forming the product of the factors.
    pub fn apply(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        x.matmul(self.a.val()).matmul(self.b.val()) * self.scale
    }

    /// `weight` with the change added.
    pub fn merge(&self, weight: Tensor<B, 2>) -> Tensor<B, 2> {
        weight + self.change()
    }

    /// `weight` with the change taken out again; equal to the original up to rounding.
    pub fn unmerge(&self, weight: Tensor<B, 2>) -> Tensor<B, 2> {
        weight - self.change()
    }

    /// The rank of the change.
    pub fn rank(&self) -> usize {
        self.a.dims()[1]
    }
}
