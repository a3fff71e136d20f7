//! What `init` computes beside the adapted parameters: frozen parameters are differentiated, plain tensors are refused.

mod common;

use burn::backend::Flex;
use burn::module::{Module, Param, ParamId};
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::optim::SgdConfig;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use common::methods::unrolled;
use common::numbers::doubles;
use common::scalar::{Number, Numbers, Parabola, Parabolas, number, parabola};
use inner_outer::tensors::to_f64;
use inner_outer::{
    ConjugateGradient, Error, Hypergradient, Implicit, InnerLoop, MetaLearner, MetaLearnerConfig,
    Problem, Rates, Selection, Sgd, family,
};

/// A number that is adapted, and what it is multiplied by: a frozen parameter and a plain tensor.
#[derive(Module, Debug)]
struct Scaled<B: Backend> {
    w: Param<Tensor<B, 1>>,
    frozen: Param<Tensor<B, 1>>,
    plain: Tensor<B, 1>,
    /// A layer that is made anew, whose parameters nobody has read.
    fresh: LayerNorm<B>,
}

family!(ScaledNumbers => Scaled);

/// Where the learned number goes beside `w`.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Nowhere,
    InFrozen,
    /// In a frozen parameter that also hangs on a leaf of its own.
    InFrozenBesideALeaf,
    InPlain,
}

/// Inner loss `(c w - 1)^2 / 2` with `c = frozen plain`, outer loss `(w_K - u)^2 / 2`; `w` starts at the learned number.
struct Rescaled(Kept);

impl Problem for Rescaled {
    type Outer = Numbers;
    type Inner = ScaledNumbers;
    type Task = Parabolas;

    fn adapted(&self) -> Selection {
        Selection::below(["w"])
    }

    fn init<B: Backend>(&self, outer: &Number<B>, _task: &Parabola<B>) -> Scaled<B> {
        let learned = outer.w.val();
        let one = learned.ones_like();
        Scaled {
            w: Param::initialized(ParamId::new(), learned.clone()),
            frozen: match self.0 {
                Kept::InFrozen => Param::initialized(ParamId::new(), learned.clone()),
                Kept::InFrozenBesideALeaf => {
                    let leaf = Param::from_tensor(one.clone()).val();
                    Param::initialized(ParamId::new(), leaf * learned.clone())
                }
                // A leaf of its own.
                Kept::Nowhere | Kept::InPlain => Param::from_tensor(one.clone()),
            },
            fresh: LayerNormConfig::new(1).init(&learned.device()),
            plain: if self.0 == Kept::InPlain { learned } else { one },
        }
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Scaled<B>,
        _outer: &Number<B>,
        _task: &Parabola<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        let one = inner.fresh.gamma.val().cast(inner.w.dtype());
        let scale = inner.frozen.val() * inner.plain.clone() * one;
        (inner.w.val() * scale - 1.0).powi_scalar(2) * 0.5
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Scaled<B>,
        outer: &Number<B>,
        task: &Parabola<B>,
    ) -> Tensor<B, 1> {
        let decay = outer.w.val().powi_scalar(2) * 0.0;
        (inner.w.val() - task.target.clone()).powi_scalar(2) * 0.5 + decay
    }
}

const LOOP: InnerLoop<Sgd> = InnerLoop { optimizer: Sgd, steps: 1 };

fn rate() -> Rates<Flex> {
    Rates { tensors: vec![Param::from_tensor(doubles(&[0.1], [1, 1]))] }
}

fn step(kept: Kept) -> Result<inner_outer::MetaStep, Error> {
    let [outer, rates] = [(); 2].map(|()| SgdConfig::new());
    let config = MetaLearnerConfig { rates_rate: None, ..MetaLearnerConfig::default() };
    let exact = unrolled();
    let start = number(0.5);
    MetaLearner::new(Rescaled(kept), LOOP, exact, config, start, rate(), outer.init(), rates.init())
        .step(&[parabola(1.0, 0.0, 2.0)])
}

/// With `c = a` the step is `w_1 = a - 0.1 (a^2 - 1) a`, whose derivative is `1 - 0.1 (3 a^2 - 1)`; with `c = 1` it is 0.9.
#[test]
fn frozen_parameters_that_are_computed_are_differentiated() {
    for (kept, end, slope) in [
        (Kept::InFrozen, 0.5375, 1.025),
        (Kept::InFrozenBesideALeaf, 0.5375, 1.025),
        (Kept::Nowhere, 0.55, 0.9),
    ] {
        let found = unrolled()
            .meta_gradient(&Rescaled(kept), &LOOP, &number(0.5), &rate(), &parabola(1.0, 0.0, 2.0))
            .unwrap();
        let gradient = to_f64(found.outer.0[0].as_ref().unwrap())[0];
        assert!((gradient - (end - 2.0) * slope).abs() < 1e-12, "{gradient}");
        step(kept).unwrap();
    }
}

#[test]
fn a_plain_tensor_that_is_computed_from_what_is_learned_is_refused() {
    let refused = step(Kept::InPlain).unwrap_err();
    let message = refused.to_string();
    assert!(message.contains("task 0") && message.contains("inner loss"), "{message}");
    assert!(message.contains("`Problem::adapted` leaves out"), "{message}");
    let Error::InTask { source, .. } = refused else { panic!("{refused}") };
    assert!(matches!(*source, Error::ComputedField { loss: "inner" }));
}

/// Nothing that is learned moves the minimum: the frozen constant is a leaf, and is made from nothing.
#[test]
fn a_frozen_constant_does_not_pass_for_something_that_is_learned() {
    let found = Implicit::<ConjugateGradient>::default().meta_gradient(
        &Rescaled(Kept::Nowhere),
        &LOOP,
        &number(0.5),
        &rate(),
        &parabola(1.0, 0.0, 2.0),
    );
    assert!(matches!(found.err(), Some(Error::ImplicitGradientIsZero)));
}
