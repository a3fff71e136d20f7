//! A hypergradient written outside of the library, of its public parts alone.

mod common;

use burn::backend::Flex;
use burn::tensor::backend::Backend;
use common::numbers::{assert_close, flat};
use common::points::{Fit, Sizes, learned, points};
use inner_outer::hypergradient::{MetaGradient, OuterLoss, Walk};
use inner_outer::inner::{Iterate, Keep, Rates};
use inner_outer::tensors::Cotangents;
use inner_outer::{
    FirstOrder, Hypergradient, InnerLoop, InnerOptimizer, On, Problem, RateScope, Result,
    Selection, Sgd,
};

/// The outer loss averaged over all iterates, each differentiated by first order: no step is taken to depend on `theta_0`.
#[derive(Clone, Copy)]
struct Along;

impl Hypergradient for Along {
    fn meta_gradient_from<P: Problem, O: InnerOptimizer, B: Backend>(
        &self,
        problem: &P,
        inner_loop: &InnerLoop<O>,
        outer: &On<P::Outer, B>,
        rates: &Rates<B>,
        task: &On<P::Task, B>,
        from: Option<&Iterate<B>>,
    ) -> Result<MetaGradient<B>> {
        let walk = Walk::new(problem, inner_loop, outer, task, from)?;
        let path = inner_loop.run(
            &walk.instance,
            &walk.roles,
            &walk.phi,
            rates,
            walk.begin.clone(),
            Keep::Everything,
        )?;
        let losses = (0..=inner_loop.steps).map(|k| {
            let theta = match k == inner_loop.steps {
                true => path.end.theta.clone(),
                false => path.iterate(&inner_loop.optimizer, rates, k).theta,
            };
            walk.outer_loss(&walk.theta(&theta), &walk.relevant, k)
        });
        let losses: Vec<OuterLoss<B>> = losses.collect::<Result<_>>()?;
        let share = 1.0 / losses.len() as f64;
        let OuterLoss { value, theta, phi } =
            losses.into_iter().reduce(|sum, loss| sum + loss).expect("one before the first step");
        Ok(MetaGradient {
            outer_loss: value * share,
            inner_losses: path.losses,
            residual: None,
            outer: (phi + walk.pull_init(&theta)).scale(share),
            rates: Cotangents::zeros(rates.tensors.len()),
            adapted: walk.theta(&path.end.theta),
            end: path.end,
            roles: walk.roles,
        })
    }
}

/// With `k` steps, first order is the derivative at the `k`-th iterate.
#[test]
fn a_hypergradient_of_ones_own_is_the_mean_of_first_orders() {
    let sizes = Sizes::default();
    let problem = Fit { learned: Selection::below(["network", "shift"]), ..Fit::default() };
    let (outer, task) = (learned(sizes, 1), points(sizes, 1));
    let with_steps = |steps: usize| InnerLoop { optimizer: Sgd, steps };
    let rates = with_steps(3).rates(&problem, RateScope::PerTensor, 0.3, &outer, &task).unwrap();
    let along = Along.meta_gradient(&problem, &with_steps(3), &outer, &rates, &task).unwrap();
    let at = |steps: usize| {
        FirstOrder.meta_gradient(&problem, &with_steps(steps), &outer, &rates, &task).unwrap()
    };
    let first: Vec<MetaGradient<Flex>> = (0..=3).map(at).collect();
    let mean = first.iter().map(|it| it.outer.clone()).reduce(|sum, it| sum + it).unwrap();
    assert_close("outer", &flat(&along.outer), &flat(&mean.scale(0.25)), 1e-12);
    let loss = first.iter().map(|it| it.outer_loss).sum::<f64>() / 4.0;
    assert_close("loss", &[along.outer_loss], &[loss], 1e-12);
    assert_eq!(along.inner_losses, first[3].inner_losses);
}
