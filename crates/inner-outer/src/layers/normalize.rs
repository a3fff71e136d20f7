//! Normalisation of rows.

use burn::module::Param;
use burn::nn::LayerNorm;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::by_hand::{Pullback, by_hand, dot, sum};
use crate::copies::on_rows;

/// `(x - mean) / sqrt(variance + epsilon)` over each row: `[rows, width]` to the same shape.
pub fn normalize<B: Backend>(x: Tensor<B, 2>, epsilon: f64) -> Tensor<B, 2> {
    let width = x.dims()[1];
    let by_rows = |x: &[f32]| normalize_rows(x, width, epsilon as f32);
    let value = |x: &[f32]| by_rows(x).0;
    let result = by_hand(&x, value, |x| {
        let (normal, scales) = by_rows(x);
        let at = normal.clone();
        (normal, Pullback::new(move |gradient| pull_rows(gradient, &at, &scales, width)))
    });
    result.unwrap_or_else(|| {
        let centred = x.clone() - x.mean_dim(1);
        let variance = (centred.clone() * centred.clone()).mean_dim(1);
        centred * (variance + epsilon).sqrt().recip()
    })
}

/// Normalised rows, and for each the reciprocal of its standard deviation.
fn normalize_rows(x: &[f32], width: usize, epsilon: f32) -> (Vec<f32>, Vec<f32>) {
    let (mut normal, mut scales) = (Vec::with_capacity(x.len()), Vec::new());
    for row in x.chunks_exact(width) {
        let begin = normal.len();
        let mean = sum(row) / width as f32;
        normal.extend(row.iter().map(|x| x - mean));
        let centred = &mut normal[begin..];
        let scale = (dot(centred, centred) / width as f32 + epsilon).sqrt().recip();
        centred.iter_mut().for_each(|x| *x *= scale);
        scales.push(scale);
    }
    (normal, scales)
}

/// `scale (g - mean(g) - y mean(g y))` for each row `g` of the gradient and `y` of what was `normal`.
fn pull_rows(gradient: &[f32], normal: &[f32], scales: &[f32], width: usize) -> Vec<f32> {
    let mut pulled = Vec::with_capacity(gradient.len());
    let rows = gradient.chunks_exact(width).zip(normal.chunks_exact(width));
    for ((gradient, normal), scale) in rows.zip(scales) {
        let mean = sum(gradient) / width as f32;
        let along = dot(gradient, normal) / width as f32;
        pulled.extend(gradient.iter().zip(normal).map(|(g, y)| scale * (g - mean - y * along)));
    }
    pulled
}

/// `(x - mean) / sqrt(variance + epsilon) * gamma + beta` over each row: `[rows, width]` to the same shape.
///
/// `gamma` and `beta` may be those of several copies of the layer, `[copies width]`
/// ([`copies`](crate::copies)).
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
    use burn::tensor::Distribution;

    use super::*;
    use crate::layers::check::{Loss, assert_close, assert_derivatives};
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
        let draw = || Tensor::<B, 2>::random([5, 37], Distribution::Default, &device);
        let (x, weights) = (draw().require_grad(), draw());
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
        let draw = |rows| Tensor::<Flex, 2>::random([rows, 3], Distribution::Default, &device);
        let layer = || {
            let mut layer = LayerNormConfig::new(3).init::<Flex>(&device);
            let draw = || Param::from_tensor(draw(1).reshape([3]));
            (layer.gamma, layer.beta) = (draw(), Some(draw()));
            layer
        };
        let ([first, second], x) = ([layer(), layer()], draw(4));
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
