//! Convolutions on feature maps that lie pixel by pixel.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn_flex::FlexTensor;
use products::{Matrix, Place, accumulate};

use super::batch_pass::BatchPass;
use super::by_hand::{Pullback, by_hand, contiguous, dims, tensor};
use super::scattered_sums::ScatteredSums;
use super::vectors::{sum, vectorised};
use super::weighted_sums::{Order, WeightedSums};
use super::windows::Windows;

/// At each stop of the window the product of `weight`, `[outputs, taps channels]`, with the pixels that it shows of `x`,
/// `[pixels, channels batch]`, and the `bias`, `[outputs]`. What the window shows beyond the image is zero.
///
/// The last index of a row is the faster one. The result is `[stops, outputs batch]`.
///
/// # Panics
/// If the shapes do not fit, there are no channels or no images, or [no stops](Windows::stops).
pub fn convolve<B: Backend>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
    windows: Windows,
) -> Tensor<B, 2> {
    let layer = Convolution::new(x.dims(), weight.dims(), windows);
    let zeros = || Tensor::zeros([layer.outputs], (&x.device(), x.dtype()));
    let bias = bias.unwrap_or_else(zeros).reshape([layer.outputs, 1]);
    let result = by_hand(
        [x, weight, bias],
        |arguments| layer.value(&arguments.map(contiguous)),
        |arguments| {
            let arguments = arguments.map(contiguous);
            let value = layer.value(&arguments);
            let [x, weight, _] = arguments;
            let pull = move |gradient, asked| layer.pull([&x, &weight], gradient, asked);
            (value, Pullback::new(pull))
        },
    );
    result.unwrap_or_else(|arguments| layer.compose(arguments))
}

/// Images of fewer channels have their gradient [scattered](ScatteredSums): what is gathered for so few rows leaves most
/// registers empty.
const SCATTERED_BELOW: usize = 4;

/// How many there are of what.
#[derive(Clone, Copy, Debug)]
struct Convolution {
    windows: Windows,
    stops: usize,
    channels: usize,
    outputs: usize,
    batch: usize,
}

impl Convolution {
    fn new([pixels, width]: [usize; 2], [outputs, inputs]: [usize; 2], windows: Windows) -> Self {
        let stops = windows.stops().iter().product();
        let (taps, image) = (windows.taps(), windows.pixels());
        assert_eq!(pixels, image, "{pixels} pixels are not those of an image of {image}");
        let channels = inputs / taps;
        assert_eq!(inputs, taps * channels, "{inputs} weights are not those of {taps} taps");
        assert!(width > 0 && channels > 0, "{width} values of {channels} channels are no images");
        assert!(
            width.is_multiple_of(channels),
            "{width} values are not those of {channels} channels"
        );
        Self { windows, stops, channels, outputs, batch: width / channels }
    }

    fn value(&self, [x, weight, bias]: &[FlexTensor; 3]) -> FlexTensor {
        let sums = WeightedSums {
            terms: &self.windows.shown(),
            weight: &self.weight_by_taps(weight.storage(), [1, 2, 0]),
            source: x.storage(),
            order: Order::AsTheyLie,
            begin: bias.storage(),
            inputs: self.channels,
            batch: self.batch,
        };
        tensor(sums.compute(), [self.stops, self.outputs * self.batch])
    }

    fn pull(
        &self,
        [x, weight]: [&FlexTensor; 2],
        gradient: FlexTensor,
        [for_x, for_weight, for_bias]: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let gradient = contiguous(gradient);
        let gradient = gradient.storage();
        let of_x = for_x.then(|| tensor(self.pull_to_x(weight.storage(), gradient), dims(x)));
        let of_weight =
            for_weight.then(|| tensor(self.pull_to_weight(x.storage(), gradient), dims(weight)));
        let of_bias = for_bias.then(|| tensor(self.pull_to_bias(gradient), [self.outputs, 1]));
        [of_x, of_weight, of_bias]
    }

    /// `W^T g` of all stops over a pixel.
    fn pull_to_x(&self, weight: &[f32], gradient: &[f32]) -> Vec<f32> {
        let Self { windows, outputs: inputs, channels: outputs, batch, .. } = *self;
        if outputs < SCATTERED_BELOW {
            let sums = ScatteredSums {
                targets: windows.pixels(),
                terms: &windows.shown(),
                weight: &self.weight_by_taps(weight, [1, 2, 0]),
                source: gradient,
                inputs,
                outputs,
                batch,
            };
            return sums.compute();
        }
        let sums = WeightedSums {
            terms: &windows.stops_over_from_the_last(),
            weight: &self.weight_by_taps(weight, [1, 0, 2]),
            source: gradient,
            order: Order::FromTheLast,
            begin: &vec![0.0; outputs],
            inputs,
            batch,
        };
        sums.compute()
    }

    /// Of each stop's gradient `g` and the pixels `p` that are shown there `g p^T`.
    fn pull_to_weight(&self, x: &[f32], gradient: &[f32]) -> Vec<f32> {
        let inputs = self.windows.taps() * self.channels;
        let width = self.channels * self.batch;
        let mut of_weight = vec![0.0; self.outputs * inputs];
        let mut patch = vec![0.0; inputs * self.batch];
        let gradients = gradient.chunks_exact(self.outputs * self.batch);
        for (runs, elements) in self.windows.shown().each().zip(gradients) {
            patch.fill(0.0);
            for run in runs {
                patch[run.taps(width)].copy_from_slice(&x[run.pixels(width)]);
            }
            let gradient = Matrix { elements, place: Place::by_rows(self.outputs, self.batch) };
            let patch = Matrix { elements: &patch, place: Place::by_rows(inputs, self.batch) };
            let place = Place::by_rows(self.outputs, inputs);
            accumulate(&mut of_weight, place, gradient, patch.transposed());
        }
        of_weight
    }

    fn pull_to_bias(&self, gradient: &[f32]) -> Vec<f32> {
        let mut of_bias = vec![0.0; self.outputs];
        add_up_rows(&mut of_bias, gradient, self.batch);
        of_bias
    }

    /// `weight`, whose indices are output, tap and channel, with these three in another `order`.
    fn weight_by_taps(&self, weight: &[f32], order: [usize; 3]) -> Vec<f32> {
        let sizes = [self.outputs, self.windows.taps(), self.channels];
        let strides = [sizes[1] * sizes[2], sizes[2], 1];
        let [first, second, third] = order.map(|index| (sizes[index], strides[index]));
        let along = |(size, stride): (usize, usize), begin: usize| {
            (0..size).map(move |number| begin + number * stride)
        };
        let places = along(first, 0)
            .flat_map(|begin| along(second, begin))
            .flat_map(|begin| along(third, begin));
        places.map(|place| weight[place]).collect()
    }

    fn compose<B: Backend>(&self, [x, weight, bias]: [Tensor<B, 2>; 3]) -> Tensor<B, 2> {
        let inputs = self.windows.taps() * self.channels;
        let patches = self.windows.patches(x).reshape([self.stops, inputs, self.batch]);
        let sums = weight.unsqueeze::<3>().matmul(patches) + bias.unsqueeze::<3>();
        sums.reshape([self.stops, self.outputs * self.batch])
    }
}

vectorised! {
    /// Adds to each total the sums of its rows, of `batch` numbers, of which every one has its turn in a round.
    fn add_up_rows(totals: &mut [f32], rows: &[f32], batch: usize) {
        for round in rows.chunks_exact(totals.len() * batch) {
            for (total, row) in totals.iter_mut().zip(round.chunks_exact(batch)) {
                *total += sum(row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::DType;
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::ConvOptions;

    use super::*;
    use crate::Autodiff;
    use crate::layers::check::{Loss, assert_close, assert_derivatives, draws};
    use crate::tensors::to_f64;

    const WINDOWS: [Windows; 3] = [
        Windows { rows: 4, columns: 5, size: 3, stride: 1, padding: 1 },
        Windows { rows: 5, columns: 4, size: 4, stride: 2, padding: 1 },
        Windows { rows: 5, columns: 7, size: 2, stride: 3, padding: 0 },
    ];

    #[test]
    fn it_is_that_of_burn() {
        let mut draw = draws::<Flex, 4>();
        for windows in WINDOWS {
            let Windows { rows, columns, size, stride, padding } = windows;
            let (images, kernel) = (draw([5, 2, rows, columns]), draw([7, 2, size, size]));
            let bias = draw([7, 1, 1, 1]).reshape([7]);
            let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
            let x = images.clone().permute([2, 3, 1, 0]).reshape([rows * columns, 10]);
            let weight = kernel.clone().permute([0, 2, 3, 1]).reshape([7, size * size * 2]);
            for bias in [None, Some(bias)] {
                let expected =
                    conv2d(images.clone(), kernel.clone(), bias.clone(), options.clone());
                let [down, along] = windows.stops();
                let found = convolve(x.clone(), weight.clone(), bias, windows);
                let found = found.reshape([down, along, 7, 5]).permute([3, 2, 0, 1]);
                assert_close(&to_f64(&found), &to_f64(&expected), 1e-5);
            }
        }
    }

    #[test]
    fn single_precision_has_the_gradient_of_the_composition() {
        type B = Autodiff<Flex>;
        let mut draw = draws::<B, 2>();
        let asked = [[true; 3], [true, false, false], [false, true, false], [false, false, true]];
        // Gradients of images that are scattered and gathered, batches of part of a vector and of more than all registers.
        let sizes = [(2, 5), (5, 5), (SCATTERED_BELOW, 77)];
        let cases = WINDOWS.into_iter().flat_map(|windows| sizes.map(|size| (windows, size)));
        for (windows, (channels, batch)) in cases {
            let stops = windows.stops().iter().product();
            let inputs = [
                draw([windows.pixels(), channels * batch]),
                draw([4, channels * windows.taps()]),
                draw([4, 1]),
            ];
            let weights = draw([4 * batch, stops]);
            for asked in asked {
                let inputs = [0, 1, 2].map(|i| inputs[i].clone().set_require_grad(asked[i]));
                let outcome = |precision| {
                    let [x, weight, bias] = inputs.clone().map(|input| input.cast(precision));
                    let y = convolve(x, weight, Some(bias.reshape([4])), windows);
                    let loss = (y.clone().transpose() * weights.clone().cast(precision)).sum();
                    let gradients = loss.backward();
                    let gradient =
                        |input: &Tensor<B, 2>| input.grad(&gradients).map(|g| to_f64(&g));
                    (to_f64(&y), inputs.each_ref().map(gradient))
                };
                let (single, double) = (outcome(DType::F32), outcome(DType::F64));
                // Weights and biases are sums over the batch.
                let tolerance = 2e-6 * batch as f64;
                assert_close(&single.0, &double.0, tolerance);
                for (i, (single, double)) in single.1.iter().zip(&double.1).enumerate() {
                    assert_eq!([single.is_some(), double.is_some()], [asked[i]; 2]);
                    let [single, double] = [single, double].map(|g| g.clone().unwrap_or_default());
                    assert_close(&single, &double, tolerance);
                }
            }
        }
    }

    struct Line;

    impl Loss for Line {
        fn on<B: Backend>(&self, x: Tensor<B, 1>) -> Tensor<B, 1> {
            let windows = Windows { rows: 2, columns: 2, size: 2, stride: 1, padding: 1 };
            let pixels = x.clone().narrow(0, 0, 8).reshape([4, 2]);
            let weight = x.clone().narrow(0, 8, 8).reshape([2, 4]);
            let bias = x.narrow(0, 16, 2);
            convolve(pixels, weight, Some(bias), windows).powi_scalar(2).sum()
        }
    }

    #[test]
    fn it_has_two_derivatives() {
        let x: Vec<f64> = (0..18).map(|i| f64::from(i * i).sin()).collect();
        assert_derivatives(&Line, &x);
    }

    /// On an image of two by two pixels, of so many rows and numbers.
    fn convolve_ones(x: [usize; 2], weight: [usize; 2]) {
        let ones = |shape| Tensor::<Flex, 2>::ones(shape, &Default::default());
        let windows = Windows { rows: 2, columns: 2, size: 1, stride: 1, padding: 0 };
        convolve(ones(x), ones(weight), None, windows);
    }

    #[test]
    #[should_panic(expected = "0 values of 2 channels are no images")]
    fn there_are_images() {
        convolve_ones([4, 0], [1, 2]);
    }

    #[test]
    #[should_panic(expected = "3 pixels are not those of an image of 4")]
    fn pixels_are_those_of_the_image() {
        convolve_ones([3, 2], [1, 1]);
    }
}
