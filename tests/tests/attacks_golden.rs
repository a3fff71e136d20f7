//! Robust accuracies of two small classifiers of digits against those of torchattacks and of the authors' AutoAttack, see
//! `golden/attacks/make.py` and `golden/attacks/autoattack.py`, and of one of coloured digits, see `golden/attacks/colour.py`.

use std::collections::BTreeMap;

use burn::backend::{Autodiff, Flex};
use burn::module::{Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, TensorData};
use experiment::seed::Seed;
use fal::Classifier;
use fal::attack::{
    Apgd, Attack, AutoAttack, Campaign, Fab, Fgsm, Norm, Pgd, Samples, Square, TargetedApgd,
    ThreatModel, Transparent, WhiteBox,
};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use workspace_tests::golden_text;

/// One percentage point, as a share.
const TOLERANCE: f64 = 0.01;

/// Two affine layers with a ReLU between; weights are `[out, in]`.
#[derive(Module, Debug)]
struct Mlp<B: Backend> {
    hidden: Affine<B>,
    output: Affine<B>,
}

/// Two convolutions of 3x3 pixels, the second with a stride of 2, and an affine layer.
#[derive(Module, Debug)]
struct Cnn<B: Backend> {
    first: Convolution<B>,
    second: Convolution<B>,
    output: Affine<B>,
}

#[derive(Module, Debug)]
struct Affine<B: Backend> {
    weight: Param<Tensor<B, 2>>,
    bias: Param<Tensor<B, 1>>,
}

#[derive(Module, Debug)]
struct Convolution<B: Backend> {
    weight: Param<Tensor<B, 4>>,
    bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> Affine<B> {
    fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        x.matmul(self.weight.val().transpose()) + self.bias.val().unsqueeze()
    }
}

impl<B: Backend> Convolution<B> {
    fn forward(&self, x: Tensor<B, 4>, stride: usize) -> Tensor<B, 4> {
        let options = ConvOptions::new([stride; 2], [1; 2], [1; 2], 1);
        conv2d(x, self.weight.val(), Some(self.bias.val()), options)
    }
}

impl<B: Backend> Classifier<B> for Mlp<B> {
    fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        self.output.forward(relu(self.hidden.forward(images.flatten(1, 3))))
    }
}

impl<B: Backend> Classifier<B> for Cnn<B> {
    fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        let hidden = relu(self.first.forward(images, 1));
        self.output.forward(relu(self.second.forward(hidden, 2)).flatten(1, 3))
    }
}

/// A file of `golden/attacks`.
struct Weights(Vec<u8>);

impl Weights {
    fn open(name: &str) -> Self {
        let path = format!("{}/golden/attacks/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        Self(std::fs::read(path).unwrap())
    }

    fn tensor<const D: usize>(&self, name: &str) -> Tensor<Flex, D> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let view = file.tensor(name).unwrap();
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => {
                let (entries, _) = view.data().as_chunks::<4>();
                entries.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
            }
            Dtype::U8 => view.data().iter().map(|byte| f32::from(*byte)).collect(),
            other => panic!("`{name}` is {other:?}"),
        };
        Tensor::from_data(TensorData::new(values, view.shape().to_vec()), &Default::default())
    }

    fn affine(&self, layer: &str) -> Affine<Flex> {
        let weight = Param::from_tensor(self.tensor(&format!("{layer}.weight")));
        Affine { weight, bias: Param::from_tensor(self.tensor(&format!("{layer}.bias"))) }
    }

    fn convolution(&self, layer: &str) -> Convolution<Flex> {
        let weight = Param::from_tensor(self.tensor(&format!("{layer}.weight")));
        Convolution { weight, bias: Param::from_tensor(self.tensor(&format!("{layer}.bias"))) }
    }
}

/// What another implementation found for one model.
#[derive(Deserialize)]
struct Expected {
    clean_accuracy: f64,
    attacks: Vec<Row>,
}

/// What one of its attacks found.
#[derive(Deserialize)]
struct Row {
    attack: String,
    /// Steps, or queries.
    budget: usize,
    norm: String,
    epsilon: f64,
    /// One for each of their seeds.
    accuracies: Vec<f64>,
}

impl Row {
    /// What is the same in `file`: the ensemble of torchattacks squeezes the schedule of Square, that of the authors does not.
    fn attack<M: WhiteBox>(&self, file: &str) -> Box<dyn Attack<M>> {
        let steps = self.budget;
        let rescaled = !file.ends_with("autoattack");
        let square = Square { rescaled, ..AutoAttack::standard().square };
        match self.attack.as_str() {
            "FGSM" => Box::new(Fgsm),
            "PGD" => Box::new(Pgd::new(steps)),
            "PGD-5" => Box::new(Pgd { restarts: 5, ..Pgd::new(steps) }),
            "CW-PGD" => Box::new(Pgd::margin(steps)),
            "APGD-CE" => Box::new(Apgd::cross_entropy(steps)),
            "APGD-DLR" => Box::new(Apgd::logit_ratio(steps)),
            "APGD-T" => Box::new(TargetedApgd { steps, targets: 9 }),
            "FAB-T" => Box::new(Fab { steps, targets: 9 }),
            "Square" => Box::new(Square::new(steps)),
            "AutoAttack" => Box::new(AutoAttack { square, ..AutoAttack::standard() }),
            other => panic!("unknown attack `{other}`"),
        }
    }

    /// How many seeds are averaged; attacks that draw nothing, or spend much, run once.
    fn seeds(&self) -> u64 {
        match self.attack.as_str() {
            "CW-PGD" | "APGD-DLR" => 24,
            "PGD" | "Square" => 16,
            "PGD-5" | "APGD-CE" => 6,
            "APGD-T" => 5,
            _ => 1,
        }
    }

    fn threat(&self) -> ThreatModel {
        let norm = match self.norm.as_str() {
            "Linf" => Norm::Linf,
            "L2" => Norm::L2,
            other => panic!("unknown norm `{other}`"),
        };
        ThreatModel::new(norm, self.epsilon)
    }
}

/// The images of a file whose brightest value is `largest`.
fn samples(file: &str, largest: f32) -> Samples {
    let file = Weights::open(file);
    let labels = file.tensor::<1>("labels").into_data().into_vec::<f32>().unwrap();
    let labels = labels.into_iter().map(|label| label as usize).collect();
    Samples::from_tensor(file.tensor::<4>("images") / largest, labels).unwrap()
}

/// Compares every attack with those of `file`, on means over seeds: theirs and ours draw different numbers.
fn compare<M: WhiteBox>(file: &str, name: &str, model: &M, samples: &Samples) {
    let expected = golden_text(&format!("attacks/{file}.json")).unwrap();
    let mut expected: BTreeMap<String, Expected> = serde_json::from_str(&expected).unwrap();
    let Expected { clean_accuracy, attacks } = expected.remove(name).unwrap();
    let mut failures = Vec::new();
    for row in attacks {
        let attack = row.attack(file);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let found = (0..row.seeds()).map(|seed| {
            let campaign = Campaign::new(row.threat(), Seed::new(seed));
            let outcome = campaign.run(&*attack, model, samples).unwrap();
            assert_eq!(outcome.clean_accuracy().mean, clean_accuracy);
            outcome.robust_accuracy().mean
        });
        let (found, expected) = (mean(&found.collect::<Vec<_>>()), mean(&row.accuracies));
        if (found - expected).abs() > TOLERANCE {
            let (attack, threat) = (attack.name(), row.threat());
            failures.push(format!("{attack} ({threat}): {found:.4} is not {expected:.4}"));
        }
    }
    assert!(failures.is_empty(), "{name}: {failures:#?}");
}

type Attacked<N> = Transparent<Flex, N>;

fn plain() -> Attacked<Mlp<Autodiff<Flex>>> {
    let weights = Weights::open("plain");
    let model = Mlp { hidden: weights.affine("hidden"), output: weights.affine("output") };
    Transparent::of_inner(model, &Default::default())
}

fn cnn(name: &str) -> Attacked<Cnn<Autodiff<Flex>>> {
    let weights = Weights::open(name);
    let model = Cnn {
        first: weights.convolution("first"),
        second: weights.convolution("second"),
        output: weights.affine("output"),
    };
    Transparent::of_inner(model, &Default::default())
}

fn digits() -> Samples {
    samples("images", 16.0)
}

fn coloured_digits() -> Samples {
    samples("colour-images", 255.0)
}

#[test]
fn torchattacks_on_a_plain_model() {
    compare("accuracies", "plain", &plain(), &digits());
}

#[test]
fn torchattacks_on_an_adversarially_trained_model() {
    compare("accuracies", "robust", &cnn("robust"), &digits());
}

#[test]
fn autoattack_on_a_plain_model() {
    compare("autoattack", "plain", &plain(), &digits());
}

#[test]
fn autoattack_on_an_adversarially_trained_model() {
    compare("autoattack", "robust", &cnn("robust"), &digits());
}

#[test]
fn torchattacks_on_images_of_three_channels() {
    compare("colour", "colour", &cnn("colour"), &coloured_digits());
}

#[test]
fn autoattack_on_images_of_three_channels() {
    compare("colour-autoattack", "colour", &cnn("colour"), &coloured_digits());
}
