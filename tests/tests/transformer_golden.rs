//! Meta-gradients of a transformer against values from PyTorch, see `golden/transformer_second_order/make.py`.

#[path = "../../crates/inner-outer/tests/common/transformer.rs"]
mod transformer;

use burn::backend::Flex;
use burn::module::Param;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use inner_outer::hypergradient::MetaGradient;
use inner_outer::tensors::{Tensors, parameter_shapes, to_f64};
use inner_outer::{
    Adam, CentralDifference, Curvature, FirstOrder, ForwardOverReverse, Hypergradient, InnerLoop,
    InnerOptimizer, Momentum, Nested, Rates, Sgd, Truncated, Unrolled,
};
use serde::Deserialize;
use transformer::{LanguageModel, Sizes, Texts, Transformer};
use workspace_tests::{Golden, assert_close, golden_text};

/// The part of `settings.json` that decides sizes and names.
#[derive(Deserialize)]
struct Settings {
    vocabulary: usize,
    width: usize,
    heads: usize,
    layers: usize,
    context: usize,
    inner_steps: usize,
    tensors: Vec<String>,
}

/// What all optimisers share.
struct Inputs {
    settings: Settings,
    model: Transformer<Flex>,
    rates: Rates<Flex>,
    task: Texts<Flex>,
}

fn doubles<const D: usize>(values: Vec<f64>, shape: [usize; D]) -> Tensor<Flex, D> {
    Tensor::from_data(TensorData::new(values, shape), (&Device::<Flex>::default(), DType::F64))
}

fn inputs() -> Inputs {
    let settings: Settings =
        serde_json::from_str(&golden_text("transformer_second_order/settings.json").unwrap())
            .unwrap();
    let golden = Golden::open("transformer_second_order/inputs.safetensors").unwrap();
    let model = model(&settings, &golden);
    let (steps, count) = (settings.inner_steps, settings.tensors.len());
    let rates = golden.values("rates").unwrap();
    let of_tensor = |tensor: usize| (0..steps).map(|step| rates[step * count + tensor]).collect();
    let rates = (0..count)
        .map(|tensor| Param::from_tensor(doubles(of_tensor(tensor), [steps, 1])))
        .collect();
    let tokens = |name: &str| {
        let (ids, shape) = golden.integers(name).unwrap();
        Tensor::<Flex, 2, Int>::from_data(TensorData::new(ids, shape), &Device::<Flex>::default())
    };
    let task = Texts { support: tokens("support"), query: tokens("query") };
    Inputs { settings, model, rates: Rates { tensors: rates }, task }
}

/// The model with the golden weights, whose names and shapes must be those of our parameters, in the same order.
fn model(settings: &Settings, golden: &Golden) -> Transformer<Flex> {
    let Settings { vocabulary, width, heads, layers, context, .. } = *settings;
    let model =
        Sizes { vocabulary, width, heads, layers, context }.init::<Flex>(&Default::default());
    let ours = parameter_shapes(&model);
    assert_eq!(ours.len(), settings.tensors.len());
    let weight = |((path, shape), name): (&(String, Vec<usize>), &String)| {
        assert_eq!(path.replace("gamma", "weight").replace("beta", "bias"), *name);
        let (values, stored) = golden.doubles(name).unwrap();
        assert_eq!(*shape, stored, "{name}");
        let elements = values.len();
        doubles(values, [elements])
    };
    Tensors(ours.iter().zip(&settings.tensors).map(weight).collect()).write(model)
}

/// A golden file and the inner optimiser it is about.
struct Reference<O> {
    inputs: Inputs,
    golden: Golden,
    optimizer: O,
}

impl<O: InnerOptimizer> Reference<O> {
    fn new(name: &str, optimizer: O) -> Self {
        let golden = Golden::open(&format!("transformer_second_order/{name}.safetensors")).unwrap();
        Self { inputs: inputs(), golden, optimizer }
    }

    fn gradient(&self, method: &impl Hypergradient) -> MetaGradient<Flex> {
        let Inputs { settings, model, rates, task } = &self.inputs;
        let inner_loop =
            InnerLoop { optimizer: self.optimizer.clone(), steps: settings.inner_steps };
        method.meta_gradient(&LanguageModel, &inner_loop, model, rates, task).unwrap()
    }

    /// The golden tensors `<kind>/<weight>`, one after the other.
    fn weights(&self, kind: &str) -> Vec<f64> {
        let names = self.inputs.settings.tensors.iter();
        names.flat_map(|name| self.golden.values(&format!("{kind}/{name}")).unwrap()).collect()
    }

    /// The golden derivatives of the rates, tensor by tensor as ours are.
    fn rates(&self, kind: &str) -> Vec<f64> {
        let (values, shape) = self.golden.doubles(&format!("{kind}/rates")).unwrap();
        let [steps, tensors] = [shape[0], shape[1]];
        let places =
            (0..tensors).flat_map(|tensor| (0..steps).map(move |step| step * tensors + tensor));
        places.map(|place| values[place]).collect()
    }

    fn losses_and_end(&self) {
        let found = self.gradient(&FirstOrder);
        let losses = self.golden.values("inner_losses").unwrap();
        assert_close(
            "inner losses",
            &found.inner_losses,
            &losses[..found.inner_losses.len()],
            1e-12,
        );
        assert_close(
            "outer loss",
            &[found.outer_loss],
            &self.golden.values("outer_loss").unwrap(),
            1e-12,
        );
        assert_close("theta_K", &found.adapted.to_f64(), &self.weights("adapted"), 1e-9);
    }

    fn exact<C: Curvature>(&self, name: &str, curvature: C, tolerance: f64) {
        let found = self.gradient(&Unrolled { curvature });
        self.compare(name, &found, (self.weights("exact"), self.rates("exact")), tolerance);
    }

    /// Only the gradients of the early steps are constants. The weights are those of `truncated_k` times what the
    /// early steps do to them without their gradients.
    fn truncated(&self, kept: impl Fn(f64) -> f64, tolerance: f64) {
        let steps = self.inputs.settings.inner_steps;
        for exact_steps in 1..steps {
            let found = self.gradient(&Truncated { exact_steps, curvature: ForwardOverReverse });
            let early = |rates: &Param<Tensor<Flex, 2>>| {
                to_f64(&rates.val())[..steps - exact_steps]
                    .iter()
                    .map(|rate| kept(*rate))
                    .product::<f64>()
            };
            let names = self.inputs.settings.tensors.iter().zip(&self.inputs.rates.tensors);
            let weights = names.flat_map(|(name, rates)| {
                let constant =
                    self.golden.values(&format!("truncated_{exact_steps}/{name}")).unwrap();
                let early = early(rates);
                constant.into_iter().map(move |entry| entry * early)
            });
            let rates = self.rates(&format!("detached_{exact_steps}"));
            self.compare(
                &format!("last {exact_steps}"),
                &found,
                (weights.collect(), rates),
                tolerance,
            );
        }
    }

    fn first_order(&self, tolerance: f64) {
        let expected = (self.weights("first_order"), self.rates("first_order"));
        self.compare("first order", &self.gradient(&FirstOrder), expected, tolerance);
    }

    fn compare(
        &self,
        label: &str,
        found: &MetaGradient<Flex>,
        expected: (Vec<f64>, Vec<f64>),
        tolerance: f64,
    ) {
        let weights: Vec<f64> = found.outer.0.iter().flatten().flat_map(to_f64).collect();
        let rates: Vec<f64> = found.rates.0.iter().flatten().flat_map(to_f64).collect();
        assert_close(&format!("{label}, weights"), &weights, &expected.0, tolerance);
        assert_close(&format!("{label}, rates"), &rates, &expected.1, tolerance);
    }
}

/// Differences only come from the order of additions, except where Adam divides one that should be zero by epsilon.
fn check<O: InnerOptimizer>(name: &str, optimizer: O, kept: impl Fn(f64) -> f64) {
    let reference = Reference::new(name, optimizer);
    reference.losses_and_end();
    reference.exact("nested", Nested, 1e-9);
    reference.exact("forward over reverse", ForwardOverReverse, 1e-9);
    reference.exact("central difference", CentralDifference::default(), 1e-6);
    reference.first_order(1e-9);
    reference.truncated(kept, 1e-9);
}

#[test]
fn gradient_descent() {
    check("sgd", Sgd, |_| 1.0);
}

#[test]
fn momentum() {
    check("momentum", Momentum::default(), |_| 1.0);
}

#[test]
fn adam() {
    check("adam", Adam::default(), |_| 1.0);
}

#[test]
fn adamw() {
    let decay = Adam::with_weight_decay().weight_decay;
    check("adamw", Adam::with_weight_decay(), |rate| 1.0 - rate * decay);
}
