//! The meta-gradient of several tasks: their mean, the same bits for any number of threads.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::hypergradient::{Hypergradient, MetaGradient};
use crate::inner::{InnerLoop, InnerOptimizer, Iterate, Rates};
use crate::parallel::{Threads, in_order};
use crate::problem::{Problem, Roles};
use crate::tensors::{Cotangents, Tensors, to_f64};
use crate::{Error, On, Result};

/// The mean meta-gradient of a batch of tasks.
pub struct MetaBatch<B: Backend> {
    /// Mean outer loss.
    pub outer_loss: f64,
    /// Outer loss of each task.
    pub outer_losses: Vec<f64>,
    /// Inner loss before each step, mean over tasks.
    pub inner_losses: Vec<f64>,
    /// Largest [`MetaGradient::residual`] of the tasks, where they have one.
    pub residual: Option<f64>,
    /// Mean derivative with respect to the outer module's parameters.
    pub outer: Cotangents<B>,
    /// Which of the outer module's parameters have a derivative that is exactly zero in every task. A mean of zero need not be
    /// one: tasks can cancel each other.
    pub zero: Vec<bool>,
    /// Mean derivative with respect to the inner rates.
    pub rates: Cotangents<B>,
    /// Which parameters take part.
    pub roles: Roles,
}

/// The mean of the tasks' meta-gradients.
///
/// # Errors
/// [`Error::EmptyMetaBatch`] without tasks; [`Error::InTask`] with the first task that failed;
/// [`Error::NoGradient`] if a learned parameter is reached from no task.
pub fn meta_batch<P: Problem, O: InnerOptimizer, H: Hypergradient, B: Backend>(
    hypergradient: &H,
    problem: &P,
    inner_loop: &InnerLoop<O>,
    outer: &On<P::Outer, B>,
    rates: &Rates<B>,
    tasks: &[On<P::Task, B>],
    threads: Threads,
) -> Result<MetaBatch<B>> {
    let starts = None;
    mean(hypergradient, problem, inner_loop, outer, rates, tasks, starts, threads)?.0.reached()
}

/// [`meta_batch`] of inner loops that go on from where earlier ones ended, each from its own of `starts`, and where they end now. A task
/// without start begins at `init`.
///
/// # Errors
/// As [`meta_batch`], and [`Error::StartCount`] if there are not as many starts as tasks.
#[allow(clippy::too_many_arguments)]
pub fn meta_batch_from<P: Problem, O: InnerOptimizer, H: Hypergradient, B: Backend>(
    hypergradient: &H,
    problem: &P,
    inner_loop: &InnerLoop<O>,
    outer: &On<P::Outer, B>,
    rates: &Rates<B>,
    tasks: &[On<P::Task, B>],
    starts: &[Option<Iterate<B>>],
    threads: Threads,
) -> Result<(MetaBatch<B>, Vec<Iterate<B>>)> {
    let starts = Some(starts);
    let (batch, ends) =
        mean(hypergradient, problem, inner_loop, outer, rates, tasks, starts, threads)?;
    Ok((batch.reached()?, ends))
}

/// The mean of the tasks' meta-gradients, whether or not every learned parameter has one, and the ends of the inner loops where
/// there are `starts`.
#[allow(clippy::too_many_arguments)]
pub(crate) fn mean<P: Problem, O: InnerOptimizer, H: Hypergradient, B: Backend>(
    hypergradient: &H,
    problem: &P,
    inner_loop: &InnerLoop<O>,
    outer: &On<P::Outer, B>,
    rates: &Rates<B>,
    tasks: &[On<P::Task, B>],
    starts: Option<&[Option<Iterate<B>>]>,
    threads: Threads,
) -> Result<(MetaBatch<B>, Vec<Iterate<B>>)> {
    if let Some(starts) = starts
        && starts.len() != tasks.len()
    {
        return Err(Error::StartCount { starts: starts.len(), tasks: tasks.len() });
    }
    // A parameter that nobody has read yet would draw other random values in every clone.
    let _drawn = (Tensors::of(outer), Tensors::of(rates));
    let one = |index: usize, task: &On<P::Task, B>| {
        let from = starts.and_then(|starts| starts[index].as_ref());
        hypergradient
            .meta_gradient_from(problem, inner_loop, outer, rates, task, from)
            .map_err(|source| Error::InTask { task: index, source: Box::new(source) })
    };
    let mut sum: Option<MetaBatch<B>> = None;
    let mut ends = Vec::new();
    in_order(tasks, threads, one, |_, gradient| {
        if starts.is_some() {
            ends.push(gradient.end.clone());
        }
        sum = Some(match sum.take() {
            None => MetaBatch::from(gradient),
            Some(sum) => sum.add(gradient),
        });
    })?;
    Ok((sum.ok_or(Error::EmptyMetaBatch)?.divide(tasks.len()), ends))
}

impl<B: Backend> MetaBatch<B> {
    /// The meta-batch, if every learned parameter has a derivative.
    ///
    /// # Errors
    /// [`Error::NoGradient`] with the first that has none.
    pub(crate) fn reached(self) -> Result<Self> {
        let learned = self.roles.learned.iter().zip(&self.outer.0);
        let mut named = learned.zip(&self.roles.outer_paths);
        match named.find(|((learned, entry), _)| **learned && entry.is_none()) {
            Some((_, path)) => Err(Error::NoGradient { path: path.clone() }),
            None => Ok(self),
        }
    }

    fn add(mut self, task: MetaGradient<B>) -> Self {
        self.outer_losses.push(task.outer_loss);
        self.inner_losses.iter_mut().zip(task.inner_losses).for_each(|(sum, loss)| *sum += loss);
        self.residual = self.residual.into_iter().chain(task.residual).reduce(larger);
        let entries = task.outer.0.iter().zip(&self.outer.0);
        // An absent derivative says nothing, so a zero after absent ones is the first.
        for (zero, (here, before)) in self.zero.iter_mut().zip(entries) {
            if here.is_some() {
                *zero = (*zero || before.is_none()) && is_zero(here);
            }
        }
        Self { outer: self.outer + task.outer, rates: self.rates + task.rates, ..self }
    }

    fn divide(mut self, tasks: usize) -> Self {
        let share = 1.0 / tasks as f64;
        self.inner_losses.iter_mut().for_each(|loss| *loss *= share);
        let outer_loss = self.outer_losses.iter().sum::<f64>() * share;
        Self { outer_loss, outer: self.outer.scale(share), rates: self.rates.scale(share), ..self }
    }
}

impl<B: Backend> From<MetaGradient<B>> for MetaBatch<B> {
    fn from(task: MetaGradient<B>) -> Self {
        Self {
            outer_loss: task.outer_loss,
            outer_losses: vec![task.outer_loss],
            inner_losses: task.inner_losses,
            residual: task.residual,
            zero: task.outer.0.iter().map(is_zero).collect(),
            outer: task.outer,
            rates: task.rates,
            roles: task.roles,
        }
    }
}

/// The larger number, or whichever is none: `f64::max` would leave it out.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a >= b { a } else { b }
}

/// Whether a derivative is there, and exactly zero.
fn is_zero<B: Backend>(derivative: &Option<Tensor<B, 1>>) -> bool {
    // Neither by the norm, for squares of small numbers are zero, too, nor by the largest number, which may pass NaN over.
    derivative.as_ref().is_some_and(|derivative| to_f64(derivative).iter().all(|x| *x == 0.0))
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::Tensor;

    use super::{is_zero, larger};

    #[test]
    fn only_zeros_are_zero() {
        let is_zero = |values: [f32; 3]| {
            is_zero(&Some(Tensor::<Flex, 1>::from_data(values, &Default::default())))
        };
        assert!(is_zero([0.0, -0.0, 0.0]));
        assert!(!is_zero([0.0, 1e-38, 0.0]) && !is_zero([0.0, f32::NAN, 0.0]));
        assert!(!super::is_zero::<Flex>(&None));
    }

    #[test]
    fn a_residual_that_is_no_number_is_kept() {
        assert_eq!((larger(1.0, 2.0), larger(2.0, 1.0)), (2.0, 2.0));
        for (a, b) in [(f64::NAN, 1.0), (1.0, f64::NAN)] {
            assert!(larger(a, b).is_nan());
        }
    }
}
