use burn::backend::Flex;
use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig, LinearLayout};
use burn::optim::SgdConfig;
use burn::tensor::Tensor;

use super::*;
use crate::tensors::Cotangents;
use crate::{
    Adam, Decay, Envelope, Family, FirstOrder, HypergradientChoice, Implicit, RateScope, Reptile,
    Selection, Sgd, Unrolled, family, layers,
};

/// As many numbers as there are layers.
#[derive(Module, Debug)]
struct Stack<B: Backend> {
    layers: Vec<Param<Tensor<B, 1>>>,
}

family!(Stacks => Stack);

/// Numbers that start at what is learned, are pulled to it and to 1, and should be 2.
struct Pulled;

fn distance<B: Backend>(stack: &Stack<B>, other: impl Fn(usize) -> Tensor<B, 1>) -> Tensor<B, 1> {
    let layers = stack.layers.iter().enumerate();
    let squares = layers.map(|(i, layer)| (layer.val() - other(i)).powi_scalar(2));
    squares.reduce(|a, b| a + b).expect("a stack has layers")
}

impl Problem for Pulled {
    type Outer = Stacks;
    type Inner = Stacks;
    type Task = Stacks;

    fn init<B: Backend>(&self, outer: &Stack<B>, _task: &Stack<B>) -> Stack<B> {
        outer.clone()
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Stack<B>,
        outer: &Stack<B>,
        task: &Stack<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        distance(inner, |i| outer.layers[i].val()) + distance(inner, |_| task.layers[0].val())
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Stack<B>,
        outer: &Stack<B>,
        task: &Stack<B>,
    ) -> Tensor<B, 1> {
        let far = distance(inner, |_| task.layers[0].val() * 2.0);
        far + distance(outer, |i| outer.layers[i].val() * 0.5)
    }
}

fn stack(layers: usize, value: f64) -> Stack<Flex> {
    let layer = |_| Param::from_tensor(Tensor::full([1], value, &Default::default()));
    Stack { layers: (0..layers).map(layer).collect() }
}

fn learner<H: Hypergradient>(
    layers: usize,
    scope: RateScope,
    hypergradient: H,
    config: MetaLearnerConfig,
) -> MetaLearner<Pulled, Sgd, H, Flex> {
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 2 };
    let (outer, task) = (stack(layers, 0.5), stack(1, 1.0));
    let rates = inner_loop.rates(&Pulled, scope, 0.1, &outer, &task).unwrap();
    let optimizers = (SgdConfig::new().init(), SgdConfig::new().init());
    let (by_sgd, rates_by_sgd) = optimizers;
    MetaLearner::new(Pulled, inner_loop, hypergradient, config, outer, rates, by_sgd, rates_by_sgd)
}

fn exact(layers: usize, scope: RateScope) -> MetaLearner<Pulled, Sgd, Unrolled, Flex> {
    learner(layers, scope, Unrolled::default(), MetaLearnerConfig::default())
}

/// A layer whose weights Burn transposes when it stores and loads them.
#[derive(Module, Debug)]
struct Column<B: Backend> {
    layer: Linear<B>,
}

family!(Columns => Column);

struct Doubled;

impl Problem for Doubled {
    type Outer = Columns;
    type Inner = Columns;
    type Task = Stacks;

    fn init<B: Backend>(&self, outer: &Column<B>, _task: &Stack<B>) -> Column<B> {
        outer.clone()
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Column<B>,
        _outer: &Column<B>,
        task: &Stack<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        let x = Tensor::cat(vec![task.layers[0].val(), task.layers[0].val() * 3.0], 0);
        let x: Tensor<B, 2> = x.reshape([1, 2]);
        (layers::linear(&inner.layer, x.clone()) - x * 2.0).square().mean()
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Column<B>,
        outer: &Column<B>,
        task: &Stack<B>,
    ) -> Tensor<B, 1> {
        self.inner_loss(inner, outer, task, 0)
    }
}

#[test]
fn layers_that_burn_stores_transposed_go_on_as_they_were() {
    let fresh = |seed| {
        Flex::seed(&Default::default(), seed);
        let config = LinearConfig::new(2, 2).with_bias(false).with_layout(LinearLayout::Col);
        let outer = Column { layer: config.init(&Default::default()) };
        let inner_loop = InnerLoop { optimizer: Sgd, steps: 1 };
        let rates = inner_loop.rates(&Doubled, RateScope::Global, 0.03, &outer, &stack(1, 1.0));
        let [outer_rule, rates_rule] = [(); 2].map(|()| SgdConfig::new());
        let config = MetaLearnerConfig { rates_rate: None, ..MetaLearnerConfig::default() };
        MetaLearner::new(
            Doubled,
            inner_loop,
            Unrolled::default(),
            config,
            outer,
            rates.unwrap(),
            outer_rule.init(),
            rates_rule.init(),
        )
    };
    let mut learner: MetaLearner<Doubled, Sgd, Unrolled, Flex> = fresh(1);
    let weights =
        |learner: &MetaLearner<Doubled, Sgd, Unrolled, Flex>| Tensors::of(learner.outer()).to_f64();
    for _ in 0..2 {
        let resumed = fresh(2).with_state(&learner.state().unwrap(), &Default::default()).unwrap();
        assert_eq!(weights(&resumed), weights(&learner));
        learner.step(&[stack(1, 1.0)]).unwrap();
    }
    let [_, up, down, _] = weights(&learner)[..] else { panic!("two by two") };
    assert_ne!(up, down, "a transpose would not show");
}

#[test]
fn what_is_changed_between_two_steps_goes_on_from_there() {
    let tasks = [stack(1, 1.0)];
    let mut learner = exact(2, RateScope::PerTensor);
    let mut untouched = exact(2, RateScope::PerTensor);
    for learner in [&mut learner, &mut untouched] {
        learner.step(&tasks).unwrap();
    }
    learner.map_outer(|outer| outer);
    learner.map_rates(|rates| rates);
    for learner in [&mut learner, &mut untouched] {
        learner.step(&tasks).unwrap();
    }
    let values = |learner: &MetaLearner<Pulled, Sgd, Unrolled, Flex>| {
        [Tensors::of(learner.outer()), Tensors::of(learner.rates())].map(|list| list.to_f64())
    };
    assert_eq!(values(&learner), values(&untouched));
    let clamped = |parameter: Param<Tensor<Flex, 2>>| parameter.map(|rate| rate.clamp_min(7.0));
    learner.map_rates(|rates| Rates { tensors: rates.tensors.into_iter().map(clamped).collect() });
    learner.map_outer(|_| stack(2, 3.0));
    assert_eq!(values(&learner), [vec![3.0; 2], vec![7.0; 2]]);
    let Pulled = learner.problem_mut();
}

#[test]
fn a_state_with_another_number_of_layers_is_refused() {
    let refused = |from: usize, to: usize| {
        let state = exact(from, RateScope::Global).state().unwrap();
        let read = exact(to, RateScope::Global).with_state(&state, &Default::default());
        let refused = read.err().expect("another number of layers");
        assert!(matches!(refused, Error::State { action: "read", .. }), "{refused}");
        refused.to_string()
    };
    let fewer = refused(3, 2);
    assert!(fewer.contains("`layers.2` of shape [1] in the state and missing"), "{fewer}");
    let more = refused(1, 2);
    assert!(more.contains("missing in the state and `layers.1` of shape [1]"), "{more}");
}

#[test]
fn a_state_with_other_rates_is_refused() {
    let state = exact(2, RateScope::PerTensor).state().unwrap();
    let read = |scope| exact(2, scope).with_state(&state, &Default::default());
    let refused = read(RateScope::Global).err().expect("one rate for two").to_string();
    assert!(refused.contains("`tensors.1` of shape [1, 1] in the state"), "{refused}");
    let refused = read(RateScope::PerTensorPerStep).err().expect("more steps").to_string();
    assert!(refused.contains("`tensors.0` of shape [1, 1] in the state"), "{refused}");
    assert!(read(RateScope::PerTensor).is_ok());
}

#[test]
fn learned_rates_need_a_gradient() {
    fn check<H: Hypergradient>(hypergradient: H, reaches_rates: bool) {
        let tasks = [stack(1, 1.0)];
        let learned = MetaLearnerConfig::default();
        let mut learner_of_rates = learner(2, RateScope::Global, hypergradient.clone(), learned);
        match learner_of_rates.step(&tasks) {
            Ok(_) => assert!(reaches_rates),
            Err(refused) => {
                assert!(!reaches_rates, "{refused}");
                assert!(
                    matches!(refused, Error::NoRatesGradient { learns_more: true }),
                    "{refused}"
                );
                assert!(refused.to_string().contains("rates_rate` to None"), "{refused}");
                assert_eq!(learner_of_rates.steps_taken(), 0);
            }
        }
        let fixed = MetaLearnerConfig { rates_rate: None, ..learned };
        learner(2, RateScope::Global, hypergradient, fixed).step(&tasks).unwrap();
    }
    check(Reptile, false);
    check(Envelope, false);
    check(Implicit::<crate::ConjugateGradient>::default(), false);
    check(HypergradientChoice::Reptile {}, false);
    check(FirstOrder, true);
    check(Unrolled::<crate::ForwardOverReverse>::default(), true);
}

#[test]
fn a_schedule_without_a_step_to_decay_is_refused() {
    let endless = Schedule { decay: Decay::Linear, ..Schedule::constant(0.1) };
    let usual = MetaLearnerConfig::default();
    for config in [
        MetaLearnerConfig { outer_rate: endless, ..usual },
        MetaLearnerConfig { rates_rate: Some(endless), ..usual },
    ] {
        let mut learner =
            learner(1, RateScope::Global, Unrolled::<crate::Nested>::default(), config);
        let refused = learner.step(&[stack(1, 1.0)]).unwrap_err();
        assert!(matches!(refused, Error::NoStepToDecay { warm_up: 0, steps: 0 }), "{refused}");
        assert_eq!(learner.steps_taken(), 0);
    }
}

/// Numbers that start at what is learned and are pulled to 1, where the outer loss is as steep as is set.
struct Steep {
    slope: f64,
    learned: Selection,
}

impl Problem for Steep {
    type Outer = Stacks;
    type Inner = Stacks;
    type Task = Stacks;

    fn learned(&self) -> Selection {
        self.learned.clone()
    }

    fn init<B: Backend>(&self, outer: &Stack<B>, _task: &Stack<B>) -> Stack<B> {
        outer.clone()
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Stack<B>,
        _outer: &Stack<B>,
        task: &Stack<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        distance(inner, |_| task.layers[0].val())
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Stack<B>,
        _outer: &Stack<B>,
        _task: &Stack<B>,
    ) -> Tensor<B, 1> {
        let sum = inner.layers.iter().map(|layer| layer.val()).reduce(|a, b| a + b);
        sum.expect("a stack has layers") * self.slope
    }
}

fn steep<H: Hypergradient>(
    problem: Steep,
    hypergradient: H,
    config: MetaLearnerConfig,
) -> MetaLearner<Steep, Sgd, H, Flex> {
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 1 };
    let outer = stack(2, 0.5);
    let rates = inner_loop.rates(&problem, RateScope::Global, 0.1, &outer, &stack(1, 1.0)).unwrap();
    let [by_sgd, rates_by_sgd] = [(); 2].map(|()| SgdConfig::new());
    let rules = (by_sgd.init(), rates_by_sgd.init());
    MetaLearner::new(problem, inner_loop, hypergradient, config, outer, rates, rules.0, rules.1)
}

/// The square of 1e20 is infinite in single precision; the gradient is not.
#[test]
fn a_steep_gradient_is_clipped() {
    let config = MetaLearnerConfig {
        rates_rate: None,
        outer_rate: Schedule::constant(1.0),
        ..MetaLearnerConfig::default()
    };
    let problem = Steep { slope: 1e20, learned: Selection::All };
    let mut learner = steep(problem, FirstOrder, config);
    let step = learner.step(&[stack(1, 1.0)]).unwrap();
    assert!((step.gradient_norm / (2_f64.sqrt() * 1e20) - 1.0).abs() < 1e-6, "{step:?}");
    for value in Tensors::of(learner.outer()).to_f64() {
        assert!((value - (0.5 - 0.5_f64.sqrt())).abs() < 1e-6, "{value}");
    }
}

#[test]
fn only_what_is_not_finite_is_named_so() {
    let learner = exact(2, RateScope::Global);
    let mut batch = learner.meta_gradient(&[stack(1, 1.0)]).unwrap();
    let full = |value: f32| Some(Tensor::full([1], value, &Default::default()));
    let named = |batch: &MetaBatch<Flex>| match non_finite(batch) {
        Error::NonFiniteMetaGradient { path } => path,
        other => panic!("{other}"),
    };
    batch.outer = Cotangents(vec![full(1e20), full(f32::NAN)]);
    assert_eq!(named(&batch), "layers.1");
    batch.outer = Cotangents(vec![full(1e20), full(1e20)]);
    assert_eq!(named(&batch), "inner rates");
}

#[test]
fn learning_nothing_is_refused() {
    fn refused<H: Hypergradient>(hypergradient: H, rates_rate: Option<Schedule>) -> Error {
        let config = MetaLearnerConfig { rates_rate, ..MetaLearnerConfig::default() };
        let problem = Steep { slope: 1.0, learned: Selection::None };
        let mut learner = steep(problem, hypergradient, config);
        let refused = learner.step(&[stack(1, 1.0)]).unwrap_err();
        assert_eq!(learner.steps_taken(), 0);
        refused
    }
    let nothing = refused(FirstOrder, None);
    assert!(matches!(nothing, Error::LearnsNothing), "{nothing}");
    assert!(nothing.to_string().contains("`InnerLoop::adapt`"), "{nothing}");
    // Without its rates this learner would have nothing to learn, so that is no remedy.
    let rates_alone = refused(Envelope, Some(Schedule::constant(0.1)));
    let message = rates_alone.to_string();
    assert!(matches!(rates_alone, Error::NoRatesGradient { learns_more: false }), "{message}");
    assert!(!message.contains("None") && message.contains("`Unrolled`"), "{message}");
}

#[test]
fn a_learner_on_a_backend_that_differentiates_is_refused() {
    type Tracked = Autodiff<Flex>;
    let lifted = |stack: Stack<Flex>| Stacks::lift::<Tracked>(stack);
    let inner_loop = InnerLoop { optimizer: Adam::default(), steps: 1 };
    let outer = lifted(stack(1, 0.5));
    let rates = Rates::new(RateScope::Global, 0.1, &Tensors::of(&outer), 1);
    let [by_sgd, rates_by_sgd] = [(); 2].map(|()| SgdConfig::new());
    let rules = (by_sgd.init(), rates_by_sgd.init());
    let config = MetaLearnerConfig::default();
    let mut learner: MetaLearner<Pulled, Adam, FirstOrder, Tracked> =
        MetaLearner::new(Pulled, inner_loop, FirstOrder, config, outer, rates, rules.0, rules.1);
    let refused = learner.step(&[lifted(stack(1, 1.0))]).unwrap_err();
    assert!(matches!(refused, Error::DifferentiatingBackend { .. }), "{refused}");
}
