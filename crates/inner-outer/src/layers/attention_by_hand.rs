//! Scaled dot-product attention with its gradient, head by head, so that the weights of one are still in the cache when they are
//! multiplied with the values.
//!
//! Operands and gradients are read where they lie, and results lie token by token: splitting and merging heads moves nothing.

use std::ops::Range;

use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Tensor};
use burn_flex::FlexTensor;
use products::{Matrix, Place, multiply};

use super::attention::PENALTY;
use super::by_hand::{Pullback, by_hand, tensor};
use super::vectors::{dot, exp, largest, sum, vectorised};

/// [`attention`](super::attention) of operands that are open to it.
pub(super) fn attention_by_hand<B: Backend>(
    operands: [Tensor<B, 4>; 3],
    hidden: Option<Tensor<B, 4, Bool>>,
) -> Tensor<B, 4> {
    let sides = Sides::of(operands.each_ref().map(Tensor::dims));
    let penalties = hidden.map(|hidden| sides.penalties(hidden));
    let attended = by_hand(
        operands,
        |operands| sides.attend(&operands, penalties.as_ref()).0,
        |operands| {
            let (value, weights) = sides.attend(&operands, penalties.as_ref());
            let pull = move |gradient, _| sides.pull(&operands, &weights, &gradient).map(Some);
            (value, Pullback::new(pull))
        },
    );
    attended.unwrap_or_else(|_| unreachable!("the operands are open"))
}

/// What is added to the scores.
struct Penalties {
    elements: Vec<f32>,
    /// Sides of the mask, which may be one where it holds for all.
    sides: [usize; 4],
}

impl Penalties {
    fn new<B: Backend>(hidden: Tensor<B, 4, Bool>) -> Self {
        let sides = hidden.dims();
        let hidden = hidden.into_data();
        let elements = hidden.iter::<bool>().map(|hidden| if hidden { PENALTY } else { 0.0 });
        Self { elements: elements.collect(), sides }
    }

    /// Those of a query's keys.
    fn row(&self, indices: [usize; 3]) -> &[f32] {
        let row = indices
            .iter()
            .zip(self.sides)
            .fold(0, |row, (&index, side)| if side == 1 { row } else { row * side + index });
        &self.elements[row * self.sides[3]..][..self.sides[3]]
    }
}

/// How many there are of what.
#[derive(Clone, Copy)]
struct Sides {
    batch: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    /// Of a head.
    width: usize,
    /// Of a value.
    value_width: usize,
}

impl Sides {
    fn of([q, k, v]: [[usize; 4]; 3]) -> Self {
        let [batch, heads, queries, width] = q;
        let (keys, value_width) = (k[2], v[3]);
        assert_eq!(k, [batch, heads, keys, width], "the keys do not fit the queries");
        assert_eq!(v, [batch, heads, keys, value_width], "the values do not fit the keys");
        Self { batch, heads, queries, keys, width, value_width }
    }

    fn penalties<B: Backend>(self, hidden: Tensor<B, 4, Bool>) -> Penalties {
        let (found, full) = (hidden.dims(), [self.batch, self.heads, self.queries, self.keys]);
        let fits = found.iter().zip(full).all(|(&found, full)| found == 1 || found == full);
        assert!(fits, "a mask of {found:?} cannot be broadcast to {full:?}");
        Penalties::new(hidden)
    }

    /// Batch and head of each, and where its weights lie.
    fn heads(self) -> impl Iterator<Item = ([usize; 2], Range<usize>)> {
        let size = self.queries * self.keys;
        let weights = move |index: usize| index * size..(index + 1) * size;
        (0..self.batch * self.heads)
            .map(move |index| ([index / self.heads, index % self.heads], weights(index)))
    }

    /// Of one head, in elements that lie token by token, `[batch, tokens, heads, width]`.
    fn place(self, [batch, head]: [usize; 2], tokens: usize, width: usize) -> Place {
        let row_stride = self.heads * width;
        let begin = batch * tokens * row_stride + head * width;
        Place { begin, rows: tokens, columns: width, row_stride, column_stride: 1 }
    }

    /// `[batch, heads, tokens, width]` of elements that lie token by token.
    fn by_tokens(self, elements: Vec<f32>, tokens: usize, width: usize) -> FlexTensor {
        tensor(elements, [self.batch, tokens, self.heads, width]).permute(&[0, 2, 1, 3])
    }

    fn scale(self) -> f32 {
        (self.width as f32).sqrt().recip()
    }

    /// The attended values, `[batch, heads, queries, value width]`, and the weights, `[batch, heads, queries, keys]`.
    fn attend(
        self,
        [q, k, v]: &[FlexTensor; 3],
        penalties: Option<&Penalties>,
    ) -> (FlexTensor, Vec<f32>) {
        let square = Place::by_rows(self.queries, self.keys);
        let mut weights = vec![0.0; self.batch * self.heads * self.queries * self.keys];
        let mut mixed = vec![0.0; self.batch * self.queries * self.heads * self.value_width];
        for (head, range) in self.heads() {
            let [q, k, v] = [q, k, v].map(|tensor| Matrix::of(tensor, &head));
            let weights = &mut weights[range];
            multiply(weights, square, q, k.transposed(), self.scale());
            softmax_of_rows(weights, self.keys, head, penalties);
            let weights = Matrix { elements: weights, place: square };
            multiply(&mut mixed, self.place(head, self.queries, self.value_width), weights, v, 1.0);
        }
        (self.by_tokens(mixed, self.queries, self.value_width), weights)
    }

    /// The gradients of queries, keys and values.
    ///
    /// With weights `P` and the gradient `g` of `P V`: `P^T g` of the values, and of the scores
    /// `S = P (g V^T - sum(g V^T P))` for each row, from which `S K` and `S^T Q` follow, times the scale.
    fn pull(
        self,
        [q, k, v]: &[FlexTensor; 3],
        weights: &[f32],
        gradient: &FlexTensor,
    ) -> [FlexTensor; 3] {
        let square = Place::by_rows(self.queries, self.keys);
        let zeros = |tokens, width| vec![0.0; self.batch * tokens * self.heads * width];
        let mut of_queries = zeros(self.queries, self.width);
        let mut of_keys = zeros(self.keys, self.width);
        let mut of_values = zeros(self.keys, self.value_width);
        let mut scores = vec![0.0; self.queries * self.keys];
        for (head, range) in self.heads() {
            let [q, k, v, gradient] = [q, k, v, gradient].map(|tensor| Matrix::of(tensor, &head));
            let weights = Matrix { elements: &weights[range], place: square };
            let place = self.place(head, self.keys, self.value_width);
            multiply(&mut of_values, place, weights.transposed(), gradient, 1.0);
            multiply(&mut scores, square, gradient, v.transposed(), 1.0);
            pull_softmax_of_rows(&mut scores, weights.elements, self.keys);
            let scores = Matrix { elements: &scores, place: square };
            multiply(
                &mut of_queries,
                self.place(head, self.queries, self.width),
                scores,
                k,
                self.scale(),
            );
            multiply(
                &mut of_keys,
                self.place(head, self.keys, self.width),
                scores.transposed(),
                q,
                self.scale(),
            );
        }
        [
            self.by_tokens(of_queries, self.queries, self.width),
            self.by_tokens(of_keys, self.keys, self.width),
            self.by_tokens(of_values, self.keys, self.value_width),
        ]
    }
}

vectorised! {
    fn softmax_of_rows(
        scores: &mut [f32], keys: usize, head: [usize; 2], penalties: Option<&Penalties>,
    ) {
        let [batch, head] = head;
        for (query, row) in scores.chunks_exact_mut(keys).enumerate() {
            softmax(row, penalties.map(|penalties| penalties.row([batch, head, query])));
        }
    }
}

/// The softmax of a row of scores in its place, after `penalties` have been added, one for each key.
#[inline(always)]
fn softmax(row: &mut [f32], penalties: Option<&[f32]>) {
    match penalties {
        // The same for all changes nothing.
        Some([_]) => {}
        Some(penalties) => {
            row.iter_mut().zip(penalties).for_each(|(score, penalty)| *score += penalty)
        }
        None => {}
    }
    let largest = largest(row);
    row.iter_mut().for_each(|score| *score = exp(*score - largest));
    let total = sum(row).recip();
    row.iter_mut().for_each(|weight| *weight *= total);
}

vectorised! {
    fn pull_softmax_of_rows(gradient: &mut [f32], weights: &[f32], keys: usize) {
        let rows = gradient.chunks_exact_mut(keys).zip(weights.chunks_exact(keys));
        rows.for_each(|(gradient, weights)| pull_softmax(gradient, weights));
    }
}

/// `p (g - sum(g p))` in place of the gradient `g` of the weights `p`.
#[inline(always)]
fn pull_softmax(gradient: &mut [f32], weights: &[f32]) {
    let mean = dot(gradient, weights);
    gradient.iter_mut().zip(weights).for_each(|(g, p)| *g = p * (*g - mean));
}
