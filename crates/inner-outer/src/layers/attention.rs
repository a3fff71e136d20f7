//! Scaled dot-product attention, and the layout of its heads.

use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Tensor};

use super::attention_by_hand::attention_by_hand;
use super::by_hand::is_open;
use super::rows::reorder_rows;

/// Scaled dot-product attention `softmax(q k^T / sqrt(width) + mask) v`.
///
/// `q` is `[batch, heads, queries, width]`, `k` `[batch, heads, keys, width]` and `v` `[batch, heads, keys, value width]`, which
/// give `[batch, heads, queries, value width]`; `hidden` is true where a query must not look, broadcastable to
/// `[batch, heads, queries, keys]`. A query that sees no key gets some mean of the values. A mask that all heads
/// and sequences share, `[1, 1, queries, keys]`, is fastest, and none faster still.
///
/// What can be done to the operands or to the result is not done to the weights between them: a pass over those costs as much
/// as a product.
///
/// # Panics
/// If the shapes do not fit.
pub fn attention<B: Backend>(
    q: Tensor<B, 4>,
    k: Tensor<B, 4>,
    v: Tensor<B, 4>,
    hidden: Option<Tensor<B, 4, Bool>>,
) -> Tensor<B, 4> {
    if [&q, &k, &v].into_iter().all(is_open) {
        return attention_by_hand([q, k, v], hidden);
    }
    // Multiplied by reciprocals: Burn rounds the derivative of a division by a number to single precision.
    let scale = (q.dims()[3] as f64).sqrt().recip();
    let scores = (q * scale).matmul(k.swap_dims(2, 3));
    let scores = match hidden {
        Some(hidden) => hide(scores, hidden),
        None => scores,
    };
    let largest = scores.clone().detach().max_dim(3);
    let weights = (scores - largest).exp();
    let total = weights.clone().sum_dim(3);
    weights.matmul(v) * total.recip()
}

/// What is added to the score of a hidden key: its weight is then zero, unless all keys are hidden.
pub(super) const PENALTY: f32 = -1e9;

/// Makes the scores `[batch, heads, queries, keys]` of hidden keys so small that their weight is zero.
fn hide<B: Backend>(scores: Tensor<B, 4>, hidden: Tensor<B, 4, Bool>) -> Tensor<B, 4> {
    let penalty = hidden.float().cast(scores.dtype()) * PENALTY;
    let [batch, heads, queries, keys] = scores.dims();
    if penalty.dims() != [1, 1, queries, keys] {
        return scores + penalty;
    }
    // As one row: Flex adds a row to many in one pass, and walks element by element through other broadcasts.
    let rows = scores.reshape([batch * heads, queries * keys]);
    (rows + penalty.reshape([1, queries * keys])).reshape([batch, heads, queries, keys])
}

/// `[batch tokens, width]` to `[batch, heads, tokens, width / heads]`.
///
/// # Panics
/// If the rows are no multiple of `batch`, or the width none of `heads`.
pub fn split_heads<B: Backend>(x: Tensor<B, 2>, batch: usize, heads: usize) -> Tensor<B, 4> {
    let [rows, width] = x.dims();
    let (tokens, head_width) = (rows / batch, width / heads);
    if is_open(&x) {
        // A view, which attention by hand reads as it lies.
        return x.reshape([batch, tokens, heads, head_width]).swap_dims(1, 2);
    }
    let x = x.reshape([rows * heads, head_width]);
    let split = reorder_rows(x, [batch, tokens, heads], [0, 2, 1]);
    split.reshape([batch, heads, tokens, head_width])
}

/// `[batch, heads, tokens, head width]` to `[batch tokens, heads head width]`: undoes [`split_heads`].
pub fn merge_heads<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 2> {
    let [batch, heads, tokens, head_width] = x.dims();
    if is_open(&x) {
        // What attention by hand returns lies so already.
        return x.swap_dims(1, 2).reshape([batch * tokens, heads * head_width]);
    }
    let x = x.reshape([batch * heads * tokens, head_width]);
    let merged = reorder_rows(x, [batch, heads, tokens], [0, 2, 1]);
    merged.reshape([batch * tokens, heads * head_width])
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::activation::softmax;
    use burn::tensor::{DType, Int};

    use super::super::check::{Loss, assert_close, assert_derivatives, double, draws};
    use super::*;
    use crate::tensors::to_f64;

    const Q: [f64; 6] = [0.1, 0.2, 0.3, 1.0, -1.0, 0.5];
    const K: [f64; 6] = [0.4, 0.0, 0.2, -0.3, 0.8, 1.0];
    const V: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

    fn future<B: Backend>() -> Tensor<B, 4, Bool> {
        Tensor::<B, 2, Bool>::tril_mask([2, 2], 0, &Default::default()).unsqueeze()
    }

    fn head<B: Backend>(values: &[f64]) -> Tensor<B, 4> {
        double(values, [1, 1, 2, 3])
    }

    /// One head of width 3 on two tokens; the first must not see the second.
    #[test]
    fn attention_mixes_what_may_be_seen() {
        let found = to_f64(&attention::<Flex>(head(&Q), head(&K), head(&V), Some(future())));
        let score = |token: usize| {
            (0..3).map(|i| Q[3 + i] * K[3 * token + i]).sum::<f64>() / 3.0_f64.sqrt()
        };
        let share = 1.0 / (1.0 + (score(1) - score(0)).exp());
        let mixed = (0..3).map(|i| share * V[i] + (1.0 - share) * V[3 + i]);
        assert_close(&found, &V[..3].iter().copied().chain(mixed).collect::<Vec<_>>(), 1e-12);
    }

    /// Masks of one sequence, of each sequence and of each head; in single precision.
    #[test]
    fn every_broadcast_of_the_mask_hides_the_same() {
        let device = Default::default();
        let numbers = |shift: i64| {
            let numbers = Tensor::<Flex, 1, Int>::arange(shift..shift + 48, &device);
            (numbers.float() * 0.7).sin().reshape([2, 3, 4, 2])
        };
        let (q, k, v) = (numbers(0), numbers(48), numbers(96));
        let mask = Tensor::<Flex, 2, Bool>::tril_mask([4, 4], 0, &device);
        let shared: Tensor<Flex, 4, Bool> = mask.unsqueeze();
        let scores = q.clone().matmul(k.clone().transpose()) * 0.5_f64.sqrt();
        let hidden = shared.clone().expand([2, 3, 4, 4]);
        let expected = softmax(scores.mask_fill(hidden, f32::NEG_INFINITY), 3).matmul(v.clone());
        for sides in [[1, 1, 4, 4], [2, 1, 4, 4], [1, 3, 4, 4], [2, 3, 4, 4]] {
            let mask = shared.clone().expand(sides);
            let found = attention(q.clone(), k.clone(), v.clone(), Some(mask));
            assert_close(&to_f64(&found), &to_f64(&expected), 1e-6);
        }
    }

    #[test]
    fn without_a_mask_nothing_is_hidden() {
        let all = Tensor::<Flex, 4>::zeros([1, 1, 2, 2], &Default::default()).bool();
        let attend = |hidden| to_f64(&attention::<Flex>(head(&Q), head(&K), head(&V), hidden));
        assert_eq!(attend(None), attend(Some(all)));
    }

    #[test]
    fn a_query_that_sees_nothing_gets_a_mean() {
        for precision in [DType::F32, DType::F64] {
            let [q, k, v] = [&Q, &K, &V].map(|side| head::<Flex>(side).cast(precision));
            for sides in [[1, 1, 2, 2], [1, 1, 2, 1]] {
                let all = Tensor::<Flex, 4>::ones(sides, &Default::default()).bool();
                let found = to_f64(&attention(q.clone(), k.clone(), v.clone(), Some(all)));
                let between = |(i, x): (usize, &f64)| (V[i % 3]..=V[3 + i % 3]).contains(x);
                assert!(found.iter().enumerate().all(between), "{found:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "a mask of [1, 1, 3, 2] cannot be broadcast to [1, 1, 2, 2]")]
    fn a_mask_of_other_sides_is_refused() {
        let [q, k, v] = [&Q, &K, &V].map(|side| head::<Flex>(side).cast(DType::F32));
        let hidden = Tensor::<Flex, 4>::zeros([1, 1, 3, 2], &Default::default()).bool();
        attention(q, k, v, Some(hidden));
    }

    /// Heads split and merged, five queries on six keys, and every broadcast of a mask.
    #[test]
    fn single_precision_has_the_gradient_of_the_composition() {
        type B = crate::Autodiff<Flex>;
        let device = Default::default();
        let mut draw = draws::<B, 2>();
        let inputs = [10, 12, 12].map(|rows| draw([rows, 21]).require_grad());
        let weights = draw([10, 21]);
        let outcome = |precision, hidden| {
            let [q, k, v] = inputs.clone().map(|input| split_heads(input.cast(precision), 2, 3));
            let mixed = merge_heads(attention(q, k, v, hidden));
            let gradients = (mixed.clone() * weights.clone().cast(precision)).sum().backward();
            let gradient = |input: &Tensor<B, 2>| to_f64(&input.grad(&gradients).expect("a leaf"));
            [to_f64(&mixed)].into_iter().chain(inputs.iter().map(gradient)).collect::<Vec<_>>()
        };
        let mut draw = draws::<B, 4>();
        let masks = [[1, 1, 5, 6], [2, 1, 1, 6], [2, 3, 5, 6]].map(|sides| {
            let first = Tensor::<B, 1, Int>::arange(0..6, &device).equal_elem(0).float();
            Some((draw(sides) - first.reshape([1, 1, 1, 6])).greater_elem(0.0))
        });
        for hidden in [None].into_iter().chain(masks) {
            let single = outcome(DType::F32, hidden.clone());
            let double = outcome(DType::F64, hidden);
            (0..4).for_each(|part| assert_close(&single[part], &double[part], 1e-5));
        }
    }

    /// Only the queries ask for a gradient.
    #[test]
    fn what_is_fixed_has_no_gradient() {
        type B = crate::Autodiff<Flex>;
        let mut draw = draws::<B, 4>();
        let [q, k, v] = [[1, 2, 3, 4]; 3].map(&mut draw);
        let q = q.require_grad();
        let gradients = attention(q.clone(), k.clone(), v.clone(), None).sum().backward();
        assert!(q.grad(&gradients).is_some());
        assert!(k.grad(&gradients).is_none() && v.grad(&gradients).is_none());
    }

    struct Attended;

    impl Loss for Attended {
        fn on<B: Backend>(&self, x: Tensor<B, 1>) -> Tensor<B, 1> {
            let part =
                |index: usize| split_heads(x.clone().narrow(0, 8 * index, 8).reshape([4, 2]), 2, 2);
            let hidden = future().expand([2, 1, 2, 2]);
            let rows = merge_heads(attention(part(0), part(1), part(2), Some(hidden)));
            rows.powi_scalar(2).sum()
        }
    }

    /// In double precision to all digits, although Burn rounds some derivatives to single precision.
    #[test]
    fn attention_has_two_derivatives() {
        let x: Vec<f64> = (0..24).map(|i| f64::from(i).sin()).collect();
        assert_derivatives(&Attended, &x);
    }

    #[test]
    fn heads_are_columns() {
        let numbers: Vec<f64> = (0..24).map(f64::from).collect();
        let x = double::<Flex, 2>(&numbers, [6, 4]);
        let split = split_heads(x.clone(), 2, 2);
        let expected = x.clone().reshape([2, 3, 2, 2]).swap_dims(1, 2);
        assert_eq!((split.dims(), to_f64(&split)), ([2, 2, 3, 2], to_f64(&expected)));
        assert_eq!(to_f64(&merge_heads(split)), numbers);
    }
}
