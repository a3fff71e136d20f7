//! The encoder and the decoder.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor};
use experiment::seed::Seed;
use inner_outer::{family, layers};

use super::{AutoencoderConfig, AutoencoderError};
use crate::model::{
    Draw, Grid, LatentShape, Scale, around, depth_to_space, normalize, space_to_depth,
};

/// Pixels along each side of the patches that become rows.
pub(super) const PATCH: usize = 4;

/// `x + second(gelu(first(around(norm(x)))))`: a residual block over 3x3 neighbourhoods.
#[derive(Module, Debug)]
pub struct ResidualBlock<B: Backend> {
    /// `[9 hidden, hidden]`.
    pub first: Linear<B>,
    /// `[hidden, hidden]`.
    pub second: Linear<B>,
}

/// One direction: rows of 4x4 pixels to rows of latents, or back.
#[derive(Module, Debug)]
pub struct Coder<B: Backend> {
    /// `[in, hidden]`.
    pub input: Linear<B>,
    /// At a quarter of the pixels along each side.
    pub fine: Vec<ResidualBlock<B>>,
    /// Between the resolutions, where the factor is 8.
    pub between: Option<Linear<B>>,
    /// At an eighth of the pixels along each side, where the factor is 8.
    pub coarse: Vec<ResidualBlock<B>>,
    /// `[hidden, out]`.
    pub output: Linear<B>,
}

/// A variational autoencoder.
#[derive(Module, Debug)]
pub struct Autoencoder<B: Backend> {
    /// Pixels to means and logarithms of variances of latents.
    pub encoder: Coder<B>,
    /// Latents to pixels.
    pub decoder: Coder<B>,
    /// Mean of each latent channel over the training frames, `[channels]`; zero until measured.
    pub mean: Param<Tensor<B, 1>>,
    /// Deviation of each latent channel over the training frames, `[channels]`; one until measured.
    pub deviation: Param<Tensor<B, 1>>,
    /// Rows of a frame in pixels.
    pub height: usize,
    /// Columns of a frame in pixels.
    pub width: usize,
    /// Pixels to a latent along each side.
    pub factor: usize,
}

family!(
    /// Autoencoders on every backend.
    pub Autoencoders => Autoencoder
);

/// The distribution of latents that the encoder gives, each `[rows, channels]`.
#[derive(Clone, Debug)]
pub struct Latents<B: Backend> {
    /// Means.
    pub mean: Tensor<B, 2>,
    /// Logarithms of variances.
    pub log_variance: Tensor<B, 2>,
}

impl<B: Backend> ResidualBlock<B> {
    fn new(hidden: usize, draw: &mut Draw<B>) -> Self {
        Self {
            first: draw.linear(9 * hidden, hidden, Scale::Keeping),
            second: draw.linear(hidden, hidden, Scale::Zero),
        }
    }

    fn forward(&self, x: Tensor<B, 2>, grid: Grid) -> Tensor<B, 2> {
        let inside = layers::linear(&self.first, around(normalize(x.clone()), grid));
        x + layers::linear(&self.second, layers::gelu_tanh(inside))
    }
}

impl<B: Backend> Coder<B> {
    fn new(
        config: &AutoencoderConfig,
        inputs: usize,
        between: [usize; 2],
        outputs: usize,
        draw: &mut Draw<B>,
    ) -> Self {
        let AutoencoderConfig { hidden, blocks, factor, .. } = *config;
        let halved = factor > PATCH;
        let residual = |count: usize, draw: &mut Draw<B>| {
            (0..count).map(|_| ResidualBlock::new(hidden, draw)).collect()
        };
        Self {
            input: draw.linear(inputs, hidden, Scale::Keeping),
            fine: residual(blocks, draw),
            between: halved.then(|| draw.linear(between[0], between[1], Scale::Keeping)),
            coarse: residual(if halved { blocks } else { 0 }, draw),
            output: draw.linear(hidden, outputs, Scale::Keeping),
        }
    }

    /// Rows of pixels to rows of latents.
    fn down(&self, x: Tensor<B, 2>, fine: Grid) -> Tensor<B, 2> {
        let x = layers::linear(&self.input, x);
        let mut x = self.fine.iter().fold(x, |x, block| block.forward(x, fine));
        if let Some(between) = &self.between {
            x = layers::linear(between, space_to_depth(x, fine));
            x = self.coarse.iter().fold(x, |x, block| block.forward(x, fine.halved()));
        }
        layers::linear(&self.output, normalize(x))
    }

    /// Rows of latents to rows of pixels.
    fn up(&self, x: Tensor<B, 2>, fine: Grid) -> Tensor<B, 2> {
        let mut x = layers::linear(&self.input, x);
        if let Some(between) = &self.between {
            x = self.coarse.iter().fold(x, |x, block| block.forward(x, fine.halved()));
            x = depth_to_space(layers::linear(between, x), fine.halved());
        }
        let x = self.fine.iter().fold(x, |x, block| block.forward(x, fine));
        layers::linear(&self.output, normalize(x))
    }
}

impl<B: Backend> Autoencoder<B> {
    /// An autoencoder with parameters drawn from `seed`.
    ///
    /// # Errors
    /// Those of [`AutoencoderConfig::check`].
    pub fn new(
        config: &AutoencoderConfig,
        seed: &Seed,
        device: &Device<B>,
    ) -> Result<Self, AutoencoderError> {
        config.check()?;
        let AutoencoderConfig { height, width, factor, channels, hidden, .. } = *config;
        let mut draw = Draw::new(&seed.child("autoencoder"), device);
        let pixels = 3 * PATCH * PATCH;
        Ok(Self {
            encoder: Coder::new(config, pixels, [4 * hidden, hidden], 2 * channels, &mut draw),
            decoder: Coder::new(config, channels, [hidden, 4 * hidden], pixels, &mut draw),
            mean: Param::from_tensor(Tensor::zeros([channels], device)),
            deviation: Param::from_tensor(Tensor::ones([channels], device)),
            height,
            width,
            factor,
        })
    }

    /// What a frame becomes.
    pub fn latent(&self) -> LatentShape {
        LatentShape {
            channels: self.mean.dims()[0],
            height: self.height / self.factor,
            width: self.width / self.factor,
        }
    }

    /// Normalised latents `[batch, frames, channels, height, width]` of frames `[batch, frames, height, width, 3]` with
    /// values from -1 to 1: the means that the encoder gives.
    ///
    /// # Errors
    /// [`AutoencoderError::Shape`] for frames of another size.
    pub fn encode(&self, frames: Tensor<B, 5>) -> Result<Tensor<B, 5>, AutoencoderError> {
        let shape @ [batch, count, ..] = frames.dims();
        check("frames", shape, [batch, count, self.height, self.width, 3])?;
        let LatentShape { channels, height, width } = self.latent();
        let images = frames.reshape([batch * count, self.height, self.width, 3]);
        let latents = self.distribution(self.patches(images), batch * count).mean;
        let latents =
            (latents - self.mean.val().unsqueeze()) * self.deviation.val().recip().unsqueeze();
        Ok(latents.reshape([batch, count, height, width, channels]).permute([0, 1, 4, 2, 3]))
    }

    /// The inverse of [`Self::encode`], as well as it was learned.
    ///
    /// # Errors
    /// [`AutoencoderError::Shape`] for latents of another shape.
    pub fn decode(&self, latents: Tensor<B, 5>) -> Result<Tensor<B, 5>, AutoencoderError> {
        let shape @ [batch, count, ..] = latents.dims();
        let LatentShape { channels, height, width } = self.latent();
        check("latents", shape, [batch, count, channels, height, width])?;
        let rows = batch * count * height * width;
        let latents = latents.permute([0, 1, 3, 4, 2]).reshape([rows, channels]);
        let latents = latents * self.deviation.val().unsqueeze() + self.mean.val().unsqueeze();
        let patches = self.reconstruction(latents, batch * count);
        let (rows, columns) = (self.height / PATCH, self.width / PATCH);
        let patches = patches.reshape([batch * count * rows, columns, PATCH, 3 * PATCH]);
        Ok(patches.swap_dims(1, 2).reshape([batch, count, self.height, self.width, 3]))
    }

    /// Rows of 4x4 pixels, `[rows, 48]`, of images `[images, height, width, 3]`.
    pub(super) fn patches(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        let count = images.dims()[0];
        let (rows, columns) = (self.height / PATCH, self.width / PATCH);
        let patches = images.reshape([count * rows, PATCH, columns, 3 * PATCH]);
        patches.swap_dims(1, 2).reshape([count * rows * columns, 3 * PATCH * PATCH])
    }

    /// The latents of rows of pixels, not normalised.
    pub(super) fn distribution(&self, patches: Tensor<B, 2>, images: usize) -> Latents<B> {
        let channels = self.mean.dims()[0];
        let both = self.encoder.down(patches, self.fine(images));
        let rows = both.dims()[0];
        Latents {
            mean: both.clone().slice([0..rows, 0..channels]),
            log_variance: both.slice([0..rows, channels..2 * channels]),
        }
    }

    /// Rows of pixels of latents that are not normalised.
    pub(super) fn reconstruction(&self, latents: Tensor<B, 2>, images: usize) -> Tensor<B, 2> {
        self.decoder.up(latents, self.fine(images))
    }

    fn fine(&self, images: usize) -> Grid {
        Grid { batch: images, frames: 1, height: self.height / PATCH, width: self.width / PATCH }
    }
}

fn check(
    what: &'static str,
    found: [usize; 5],
    expected: [usize; 5],
) -> Result<(), AutoencoderError> {
    match found == expected {
        true => Ok(()),
        false => {
            let (found, expected) = (found.to_vec(), expected.to_vec());
            Err(AutoencoderError::Shape { what, found, expected })
        }
    }
}
