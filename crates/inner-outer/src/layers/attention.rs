//! Scaled dot-product attention, and the layout of its heads.

use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Int, Tensor};

/// Scaled dot-product attention `softmax(q k^T / sqrt(width) + mask) v`.
///
/// `q`, `k`, `v` are `[batch, heads, tokens, width]`; `hidden` is true where a query must not look,
/// broadcastable to `[batch, heads, tokens, tokens]`. Every query must see a key. A mask that all heads and sequences share,
/// `[1, 1, tokens, tokens]`, is fastest.
pub fn attention<B: Backend>(
    q: Tensor<B, 4>,
    k: Tensor<B, 4>,
    v: Tensor<B, 4>,
    hidden: Tensor<B, 4, Bool>,
) -> Tensor<B, 4> {
    // Multiplied by reciprocals: Burn rounds the derivative of a division by a number to single precision.
    let scale = (q.dims()[3] as f64).sqrt().recip();
    let scores = hide(q.matmul(k.swap_dims(2, 3)) * scale, hidden);
    let largest = scores.clone().detach().max_dim(3);
    let weights = (scores - largest).exp();
    let total = weights.clone().sum_dim(3);
    (weights * total.recip()).matmul(v)
}

/// Makes the scores `[batch, heads, queries, keys]` of hidden keys so small that their weight is zero.
fn hide<B: Backend>(scores: Tensor<B, 4>, hidden: Tensor<B, 4, Bool>) -> Tensor<B, 4> {
    let penalty = hidden.float().cast(scores.dtype()) * -1e9;
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
/// Copies whole rows. `swap_dims` and `reshape` do the same, but Flex walks element by element where they copy, forward or
/// in the backward pass; whole rows took 5 % off the meta-gradient of the benchmark.
pub fn split_heads<B: Backend>(x: Tensor<B, 2>, batch: usize, heads: usize) -> Tensor<B, 4> {
    let [rows, width] = x.dims();
    let (tokens, head_width) = (rows / batch, width / heads);
    let x = x.reshape([rows * heads, head_width]);
    swap_rows(x, [batch, tokens, heads]).reshape([batch, heads, tokens, head_width])
}

/// The inverse of [`split_heads`].
pub fn merge_heads<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 2> {
    let [batch, heads, tokens, head_width] = x.dims();
    let x = x.reshape([batch * heads * tokens, head_width]);
    swap_rows(x, [batch, heads, tokens]).reshape([batch * tokens, heads * head_width])
}

/// Swaps the last two of the three indices, of these sizes, that count the rows.
fn swap_rows<B: Backend>(x: Tensor<B, 2>, sizes: [usize; 3]) -> Tensor<B, 2> {
    let rows = x.dims()[0];
    let order = Tensor::<B, 1, Int>::arange(0..rows as i64, &x.device());
    x.select(0, order.reshape(sizes).swap_dims(1, 2).reshape([rows]))
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::activation::softmax;

    use super::super::check::{Loss, assert_close, assert_derivatives, double};
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
        let found = to_f64(&attention::<Flex>(head(&Q), head(&K), head(&V), future()));
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
            let found = attention(q.clone(), k.clone(), v.clone(), mask);
            assert_close(&to_f64(&found), &to_f64(&expected), 1e-6);
        }
    }

    struct Attended;

    impl Loss for Attended {
        fn on<B: Backend>(&self, x: Tensor<B, 1>) -> Tensor<B, 1> {
            let part =
                |index: usize| split_heads(x.clone().narrow(0, 8 * index, 8).reshape([4, 2]), 2, 2);
            let hidden = future().expand([2, 1, 2, 2]);
            let rows = merge_heads(attention(part(0), part(1), part(2), hidden));
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
