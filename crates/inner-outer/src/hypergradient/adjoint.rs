//! The adjoint walk: the exact derivative of an unrolled inner loop with the graph of one step alive at a time.
//!
//! With `lambda = d meta / d theta_{k+1}` and `mu = d meta / d phi`, walking back over `k = K-1 .. 0`:
//!
//! 1. the vector-Jacobian product of the update `U_k` with `lambda` gives the parts for `theta_k`, for the
//!    optimiser's state and for the rates, and the cotangent `c` of the inner gradient;
//! 2. one curvature product gives `(H_tt c, H_pt c)` of the inner loss `L_k` at `(theta_k, phi)`;
//! 3. `lambda = (theta part) + H_tt c + dF_k/dtheta`, `mu += H_pt c + dF_k/dphi`.
//!
//! At the end `mu` takes the vector-Jacobian product of `init` with `lambda`.

use std::ops::Add;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::MetaGradient;
use crate::curvature::{Curvature, Point};
use crate::inner::{InnerLoop, InnerOptimizer, Iterate, IterateCotangents, Keep, Rates};
use crate::problem::{Instance, Problem, Roles};
use crate::tensors::{Cotangents, Tensors, gradients, loss_value};
use crate::{Autodiff, Error, On, Result};

/// An outer loss at one iterate, with its derivatives.
pub struct OuterLoss<B: Backend> {
    /// The loss.
    pub value: f64,
    /// Derivative by all inner parameters.
    pub theta: Cotangents<B>,
    /// Derivative by the outer parameters, as far as the loss itself reads them.
    pub phi: Cotangents<B>,
}

impl<B: Backend> OuterLoss<B> {
    /// The `loss` after `steps` steps, differentiated by the leaves among `theta` and `phi`.
    fn of(
        loss: Tensor<Autodiff<B>, 1>,
        theta: &Tensors<Autodiff<B>>,
        phi: &Tensors<Autodiff<B>>,
        steps: usize,
    ) -> Result<Self> {
        let value = loss_value("outer", &loss.clone().inner())?;
        if !value.is_finite() {
            return Err(Error::NonFiniteOuterLoss { loss: value, steps });
        }
        let [theta, phi] = gradients(loss, [theta, phi]);
        Ok(Self { value, theta, phi })
    }

    /// A loss of zero that does not vary.
    pub(super) fn zero(theta: usize, phi: usize) -> Self {
        Self { value: 0.0, theta: Cotangents::zeros(theta), phi: Cotangents::zeros(phi) }
    }
}

impl<B: Backend> Add for OuterLoss<B> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            value: self.value + other.value,
            theta: self.theta + other.theta,
            phi: self.phi + other.phi,
        }
    }
}

/// What every hypergradient starts from: one task of a problem, and the derivatives around its inner loop.
pub struct Walk<'p, P: Problem, B: Backend> {
    /// Problem, outer module and task.
    pub instance: Instance<'p, P, B>,
    /// The same with gradients.
    pub lifted: Instance<'p, P, Autodiff<B>>,
    /// Which parameters are learned and adapted.
    pub roles: Roles,
    /// All outer parameters.
    pub phi: Tensors<B>,
    /// All inner parameters as `init` makes them.
    pub start: Tensors<B>,
    /// Where the inner loop begins: there, or where an earlier one ended.
    pub begin: Iterate<B>,
    /// Whether it is where an earlier one ended.
    pub goes_on: bool,
    /// Inner parameters whose derivative matters: adapted ones, and those that `init` makes from learned ones.
    pub relevant: Vec<bool>,
}

impl<'p, P: Problem, B: Backend> Walk<'p, P, B> {
    /// The walk of one task, from `init` or from where an earlier inner loop ended.
    ///
    /// # Errors
    /// [`Error::NothingAdapted`], [`Error::NothingLearned`], [`Error::NothingThere`] and [`Error::IterateMismatch`].
    pub fn new<O: InnerOptimizer>(
        problem: &'p P,
        inner_loop: &InnerLoop<O>,
        outer: &On<P::Outer, B>,
        task: &On<P::Task, B>,
        from: Option<&Iterate<B>>,
    ) -> Result<Self> {
        let instance = Instance::new(problem, outer, task);
        let roles = Roles::of(&instance)?;
        let (phi, start) = (instance.phi(), instance.start());
        let lifted = instance.lift::<Autodiff<B>>();
        let relevant = relevant(&lifted, &roles, &phi);
        let begin = inner_loop.begin(&start.select(&roles.adapted), from)?;
        let goes_on = from.is_some();
        Ok(Self { instance, lifted, roles, phi, start, begin, goes_on, relevant })
    }

    /// All inner parameters, with the adapted ones as given.
    pub fn theta(&self, adapted: &Tensors<B>) -> Tensors<B> {
        self.start.replace(&self.roles.adapted, adapted)
    }

    /// Where a [`Curvature`] is asked for: the inner parameters `theta` before step `step`.
    pub fn point<'a>(&'a self, theta: &'a Tensors<B>, step: usize) -> Point<'a, B> {
        Point {
            theta,
            phi: &self.phi,
            step,
            wanted_theta: &self.relevant,
            wanted_phi: &self.roles.learned,
        }
    }

    /// `F_K` at the end of the inner loop, differentiated by the learned outer parameters and the `wanted` inner ones.
    ///
    /// # Errors
    /// [`Error::NonFiniteOuterLoss`] and [`Error::LossShape`].
    pub fn outer_loss(
        &self,
        theta: &Tensors<B>,
        wanted: &[bool],
        steps: usize,
    ) -> Result<OuterLoss<B>> {
        let (theta, phi) = (theta.track_where(wanted), self.phi.track_where(&self.roles.learned));
        OuterLoss::of(self.lifted.outer_loss(&theta, &phi), &theta, &phi, steps)
    }

    /// `F_k` before step `step`, where the problem has one; differentiated as [`Self::outer_loss`].
    ///
    /// # Errors
    /// As [`Self::outer_loss`].
    pub fn trajectory_loss(
        &self,
        theta: &Tensors<B>,
        wanted: &[bool],
        step: usize,
    ) -> Result<Option<OuterLoss<B>>> {
        let (theta, phi) = (theta.track_where(wanted), self.phi.track_where(&self.roles.learned));
        let loss = self.lifted.trajectory_loss(&theta, &phi, step);
        loss.map(|loss| OuterLoss::of(loss, &theta, &phi, step)).transpose()
    }

    /// The vector-Jacobian product of `init` with `lambda`; adapted parameters that go on from an earlier loop are constants.
    pub fn pull_init(&self, lambda: &Cotangents<B>) -> Cotangents<B> {
        let phi = self.phi.track_where(&self.roles.learned);
        let made: Vec<bool> =
            self.roles.adapted.iter().map(|adapted| !(self.goes_on && *adapted)).collect();
        let lifted = lambda.clone().keep(&made).map(Tensor::from_inner);
        match self.lifted.init(&phi).pair(&lifted) {
            Some(scalar) => {
                let [pulled] = gradients(scalar, [&phi]);
                pulled
            }
            None => Cotangents::zeros(phi.len()),
        }
    }

    /// Refuses a learned parameter without a first-order gradient `mu` that one of the `steps` inner losses reads: it
    /// needs second order.
    ///
    /// # Errors
    /// [`Error::FirstOrderCannotReach`].
    pub fn refuse_unreachable(&self, steps: usize, mu: &Cotangents<B>) -> Result<()> {
        let learned = self.roles.learned.iter().zip(&mu.0);
        let missing: Vec<_> = learned.map(|(&learned, entry)| learned && entry.is_none()).collect();
        if steps == 0 || !missing.contains(&true) {
            return Ok(());
        }
        let read = self.read_by_inner_losses(steps);
        match missing.into_iter().zip(read).position(|(missing, read)| missing && read) {
            Some(index) => {
                Err(Error::FirstOrderCannotReach { path: self.roles.outer_paths[index].clone() })
            }
            None => Ok(()),
        }
    }

    /// Whether the inner loss of any of the `steps` reads each learned outer parameter, itself or in what `init` makes of it
    /// and no step adapts.
    fn read_by_inner_losses(&self, steps: usize) -> Vec<bool> {
        let adapted = self.start.select(&self.roles.adapted).lift();
        let mut read = vec![false; self.phi.len()];
        for step in 0..steps {
            let phi = self.phi.track_where(&self.roles.learned);
            let theta = self.lifted.init(&phi).replace(&self.roles.adapted, &adapted);
            let loss = self.lifted.inner_loss(&theta, &phi, step);
            let [here] = gradients(loss, [&phi]);
            read.iter_mut().zip(&here.0).for_each(|(read, entry)| *read |= entry.is_some());
        }
        read
    }
}

/// Adapted inner parameters, and those that `init` makes from learned outer ones.
fn relevant<P: Problem, B: Backend>(
    lifted: &Instance<P, Autodiff<B>>,
    roles: &Roles,
    phi: &Tensors<B>,
) -> Vec<bool> {
    let tracked = lifted.init(&phi.track_where(&roles.learned)).tracked();
    let is_asked = |(adapted, tracked): (&bool, &bool)| !adapted && *tracked;
    // Burn's `Param::from_tensor` and fresh layers are leaves of their own, and what is made from them hangs on these.
    let on_leaves = match roles.adapted.iter().zip(&tracked).any(is_asked) {
        true => lifted.init(&phi.lift()).tracked(),
        false => vec![false; tracked.len()],
    };
    let is_relevant = |place: usize| {
        let made =
            || !on_leaves[place] || hangs_on(lifted, &phi.track_where(&roles.learned), place);
        roles.adapted[place] || (tracked[place] && made())
    };
    (0..tracked.len()).map(is_relevant).collect()
}

/// Whether the inner parameter at `place` has a derivative by `phi`.
fn hangs_on<P: Problem, B: Backend>(
    lifted: &Instance<P, Autodiff<B>>,
    phi: &Tensors<Autodiff<B>>,
    place: usize,
) -> bool {
    let parameter = lifted.init(phi).0.swap_remove(place);
    let [by_phi] = gradients(parameter.sum(), [phi]);
    !by_phi.is_zero()
}

/// The walk with curvature in the last `exact_steps` inner steps; in the steps before, the inner gradient is
/// taken as a constant.
#[allow(clippy::too_many_arguments)]
pub(super) fn meta_gradient<P: Problem, O: InnerOptimizer, C: Curvature, B: Backend>(
    curvature: &C,
    exact_steps: usize,
    problem: &P,
    inner_loop: &InnerLoop<O>,
    outer: &On<P::Outer, B>,
    rates: &Rates<B>,
    task: &On<P::Task, B>,
    from: Option<&Iterate<B>>,
) -> Result<MetaGradient<B>> {
    let walk = Walk::new(problem, inner_loop, outer, task, from)?;
    let InnerLoop { optimizer, steps } = inner_loop;
    let adapted = &walk.roles.adapted;
    let frozen: Vec<bool> = adapted.iter().map(|adapted| !adapted).collect();

    let begin = walk.begin.clone();
    let mut trajectory =
        inner_loop.run(&walk.instance, &walk.roles, &walk.phi, rates, begin, Keep::Everything)?;
    let end = walk.theta(&trajectory.end.theta);

    let OuterLoss { value: mut outer_loss, theta: mut lambda, phi: mut mu } =
        walk.outer_loss(&end, &walk.relevant, *steps)?;
    let mut of_state = Cotangents::zeros(trajectory.end.state.len());
    let mut of_rates = Vec::new();
    for k in (0..*steps).rev() {
        let at = trajectory.iterate(optimizer, rates, k);
        // Taken out, for neither this step nor those before it need the gradient once the update is pulled back.
        let gradient = trajectory.gradients.pop().expect("one gradient for each step");
        let cotangent = IterateCotangents { theta: lambda.select(adapted), state: of_state };
        let (taken, at_step) = (at.steps_taken, rates.at(k, gradient.len()));
        let pulled = optimizer.pullback(taken, &at_step, &at, &gradient, &cotangent);
        drop(gradient);
        lambda = pulled.at.theta.spread(adapted) + lambda.keep(&frozen);
        of_state = pulled.at.state;
        of_rates.push(pulled.rates);

        let theta = walk.theta(&at.theta);
        if k >= steps.saturating_sub(exact_steps) && !pulled.gradient.is_zero() {
            let direction = pulled.gradient.spread(adapted);
            let product = curvature.product(&walk.instance, walk.point(&theta, k), &direction)?;
            lambda = lambda + product.theta;
            mu = mu + product.phi;
        }
        if let Some(here) = walk.trajectory_loss(&theta, &walk.relevant, k)? {
            outer_loss += here.value;
            lambda = lambda + here.theta;
            mu = mu + here.phi;
        }
    }
    mu = mu + walk.pull_init(&lambda);

    if exact_steps < *steps {
        walk.refuse_unreachable(*steps, &mu)?;
    }
    of_rates.reverse();
    Ok(MetaGradient {
        outer_loss,
        inner_losses: trajectory.losses,
        residual: None,
        outer: mu,
        rates: rates.gather(of_rates),
        adapted: end,
        end: trajectory.end,
        roles: walk.roles,
    })
}
