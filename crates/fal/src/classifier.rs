//! What attacks and evaluation need of a model.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// A classifier of images.
///
/// Implement it for a Burn module on every backend, and attacks differentiate it on `Autodiff<B>`.
pub trait Classifier<B: Backend>: Send + Sync {
    /// `[batch, channels, height, width]`, pixels in 0 to 1, to scores `[batch, classes]`.
    fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2>;
}
