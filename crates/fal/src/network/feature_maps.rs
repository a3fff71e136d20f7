//! Layers for images, on feature maps whose innermost index counts the images.
//!
//! Flex convolves image by image, and its derivative by the input goes element by element. Here the values of all images at
//! a pixel lie side by side, so that a convolution, however few its channels are, is a sum of whole rows with weights, the
//! same for any batch. Sums over pixels and over channels are sums of whole rows, too.

use std::ops::Add;

use burn::module::Param;
use burn::nn::GroupNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::layers::{self, Windows};

use super::draw::Kernel;

/// Feature maps of a batch of images.
#[derive(Clone, Debug)]
pub(super) struct FeatureMaps<B: Backend> {
    /// `[rows * columns, channels * batch]`, the last index of each the faster one.
    values: Tensor<B, 2>,
    rows: usize,
    columns: usize,
    channels: usize,
}

impl<B: Backend> FeatureMaps<B> {
    /// From images `[batch, channels, rows, columns]`.
    pub(super) fn of(images: Tensor<B, 4>) -> Self {
        let [batch, channels, rows, columns] = images.dims();
        let pixels = rows * columns;
        let by_channel = images.reshape([batch, channels * pixels]).transpose();
        let by_pixel = match channels {
            1 => by_channel,
            _ => layers::reorder_rows(by_channel, [channels, pixels], [1, 0]),
        };
        Self { values: by_pixel.reshape([pixels, channels * batch]), rows, columns, channels }
    }

    /// `[batch, channels * rows * columns]`, in the order of flattened images.
    pub(super) fn features(self) -> Tensor<B, 2> {
        let batch = self.batch();
        let pixels = self.rows * self.columns;
        let by_pixel = self.values.reshape([pixels * self.channels, batch]);
        layers::reorder_rows(by_pixel, [pixels, self.channels], [1, 0]).transpose()
    }

    /// What the layer, which one of [`Draw`](super::draw::Draw), makes of them.
    pub(super) fn convolve(self, layer: &Conv2d<B>) -> Self {
        let windows = Kernel::of(layer).on(self.rows, self.columns);
        let [outputs, channels, ..] = layer.weight.dims();
        let inputs = windows.taps() * channels;
        let weight = layer.weight.val().permute([0, 2, 3, 1]).reshape([outputs, inputs]);
        let bias = layer.bias.as_ref().map(|bias| bias.val());
        let values = layers::convolve(self.values, weight, bias, windows);
        let [rows, columns] = windows.stops();
        Self { values, rows, columns, channels: outputs }
    }

    pub(super) fn relu(self) -> Self {
        Self { values: layers::relu(self.values), ..self }
    }

    pub(super) fn tanh(self) -> Self {
        Self { values: layers::tanh(self.values), ..self }
    }

    /// Means of squares of 2x2 pixels; a last odd row or column is left out.
    pub(super) fn halve(self) -> Self {
        let windows =
            Windows { rows: self.rows, columns: self.columns, size: 2, stride: 2, padding: 0 };
        let values = layers::mean_of_windows(self.values, windows);
        let [rows, columns] = windows.stops();
        Self { values, rows, columns, ..self }
    }

    /// Means over the pixels, `[batch, channels]`.
    pub(super) fn mean(self) -> Tensor<B, 2> {
        let [pixels, _] = self.values.dims();
        let (batch, channels) = (self.batch(), self.channels);
        (self.values.sum_dim(0) * (1.0 / pixels as f64)).reshape([channels, batch]).transpose()
    }

    /// `gamma (x - mean) / sqrt(variance + epsilon) + beta`, mean and variance over the pixels and channels of a group of
    /// one image (Wu and He 2018).
    pub(super) fn normalise(self, norm: &GroupNorm<B>) -> Self {
        let Self { values, rows, columns, channels } = self;
        let [pixels, width] = values.dims();
        let (batch, groups) = (width / channels, norm.num_groups);
        let members = channels / groups;
        // Over a group of each image, `[groups, 1, batch]`.
        let mean = |values: Tensor<B, 2>| {
            let sums = values.sum_dim(0).reshape([groups, members, batch]).sum_dim(1);
            sums * (1.0 / (pixels * members) as f64)
        };
        // For all channels of the group.
        let spread = |values: Tensor<B, 3>| values.repeat_dim(1, members).reshape([1, width]);
        let centred = values.clone() - spread(mean(values));
        let variance = mean(centred.clone() * centred.clone());
        let scale = spread((variance + norm.epsilon).sqrt().recip());
        let per_channel = |parameter: &Option<Param<Tensor<B, 1>>>| {
            parameter.as_ref().map(|values| row(values.val().reshape([channels, 1]), batch))
        };
        let scale = match per_channel(&norm.gamma) {
            Some(gamma) => scale * gamma,
            None => scale,
        };
        let values = centred * scale;
        let values = match per_channel(&norm.beta) {
            Some(beta) => values + beta,
            None => values,
        };
        Self { values, rows, columns, channels }
    }

    fn batch(&self) -> usize {
        self.values.dims()[1] / self.channels
    }
}

impl<B: Backend> Add for FeatureMaps<B> {
    type Output = Self;

    /// Of maps of the same size.
    fn add(self, other: Self) -> Self {
        Self { values: self.values + other.values, ..self }
    }
}

/// One value for each channel, `[channels, 1]`, as one row for all pixels: Flex adds a row to many in one pass.
fn row<B: Backend>(values: Tensor<B, 2>, batch: usize) -> Tensor<B, 2> {
    let [channels, _] = values.dims();
    values.repeat_dim(1, batch).reshape([1, channels * batch])
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};
    use burn::module::{AutodiffModule, Module};
    use burn::tensor::TensorData;
    use burn::tensor::activation::relu;
    use burn::tensor::module::avg_pool2d;
    use experiment::seed::Seed;
    use inner_outer::tensors::{Tensors, gradients, to_f64};

    use super::super::draw::Draw;
    use super::*;

    type Learning = Autodiff<Flex>;

    const KERNELS: [Kernel; 4] = [
        Kernel { size: 4, stride: 2, padding: 1 },
        Kernel { size: 3, stride: 1, padding: 1 },
        Kernel { size: 2, stride: 3, padding: 0 },
        Kernel { size: 5, stride: 2, padding: 2 },
    ];

    fn images(sides: [usize; 4]) -> Tensor<Flex, 4> {
        let values: Vec<f32> =
            (0..sides.iter().product()).map(|i: usize| (i as f32 * 0.7).sin()).collect();
        Tensor::from_data(TensorData::new(values, sides), &Default::default())
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        let size = expected.iter().fold(1.0_f64, |size, value| size.max(value.abs()));
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5 * size, "{found} is not {expected}");
        }
    }

    #[test]
    fn features_are_those_of_the_flattened_images() {
        for channels in [1, 3] {
            let images = images([2, channels, 4, 5]);
            let features = FeatureMaps::of(images.clone()).features();
            assert_eq!(to_f64(&features), to_f64(&images.flatten::<2>(1, 3)));
        }
    }

    /// What `layer` makes of the images, `[batch, features]`, and the derivatives of the sum of its squares by the parameters
    /// and by the images.
    fn values_and_slopes<M, L>(
        layer: &M,
        images: &Tensor<Flex, 4>,
        make: impl Fn(&L, Tensor<Learning, 4>) -> Tensor<Learning, 2>,
    ) -> [Vec<f64>; 3]
    where
        M: Module<Flex>,
        L: AutodiffModule<Learning, InnerModule = M>,
    {
        let (parameters, sides) = (Tensors::of(layer), images.dims());
        let pixels = Tensors(vec![images.clone().flatten(0, 3)]);
        let (weights, leaf) = (parameters.track(), pixels.track());
        let lifted: L = AutodiffModule::from_inner(layer.clone());
        let values = make(&weights.write(lifted), leaf.0[0].clone().reshape(sides));
        let loss = (values.clone() * values.clone()).sum();
        let [of_weights, of_images] = gradients(loss, [&weights, &leaf]);
        [
            to_f64(&values.inner()),
            of_weights.or_zeros(&parameters).to_f64(),
            of_images.or_zeros(&pixels).to_f64(),
        ]
    }

    /// The layer on feature maps against Burn's on images.
    fn assert_same<M, L>(
        layer: &M,
        images: &Tensor<Flex, 4>,
        ours: impl Fn(&L, FeatureMaps<Learning>) -> Tensor<Learning, 2>,
        burns: impl Fn(&L, Tensor<Learning, 4>) -> Tensor<Learning, 2>,
    ) where
        M: Module<Flex>,
        L: AutodiffModule<Learning, InnerModule = M>,
    {
        let found =
            values_and_slopes(layer, images, |layer, images| ours(layer, FeatureMaps::of(images)));
        let expected = values_and_slopes(layer, images, burns);
        for (found, expected) in found.iter().zip(&expected) {
            assert_close(found, expected);
        }
    }

    #[test]
    fn it_convolves_as_burn_does() {
        let device = Default::default();
        for kernel in KERNELS {
            let layer = Draw::<Flex>::new(&Seed::new(4), &device).convolution([3, 5], kernel);
            assert_same::<_, Conv2d<Learning>>(
                &layer,
                &images([2, 3, 7, 6]),
                |layer, maps| maps.convolve(layer).features(),
                |layer, images| layer.forward(images).flatten(1, 3),
            );
        }
    }

    #[test]
    fn it_normalises_as_burn_does() {
        let device = Default::default();
        for groups in [1, 2, 6] {
            let layer = Draw::<Flex>::new(&Seed::new(4), &device).norm(6, groups);
            let parameters = Tensors::of(&layer);
            let moved = parameters.0.iter().map(|values| values.clone() * 1.5 + 0.25);
            let layer = Tensors(moved.collect()).write(layer);
            // Not only the squares, whose sum hardly depends on the image.
            let bent = |values: Tensor<Learning, 2>| values.clone() * (values + 1.0);
            assert_same::<_, GroupNorm<Learning>>(
                &layer,
                &images([3, 6, 4, 5]),
                |layer, maps| bent(maps.normalise(layer).features()),
                |layer, images| bent(layer.forward(images).flatten(1, 3)),
            );
        }
    }

    #[test]
    fn it_is_averaged_and_bent_as_burn_does() {
        let layer = Draw::<Flex>::new(&Seed::new(4), &Default::default()).norm(3, 1);
        for sides in [[2, 3, 6, 4], [2, 3, 5, 4], [2, 3, 4, 7], [1, 3, 7, 5]] {
            let of = |images: Tensor<Learning, 4>| {
                avg_pool2d(images, [2, 2], [2, 2], [0, 0], false, false)
            };
            assert_same::<_, GroupNorm<Learning>>(
                &layer,
                &images(sides),
                |_, maps| maps.tanh().halve().features(),
                |_, images| of(images.tanh()).flatten(1, 3),
            );
            assert_same::<_, GroupNorm<Learning>>(
                &layer,
                &images(sides),
                |_, maps| (maps.clone() + maps.relu()).mean(),
                |_, images| (images.clone() + relu(images)).mean_dims(&[2, 3]).flatten(1, 3),
            );
        }
    }
}
