//! Convolutions composed of products of matrices, on feature maps whose innermost index counts the images.
//!
//! Flex convolves image by image, and its derivative by the input goes element by element. Here the values of all images at
//! a pixel lie side by side, so the patches under a kernel are whole rows that are gathered in one pass, the order of the
//! rows is the same for any batch, and what is left is one product of matrices a pixel. With stride 2 a patch is copied four
//! times at most; the adversarial round of the benchmark takes half the time of Flex's convolutions.

use burn::nn::conv::Conv2d;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

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
            _ => swap_rows(by_channel, [channels, pixels]),
        };
        Self { values: by_pixel.reshape([pixels, channels * batch]), rows, columns, channels }
    }

    /// `[batch, channels * rows * columns]`, in the order of flattened images.
    pub(super) fn features(self) -> Tensor<B, 2> {
        let batch = self.batch();
        let pixels = self.rows * self.columns;
        let by_pixel = self.values.reshape([pixels * self.channels, batch]);
        swap_rows(by_pixel, [pixels, self.channels]).transpose()
    }

    /// What the layer makes of them; `kernel` is how it goes over the image.
    pub(super) fn convolve(self, layer: &Conv2d<B>, kernel: Kernel) -> Self {
        let (batch, device) = (self.batch(), self.values.device());
        let [outputs, channels, ..] = layer.weight.dims();
        let [rows, columns] = [self.rows, self.columns].map(|length| kernel.leaves(length));
        let pixels = rows * columns;
        let taps = kernel.size * kernel.size * channels;

        let places = self.places_under(kernel);
        let places = TensorData::new(places, [pixels * kernel.size * kernel.size]);
        let places = Tensor::<B, 1, Int>::from_data(places, &device);
        let patches = self.with_margin(kernel).select(0, places).reshape([pixels, taps, batch]);
        let weight = layer.weight.val().permute([0, 2, 3, 1]).reshape([1, outputs, taps]);
        let mut values = weight.matmul(patches).reshape([pixels, outputs * batch]);
        if let Some(bias) = &layer.bias {
            // As one row for all pixels: Flex adds a row to many in one pass.
            let row = bias.val().reshape([outputs, 1]).repeat_dim(1, batch);
            values = values + row.reshape([1, outputs * batch]);
        }
        Self { values, rows, columns, channels: outputs }
    }

    pub(super) fn relu(self) -> Self {
        Self { values: relu(self.values), ..self }
    }

    fn batch(&self) -> usize {
        self.values.dims()[1] / self.channels
    }

    /// The values, and where the kernel goes beyond the image a pixel of zeros after the last.
    fn with_margin(self, kernel: Kernel) -> Tensor<B, 2> {
        match kernel.padding {
            0 => self.values,
            _ => {
                let zeros = self.values.clone().narrow(0, 0, 1).zeros_like();
                Tensor::cat(vec![self.values, zeros], 0)
            }
        }
    }

    /// The pixels under the kernel, `[rows * columns * kernel rows * kernel columns]`; the one after the last for those
    /// beyond the image.
    fn places_under(&self, kernel: Kernel) -> Vec<i32> {
        let beyond = (self.rows * self.columns) as i32;
        let place = |row: usize, column: usize| {
            let row = row.checked_sub(kernel.padding).filter(|row| *row < self.rows);
            let column = column.checked_sub(kernel.padding).filter(|column| *column < self.columns);
            row.zip(column).map_or(beyond, |(row, column)| (row * self.columns + column) as i32)
        };
        let mut places = Vec::new();
        for top in (0..kernel.leaves(self.rows)).map(|row| row * kernel.stride) {
            for left in (0..kernel.leaves(self.columns)).map(|column| column * kernel.stride) {
                for row in top..top + kernel.size {
                    places.extend((left..left + kernel.size).map(|column| place(row, column)));
                }
            }
        }
        places
    }
}

/// Swaps the two indices, of these sizes, that count the rows.
fn swap_rows<B: Backend>(x: Tensor<B, 2>, [slow, fast]: [usize; 2]) -> Tensor<B, 2> {
    let order: Vec<i32> =
        (0..fast).flat_map(|f| (0..slow).map(move |s| (s * fast + f) as i32)).collect();
    let order = TensorData::new(order, [slow * fast]);
    let order = Tensor::<B, 1, Int>::from_data(order, &x.device());
    x.select(0, order)
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};
    use burn::module::AutodiffModule;
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

    /// The scores of a layer, `[batch, features]`, and the derivatives of the sum of their squares by its parameters and by
    /// the images.
    fn values_and_slopes(
        layer: &Conv2d<Flex>,
        images: &Tensor<Flex, 4>,
        convolve: impl Fn(&Conv2d<Learning>, Tensor<Learning, 4>) -> Tensor<Learning, 2>,
    ) -> [Vec<f64>; 3] {
        let (parameters, sides) = (Tensors::of(layer), images.dims());
        let pixels = Tensors(vec![images.clone().flatten(0, 3)]);
        let (weights, leaf) = (parameters.track(), pixels.track());
        let lifted: Conv2d<Learning> = AutodiffModule::from_inner(layer.clone());
        let values = convolve(&weights.write(lifted), leaf.0[0].clone().reshape(sides));
        let loss = (values.clone() * values.clone()).sum();
        let [of_weights, of_images] = gradients(loss, [&weights, &leaf]);
        [
            to_f64(&values.inner()),
            of_weights.or_zeros(&parameters).to_f64(),
            of_images.or_zeros(&pixels).to_f64(),
        ]
    }

    #[test]
    fn it_convolves_as_burn_does() {
        let device = Default::default();
        for kernel in KERNELS {
            let layer = Draw::<Flex>::new(&Seed::new(4), &device).convolution([3, 5], kernel);
            let images = images([2, 3, 7, 6]);
            let found = values_and_slopes(&layer, &images, |layer, images| {
                FeatureMaps::of(images).convolve(layer, kernel).features()
            });
            let expected = values_and_slopes(&layer, &images, |layer, images| {
                layer.forward(images).flatten(1, 3)
            });
            for (found, expected) in found.iter().zip(&expected) {
                assert_close(found, expected);
            }
        }
    }
}
