//! Every way to misuse the core ends in an error that names what to do.

mod common;

use burn::backend::Flex;
use burn::module::Param;
use burn::optim::{AdamWConfig, SgdConfig};
use common::methods::{truncated, unrolled};
use common::mistaken::{
    FusedLayers, Mistake, Mistaken, Operation, Pair, Through, fused_layers, pair,
};
use common::numbers::{assert_close, doubles, flat};
use common::points::{Fit, Sizes, learned, points};
use common::scalar::{Parabola, Scalar, number, parabola};
use common::weighted_mean::{Values, WeightedMean};
use inner_outer::hypergradient::MetaGradient;
use inner_outer::inner::Iterate;
use inner_outer::tensors::Tensors;
use inner_outer::{
    Adam, CentralDifference, Clipped, ConfiguredRule, ConjugateGradient, Curvature, Envelope,
    Error, FirstOrder, ForwardOverReverse, Hypergradient, Implicit, InnerLoop, InnerOptimizer,
    LinfBall, MetaLearner, MetaLearnerConfig, Momentum, Nested, Neumann, NormalizedAscent, Problem,
    Projected, RateScope, Rates, Reptile, Result, RuleChoice, Selection, Sgd, SignedAscent,
    Threads, Unrolled, meta_batch,
};

const LOOP: InnerLoop<Sgd> = InnerLoop { optimizer: Sgd, steps: 2 };

fn rate(value: f64) -> Rates<Flex> {
    Rates { tensors: vec![Param::from_tensor(doubles(&[value], [1, 1]))] }
}

fn on_parabola(
    method: &impl Hypergradient,
    task: Parabola<Flex>,
    inner_rate: f64,
) -> Result<MetaGradient<Flex>> {
    method.meta_gradient(&Scalar, &LOOP, &number(2.0), &rate(inner_rate), &task)
}

fn mistaken(mistake: Mistake) -> MetaLearner<Mistaken, Sgd, Unrolled, Flex> {
    mistaken_by(MetaLearnerConfig { rates_rate: None, ..MetaLearnerConfig::default() }, mistake)
}

fn mistaken_by(
    config: MetaLearnerConfig,
    mistake: Mistake,
) -> MetaLearner<Mistaken, Sgd, Unrolled, Flex> {
    let optimizers = (SgdConfig::new().init(), SgdConfig::new().init());
    let problem = Mistaken(mistake);
    MetaLearner::new(
        problem,
        LOOP,
        unrolled(),
        config,
        pair(),
        rate(0.1),
        optimizers.0,
        optimizers.1,
    )
}

/// The error of a computation that must fail, after checking that its message holds every one of `words`.
#[track_caller]
fn error<T>(result: Result<T>, words: &[&str]) -> Error {
    let error = result.err().expect("a misuse is refused");
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "{message:?} does not say {word:?}");
    }
    error
}

#[test]
fn an_empty_meta_batch() {
    let found =
        meta_batch(&unrolled(), &Scalar, &LOOP, &number(1.0), &rate(0.1), &[], Threads::new(2));
    assert!(matches!(error(found, &["at least one"]), Error::EmptyMetaBatch));
}

#[test]
fn nothing_is_adapted() {
    let found = mistaken(Mistake::NothingAdapted).step(&[parabola(1.0, 0.0, 0.0)]);
    error(found, &["task 0", "its parameters are: w", "Problem::adapted"]);
    let rates = LOOP.rates(
        &Mistaken(Mistake::NothingAdapted),
        RateScope::Global,
        0.1,
        &pair(),
        &parabola(1.0, 0.0, 0.0),
    );
    assert!(matches!(error(rates, &[]), Error::NothingAdapted { .. }));
}

#[test]
fn an_outer_parameter_that_nothing_reads() {
    let mut learner = mistaken(Mistake::Unused);
    let found = learner.step(&[parabola(1.0, 0.0, 0.0)]);
    let words = ["`other`", "Problem::learned", "MetaLearnerConfig::allow_unreached"];
    assert!(matches!(error(found, &words), Error::NoGradient { .. }));
    assert_eq!(learner.steps_taken(), 0);
}

#[test]
fn an_outer_parameter_that_nothing_reads_can_be_allowed_and_stays_as_it_is() {
    let config = MetaLearnerConfig {
        rates_rate: None,
        allow_unreached: true,
        ..MetaLearnerConfig::default()
    };
    let outer = Pair { other: Param::from_tensor(doubles(&[2.0], [1])), ..pair() };
    let problem = Mistaken(Mistake::Unused);
    let mut learner = MetaLearner::new(
        problem,
        LOOP,
        unrolled(),
        config,
        outer,
        rate(0.1),
        AdamWConfig::new().with_weight_decay(0.1).init(),
        AdamWConfig::new().init(),
    );
    let values = |pair: &Pair<Flex>| Tensors::of(pair).to_f64();
    let before = values(learner.outer());
    learner.step(&[parabola(1.0, 0.0, 0.0)]).unwrap();
    let after = values(learner.outer());
    assert_ne!(after[0], before[0], "`used`");
    assert_eq!(after[1], before[1], "`other`, which nothing decays");
}

#[test]
fn a_gradient_of_exactly_zero() {
    let found = mistaken(Mistake::TimesZero).step(&[parabola(1.0, 0.0, 0.0)]);
    assert!(matches!(
        error(found, &["`other`", "allow_zero_gradients"]),
        Error::ZeroGradient { .. }
    ));
}

#[test]
fn a_gradient_of_exactly_zero_can_be_allowed() {
    let config = MetaLearnerConfig { allow_zero_gradients: true, ..MetaLearnerConfig::default() };
    mistaken_by(config, Mistake::TimesZero).step(&[parabola(1.0, 0.0, 0.0)]).unwrap();
}

/// No loss is computed after the last step.
#[test]
fn an_inner_loop_that_ends_where_nothing_is_finite() {
    let once = InnerLoop { optimizer: Sgd, steps: 1 };
    let task = parabola(1.0, 0.0, 0.0);
    let found = once.adapt(&Scalar, &number(2.0), &rate(f64::INFINITY), &task);
    assert!(matches!(error(found, &["`w`", "inner rate"]), Error::NonFiniteEnd { steps: 1, .. }));
}

#[test]
fn a_meta_gradient_that_is_not_finite() {
    let mut learner = mistaken(Mistake::RootOfZero);
    let before = flat(&Tensors::of(learner.outer()).into_cotangents());
    let found = learner.step(&[parabola(1.0, 0.0, 0.0)]);
    assert!(matches!(
        error(found, &["`other`", "root of zero"]),
        Error::NonFiniteMetaGradient { .. }
    ));
    let after = flat(&Tensors::of(learner.outer()).into_cotangents());
    assert_eq!(before, after, "the learner is left as it was");
}

#[test]
fn a_variable_that_first_order_cannot_reach() {
    let values = Values::some();
    let (outer, rates, task) = (values.outer(), values.rates(), values.task());
    let expected = ["`of_points`", "Unrolled", "Truncated", "Implicit"];
    let first = FirstOrder.meta_gradient(&WeightedMean, &LOOP, &outer, &rates, &task);
    assert!(matches!(error(first, &expected), Error::FirstOrderCannotReach { .. }));
    let envelope = Envelope.meta_gradient(&WeightedMean, &LOOP, &outer, &rates, &task);
    assert!(matches!(error(envelope, &expected), Error::FirstOrderCannotReach { .. }));
    let none = truncated(0).meta_gradient(&WeightedMean, &LOOP, &outer, &rates, &task);
    assert!(matches!(error(none, &expected), Error::FirstOrderCannotReach { .. }));
}

/// One step back of three sees what only the last step reads, not what only the first or the second did.
#[test]
fn a_variable_that_a_truncated_gradient_cannot_reach() {
    let three = InnerLoop { optimizer: Sgd, steps: 3 };
    for (read_at, reached) in [(0, false), (1, false), (2, true)] {
        let problem = Mistaken(Mistake::ReadAtStep(read_at));
        let task = parabola(1.0, 0.0, 3.0);
        let found = truncated(1).meta_gradient(&problem, &three, &pair(), &rate(0.1), &task);
        match reached {
            true => drop(found.unwrap()),
            false => {
                let found = error(found, &["`other`", "more steps"]);
                assert!(matches!(found, Error::FirstOrderCannotReach { .. }));
            }
        }
    }
}

#[test]
fn gradients_that_cancel_each_other_are_no_mistake() {
    let optimizers = (SgdConfig::new().init(), SgdConfig::new().init());
    let config = MetaLearnerConfig { rates_rate: None, ..MetaLearnerConfig::default() };
    let (start, rates) = (number(0.0), rate(0.1));
    let mut learner = MetaLearner::new(
        Scalar,
        LOOP,
        unrolled(),
        config,
        start,
        rates,
        optimizers.0,
        optimizers.1,
    );
    let step = learner.step(&[parabola(1.0, 0.5, 0.5), parabola(1.0, -0.5, -0.5)]).unwrap();
    assert_eq!(step.gradient_norm, 0.0);
}

#[test]
fn settings_outside_of_their_range() {
    let task = || parabola(1.0, 0.0, 3.0);
    let at = |setting: &str, found: Result<MetaGradient<Flex>>| {
        assert!(matches!(error(found, &[setting]), Error::OutOfRange { .. }));
    };
    fn by<O: InnerOptimizer>(optimizer: O) -> Result<MetaGradient<Flex>> {
        let steps = InnerLoop { optimizer, steps: 2 };
        let task = parabola(1.0, 0.0, 3.0);
        unrolled().meta_gradient(&Scalar, &steps, &number(2.0), &rate(0.1), &task)
    }
    at("Adam::beta_1", by(Adam { beta_1: 1.0, ..Adam::default() }));
    at("Adam::beta_2", by(Adam { beta_2: -0.1, ..Adam::default() }));
    at("Adam::epsilon", by(Adam { epsilon: 0.0, ..Adam::default() }));
    at("Adam::weight_decay", by(Adam { weight_decay: f64::NAN, ..Adam::default() }));
    at("Momentum::coefficient", by(Momentum { coefficient: 1.0 }));
    let curvature = CentralDifference { length: Some(0.0) };
    at("CentralDifference::length", on_parabola(&Unrolled { curvature }, task(), 0.1));

    let (outer, task) = (Values::some().outer(), Values::some().task());
    let solved = |solver: ConjugateGradient| {
        let implicit = Implicit { solver, curvature: Nested };
        implicit.meta_gradient(&WeightedMean, &LOOP, &outer, &rate(0.1), &task)
    };
    let usual = ConjugateGradient::default();
    at("ConjugateGradient::iterations", solved(ConjugateGradient { iterations: 0, ..usual }));
    at("ConjugateGradient::tolerance", solved(ConjugateGradient { tolerance: 1.0, ..usual }));
    at("ConjugateGradient::damping", solved(ConjugateGradient { damping: -1.0, ..usual }));

    for clip in [0.0, -1.0, f64::NAN] {
        let config = MetaLearnerConfig { clip: Some(clip), ..MetaLearnerConfig::default() };
        assert!(matches!(config.check(), Err(Error::OutOfRange { .. })), "{clip}");
    }
    let config = MetaLearnerConfig { clip: Some(f64::INFINITY), ..MetaLearnerConfig::default() };
    config.check().unwrap();
}

#[test]
fn an_implicit_gradient_that_vanishes() {
    for_each_engine!(|name, curvature| {
        let implicit = Implicit { solver: ConjugateGradient::default(), curvature };
        let found = on_parabola(&implicit, parabola(1.0, 0.0, 3.0), 0.1);
        let found = error(found, &["proximal", "Unrolled"]);
        assert!(matches!(found, Error::ImplicitGradientIsZero), "{name}");
    });
}

#[test]
fn an_implicit_gradient_where_the_loop_does_not_end_at_a_minimum() {
    fn attempt<O: InnerOptimizer>(optimizer: O) -> Result<MetaGradient<Flex>> {
        let inner_loop = InnerLoop { optimizer, steps: 2 };
        let (outer, task) = (Values::some().outer(), Values::some().task());
        Implicit::<ConjugateGradient>::default().meta_gradient(
            &WeightedMean,
            &inner_loop,
            &outer,
            &rate(0.1),
            &task,
        )
    }
    let projected = Projected { rule: Sgd, onto: LinfBall { radius: 1.0 } };
    let decay = Adam::with_weight_decay();
    for (refused, cause) in [
        (attempt(projected), "`Projected`"),
        (attempt(Clipped { rule: projected, limit: 1.0 }), "`Projected`"),
        (attempt(decay), "weight decay"),
        (attempt(ConfiguredRule { rule: RuleChoice::Adamw, clip: Some(1.0) }), "weight decay"),
        (attempt(SignedAscent), "fixed length"),
        (attempt(NormalizedAscent { rows: 1 }), "fixed length"),
    ] {
        let found = error(refused, &[cause, "penalty", "Unrolled"]);
        assert!(matches!(found, Error::ImplicitRestsElsewhere { .. }));
    }
    attempt(Adam::default()).unwrap();
    attempt(ConfiguredRule { rule: RuleChoice::Momentum, clip: Some(10.0) }).unwrap();
}

#[test]
fn an_implicit_gradient_without_an_inner_step() {
    let (outer, task) = (Values::some().outer(), Values::some().task());
    let none = InnerLoop { optimizer: Sgd, steps: 0 };
    let found = Implicit::<ConjugateGradient>::default().meta_gradient(
        &WeightedMean,
        &none,
        &outer,
        &rate(0.1),
        &task,
    );
    error(found, &["`InnerLoop::steps`"]);
}

#[test]
fn a_selection_with_a_misspelt_part() {
    let sizes = Sizes::default();
    let problem = Fit { learned: Selection::below(["network", "shfit"]), ..Fit::default() };
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 1 };
    let found =
        inner_loop.rates(&problem, RateScope::Global, 0.1, &learned(sizes, 1), &points(sizes, 1));
    assert!(matches!(error(found, &["`shfit`", "shift"]), Error::NothingThere { .. }));
}

/// Which of the two the data of this loop or the last step of the one before is to blame for cannot be told.
#[test]
fn a_loop_that_goes_on_from_a_bad_iterate() {
    let (outer, task) = (Values::some().outer(), Values::some().task());
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 1 };
    let end = inner_loop.adapt(&WeightedMean, &outer, &rate(0.1), &task).unwrap().end;
    let spoilt =
        Iterate { theta: end.theta.add_scaled(f64::INFINITY, &end.theta.clone().into()), ..end };
    let found = inner_loop.adapt_from(&WeightedMean, &outer, &rate(0.1), &task, Some(spoilt));
    error(found, &["inner step 0", "after 1 steps", "earlier iterate"]);
}

#[test]
fn linear_solvers_that_break_down() {
    let (outer, task) = (Values::some().outer(), Values::some().task());
    let hill = Values { penalty: -3.0, ..Values::some() };
    let solve = Implicit { solver: ConjugateGradient::default(), curvature: Nested };
    let found = solve.meta_gradient(&WeightedMean, &LOOP, &hill.outer(), &rate(0.1), &task);
    error(found, &["conjugate gradient", "iteration 0", "search direction is -", "damping"]);
    let series = Implicit { solver: Neumann { terms: 50, step: 2.0 }, curvature: Nested };
    let found = series.meta_gradient(&WeightedMean, &LOOP, &outer, &rate(0.1), &task);
    assert!(matches!(
        error(found, &["Neumann", "diverges at step 2", "a smaller `Neumann::step`"]),
        Error::LinearSolver { .. }
    ));
}

#[test]
fn an_inner_loop_that_explodes() {
    let found = on_parabola(&unrolled(), parabola(1.0, 0.0, 0.0), 1e200);
    let found =
        error(found, &["inner step 1", "2.000e0 in `w`", "Lower the inner rate", "Clipped"]);
    assert!(matches!(found, Error::NonFiniteInnerLoss { step: 1, largest_gradient: 2.0, .. }));
    let found = on_parabola(&unrolled(), parabola(f64::NAN, 0.0, 0.0), 0.1);
    error(found, &["inner step 0", "NaN", "no step was taken yet", "the data"]);
}

#[test]
fn an_outer_loss_that_is_not_finite() {
    fn refused(method: &impl Hypergradient) {
        let found = on_parabola(method, parabola(1.0, 0.0, f64::NAN), 0.1);
        let found = error(found, &["NaN after 2 inner steps", "lower"]);
        assert!(matches!(found, Error::NonFiniteOuterLoss { steps: 2, .. }));
    }
    refused(&unrolled());
    refused(&FirstOrder);
    refused(&Envelope);
    refused(&Reptile);
    refused(&Implicit::<ConjugateGradient>::default());
}

#[test]
fn a_loss_that_is_not_one_number() {
    let task = parabola(1.0, 0.0, 0.0);
    for (mistake, loss) in [(Mistake::InnerLossOfTwo, "inner"), (Mistake::OuterLossOfTwo, "outer")]
    {
        let found = unrolled().meta_gradient(&Mistaken(mistake), &LOOP, &pair(), &rate(0.1), &task);
        let found = error(found, &[&format!("the {loss} loss has 2 elements"), "average or sum"]);
        assert!(matches!(found, Error::LossShape { elements: 2, .. }));
    }
}

#[test]
fn a_loss_along_the_way_that_is_not_finite() {
    let problem = Mistaken(Mistake::InfinityAlongTheWay);
    let task = parabola(1.0, 0.0, 0.0);
    let found = unrolled().meta_gradient(&problem, &LOOP, &pair(), &rate(0.1), &task);
    assert!(matches!(
        error(found, &["inf after 1 inner steps"]),
        Error::NonFiniteOuterLoss { steps: 1, .. }
    ));
}

#[test]
fn rates_of_another_loop() {
    let sizes = Sizes::default();
    let (problem, outer, task) = (Fit::default(), learned(sizes, 1), points(sizes, 1));
    let refused = |made_for: InnerLoop<Sgd>, scope: RateScope| {
        let rates = made_for.rates(&problem, scope, 0.1, &outer, &task).unwrap();
        let found = unrolled().meta_gradient(&problem, &LOOP, &outer, &rates, &task);
        let found = error(found, &["3 tensors and 2 steps", "InnerLoop::rates"]);
        assert!(matches!(found, Error::RatesMismatch { .. }));
    };
    refused(InnerLoop { optimizer: Sgd, steps: 3 }, RateScope::PerTensorPerStep);
    refused(InnerLoop { optimizer: Sgd, steps: 0 }, RateScope::PerTensorPerStep);

    let two = Rates { tensors: vec![rate(0.1).tensors[0].clone(), rate(0.1).tensors[0].clone()] };
    let found = unrolled().meta_gradient(&problem, &LOOP, &outer, &two, &task);
    error(found, &["2 tensors of shapes"]);
    let none = Rates { tensors: Vec::new() };
    let found = unrolled().meta_gradient(&problem, &LOOP, &outer, &none, &task);
    error(found, &["0 tensors of shapes"]);
    let wide = Rates { tensors: vec![Param::from_tensor(doubles(&[0.1; 6], [1, 6]))] };
    let found = unrolled().meta_gradient(&problem, &LOOP, &outer, &wide, &task);
    error(found, &["1 tensors of shapes [[1, 6]]"]);
}

#[test]
fn a_task_that_fails_is_named() {
    let good = || parabola(1.0, 0.0, 1.0);
    let tasks = [good(), good(), parabola(f64::NAN, 0.0, 1.0), good()];
    for threads in [1, 3] {
        let threads = Threads::new(threads);
        let found =
            meta_batch(&unrolled(), &Scalar, &LOOP, &number(1.0), &rate(0.1), &tasks, threads);
        let found = error(found, &["task 2", "inner step 0"]);
        assert!(matches!(found, Error::InTask { task: 2, .. }));
    }
}

#[test]
fn fused_layers_under_nested_autodiff() {
    let cases = [
        (Operation::Linear, ["burn::nn::Linear", "inner_outer::layers::linear"]),
        (Operation::Embedding, ["burn::nn::Embedding", "inner_outer::layers::embedding"]),
        (Operation::Pooling, ["a pooling layer", "ForwardOverReverse"]),
        (Operation::Interpolation, ["an interpolation", "ForwardOverReverse"]),
    ];
    let outer = fused_layers();
    for (operation, words) in cases {
        let found = error(fused(operation, &outer, Nested), &words);
        assert!(
            matches!(found, Error::NotTwiceDifferentiable { engine: "Nested", .. }),
            "{operation:?}"
        );

        // The engines that the message offers do what it says, and the failure left nothing broken behind.
        let forward = fused(operation, &outer, ForwardOverReverse).unwrap();
        let central = fused(operation, &outer, CentralDifference::default()).unwrap();
        assert_close(&format!("{operation:?}"), &flat(&central.outer), &flat(&forward.outer), 1e-3);
    }
}

fn fused<C: Curvature>(
    operation: Operation,
    outer: &FusedLayers<Flex>,
    curvature: C,
) -> Result<MetaGradient<Flex>> {
    let (problem, task) = (Through(operation), parabola(1.0, 0.0, 0.0));
    let rates = LOOP.rates(&problem, RateScope::Global, 0.1, outer, &task)?;
    Unrolled { curvature }.meta_gradient(&problem, &LOOP, outer, &rates, &task)
}

#[test]
#[should_panic(expected = "a mistake in the user's own code")]
fn a_panic_of_the_user_stays_a_panic() {
    let problem = Mistaken(Mistake::Panics);
    let nested = Unrolled { curvature: Nested };
    let _ = nested.meta_gradient(&problem, &LOOP, &pair(), &rate(0.1), &parabola(1.0, 0.0, 0.0));
}

#[test]
fn state_that_cannot_be_kept_or_read() {
    let learner = |problem: Mistaken| mistaken(problem.0);
    let doubles = learner(Mistaken(Mistake::Unused)).state();
    assert!(matches!(
        error(doubles, &["write", "F64", "F32"]),
        Error::State { action: "write", .. }
    ));
    let device = Default::default();
    let corrupt = learner(Mistaken(Mistake::Unused)).with_state(b"no such state", &device);
    assert!(matches!(
        error(corrupt, &["read", "same configuration"]),
        Error::State { action: "read", .. }
    ));
}

#[test]
fn errors_are_ordinary_errors() {
    fn check<E: std::error::Error + Send + Sync + 'static>() {}
    check::<Error>();
    let nested = Error::InTask { task: 1, source: Box::new(Error::EmptyMetaBatch) };
    assert!(std::error::Error::source(&nested).is_some());
    let _: fn(&Scalar) -> Selection = Problem::adapted;
}
