//! Normalisation of rows.

use burn::module::Param;
use burn::nn::LayerNorm;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn_flex::FlexTensor;

use super::by_hand::{Pullback, by_hand, contiguous, dims, tensor};
use super::vectors::{dot, sum, vectorised};
use crate::copies::on_rows;

/// `(x - mean) / sqrt(variance + epsilon)` over each row: `[rows, width]` to the same shape.
pub fn normalize<B: Backend>(x: Tensor<B, 2>, epsilon: f64) -> Tensor<B, 2> {
    let normal_rows = |[x]: [FlexTensor; 1]| {
        let x = contiguous(x);
        let (normal, scales) = normalize_rows(x.storage(), dims(&x)[1], epsilon as f32);
        (tensor(normal, dims(&x)), scales)
    };
    let by_hand = by_hand(
        [x],
        |x| normal_rows(x).0,
        |x| {
            let (normal, scales) = normal_rows(x);
            let at = normal.clone();
            let pull = move |gradient: &mut [f32]| pull_rows(gradient, at.storage(), &scales);
            (normal, Pullback::in_place(pull))
        },
    );
    by_hand.unwrap_or_else(|[x]| {
        let centred = x.clone() - x.mean_dim(1);
        let variance = (centred.clone() * centred.clone()).mean_dim(1);
        centred * (variance + epsilon).sqrt().recip()
    })
}

/// Normalised rows, and for each the reciprocal of its standard deviation.
pub(super) fn normalize_rows(x: &[f32], width: usize, epsilon: f32) -> (Vec<f32>, Vec<f32>) {
    let (mut normal, mut scales) = (vec![0.0; x.len()], vec![0.0; x.len() / width]);
    normalize_each(x, &mut normal, &mut scales, epsilon);
    (normal, scales)
}

vectorised! {
    fn normalize_each(rows: &[f32], normal: &mut [f32], scales: &mut [f32], epsilon: f32) {
        let width = rows.len() / scales.len();
        let rows = rows.chunks_exact(width).zip(normal.chunks_exact_mut(width)).zip(scales);
        rows.for_each(|((row, normal), scale)| *scale = normalize_row(row, normal, epsilon));
    }
}

#[inline(always)]
fn normalize_row(row: &[f32], normal: &mut [f32], epsilon: f32) -> f32 {
    let width = row.len() as f32;
    let mean = sum(row) / width;
    normal.iter_mut().zip(row).for_each(|(normal, x)| *normal = x - mean);
    let scale = (dot(normal, normal) / width + epsilon).sqrt().recip();
    normal.iter_mut().for_each(|x| *x *= scale);
    scale
}

vectorised! {
    /// `scale (g - mean(g) - y mean(g y))` in place of each row `g` of the gradient, with `y` of what was `normal`.
    pub(super) fn pull_rows(gradient: &mut [f32], normal: &[f32], scales: &[f32]) {
        let width = normal.len() / scales.len();
        let rows = gradient.chunks_exact_mut(width).zip(normal.chunks_exact(width)).zip(scales);
        rows.for_each(|((gradient, normal), scale)| pull_row(gradient, normal, *scale));
    }
}

#[inline(always)]
fn pull_row(gradient: &mut [f32], normal: &[f32], scale: f32) {
    let width = normal.len() as f32;
    let (mean, along) = (sum(gradient) / width, dot(gradient, normal) / width);
    gradient.iter_mut().zip(normal).for_each(|(g, y)| *g = scale * (*g - mean - y * along));
}

/// `(x - mean) / sqrt(variance + epsilon) * gamma + beta` over each row: `[rows, width]` to the same shape.
///
/// `gamma` and `beta` may be those of several copies of the layer, `[copies width]`
/// ([`copies`](crate::copies)). So a width by mistake half as large as the layer's, or a third, is taken for copies where their
/// number divides the rows: each part of the rows meets a part of the scales.
///
/// # Panics
/// If the shapes do not fit.
pub fn layer_norm<B: Backend>(layer: &LayerNorm<B>, x: Tensor<B, 2>) -> Tensor<B, 2> {
    let [rows, width] = x.dims();
    let scales = layer.gamma.dims()[0];
    let copies = scales / width;
    assert!(
        copies > 0 && scales == copies * width,
        "{scales} scales are not those of whole copies of a layer of width {width}"
    );
    if copies == 1 {
        return layer.forward(x);
    }
    let mut plain = layer.clone();
    let ones = Tensor::ones([width], (&x.device(), x.dtype()));
    (plain.gamma, plain.beta) = (Param::initialized(layer.gamma.id, ones), None);
    let scaled = plain.forward(x) * on_rows(layer.gamma.val(), rows, copies);
    match &layer.beta {
        Some(beta) => scaled + on_rows(beta.val(), rows, copies),
        None => scaled,
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::nn::LayerNormConfig;

    use super::*;
    use crate::layers::check::{Loss, assert_close, assert_derivatives, draws};
    use crate::tensors::to_f64;

    struct Normal;

    impl Loss for Normal {
        fn on<B: Backend>(&self, x: Tensor<B, 1>) -> Tensor<B, 1> {
            normalize(x.reshape([2, 3]), 1e-5).powi_scalar(3).sum()
        }
    }

    #[test]
    fn it_has_two_derivatives() {
        assert_derivatives(&Normal, &[3.0, -10.0, 20.0, 11.0, -22.0, 4.0]);
    }

    #[test]
    fn it_is_that_of_burn_with_its_gradient() {
        type B = crate::Autodiff<Flex>;
        let device = Default::default();
        let norm = LayerNormConfig::new(37).with_epsilon(1e-5).init::<B>(&device);
        let mut draw = draws::<B, 2>();
        let (x, weights) = (draw([5, 37]).require_grad(), draw([5, 37]));
        let gradient = |y: Tensor<B, 2>| {
            to_f64(&x.grad(&(y * weights.clone()).sum().backward()).expect("x is a leaf"))
        };
        let (found, expected) = (normalize(x.clone(), 1e-5), norm.forward(x.clone()));
        assert_close(&to_f64(&found), &to_f64(&expected), 1e-5);
        assert_close(&gradient(found), &gradient(expected), 1e-4);
        let plain = normalize(x.clone().inner(), 1e-5);
        assert_close(&to_f64(&plain), &to_f64(&norm.forward(x)), 1e-5);
    }

    #[test]
    fn copies_normalise_their_own_rows() {
        let device = Default::default();
        let mut draw = draws::<Flex, 2>();
        let x = draw([4, 3]);
        let mut layer = || {
            let mut layer = LayerNormConfig::new(3).init::<Flex>(&device);
            let mut draw = || Param::from_tensor(draw([1, 3]).reshape([3]));
            (layer.gamma, layer.beta) = (draw(), Some(draw()));
            layer
        };
        let [first, second] = [layer(), layer()];
        let mut both = first.clone();
        let cat = |a: &Param<Tensor<Flex, 1>>, b: &Param<Tensor<Flex, 1>>| {
            Param::from_tensor(Tensor::cat(vec![a.val(), b.val()], 0))
        };
        both.gamma = cat(&first.gamma, &second.gamma);
        both.beta = Some(cat(first.beta.as_ref().unwrap(), second.beta.as_ref().unwrap()));
        let each = [(first, 0), (second, 2)]
            .map(|(layer, row)| layer_norm(&layer, x.clone().narrow(0, row, 2)));
        let expected = to_f64(&Tensor::cat(each.to_vec(), 0));
        assert_close(&to_f64(&layer_norm(&both, x)), &expected, 1e-6);
    }
}
