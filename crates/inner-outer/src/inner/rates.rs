//! Inner rates as tensors that the outer loop can learn.

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};
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
    ///
    /// # Panics
    /// If there are rates for fewer steps, but for one that all share.
    pub fn at(&self, step: usize, count: usize) -> Tensors<B> {
        let row = |rates: &Param<Tensor<B, 2>>| {
            let rates = rates.val();
            let [steps, elements] = rates.dims();
            let row = if steps == 1 { rates } else { rates.narrow(0, step, 1) };
            row.reshape([elements])
        };
        let rows: Vec<_> = self.tensors.iter().map(row).collect();
        let shared = rows.len() == 1;
        Tensors((0..count).map(|tensor| rows[if shared { 0 } else { tensor }].clone()).collect())
    }

    /// The derivative with respect to these rates, from the derivatives of every step's [`Self::at`].
    ///
    /// # Panics
    /// If there are fewer derivatives than rates.
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
            if steps.iter().all(|step| of_step(step).is_none()) {
                return None;
            }
            let zeros = || Tensor::zeros_like(&rates.val().narrow(0, 0, 1)).flatten(0, 1);
            Some(Tensor::cat(rows.map(|row| row.unwrap_or_else(zeros)).collect(), 0))
        };
        Cotangents(self.tensors.iter().enumerate().map(of_tensor).collect())
    }

    /// Checks that the rates serve adapted tensors of these sizes for `steps` steps.
    pub(crate) fn check(&self, theta: &Tensors<B>, steps: usize) -> Result<()> {
        let (shared, one_each) = (self.tensors.len() == 1, self.tensors.len() == theta.len());
        let fits = |(index, rates): (usize, &Param<Tensor<B, 2>>)| {
            let [rows, columns] = rates.dims();
            let elements = theta.0.get(index).map_or(0, |theta| theta.dims()[0]);
            let precision = theta.0.first().map_or(rates.dtype(), |theta| theta.dtype());
            (rows == 1 || rows == steps)
                && (columns == 1 || (columns == elements && one_each))
                && rates.dtype() == precision
        };
        if (shared || one_each) && self.tensors.iter().enumerate().all(fits) {
            return Ok(());
        }
        let shapes: Vec<_> = self.tensors.iter().map(|rates| rates.dims()).collect();
        let precision =
            |found: Option<DType>| found.map_or_else(String::new, |dtype| format!(" in {dtype:?}"));
        let found = precision(self.tensors.first().map(|rates| rates.dtype()));
        let needed = precision(theta.0.first().map(|theta| theta.dtype()));
        Err(Error::RatesMismatch {
            found: format!("{} tensors of shapes {shapes:?}{found}", shapes.len()),
            needed: format!("{} tensors and {steps} steps{needed}", theta.len()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensors::to_f64;
    use burn::backend::Flex;

    /// Tensors of three elements and of one.
    fn theta() -> Tensors<Flex> {
        let zeros = |elements: usize| Tensor::zeros([elements], (&Default::default(), DType::F64));
        Tensors(vec![zeros(3), zeros(1)])
    }

    fn shapes(scope: RateScope, steps: usize) -> Vec<[usize; 2]> {
        Rates::new(scope, 0.1, &theta(), steps).tensors.iter().map(|rates| rates.dims()).collect()
    }

    #[test]
    fn scopes_have_their_shapes() {
        assert_eq!(shapes(RateScope::Global, 4), [[1, 1]]);
        assert_eq!(shapes(RateScope::PerTensor, 4), [[1, 1], [1, 1]]);
        assert_eq!(shapes(RateScope::PerTensorPerStep, 4), [[4, 1], [4, 1]]);
        assert_eq!(shapes(RateScope::PerElement, 4), [[1, 3], [1, 1]]);
        assert_eq!(shapes(RateScope::PerTensorPerStep, 0), [[0, 1], [0, 1]]);
    }

    #[test]
    fn every_scope_fits_the_loop_it_was_made_for() {
        for scope in [
            RateScope::Global,
            RateScope::PerTensor,
            RateScope::PerTensorPerStep,
            RateScope::PerElement,
        ] {
            for steps in 0..4 {
                let rates = Rates::new(scope, 0.1, &theta(), steps);
                rates.check(&theta(), steps).unwrap();
                for step in 0..steps {
                    let at = rates.at(step, 2);
                    assert_eq!(at.len(), 2);
                    assert_eq!(
                        at.0[0].dims()[0],
                        if scope == RateScope::PerElement { 3 } else { 1 }
                    );
                }
            }
        }
        assert!(
            Rates::new(RateScope::PerTensorPerStep, 0.1, &theta(), 2).check(&theta(), 3).is_err()
        );
        let (three, one) = (theta().select(&[true, false]), theta().select(&[false, true]));
        let of_three = Rates::new(RateScope::PerElement, 0.1, &three, 2);
        of_three.check(&three, 2).unwrap();
        assert!(of_three.check(&one, 2).is_err());
        assert!(of_three.check(&theta(), 2).is_err());
    }

    /// Gathering is the adjoint of reading: `<gather(c), r> = sum_k <c_k, at_k(r)>`.
    #[test]
    fn gathering_is_the_adjoint_of_reading() {
        let steps = 3;
        for scope in [
            RateScope::Global,
            RateScope::PerTensor,
            RateScope::PerTensorPerStep,
            RateScope::PerElement,
        ] {
            let rates = Rates::new(scope, 0.7, &theta(), steps);
            let of_step = |step: usize| {
                let cotangent = |(tensor, rate): (usize, &Tensor<Flex, 1>)| {
                    // One is left out: a tensor that the loss of a step does not depend on.
                    let absent = (step, tensor) == (1, 0);
                    (!absent).then(|| rate.ones_like() * (1.0 + step as f64 + 10.0 * tensor as f64))
                };
                Cotangents(rates.at(step, 2).0.iter().enumerate().map(cotangent).collect())
            };
            let cotangents: Vec<_> = (0..steps).map(of_step).collect();
            let read: f64 = (0..steps)
                .map(|step| cotangents[step].dot(&rates.at(step, 2).into_cotangents()))
                .sum();
            let gathered = rates.gather(cotangents);
            let written: f64 = gathered
                .0
                .iter()
                .flatten()
                .zip(&rates.tensors)
                .map(|(gathered, rates)| {
                    let rates = to_f64(&rates.val());
                    to_f64(gathered).iter().zip(rates).map(|(a, b)| a * b).sum::<f64>()
                })
                .sum();
            assert!((read - written).abs() < 1e-12, "{scope:?}: {read} and {written}");
        }
    }

    #[test]
    fn no_steps_have_no_derivative() {
        let rates = Rates::new(RateScope::PerTensorPerStep, 0.1, &theta(), 0);
        assert!(rates.gather(Vec::new()).is_zero());
    }
}
