//! Means of what a window shows.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn_flex::FlexTensor;

use super::by_hand::{Pullback, by_hand, contiguous, tensor};
use super::vectors::vectorised;
use super::windows::{Run, Term, Terms, Windows};

/// The mean of the pixels that the window shows at each stop: `[pixels, width]` to `[stops, width]`. What the window shows
/// beyond the image is zero and counts.
///
/// # Panics
/// If there are not as many rows as pixels, no images, or [no stops](Windows::stops).
pub fn mean_of_windows<B: Backend>(x: Tensor<B, 2>, windows: Windows) -> Tensor<B, 2> {
    let ([pixels, width], image) = (x.dims(), windows.pixels());
    assert_eq!(pixels, image, "{pixels} pixels are not those of an image of {image}");
    assert!(width > 0, "there are no images");
    let stops = windows.stops().iter().product();
    let means = move |x: FlexTensor| {
        let means = scaled_sums(contiguous(x).storage(), &windows.shown(), width, windows.taps());
        tensor(means, [stops, width])
    };
    let pull = move |gradient: FlexTensor, _: [bool; 1]| {
        let gradient = contiguous(gradient);
        let terms = windows.stops_over();
        let shares = scaled_sums(gradient.storage(), &terms, width, windows.taps());
        [Some(tensor(shares, [pixels, width]))]
    };
    let by_hand = by_hand([x], |[x]| means(x), |[x]| (means(x), Pullback::new(pull)));
    by_hand.unwrap_or_else(|[x]| {
        let means = windows.patches(x).sum_dim(1) * (1.0 / windows.taps() as f64);
        means.reshape([stops, width])
    })
}

/// `[targets, width]`: the sum of the rows of `x` that a target has for its terms, divided by `taps`.
fn scaled_sums(x: &[f32], terms: &Terms, width: usize, taps: usize) -> Vec<f32> {
    let mut sums = Vec::with_capacity(terms.each().len() * width);
    push_scaled_sums(&mut sums, x, terms, width, 1.0 / taps as f32);
    sums
}

vectorised! {
    fn push_scaled_sums(sums: &mut Vec<f32>, x: &[f32], terms: &Terms, width: usize, scale: f32) {
        let row = |term: Term| &x[term.pixel * width..][..width];
        for runs in terms.each() {
            let begin = sums.len();
            let mut terms = runs.iter().flat_map(|run: &Run| run.terms());
            let Some(first) = terms.next() else {
                sums.resize(begin + width, 0.0);
                continue;
            };
            sums.extend(row(first).iter().map(|x| scale * x));
            for term in terms {
                sums[begin..].iter_mut().zip(row(term)).for_each(|(sum, x)| *sum += scale * x);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::DType;
    use burn::tensor::module::avg_pool2d;

    use super::*;
    use crate::Autodiff;
    use crate::layers::check::{Loss, assert_close, assert_derivatives, draws};
    use crate::tensors::to_f64;

    const WINDOWS: [Windows; 2] = [
        Windows { rows: 5, columns: 4, size: 2, stride: 2, padding: 0 },
        Windows { rows: 3, columns: 4, size: 3, stride: 1, padding: 1 },
    ];

    #[test]
    fn it_is_that_of_burn() {
        let mut draw = draws::<Flex, 4>();
        for windows in WINDOWS {
            let Windows { rows, columns, size, stride, padding } = windows;
            let images = draw([2, 3, rows, columns]);
            let expected =
                avg_pool2d(images.clone(), [size; 2], [stride; 2], [padding; 2], true, false);
            let x = images.permute([2, 3, 1, 0]).reshape([rows * columns, 6]);
            let [down, along] = windows.stops();
            let found = mean_of_windows(x, windows).reshape([down, along, 3, 2]);
            assert_close(&to_f64(&found.permute([3, 2, 0, 1])), &to_f64(&expected), 1e-6);
        }
    }

    #[test]
    fn single_precision_has_the_gradient_of_the_composition() {
        type B = Autodiff<Flex>;
        let mut draw = draws::<B, 2>();
        for windows in WINDOWS {
            let stops = windows.stops().iter().product();
            let (x, weights) = (draw([windows.pixels(), 6]).require_grad(), draw([6, stops]));
            let outcome = |precision| {
                let y = mean_of_windows(x.clone().cast(precision), windows);
                let loss = (y.clone().transpose() * weights.clone().cast(precision)).sum();
                let gradient = x.grad(&loss.backward()).expect("x is a leaf");
                [to_f64(&y), to_f64(&gradient)]
            };
            let (single, double) = (outcome(DType::F32), outcome(DType::F64));
            single.iter().zip(&double).for_each(|(single, double)| {
                assert_close(single, double, 1e-6);
            });
        }
    }

    struct Means;

    impl Loss for Means {
        fn on<B: Backend>(&self, x: Tensor<B, 1>) -> Tensor<B, 1> {
            mean_of_windows(x.reshape([12, 1]), WINDOWS[1]).powi_scalar(3).sum()
        }
    }

    #[test]
    fn it_has_two_derivatives() {
        let x: Vec<f64> = (0..12).map(|i| f64::from(i * i).sin()).collect();
        assert_derivatives(&Means, &x);
    }

    #[test]
    #[should_panic(expected = "3 pixels are not those of an image of 20")]
    fn pixels_are_those_of_the_image() {
        mean_of_windows(Tensor::<Flex, 2>::ones([3, 2], &Default::default()), WINDOWS[0]);
    }
}
