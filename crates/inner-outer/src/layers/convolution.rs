//! Convolutions as a product at every pixel, on feature maps that lie pixel by pixel.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use burn_flex::FlexTensor;
use products::{Matrix, Place, accumulate, multiply};

use super::by_hand::{Pullback, by_hand, contiguous, dims, tensor};
use super::vectors::vectorised;

/// For each pixel of the result the product of `weight`, `[outputs, taps channels]`, with the pixels of `x`,
/// `[pixels, channels batch]`, that lie under its `taps`, in the order of `places`; `None` is a pixel of zeros, beyond the image.
/// The last index of a row is the faster one. The result is `[places / taps, outputs batch]`.
///
/// # Panics
/// If the shapes do not fit or a place is not one of the pixels.
pub fn convolve<B: Backend>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    taps: usize,
    places: Vec<Option<usize>>,
) -> Tensor<B, 2> {
    let layer = Convolution::new(x.dims(), weight.dims(), taps, places);
    let result = by_hand(
        [x, weight],
        |arguments| layer.value(arguments.each_ref()),
        |arguments| {
            let (arguments, layer) = (arguments.map(contiguous), layer.clone());
            let value = layer.value(arguments.each_ref());
            let pull = move |gradient, asked| layer.pull(arguments.each_ref(), gradient, asked);
            (value, Pullback::new(pull))
        },
    );
    result.unwrap_or_else(|[x, weight]| layer.compose(x, weight))
}

/// Which pixels are under which, and how many there are of what.
#[derive(Clone, Debug)]
struct Convolution {
    places: Vec<Option<usize>>,
    taps: usize,
    pixels: usize,
    channels: usize,
    outputs: usize,
    batch: usize,
}

impl Convolution {
    fn new(
        [pixels, width]: [usize; 2],
        [outputs, inputs]: [usize; 2],
        taps: usize,
        places: Vec<Option<usize>>,
    ) -> Self {
        let channels = inputs / taps;
        assert_eq!(inputs, taps * channels, "{inputs} weights are not those of {taps} taps");
        assert!(
            width.is_multiple_of(channels),
            "{width} values are not those of {channels} channels"
        );
        assert!(places.len().is_multiple_of(taps), "{} places for {taps} taps", places.len());
        let inside = places.iter().flatten().all(|&place| place < pixels);
        assert!(inside, "a place beyond the {pixels} pixels");
        Self { places, taps, pixels, channels, outputs, batch: width / channels }
    }

    /// Values of a pixel.
    fn width(&self) -> usize {
        self.channels * self.batch
    }

    /// Where the patch under a pixel of the result lies, `[taps channels, batch]`, and where its values, `[outputs, batch]`.
    fn patch_and_pixel(&self) -> [Place; 2] {
        [self.taps * self.channels, self.outputs].map(|rows| Place::by_rows(rows, self.batch))
    }

    fn value(&self, [x, weight]: [&FlexTensor; 2]) -> FlexTensor {
        let x = contiguous(x.clone());
        let [patch_place, pixel_place] = self.patch_and_pixel();
        let results = self.places.len() / self.taps;
        let mut values = vec![0.0; results * self.outputs * self.batch];
        let mut patch = vec![0.0; self.taps * self.width()];
        let pixels = values.chunks_exact_mut(self.outputs * self.batch);
        for (pixel, places) in pixels.zip(self.places.chunks_exact(self.taps)) {
            self.gather(x.storage(), places, &mut patch);
            let patch = Matrix { elements: &patch, place: patch_place };
            multiply(pixel, pixel_place, Matrix::of(weight, &[]), patch, 1.0);
        }
        tensor(values, [results, self.outputs * self.batch])
    }

    /// Of each pixel's gradient `g` and patch `p`: `g p^T` is added to the gradient of the weight, and `W^T g` to those of the
    /// pixels in the patch.
    fn pull(
        &self,
        [x, weight]: [&FlexTensor; 2],
        gradient: FlexTensor,
        [for_x, for_weight]: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let gradient = contiguous(gradient);
        let [patch_place, pixel_place] = self.patch_and_pixel();
        let size = |asked: bool, size: usize| if asked { vec![0.0; size] } else { Vec::new() };
        let mut of_x = size(for_x, self.pixels * self.width());
        let mut of_weight = size(for_weight, self.outputs * self.taps * self.channels);
        let mut patch = vec![0.0; self.taps * self.width()];
        let weight_place = Place::by_rows(self.outputs, self.taps * self.channels);
        let pixels = gradient.storage::<f32>().chunks_exact(self.outputs * self.batch);
        for (elements, places) in pixels.zip(self.places.chunks_exact(self.taps)) {
            let gradient = Matrix { elements, place: pixel_place };
            if for_weight {
                self.gather(x.storage(), places, &mut patch);
                let patch = Matrix { elements: &patch, place: patch_place };
                accumulate(&mut of_weight, weight_place, gradient, patch.transposed());
            }
            if for_x {
                let weight = Matrix::of(weight, &[]).transposed();
                multiply(&mut patch, patch_place, weight, gradient, 1.0);
                self.add_back(&patch, places, &mut of_x);
            }
        }
        let of_x = for_x.then(|| tensor(of_x, dims(x)));
        [of_x, for_weight.then(|| tensor(of_weight, dims(weight)))]
    }

    fn gather(&self, x: &[f32], places: &[Option<usize>], patch: &mut [f32]) {
        let width = self.width();
        for (pixel, place) in patch.chunks_exact_mut(width).zip(places) {
            match place {
                Some(place) => pixel.copy_from_slice(&x[place * width..(place + 1) * width]),
                None => pixel.fill(0.0),
            }
        }
    }

    fn add_back(&self, patch: &[f32], places: &[Option<usize>], of_x: &mut [f32]) {
        let width = self.width();
        vectorised(|| {
            for (pixel, place) in patch.chunks_exact(width).zip(places) {
                if let Some(place) = place {
                    let sums = &mut of_x[place * width..(place + 1) * width];
                    sums.iter_mut().zip(pixel).for_each(|(sum, g)| *sum += g);
                }
            }
        });
    }

    /// All patches at once: `[results, taps channels, batch]`.
    fn compose<B: Backend>(&self, x: Tensor<B, 2>, weight: Tensor<B, 2>) -> Tensor<B, 2> {
        let results = self.places.len() / self.taps;
        let zeros = Tensor::zeros([1, self.width()], (&x.device(), x.dtype()));
        let place = |place: &Option<usize>| place.unwrap_or(self.pixels) as i32;
        let places: Vec<i32> = self.places.iter().map(place).collect();
        let places = TensorData::new(places, [self.places.len()]);
        let places = Tensor::<B, 1, Int>::from_data(places, &x.device());
        let patches = Tensor::cat(vec![x, zeros], 0).select(0, places);
        let patches = patches.reshape([results, self.taps * self.channels, self.batch]);
        weight.unsqueeze::<3>().matmul(patches).reshape([results, self.outputs * self.batch])
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::ConvOptions;
    use burn::tensor::{DType, Distribution};

    use super::*;
    use crate::Autodiff;
    use crate::layers::check::{Loss, assert_close, assert_derivatives};
    use crate::tensors::to_f64;

    /// A kernel of three in a row of `pixels`, with a pixel of zeros at both ends.
    fn neighbours(pixels: usize) -> Vec<Option<usize>> {
        let at = |place: usize| place.checked_sub(1).filter(|place| *place < pixels);
        (0..pixels).flat_map(|pixel| (pixel..pixel + 3).map(at)).collect()
    }

    #[test]
    fn it_is_that_of_burn() {
        let device = Default::default();
        let draw = |shape| Tensor::<Flex, 4>::random(shape, Distribution::Default, &device);
        let (images, kernel) = (draw([5, 2, 1, 7]), draw([4, 2, 1, 3]));
        let options = ConvOptions::new([1, 1], [0, 1], [1, 1], 1);
        let expected = conv2d(images.clone(), kernel.clone(), None, options);
        let x = images.permute([2, 3, 1, 0]).reshape([7, 10]);
        let weight = kernel.permute([0, 2, 3, 1]).reshape([4, 6]);
        let found = convolve(x, weight, 3, neighbours(7)).reshape([1, 7, 4, 5]);
        assert_close(&to_f64(&found.permute([3, 2, 0, 1])), &to_f64(&expected), 1e-5);
    }

    #[test]
    fn single_precision_has_the_gradient_of_the_composition() {
        type B = Autodiff<Flex>;
        let device = Default::default();
        let draw = |shape| Tensor::<B, 2>::random(shape, Distribution::Default, &device);
        let (inputs, weights) = ([draw([7, 10]), draw([4, 6])], draw([20, 7]));
        for asked in [[true, true], [true, false], [false, true]] {
            let inputs = [0, 1].map(|i| inputs[i].clone().set_require_grad(asked[i]));
            let outcome = |precision| {
                let [x, weight] = inputs.clone().map(|input| input.cast(precision));
                let y = convolve(x, weight, 3, neighbours(7));
                let loss = (y.clone().transpose() * weights.clone().cast(precision)).sum();
                let gradients = loss.backward();
                let gradient = |input: &Tensor<B, 2>| input.grad(&gradients).map(|g| to_f64(&g));
                (to_f64(&y), inputs.each_ref().map(gradient))
            };
            let (single, double) = (outcome(DType::F32), outcome(DType::F64));
            assert_close(&single.0, &double.0, 1e-5);
            for (i, (single, double)) in single.1.iter().zip(&double.1).enumerate() {
                assert_eq!([single.is_some(), double.is_some()], [asked[i]; 2]);
                let [single, double] = [single, double].map(|g| g.clone().unwrap_or_default());
                assert_close(&single, &double, 1e-5);
            }
        }
    }

    struct Line;

    impl Loss for Line {
        fn on<B: Backend>(&self, x: Tensor<B, 1>) -> Tensor<B, 1> {
            let pixels = x.clone().narrow(0, 0, 8).reshape([4, 2]);
            let weight = x.narrow(0, 8, 6).reshape([2, 3]);
            convolve(pixels, weight, 3, neighbours(4)).powi_scalar(2).sum()
        }
    }

    #[test]
    fn it_has_two_derivatives() {
        let x: Vec<f64> = (0..14).map(|i| f64::from(i * i).sin()).collect();
        assert_derivatives(&Line, &x);
    }

    #[test]
    #[should_panic(expected = "a place beyond the 3 pixels")]
    fn places_are_pixels() {
        let ones = |shape| Tensor::<Flex, 2>::ones(shape, &Default::default());
        convolve(ones([3, 2]), ones([1, 1]), 1, vec![Some(3)]);
    }
}
