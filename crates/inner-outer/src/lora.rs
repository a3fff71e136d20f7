//! Low-rank adaptation of 2-D weights (Hu et al. 2022).
//!
//! A weight `W: [in, out]` becomes `W + (alpha / rank) A B` with `A: [in, rank]` random and `B: [rank, out]` zero, so
//! that the adapted layer starts as the layer itself.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Distribution, Tensor};

use crate::layers::{self, affine, affine_parts};

/// The low-rank change of one weight.
#[derive(Module, Debug)]
pub struct Lora<B: Backend> {
    /// `A: [in, rank]`.
    pub a: Param<Tensor<B, 2>>,
    /// `B: [rank, out]`, zero at first.
    pub b: Param<Tensor<B, 2>>,
    /// The factor `alpha / rank` of the product: a setting and no parameter, so files of parameters do not hold it.
    pub scale: f64,
}

impl<B: Backend> Lora<B> {
    /// A change of zero for a weight `[shape[0], shape[1]]`. `A` is uniform in `+-1/sqrt(in)`, drawn from the backend's
    /// generator.
    ///
    /// # Panics
    /// If `rank` is zero.
    pub fn new(shape: [usize; 2], rank: usize, alpha: f64, device: &Device<B>) -> Self {
        let bound = 1.0 / (shape[0] as f64).sqrt();
        let a = Tensor::random([shape[0], rank], Distribution::Uniform(-bound, bound), device);
        Self::with_first_factor(a, shape[1], alpha)
    }

    /// A change of zero with the first factor `a: [in, rank]`, for a weight of `outputs` columns: for values from a generator
    /// of one's own. `B` is zero, in the precision of `a`.
    ///
    /// # Panics
    /// If the rank is zero.
    pub fn with_first_factor(a: Tensor<B, 2>, outputs: usize, alpha: f64) -> Self {
        let rank = a.dims()[1];
        assert!(rank > 0, "a LoRA needs a rank of at least 1");
        let b = Tensor::zeros([rank, outputs], (&a.device(), a.dtype()));
        Self { a: Param::from_tensor(a), b: Param::from_tensor(b), scale: alpha / rank as f64 }
    }

    /// `(alpha / rank) A B`, `[in, out]`.
    pub fn change(&self) -> Tensor<B, 2> {
        self.a.val().matmul(self.b.val()) * self.scale
    }

    /// `(alpha / rank) x A B`: `[rows, in]` to `[rows, out]`, without forming the product of the factors.
    ///
    /// The factors may be those of several [`copies`](crate::copies).
    ///
    /// # Panics
    /// If the factors are not those of as many copies, of `in` inputs each.
    pub fn apply(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        affine(self.inner(x), self.b.val(), None)
    }

    /// [`apply`](Self::apply) as `N` tensors of as many columns each, like
    /// [`linear_parts`](crate::layers::linear_parts).
    ///
    /// # Panics
    /// Like [`apply`](Self::apply), or if the columns cannot be divided.
    pub fn apply_parts<const N: usize>(&self, x: Tensor<B, 2>) -> [Tensor<B, 2>; N] {
        affine_parts(self.inner(x), self.b.val(), None)
    }

    /// `(alpha / rank) x A`: `[rows, in]` to `[rows, rank]`.
    fn inner(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let (inputs, [a_rows, rank], [b_rows, _]) = (x.dims()[1], self.a.dims(), self.b.dims());
        assert_eq!(
            a_rows * rank,
            b_rows * inputs,
            "a LoRA with factors of {a_rows} and {b_rows} rows and rank {rank} is not one for {inputs} inputs"
        );
        affine(x, self.a.val(), None) * self.scale
    }

    /// `weight` with the change added.
    pub fn merge(&self, weight: Tensor<B, 2>) -> Tensor<B, 2> {
        weight + self.change()
    }

    /// `weight` with the change taken out again; equal to the original up to rounding.
    pub fn unmerge(&self, weight: Tensor<B, 2>) -> Tensor<B, 2> {
        weight - self.change()
    }

    /// The rank of the change.
    pub fn rank(&self) -> usize {
        self.a.dims()[1]
    }
}

/// A linear layer with an optional low-rank change of its weight.
#[derive(Module, Debug)]
pub struct AdaptedLinear<B: Backend> {
    /// `[in, out]` and a bias.
    pub linear: Linear<B>,
    /// The change.
    pub lora: Option<Lora<B>>,
}

impl<B: Backend> AdaptedLinear<B> {
    /// `[rows, in]` to `[rows, out]`.
    pub fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.lora {
            Some(lora) => layers::linear(&self.linear, x.clone()) + lora.apply(x),
            None => layers::linear(&self.linear, x),
        }
    }

    /// [`forward`](Self::forward) as `N` tensors of as many columns each, see [`linear_parts`](layers::linear_parts).
    ///
    /// # Panics
    /// If the columns cannot be divided.
    pub fn parts<const N: usize>(&self, x: Tensor<B, 2>) -> [Tensor<B, 2>; N] {
        let Some(lora) = &self.lora else { return layers::linear_parts(&self.linear, x) };
        let mut changes = lora.apply_parts::<N>(x.clone()).into_iter();
        layers::linear_parts(&self.linear, x)
            .map(|part| part + changes.next().expect("as many changes as parts"))
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::nn::LinearConfig;
    use burn::tensor::TensorData;

    use super::*;
    use crate::tensors::to_f64;

    #[test]
    #[should_panic = "is not one for 3 inputs"]
    fn a_change_for_more_inputs_is_not_taken_for_copies() {
        let device = Default::default();
        Lora::<Flex>::new([6, 2], 2, 1.0, &device).apply(Tensor::zeros([4, 3], &device));
    }

    fn tensor(values: &[f32], shape: [usize; 2]) -> Tensor<Flex, 2> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &Default::default())
    }

    fn lora() -> Lora<Flex> {
        let fresh = Lora::new([3, 2], 2, 6.0, &Default::default());
        Lora { b: Param::from_tensor(tensor(&[0.5, -1.0, 2.0, 0.25], [2, 2])), ..fresh }
    }

    fn largest_difference(a: Tensor<Flex, 2>, b: Tensor<Flex, 2>) -> f64 {
        to_f64(&(a - b)).into_iter().map(f64::abs).fold(0.0, f64::max)
    }

    #[test]
    fn a_fresh_change_is_zero() {
        let fresh = Lora::<Flex>::new([3, 2], 2, 6.0, &Default::default());
        assert_eq!(
            (fresh.a.dims(), fresh.b.dims(), fresh.rank(), fresh.scale),
            ([3, 2], [2, 2], 2, 3.0)
        );
        assert_eq!(to_f64(&fresh.change()), [0.0; 6]);
        let bound = 1.0 / 3.0_f64.sqrt();
        let a = to_f64(&fresh.a.val());
        assert!(a.iter().all(|entry| entry.abs() <= bound) && a.iter().any(|entry| *entry != 0.0));
    }

    #[test]
    fn applying_is_the_forward_pass_of_the_merged_weight() {
        let (lora, x) = (
            lora(),
            tensor(&[1.0, 2.0, -0.5, 0.0, 0.3, 4.0, 1.0, 1.0, 1.0, 0.2, 0.1, -3.0], [4, 3]),
        );
        let weight = tensor(&[0.1, 0.2, 0.3, -0.4, 0.5, 0.6], [3, 2]);
        let merged = x.clone().matmul(lora.merge(weight.clone()));
        let applied = x.clone().matmul(weight) + lora.apply(x);
        assert_eq!(applied.dims(), [4, 2]);
        assert!(largest_difference(merged, applied) < 1e-5);
    }

    #[test]
    fn parts_of_an_adapted_layer_are_its_columns() {
        let (device, x) = (Default::default(), tensor(&[1.0, 2.0, -0.5, 0.0, 0.3, 4.0], [2, 3]));
        let linear = LinearConfig::new(3, 2).init(&device);
        for lora in [None, Some(lora())] {
            let layer = AdaptedLinear { linear: linear.clone(), lora };
            let parts: [_; 2] = layer.parts(x.clone());
            let whole = layer.forward(x.clone());
            assert!(largest_difference(Tensor::cat(parts.to_vec(), 1), whole) < 1e-6);
        }
    }

    #[test]
    fn merging_can_be_taken_back() {
        let (lora, weight) = (lora(), tensor(&[0.1, 0.2, 0.3, -0.4, 0.5, 0.6], [3, 2]));
        let merged = lora.merge(weight.clone());
        assert!(largest_difference(merged.clone(), weight.clone()) > 0.1);
        assert!(largest_difference(lora.unmerge(merged), weight) < 1e-6);
    }

    #[test]
    #[should_panic(expected = "rank of at least 1")]
    fn a_rank_of_zero_is_refused() {
        Lora::<Flex>::new([3, 2], 0, 1.0, &Default::default());
    }
}
