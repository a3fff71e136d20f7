//! Small models for tests.

use burn::backend::Flex;
use burn::module::{Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use experiment::seed::Seed;
use inner_outer::Autodiff;
use rand::RngExt;
use rand_distr::StandardNormal;

use super::images::{Samples, Size};
use super::objective::prediction;
use super::{Batch, BlackBox, Images, Transparent};
use crate::Classifier;

/// `z = x W^T`, with `weight: [classes, pixels]`. Not by a matrix product: its kernels round a row differently in
/// batches of different sizes, and tests ask for the same bits.
#[derive(Module, Debug)]
pub struct Linear<B: Backend> {
    weight: Param<Tensor<B, 2>>,
}

impl<B: Backend> Classifier<B> for Linear<B> {
    fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        let images: Tensor<B, 3> = images.flatten::<2>(1, 3).unsqueeze_dim(1);
        (images * self.weight.val().unsqueeze()).sum_dim(2).squeeze_dim(2)
    }
}

/// Two layers with a ReLU between.
#[derive(Module, Debug)]
pub struct Network<B: Backend> {
    hidden: Linear<B>,
    output: Linear<B>,
}

impl<B: Backend> Classifier<B> for Network<B> {
    fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        let hidden = relu(self.hidden.logits(images));
        self.output.logits(hidden.unsqueeze_dims(&[-1, -1]))
    }
}

/// A network whose gradients have the wrong sign.
#[derive(Module, Debug)]
pub struct Masked<B: Backend> {
    network: Network<B>,
}

impl<B: Backend> Classifier<B> for Masked<B> {
    fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        // The value is `images`, its derivative -1.
        let constant = images.clone().detach();
        self.network.logits(constant * 2.0 - images)
    }
}

/// Class 1 where the mean pixel is above one half, and by how much.
#[derive(Debug)]
pub struct Brightness;

impl<B: Backend> Classifier<B> for Brightness {
    fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        let images: Tensor<B, 2> = images.flatten(1, 3);
        let excess = images.mean_dim(1) - 0.5;
        Tensor::cat(vec![excess.clone().neg(), excess], 1)
    }
}

pub fn linear<B: Backend>(rows: &[impl AsRef<[f32]>]) -> Linear<B> {
    let values: Vec<f32> = rows.iter().flat_map(|row| row.as_ref().to_vec()).collect();
    let shape = [rows.len(), values.len() / rows.len()];
    let weight = Tensor::from_data(TensorData::new(values, shape), &Default::default());
    Linear { weight: Param::from_tensor(weight) }
}

pub fn linear_model(rows: &[impl AsRef<[f32]>]) -> Transparent<Flex, Linear<Autodiff<Flex>>> {
    Transparent::of_inner(linear(rows), &Default::default())
}

/// A random network of 2x4x4 pixels, 24 hidden units and `classes` classes.
pub fn network_model(classes: usize, seed: u64) -> Transparent<Flex, Network<Autodiff<Flex>>> {
    Transparent::of_inner(network(classes, seed), &Default::default())
}

/// The same network with gradients that point the wrong way.
pub fn masked_model(classes: usize, seed: u64) -> Transparent<Flex, Masked<Autodiff<Flex>>> {
    Transparent::of_inner(Masked { network: network(classes, seed) }, &Default::default())
}

fn network(classes: usize, seed: u64) -> Network<Flex> {
    let mut rng = Seed::new(seed).rng();
    let mut layer = |rows: usize, columns: usize| {
        let mut row = || (0..columns).map(|_| rng.sample::<f32, _>(StandardNormal)).collect();
        let rows: Vec<Vec<f32>> = (0..rows).map(|_| row()).collect();
        linear(&rows)
    };
    Network { hidden: layer(24, 32), output: layer(classes, 24) }
}

/// Images of one row of pixels.
pub fn images(rows: &[&[f32]]) -> Images {
    let size = Size { channels: 1, height: 1, width: rows[0].len() };
    Images::gather(size, rows.iter().copied())
}

pub fn samples(rows: &[&[f32]], labels: &[usize]) -> Samples {
    Samples::new(images(rows), labels.to_vec()).unwrap()
}

/// `count` random images of 2x4x4 pixels.
pub fn noise(count: usize, seed: u64) -> Images {
    let size = Size { channels: 2, height: 4, width: 4 };
    let mut rng = Seed::new(seed).child("noise").rng();
    let pixels: Vec<f32> = (0..count * size.elements()).map(|_| rng.random()).collect();
    Images::gather(size, pixels.chunks(size.elements()))
}

/// The images with the labels that the model itself gives them.
pub fn right_batch(model: &impl BlackBox, images: Images, seed: &Seed) -> Batch {
    let samples = right_samples(model, images);
    let indices: Vec<usize> = (0..samples.len()).collect();
    Batch::of(&samples, &indices, seed)
}

pub fn right_samples(model: &impl BlackBox, images: Images) -> Samples {
    let labels = model.scores(&images).unwrap().iter().map(prediction).collect();
    Samples::new(images, labels).unwrap()
}
