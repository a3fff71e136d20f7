//! Layers that can be differentiated twice.
//!
//! Burn 0.21 runs `nn::Linear` and `nn::Embedding` as fused operations whose backward pass has no derivative, and
//! its GELU pairs the exact forward with the gradient of the tanh approximation. The functions here compute the same
//! layers from plain operations on the same modules, so records stay compatible.

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
    let width = q.dims()[3] as f64;
    let scores = (q / width.sqrt()).matmul(k.swap_dims(2, 3));
    softmax(scores.mask_fill(hidden, -1e9), 3).matmul(v)
}
