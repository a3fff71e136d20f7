//! Whole layers that backends fuse: linear, embedding, layer normalisation, attention, CTC.

use burn_backend::ops::AttentionModuleOptions;
use burn_backend::ops::attention::attention_fallback;
use burn_backend::ops::ctc::ctc_loss_default;
use burn_backend::tensor::{BoolTensor, FloatTensor, IntTensor};
use burn_backend::{Backend, Shape, TensorMetadata};

use super::arithmetic::multiply;
use super::convolution::biased_product;
use super::elementwise::square;
use crate::dual::{bilinear, broadcast_to, sum};
use crate::{Dual, DualTensor};

pub(crate) fn embedding<B: Backend>(
    weights: DualTensor<B>,
    indices: IntTensor<B>,
) -> DualTensor<B> {
    weights.linear(|part| B::embedding(part, indices.clone()))
}

/// Linear in the gradient; of the weights only the shape matters.
pub(crate) fn embedding_backward<B: Backend>(
    weights: DualTensor<B>,
    output_grad: DualTensor<B>,
    indices: IntTensor<B>,
) -> DualTensor<B> {
    output_grad.linear(|part| B::embedding_backward(weights.primal.clone(), part, indices.clone()))
}

pub(crate) fn linear<B: Backend>(
    x: DualTensor<B>,
    weight: DualTensor<B>,
    bias: Option<DualTensor<B>>,
) -> DualTensor<B> {
    biased_product(x, weight, bias, |rank| rank - 1, B::linear)
}

pub(crate) fn linear_x_backward<B: Backend>(
    weight: DualTensor<B>,
    output_grad: DualTensor<B>,
) -> DualTensor<B> {
    bilinear(weight, output_grad, B::linear_x_backward)
}

pub(crate) fn linear_weight_backward<B: Backend>(
    x: DualTensor<B>,
    output_grad: DualTensor<B>,
) -> DualTensor<B> {
    bilinear(x, output_grad, B::linear_weight_backward)
}

pub(crate) fn linear_bias_backward<B: Backend>(output_grad: DualTensor<B>) -> DualTensor<B> {
    output_grad.linear(B::linear_bias_backward)
}

/// `y = γ n + β` with `n = (x - mean x) / √(var x + ε)`, over the last dimension, and
/// `dy = γ dn + n dγ + dβ`.
pub(crate) fn layer_norm<B: Backend>(
    x: DualTensor<B>,
    gamma: DualTensor<B>,
    beta: Option<DualTensor<B>>,
    epsilon: f64,
) -> DualTensor<B> {
    let (beta, beta_tangent) = match beta {
        Some(beta) => (Some(beta.primal), beta.tangent),
        None => (None, None),
    };
    let shape = x.shape();
    let per_feature = |values: FloatTensor<B>| {
        let mut features = vec![1; shape.num_dims()];
        features[shape.num_dims() - 1] = values.shape().num_elements();
        B::float_reshape(values, Shape::from(features))
    };
    let through_normal = if x.tangent.is_some() || gamma.tangent.is_some() {
        let (normal, deviation) = normalize::<B>(x.primal.clone(), epsilon);
        let from_gamma = gamma.tangent.map(|dg| B::float_mul(normal.clone(), per_feature(dg)));
        let from_x = x.tangent.map(|dx| {
            let dn = normalize_tangent::<B>(normal, deviation, dx);
            B::float_mul(dn, per_feature(gamma.primal.clone()))
        });
        sum::<B>(from_x, from_gamma)
    } else {
        None
    };
    let from_beta = beta_tangent.map(|db| broadcast_to::<B>(per_feature(db), shape.clone()));
    let primal = B::layer_norm(x.primal, gamma.primal, beta, epsilon);
    DualTensor::new(primal, sum::<B>(through_normal, from_beta))
}

/// `n = (x - mean x) / σ` and `σ = √(var x + ε)`, over the last dimension.
fn normalize<B: Backend>(x: FloatTensor<B>, epsilon: f64) -> (FloatTensor<B>, FloatTensor<B>) {
    let centered = center::<B>(x);
    let last = centered.rank() - 1;
    let variance = B::float_mean_dim(square::<B>(centered.clone()), last);
    let deviation = B::float_sqrt(B::float_add_scalar(variance, epsilon.into()));
    (B::float_div(centered, deviation.clone()), deviation)
}

/// `dn = (c - n mean(n c)) / σ` with `c = dx - mean dx`.
fn normalize_tangent<B: Backend>(
    normal: FloatTensor<B>,
    deviation: FloatTensor<B>,
    dx: FloatTensor<B>,
) -> FloatTensor<B> {
    let centered = center::<B>(dx);
    let last = centered.rank() - 1;
    let along = B::float_mean_dim(B::float_mul(normal.clone(), centered.clone()), last);
    B::float_div(B::float_sub(centered, multiply::<B>(normal, along)), deviation)
}

fn center<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let mean = B::float_mean_dim(x.clone(), x.rank() - 1);
    B::float_sub(x, mean)
}

/// Constants use the backend's fused kernel; what varies goes through Burn's composition of
/// differentiable operations.
pub(crate) fn attention<B: Backend>(
    query: DualTensor<B>,
    key: DualTensor<B>,
    value: DualTensor<B>,
    mask: Option<BoolTensor<B>>,
    attn_bias: Option<DualTensor<B>>,
    options: AttentionModuleOptions,
) -> DualTensor<B> {
    let operands = [Some(&query), Some(&key), Some(&value), attn_bias.as_ref()];
    if operands.into_iter().flatten().any(|operand| operand.tangent.is_some()) {
        return attention_fallback::<Dual<B>>(query, key, value, mask, attn_bias, options);
    }
    let bias = attn_bias.map(|bias| bias.primal);
    DualTensor::constant(B::attention(query.primal, key.primal, value.primal, mask, bias, options))
}

/// Constants use the backend's own loss; what varies goes through Burn's composition of
/// differentiable operations.
pub(crate) fn ctc_loss<B: Backend>(
    log_probs: DualTensor<B>,
    targets: IntTensor<B>,
    input_lengths: IntTensor<B>,
    target_lengths: IntTensor<B>,
    blank: usize,
) -> DualTensor<B> {
    if log_probs.tangent.is_some() {
        return ctc_loss_default::<Dual<B>>(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            blank,
        );
    }
    DualTensor::constant(B::ctc_loss(
        log_probs.primal,
        targets,
        input_lengths,
        target_lengths,
        blank,
    ))
}

#[cfg(test)]
mod tests {
    use burn_backend::ops::{ActivationOps, AttentionModuleOptions, FloatTensorOps, ModuleOps};

    use crate::check::{D, T, assert_tangents, every_third, indices, values, varying_tensor};

    #[test]
    fn linear_layers_and_their_gradients() {
        assert_tangents([&[2, 3, 4], &[4, 5], &[5]], |[x, w, b]| D::linear(x, w, Some(b)));
        assert_tangents([&[3, 4], &[4, 5]], |[x, w]| D::linear(x, w, None));
        assert_tangents([&[4, 5], &[2, 3, 5]], |[w, g]| D::linear_x_backward(w, g));
        assert_tangents([&[2, 3, 4], &[2, 3, 5]], |[x, g]| D::linear_weight_backward(x, g));
        assert_tangents([&[2, 3, 5]], |[g]| D::linear_bias_backward(g));
    }

    #[test]
    fn embeddings_and_their_gradients() {
        let tokens = || indices(&[3, 0, 3, 1], &[2, 2]);
        assert_tangents([&[4, 3]], |[w]| D::embedding(w, tokens()));
        assert_tangents([&[4, 3], &[2, 2, 3]], |[w, g]| D::embedding_backward(w, g, tokens()));
    }

    #[test]
    fn layer_normalisation() {
        assert_tangents([&[2, 3, 5], &[5], &[5]], |[x, gamma, beta]| {
            D::layer_norm(x, gamma, Some(beta), 1e-5)
        });
        assert_tangents([&[3, 5], &[5]], |[x, gamma]| D::layer_norm(x, gamma, None, 1e-5));
    }

    const HEADS: [&[usize]; 3] = [&[1, 2, 3, 4], &[1, 2, 3, 4], &[1, 2, 3, 4]];

    #[test]
    fn attention_with_each_of_its_options() {
        let options =
            AttentionModuleOptions { scale: Some(0.7), softcap: Some(2.0), is_causal: true };
        assert_tangents(HEADS, |[q, k, v]| D::attention(q, k, v, None, None, options));
        let [q, k, v] = HEADS;
        assert_tangents([q, k, v, &[1, 2, 3, 3]], |[q, k, v, bias]| {
            let mask = every_third(&[1, 2, 3, 3]);
            D::attention(q, k, v, Some(mask), Some(bias), AttentionModuleOptions::default())
        });
    }

    #[test]
    fn connectionist_temporal_classification() {
        let log_probabilities = |x: T| D::log_softmax(D::float_mul_scalar(x, 2.into()), 2);
        assert_tangents([&[5, 2, 4]], |[x]| {
            let targets = indices(&[1, 2, 3, 3], &[2, 2]);
            let (inputs, lengths) = (indices(&[5, 5], &[2]), indices(&[2, 2], &[2]));
            D::ctc_loss(log_probabilities(x), targets, inputs, lengths, 0)
        });
    }

    #[test]
    fn a_query_that_sees_no_key_attends_to_nothing() {
        let head = || varying_tensor(&[0.5, 0.1], &[1.0, -1.0], &[1, 1, 1, 2]);
        let blind = every_third(&[1, 1, 1, 1]);
        let options = AttentionModuleOptions::default();
        let mixed = D::attention(head(), head(), head(), Some(blind), None, options);
        assert_eq!(values(&mixed.primal), [0.0, 0.0]);
        assert_eq!(values(&mixed.tangent.unwrap()), [0.0, 0.0]);
    }
}
