//! Layers that can be differentiated twice.
//!
//! Burn 0.21 runs `nn::Linear` and `nn::Embedding` as fused operations whose backward pass has no derivative, and
//! its GELU pairs the exact forward with the gradient of the tanh approximation. The functions here compute the same
//! layers from plain operations on the same modules, so records stay compatible.
//!
//! In double precision, write `x * (1.0 / c)` and not `x / c` for a number `c`: Burn rounds the derivative of the
//! division to single precision.

use burn::nn::{Embedding, Linear};
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Int, Tensor};

/// `x W + b`: `[rows, in]` to `[rows, out]`.
pub fn linear<B: Backend>(layer: &Linear<B>, x: Tensor<B, 2>) -> Tensor<B, 2> {
    affine(x, layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val()))
}

/// `x W + b` for `x: [rows, in]`, `weight: [in, out]`, `bias: [out]`.
pub fn affine<B: Backend>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
) -> Tensor<B, 2> {
    let product = x.matmul(weight);
    match bias {
        Some(bias) => product + bias.unsqueeze(),
        None => product,
    }
}

/// Rows of the embedding table: `[tokens]` to `[tokens, width]`.
pub fn embedding<B: Backend>(layer: &Embedding<B>, tokens: Tensor<B, 1, Int>) -> Tensor<B, 2> {
    layer.weight.val().select(0, tokens)
}

/// The tanh approximation of GELU that GPT-2 uses: `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`.
pub fn gelu_tanh<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    let scale = std::f64::consts::FRAC_2_PI.sqrt();
    let inner = x.clone() * ((x.clone() * x.clone()) * (0.044715 * scale) + scale);
    x * (inner.tanh() * 0.5 + 0.5)
}

/// Scaled dot-product attention `softmax(q k^T / sqrt(width) + mask) v`.
///
/// `q`, `k`, `v` are `[batch, heads, tokens, width]`; `hidden` is true where a query must not look,
/// broadcastable to `[batch, heads, tokens, tokens]`.
pub fn attention<B: Backend>(
    q: Tensor<B, 4>,
    k: Tensor<B, 4>,
    v: Tensor<B, 4>,
    hidden: Tensor<B, 4, Bool>,
) -> Tensor<B, 4> {
    // Multiplied by the reciprocal: Burn rounds the derivative of a division by a number to single precision.
    let scale = (q.dims()[3] as f64).sqrt().recip();
    let scores = (q * scale).matmul(k.swap_dims(2, 3));
    softmax(scores.mask_fill(hidden, -1e9), 3).matmul(v)
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};
    use burn::nn::{EmbeddingConfig, LinearConfig};
    use burn::tensor::{DType, Device, Distribution, TensorData};

    use super::*;
    use crate::tensors::to_f64;

    fn device() -> Device<Flex> {
        Default::default()
    }

    fn assert_equal(found: Vec<f64>, expected: Vec<f64>, tolerance: f64) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
        }
    }

    #[test]
    fn linear_is_that_of_burn() {
        for bias in [false, true] {
            let layer = LinearConfig::new(3, 2).with_bias(bias).init::<Flex>(&device());
            let x = Tensor::<Flex, 2>::random([4, 3], Distribution::Default, &device());
            assert_equal(to_f64(&linear(&layer, x.clone())), to_f64(&layer.forward(x)), 1e-6);
        }
    }

    #[test]
    fn embedding_is_that_of_burn() {
        let layer = EmbeddingConfig::new(5, 3).init::<Flex>(&device());
        let tokens = Tensor::<Flex, 1, Int>::from_data([4, 0, 4], &device());
        let expected = layer.forward(tokens.clone().unsqueeze());
        assert_equal(to_f64(&embedding(&layer, tokens)), to_f64(&expected), 0.0);
    }

    #[test]
    fn gelu_is_the_tanh_form() {
        let x = [-3.0, -0.5, 0.0, 0.7, 2.0];
        let tensor =
            Tensor::<Flex, 1>::from_data(TensorData::new(x.to_vec(), [5]), (&device(), DType::F64));
        let formula = |x: f64| {
            0.5 * x
                * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
        };
        assert_equal(to_f64(&gelu_tanh(tensor)), x.map(formula).to_vec(), 1e-15);
    }

    /// One head of width 3 on two tokens; the first must not see the second.
    #[test]
    fn attention_mixes_what_may_be_seen() {
        let tensor = |values: [f64; 6]| {
            let data = TensorData::new(values.to_vec(), [1, 1, 2, 3]);
            Tensor::<Flex, 4>::from_data(data, (&device(), DType::F64))
        };
        let (q, k) = ([0.1, 0.2, 0.3, 1.0, -1.0, 0.5], [0.4, 0.0, 0.2, -0.3, 0.8, 1.0]);
        let v = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let hidden = Tensor::<Flex, 2, Bool>::tril_mask([2, 2], 0, &device());
        let found = to_f64(&attention(tensor(q), tensor(k), tensor(v), hidden.unsqueeze()));
        let score = |token: usize| {
            (0..3).map(|i| q[3 + i] * k[3 * token + i]).sum::<f64>() / 3.0_f64.sqrt()
        };
        let share = 1.0 / (1.0 + (score(1) - score(0)).exp());
        let mixed = (0..3).map(|i| share * v[i] + (1.0 - share) * v[3 + i]);
        assert_equal(found, v[..3].iter().copied().chain(mixed).collect(), 1e-12);
    }

    /// In double precision to all digits, although Burn rounds some derivatives to single precision.
    #[test]
    fn attention_has_a_derivative_in_double_precision() {
        let tensor = |values: [f64; 6]| {
            let data = TensorData::new(values.to_vec(), [1, 1, 2, 3]);
            Tensor::<Autodiff<Flex>, 4>::from_data(data, (&device(), DType::F64))
        };
        let seen = Tensor::<Autodiff<Flex>, 4, Bool>::from_data([[[[false; 2]; 2]]], &device());
        let loss = |first: f64| {
            let q = tensor([first, 0.2, 0.3, 1.0, -1.0, 0.5]).require_grad();
            let k = tensor([0.4, 0.0, 0.2, -0.3, 0.8, 1.0]);
            let v = tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
            (attention(q.clone(), k, v, seen.clone()).powi_scalar(2).sum(), q)
        };
        let (at, q) = loss(0.1);
        let derivative = to_f64(&q.grad(&at.backward()).expect("q is a leaf"))[0];
        let value = |first: f64| to_f64(&loss(first).0.inner())[0];
        let h = 1e-3;
        let near = value(0.1 + h) - value(0.1 - h);
        let far = value(0.1 + 2.0 * h) - value(0.1 - 2.0 * h);
        assert_equal(vec![derivative], vec![(8.0 * near - far) / (12.0 * h)], 1e-10);
    }
}
