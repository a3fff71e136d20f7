//! Running the inner loop, with first-order graphs only.
//!
//! What is kept for the way back are the gradients of all steps and every few steps an iterate; the iterates
//! between are replayed, which costs element-wise work only and gives the same bits.

use burn::tensor::backend::Backend;

use super::stepper::first_spoilt;
use super::{InnerOptimizer, Iterate, RateScope, Rates, Stepper};
use crate::problem::{Instance, Problem, Roles};
use crate::tensors::{Cotangents, Tensors};
use crate::{Error, On, Result};

/// Steps beyond which rates for each of them are a slip and not a wish.
const MOST_STEPS: usize = 1_000_000;

/// An update rule and how often it is applied.
#[derive(Clone, Copy, Debug)]
pub struct InnerLoop<O> {
    /// The update rule.
    pub optimizer: O,
    /// Inner steps `K`.
    pub steps: usize,
}

/// The inner module after its last step.
pub struct Adapted<P: Problem, B: Backend> {
    /// The module with the parameters `theta_K`.
    pub inner: On<P::Inner, B>,
    /// The inner loss before each step.
    pub inner_losses: Vec<f64>,
    /// The adapted tensors and the optimiser's state after the last step, to go on from.
    pub end: Iterate<B>,
}

/// The path of one inner loop, from which every iterate can be had again.
pub struct Trajectory<B: Backend> {
    checkpoints: Vec<Iterate<B>>,
    spacing: usize,
    /// The inner gradient of each step.
    pub gradients: Vec<Tensors<B>>,
    /// The inner loss before each step.
    pub losses: Vec<f64>,
    /// The iterate after the last step.
    pub end: Iterate<B>,
}

impl<O: InnerOptimizer> InnerLoop<O> {
    /// Rates of value `initial` that fit this loop on `problem`.
    ///
    /// # Errors
    /// [`Error::NothingAdapted`](crate::Error::NothingAdapted) if the problem adapts no parameter, and
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) for more steps than may each have rates of their own.
    pub fn rates<P: Problem, B: Backend>(
        &self,
        problem: &P,
        scope: RateScope,
        initial: f64,
        outer: &On<P::Outer, B>,
        task: &On<P::Task, B>,
    ) -> Result<Rates<B>> {
        if scope == RateScope::PerTensorPerStep && self.steps > MOST_STEPS {
            let (setting, value) = ("InnerLoop::steps", self.steps as f64);
            let range = "at most a million where each step has rates of its own";
            return Err(Error::OutOfRange { setting, value, range });
        }
        let instance = Instance::new(problem, outer, task);
        let theta = instance.start().select(&Roles::of(&instance)?.adapted);
        Ok(Rates::new(scope, initial, &theta, self.steps))
    }

    /// Adapts the inner module to one task: the inner loop alone, as at test time.
    ///
    /// # Errors
    /// If nothing is adapted, the rates or the optimiser's settings do not fit, or a loss, where the loop ends or the optimiser's
    /// state there is not finite.
    pub fn adapt<P: Problem, B: Backend>(
        &self,
        problem: &P,
        outer: &On<P::Outer, B>,
        rates: &Rates<B>,
        task: &On<P::Task, B>,
    ) -> Result<Adapted<P, B>> {
        self.adapt_from(problem, outer, rates, task, None)
    }

    /// [`Self::adapt`] from a given iterate instead of `init` and a fresh state: an online memory.
    ///
    /// The optimiser goes on as in one long loop; the rates and the losses are those of the step within this loop.
    ///
    /// # Errors
    /// As [`Self::adapt`], and [`Error::IterateMismatch`](crate::Error::IterateMismatch) if the iterate has other sizes or another precision.
    pub fn adapt_from<P: Problem, B: Backend>(
        &self,
        problem: &P,
        outer: &On<P::Outer, B>,
        rates: &Rates<B>,
        task: &On<P::Task, B>,
        from: Option<Iterate<B>>,
    ) -> Result<Adapted<P, B>> {
        let instance = Instance::new(problem, outer, task);
        let roles = Roles::of(&instance)?;
        let base = instance.start();
        let start = self.begin(&base.select(&roles.adapted), from.as_ref())?;
        let trajectory =
            self.run(&instance, &roles, &instance.phi(), rates, start, Keep::Nothing)?;
        self.require_finite(&trajectory.end.theta, &roles)?;
        let theta = base.replace(&roles.adapted, &trajectory.end.theta);
        Ok(Adapted {
            inner: instance.inner(&theta),
            inner_losses: trajectory.losses,
            end: trajectory.end,
        })
    }

    /// No loss follows the last step, so that what it spoils would be told nowhere.
    fn require_finite<B: Backend>(&self, end: &Tensors<B>, roles: &Roles) -> Result<()> {
        match first_spoilt(end) {
            Some(index) => {
                let path = roles.adapted_paths().swap_remove(index);
                Err(Error::NonFiniteEnd { path, steps: self.steps })
            }
            None => Ok(()),
        }
    }

    /// The adapted tensors `theta` with a fresh optimiser state.
    pub fn start<B: Backend>(&self, theta: &Tensors<B>) -> Iterate<B> {
        Iterate { theta: theta.clone(), state: self.optimizer.state(theta), steps_taken: 0 }
    }

    /// `from` where it is given, else [`Self::start`].
    ///
    /// # Errors
    /// [`Error::IterateMismatch`](crate::Error::IterateMismatch) if `from` has other sizes than `theta` or another precision.
    pub fn begin<B: Backend>(
        &self,
        theta: &Tensors<B>,
        from: Option<&Iterate<B>>,
    ) -> Result<Iterate<B>> {
        let fresh = self.start(theta);
        let Some(from) = from else { return Ok(fresh) };
        from.check_like(&fresh)?;
        Ok(from.clone())
    }

    /// `theta_{k+1} = U_k(theta_k, grad L_k(theta_k, phi))` for `k = 0..K-1`.
    ///
    /// # Errors
    /// If the rates or the optimiser's settings do not fit, or an inner loss or the optimiser's state at the end is not finite.
    pub fn run<P: Problem, B: Backend>(
        &self,
        instance: &Instance<P, B>,
        roles: &Roles,
        phi: &Tensors<B>,
        rates: &Rates<B>,
        start: Iterate<B>,
        keep: Keep,
    ) -> Result<Trajectory<B>> {
        let mut stepper = Stepper::new(self, instance, roles, phi, rates, start)?;
        let spacing = (self.steps as f64).sqrt().ceil().max(1.0) as usize;
        let (mut checkpoints, mut gradients) = (vec![], vec![]);
        for step in 0..self.steps {
            if keep == Keep::Everything && step % spacing == 0 {
                checkpoints.push(stepper.at.clone());
            }
            stepper.step()?;
            if keep == Keep::Everything {
                gradients.extend(stepper.gradient.clone());
            }
        }
        let (end, losses) = stepper.finish()?;
        Ok(Trajectory { checkpoints, spacing, gradients, losses, end })
    }
}

/// What [`InnerLoop::run`] keeps for the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Only the end.
    Nothing,
    /// Enough to have every iterate again.
    Everything,
}

impl<B: Backend> Trajectory<B> {
    /// The iterate before step `step`, replayed from the nearest kept one.
    ///
    /// # Panics
    /// If the loop was run to keep [nothing](Keep::Nothing), or did not come to that step.
    pub fn iterate<O: InnerOptimizer>(
        &self,
        optimizer: &O,
        rates: &Rates<B>,
        step: usize,
    ) -> Iterate<B> {
        let nearest = step / self.spacing;
        let mut at = self.checkpoints[nearest].clone();
        for replayed in nearest * self.spacing..step {
            let gradient = &self.gradients[replayed];
            at = at.advance(optimizer, &rates.at(replayed, gradient.len()), gradient);
        }
        at
    }
}

impl<B: Backend> From<Tensors<B>> for Cotangents<B> {
    fn from(tensors: Tensors<B>) -> Self {
        tensors.into_cotangents()
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::module::{Module, Param};
    use burn::tensor::{DType, Tensor};

    use super::super::{Adam, Clipped};
    use super::*;
    use crate::tensors::to_f64;
    use crate::{Autodiff, Envelope, Family, FirstOrder, Hypergradient, Selection, family};

    #[derive(Module, Debug)]
    struct Point<B: Backend> {
        x: Param<Tensor<B, 1>>,
        y: Param<Tensor<B, 1>>,
    }

    family!(Points => Point);

    /// A path through a bent valley that grows steeper with every step of the loop.
    struct Valley {
        growth: f64,
    }

    const GROWING: Valley = Valley { growth: 1.0 };
    const STEADY: Valley = Valley { growth: 0.0 };

    impl Problem for Valley {
        type Outer = Points;
        type Inner = Points;
        type Task = Points;

        fn adapted(&self) -> Selection {
            Selection::below(["x"])
        }

        fn init<B: Backend>(&self, outer: &Point<B>, _task: &Point<B>) -> Point<B> {
            outer.clone()
        }

        fn inner_loss<B: Backend>(
            &self,
            inner: &Point<B>,
            _outer: &Point<B>,
            task: &Point<B>,
            step: usize,
        ) -> Tensor<B, 1> {
            let bend = (inner.x.val().powi_scalar(2) - inner.y.val()).powi_scalar(2);
            ((inner.x.val() - task.x.val()).powi_scalar(2)
                + bend * (1.0 + self.growth * step as f64))
                .sum()
        }

        fn outer_loss<B: Backend>(
            &self,
            inner: &Point<B>,
            outer: &Point<B>,
            task: &Point<B>,
        ) -> Tensor<B, 1> {
            self.inner_loss(inner, outer, task, 0)
        }
    }

    fn point(x: f64, y: f64) -> Point<Flex> {
        let tensor = |value: f64| Tensor::full([3], value, (&Default::default(), DType::F64));
        Point { x: Param::from_tensor(tensor(x)), y: Param::from_tensor(tensor(y)) }
    }

    fn try_adapt<O: InnerOptimizer>(
        valley: &Valley,
        inner_loop: InnerLoop<O>,
        from: Option<Iterate<Flex>>,
    ) -> Result<Adapted<Valley, Flex>> {
        let (outer, task) = (point(0.3, 0.8), point(1.0, 0.0));
        let rates = inner_loop.rates(valley, RateScope::Global, 0.1, &outer, &task)?;
        inner_loop.adapt_from(valley, &outer, &rates, &task, from)
    }

    fn adapt(valley: &Valley, steps: usize, from: Option<Iterate<Flex>>) -> Adapted<Valley, Flex> {
        try_adapt(valley, InnerLoop { optimizer: Adam::default(), steps }, from).unwrap()
    }

    #[test]
    fn replayed_iterates_are_those_of_the_run_bit_for_bit() {
        for steps in [1, 2, 7, 9] {
            let inner_loop = InnerLoop { optimizer: Adam::default(), steps };
            let instance = Instance::<_, Flex>::new(&GROWING, &point(0.3, 0.8), &point(1.0, 0.0));
            let roles = Roles::of(&instance).unwrap();
            let start = inner_loop.start(&instance.start().select(&roles.adapted));
            let rates = Rates::new(RateScope::PerTensor, 0.1, &start.theta, steps);
            let phi = instance.phi();
            let run =
                inner_loop.run(&instance, &roles, &phi, &rates, start, Keep::Everything).unwrap();
            assert_eq!((run.gradients.len(), run.losses.len()), (steps, steps));
            for step in 0..steps {
                let replayed = run.iterate(&inner_loop.optimizer, &rates, step);
                let direct = adapt(&GROWING, step, None).end;
                assert_eq!(
                    replayed.theta.to_f64(),
                    direct.theta.to_f64(),
                    "step {step} of {steps}"
                );
                assert_eq!(
                    replayed.state.to_f64(),
                    direct.state.to_f64(),
                    "state at {step} of {steps}"
                );
            }
        }
    }

    #[test]
    fn only_what_is_selected_moves() {
        let adapted = adapt(&GROWING, 3, None);
        assert_eq!(to_f64(&adapted.inner.y.val()), [0.8; 3]);
        assert_ne!(to_f64(&adapted.inner.x.val()), [0.3; 3]);
        assert_eq!(adapted.inner_losses.len(), 3);
    }

    #[test]
    fn a_loop_goes_on_from_an_iterate_as_if_it_had_not_stopped() {
        let once = adapt(&STEADY, 5, None);
        let twice = adapt(&STEADY, 3, Some(adapt(&STEADY, 2, None).end));
        assert_eq!(twice.end.theta.to_f64(), once.end.theta.to_f64());
        assert_eq!(twice.end.state.to_f64(), once.end.state.to_f64());
        assert_eq!((twice.end.steps_taken, once.end.steps_taken), (5, 5));
        assert_eq!(twice.inner_losses, once.inner_losses[2..]);
        assert_eq!(twice.end.theta.to_f64(), to_f64(&twice.inner.x.val()));
    }

    #[test]
    fn losses_are_those_of_the_step_within_the_loop() {
        let end = adapt(&GROWING, 2, None).end;
        let first = |valley| adapt(valley, 1, Some(end.clone())).inner_losses[0];
        assert_eq!(first(&GROWING), first(&STEADY));
    }

    #[test]
    fn an_iterate_of_another_problem_or_rule_is_refused() {
        let steps = 1;
        let end = adapt(&STEADY, steps, None).end;
        let refused = |from: Iterate<Flex>| {
            let inner_loop = InnerLoop { optimizer: Adam::default(), steps };
            let refused = try_adapt(&STEADY, inner_loop, Some(from)).err().expect("other sizes");
            assert!(matches!(refused, Error::IterateMismatch { .. }), "{refused}");
            assert!(refused.to_string().contains("go on from `Adapted::end`"), "{refused}");
            refused.to_string()
        };
        let wide = Tensors(vec![Tensor::zeros([4], (&Default::default(), DType::F64))]);
        let message = refused(Iterate { theta: wide, ..end.clone() });
        assert!(message.contains("adapted tensors") && message.contains("[4 x F64]"), "{message}");
        let stateless = Iterate { state: Tensors(Vec::new()), ..end.clone() };
        assert!(
            refused(stateless).contains("optimiser's state of the iterate to go on from is []")
        );
        let single = Tensors(vec![Tensor::zeros([3], (&Default::default(), DType::F32))]);
        assert!(refused(Iterate { theta: single, ..end }).contains("[3 x F32]"));
    }

    #[test]
    fn the_rule_is_checked_before_the_first_step() {
        let clipped =
            InnerLoop { optimizer: Clipped { rule: Adam::default(), limit: 0.0 }, steps: 1 };
        let refused = try_adapt(&STEADY, clipped, None).err().expect("a limit of zero");
        assert!(matches!(refused, Error::OutOfRange { setting: "Clipped::limit", .. }));
    }

    #[test]
    fn rates_for_more_steps_than_memory_holds_are_refused() {
        let inner_loop = InnerLoop { optimizer: Adam::default(), steps: usize::MAX };
        let rates =
            |scope| inner_loop.rates(&STEADY, scope, 0.1, &point(0.3, 0.8), &point(1.0, 1.0));
        let refused = rates(RateScope::PerTensorPerStep).expect_err("rates beyond memory");
        assert!(matches!(refused, Error::OutOfRange { setting: "InnerLoop::steps", .. }));
        rates(RateScope::PerTensor).unwrap();
    }

    /// A second moment that is infinite keeps its elements where they are for ever, which no loss shows.
    #[test]
    fn a_state_that_is_not_finite_is_refused() -> Result<()> {
        let point = |x: f32| {
            let tensor = |value: f32| Param::from_tensor(Tensor::full([1], value, &device()));
            Point::<Flex> { x: tensor(x), y: tensor(0.0) }
        };
        let adapt = |optimizer: Adam, x| -> Result<_> {
            let (outer, task) = (point(x), point(1.0));
            let inner_loop = InnerLoop { optimizer, steps: 1 };
            let rates = inner_loop.rates(&STEADY, RateScope::Global, 0.1, &outer, &task)?;
            let learned = [
                FirstOrder.meta_gradient(&STEADY, &inner_loop, &outer, &rates, &task).err(),
                Envelope.meta_gradient(&STEADY, &inner_loop, &outer, &rates, &task).err(),
            ];
            Ok((inner_loop.adapt(&STEADY, &outer, &rates, &task).err(), learned))
        };
        // The loss is x^4, its gradient 4 x^3, and the square of that beyond single precision.
        let (adapted, learned) = adapt(Adam::default(), 1e8)?;
        for refused in learned.into_iter().chain([adapted]) {
            let refused = refused.expect("an infinite second moment");
            let Error::NonFiniteState { path, steps: 1 } = &refused else { panic!("{refused}") };
            assert_eq!(path, "x");
            assert!(refused.to_string().contains("`Clipped`"), "{refused}");
        }
        let (adapted, learned) = adapt(Adam::default(), 1e4)?;
        assert!(adapted.is_none() && learned.iter().all(Option::is_none), "{learned:?}");
        Ok(())
    }

    fn device() -> burn::tensor::Device<Flex> {
        Default::default()
    }

    #[test]
    fn a_backend_that_differentiates_is_refused() {
        type Tracked = Autodiff<Flex>;
        let point = || Points::lift::<Tracked>(point(0.3, 0.8));
        let inner_loop = InnerLoop { optimizer: Adam::default(), steps: 1 };
        let rates = Rates::<Tracked>::new(RateScope::Global, 0.1, &Tensors::of(&point()), 1);
        let refused = [
            inner_loop.adapt(&STEADY, &point(), &rates, &point()).err(),
            inner_loop.rates(&STEADY, RateScope::Global, 0.1, &point(), &point()).err(),
            FirstOrder.meta_gradient(&STEADY, &inner_loop, &point(), &rates, &point()).err(),
        ];
        for refused in refused {
            let refused = refused.expect("gradients of gradients");
            assert!(matches!(refused, Error::DifferentiatingBackend { .. }), "{refused}");
            assert!(refused.to_string().contains("`module.valid()`"), "{refused}");
        }
    }
}
