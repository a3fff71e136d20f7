//! The networks: those to use, and the theorem's.
//!
//! A [`NetworkChoice`] says which; [`Network`] is any of them as one Burn module, so that everything else is written once.
//! All can be differentiated twice: their layers are those of [`inner_outer::layers`], and for images products of matrices,
//! sums and selections. [`TwoLayer`] is the network of the convergence theorem.
//!
//! Parameters are drawn from a [`Seed`] and not from Burn's generator, which all threads share.

mod choice;
mod cnn;
mod draw;
mod error;
mod feature_maps;
mod lenet;
mod mlp;
mod resnet;
mod size;
mod two_layer;

use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor};
use experiment::seed::Seed;
use inner_outer::family;

use crate::Classifier;
use crate::data::ImageShape;

pub use choice::NetworkChoice;
pub use cnn::Cnn;
pub use error::NetworkError;
pub use lenet::Lenet;
pub use mlp::Mlp;
pub use resnet::{Block, Resnet};
pub use two_layer::TwoLayer;

/// Any network for images.
// Networks are few and live long; a box around each would only be one more thing to read.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Network<B: Backend> {
    /// Layers of neurons.
    Mlp(Mlp<B>),
    /// LeNet-5.
    Lenet(Lenet<B>),
    /// Convolutions with stride.
    Cnn(Cnn<B>),
    /// Residual blocks.
    Resnet(Resnet<B>),
}

family!(
    /// Networks for images on every backend.
    pub Networks => Network,
    /// The theorem's network on every backend.
    pub TwoLayers => TwoLayer,
);

impl<B: Backend> Network<B> {
    /// A network for images of `shape`, with parameters drawn from `seed`.
    ///
    /// # Errors
    /// Those of [`NetworkChoice::check`].
    pub fn new(
        choice: &NetworkChoice,
        shape: ImageShape,
        classes: usize,
        seed: &Seed,
        device: &Device<B>,
    ) -> Result<Self, NetworkError> {
        choice.check(shape, classes)?;
        let mut draw = draw::Draw::new(seed, device);
        Ok(match choice {
            NetworkChoice::Mlp { hidden } => Self::Mlp(Mlp::new(shape, hidden, classes, &mut draw)),
            NetworkChoice::Lenet => Self::Lenet(Lenet::new(shape, classes, &mut draw)),
            NetworkChoice::Cnn { channels, hidden } => {
                Self::Cnn(Cnn::new(shape, channels, *hidden, classes, &mut draw))
            }
            NetworkChoice::Resnet { width, blocks, groups } => {
                Self::Resnet(Resnet::new(shape, [*width, *blocks, *groups], classes, &mut draw))
            }
        })
    }
}

impl<B: Backend> Classifier<B> for Network<B> {
    fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        match self {
            Self::Mlp(network) => network.logits(images),
            Self::Lenet(network) => network.logits(images),
            Self::Cnn(network) => network.logits(images),
            Self::Resnet(network) => network.logits(images),
        }
    }
}

#[cfg(test)]
mod tests;
