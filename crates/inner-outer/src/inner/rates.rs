//! Inner rates as tensors that the outer loop can learn.

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::tensors::{Cotangents, Tensors};
use crate::{Error, Result, family};

/// What shares one inner rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateScope {
    /// One rate for everything.
    Global,
    /// One rate for each adapted tensor.
    PerTensor,
    /// One rate for each adapted tensor at each inner step (MAML++; RECKONING).
    #[default]
    PerTensorPerStep,
    /// One rate for each element of each adapted tensor (Meta-SGD, Li et al. 2017).
    PerElement,
}

/// Inner rates. A tensor's rates are `[steps, elements]`, where either side is 1 when it shares one rate.
#[derive(Module, Debug)]
pub struct Rates<B: Backend> {
    /// One entry for each adapted tensor, or a single `[1, 1]` entry for all of them.
    pub tensors: Vec<Param<Tensor<B, 2>>>,
}

family!(pub RatesFamily => Rates);

impl<B: Backend> Rates<B> {
    /// Rates of value `initial` for the adapted tensors `theta` and `steps` inner steps.
    pub fn new(scope: RateScope, initial: f64, theta: &Tensors<B>, steps: usize) -> Self {
        let full = |like: &Tensor<B, 1>, shape: [usize; 2]| {
            Param::from_tensor(Tensor::full(shape, initial, (&like.device(), like.dtype())))
        };
        let each = theta.0.iter();
        let tensors = match scope {
            RateScope::Global => each.take(1).map(|like| full(like, [1, 1])).collect(),
            RateScope::PerTensor => each.map(|like| full(like, [1, 1])).collect(),
            RateScope::PerTensorPerStep => each.map(|like| full(like, [steps, 1])).collect(),
            RateScope::PerElement => each.map(|like| full(like, [1, like.dims()[0]])).collect(),
        };
        Self { tensors }
    }

    /// The rate of each of `count` adapted tensors at inner step `step`, `[1]` or `[elements]`.
    pub fn at(&self, step: usize, count: usize) -> Tensors<B> {
        let row = |rates: &Param<Tensor<B, 2>>| {
            let rates = rates.val();
            let [steps, elements] = rates.dims();
            let row = if steps == 1 { rates } else { rates.slice([step..step + 1]) };
            row.reshape([elements])
        };
        let rows: Vec<_> = self.tensors.iter().map(row).collect();
        let shared = rows.len() == 1;
        Tensors((0..count).map(|tensor| rows[if shared { 0 } else { tensor }].clone()).collect())
    }

    /// The derivative with respect to these rates, from the derivatives of every step's [`Self::at`].
    pub fn gather(&self, steps: Vec<Cotangents<B>>) -> Cotangents<B> {
        let of_tensor = |(index, rates): (usize, &Param<Tensor<B, 2>>)| {
            let shared_by_all = self.tensors.len() == 1;
            let of_step = |step: &Cotangents<B>| match shared_by_all {
                true => step.0.iter().flatten().cloned().reduce(|a, b| a + b),
                false => step.0[index].clone(),
            };
            let rows = steps.iter().map(of_step);
            if rates.dims()[0] == 1 || steps.is_empty() {
                return rows.flatten().reduce(|a, b| a + b);
            }
            let zeros = || Tensor::zeros_like(&rates.val().slice([0..1])).flatten(0, 1);
            Some(Tensor::cat(rows.map(|row| row.unwrap_or_else(zeros)).collect(), 0))
        };
        Cotangents(self.tensors.iter().enumerate().map(of_tensor).collect())
    }

    /// Checks that the rates serve adapted tensors of these sizes for `steps` steps.
    pub(crate) fn check(&self, theta: &Tensors<B>, steps: usize) -> Result<()> {
        let shared = self.tensors.len() == 1;
        let fits = |(index, rates): (usize, &Param<Tensor<B, 2>>)| {
            let [rows, columns] = rates.dims();
            let elements = theta.0.get(index).map_or(0, |theta| theta.dims()[0]);
            (rows == 1 || rows == steps) && (columns == 1 || (columns == elements && !shared) || theta.len() == 1)
        };
        let count = shared || self.tensors.len() == theta.len();
        if count && self.tensors.iter().enumerate().all(fits) {
            return Ok(());
        }
        let shapes: Vec<_> = self.tensors.iter().map(|rates| rates.dims()).collect();
        Err(Error::RatesMismatch {
            found: format!("{} tensors of shapes {shapes:?}", shapes.len()),
            needed: format!("{} tensors and {steps} steps", theta.len()),
        })
    }
}
