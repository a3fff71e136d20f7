//! Labelled samples, some of them labelled wrongly.

use std::path::Path;

use burn::backend::Flex;
use burn::module::Module;
use burn::tensor::{Tensor, TensorData, backend::Backend};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

/// Classes in every data set.
pub const CLASSES: usize = 10;

/// Samples as numbers: features `[width]` and a class for each.
pub struct Samples(Vec<(Vec<f32>, usize)>);

/// The same as tensors.
#[derive(Module, Debug)]
pub struct Labelled<B: Backend> {
    /// `[samples, width]`.
    pub x: Tensor<B, 2>,
    /// One-hot classes, `[samples, classes]`.
    pub labels: Tensor<B, 2>,
}

impl Samples {
    /// Classes that are normal clouds of width 1 around random centres, in 40 dimensions.
    pub fn clouds(count: usize, random: &mut impl Rng) -> Self {
        let mut normal = |scale: f32| -> Vec<f32> {
            (0..40).map(|_| scale * random.sample::<f32, _>(StandardNormal)).collect()
        };
        let centres: Vec<_> = (0..CLASSES).map(|_| normal(0.35)).collect();
        let sample = |index: usize| {
            let class = index % CLASSES;
            let noise = normal(1.0);
            (
                noise.iter().zip(&centres[class]).map(|(noise, centre)| centre + noise).collect(),
                class,
            )
        };
        Self((0..count).map(sample).collect())
    }

    /// The training images of MNIST in random order, from its two files `train-*-ubyte` in `folder`.
    pub fn mnist(folder: &Path, random: &mut impl Rng) -> Result<Self, String> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        };
        let (images, classes) =
            (read("train-images-idx3-ubyte")?, read("train-labels-idx1-ubyte")?);
        if images.len() != 16 + 60_000 * 28 * 28 || classes.len() != 8 + 60_000 {
            return Err("these are not MNIST's 60 000 training images and labels, unpacked".into());
        }
        // Small enough that the largest curvature of the loss stays below 1, which suits the inner rate.
        let centre = |&grey: &u8| 0.3 * (f32::from(grey) / 255.0 - 0.13);
        let images =
            images[16..].chunks_exact(28 * 28).map(|image| image.iter().map(centre).collect());
        let classes = classes[8..].iter().map(|&class| usize::from(class));
        let mut samples: Vec<_> = images.zip(classes).collect();
        samples.shuffle(random);
        Ok(Self(samples))
    }

    /// Takes `count` samples off the end; fewer where there are fewer.
    pub fn take(&mut self, count: usize) -> Self {
        Self(self.0.split_off(self.0.len().saturating_sub(count)))
    }

    /// Gives half of the samples another class, and tells which.
    pub fn corrupt(&mut self, random: &mut impl Rng) -> Vec<bool> {
        let mut corrupt = |(_, class): &mut (_, usize)| {
            let corrupted = random.random_bool(0.5);
            if corrupted {
                *class = (*class + random.random_range(1..CLASSES)) % CLASSES;
            }
            corrupted
        };
        self.0.iter_mut().map(&mut corrupt).collect()
    }

    /// The samples as tensors.
    pub fn tensors(&self) -> Labelled<Flex> {
        let x: Vec<f32> = self.0.iter().flat_map(|(features, _)| features).copied().collect();
        let one_hot = |class| (0..CLASSES).map(move |other| f32::from(other == class));
        let labels: Vec<f32> = self.0.iter().flat_map(|(_, class)| one_hot(*class)).collect();
        let rows = |values: Vec<f32>| {
            let width = values.len() / self.0.len();
            Tensor::from_data(TensorData::new(values, [self.0.len(), width]), &Default::default())
        };
        Labelled { x: rows(x), labels: rows(labels) }
    }
}
