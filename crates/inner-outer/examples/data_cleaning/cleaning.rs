//! The problem: softmax regression on weighted samples, and the weights that make it right on clean ones.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::{log_softmax, sigmoid};
use burn::tensor::{Tensor, backend::Backend};
use inner_outer::tensors::to_f64;
use inner_outer::{Problem, Selection, family, layers};

use crate::samples::Labelled;

/// What the outer loop sees.
#[derive(Module, Debug)]
pub struct Cleaner<B: Backend> {
    /// Learned: a sample counts with the sigmoid of its entry, `[samples]`.
    pub trust: Param<Tensor<B, 1>>,
    /// Where the classifier starts; not learned.
    pub start: Linear<B>,
}

/// Noisy samples to train on, and a few clean ones.
#[derive(Module, Debug)]
pub struct Split<B: Backend> {
    /// With wrong labels.
    pub noisy: Labelled<B>,
    /// With right labels.
    pub clean: Labelled<B>,
}

family!(pub Cleaners => Cleaner, pub Classifiers => Linear, pub Splits => Split);

impl<B: Backend> Cleaner<B> {
    /// The cleaner that knows which samples are `wrong`.
    pub fn trusting_all_but(self, wrong: &[bool]) -> Self {
        let trust: Vec<_> = wrong.iter().map(|&wrong| if wrong { -20.0 } else { 20.0 }).collect();
        let trust = Tensor::from_data(&trust[..], &self.trust.device());
        Self { trust: Param::from_tensor(trust), ..self }
    }

    /// Which samples count less than half.
    pub fn suspects(&self) -> Vec<bool> {
        to_f64(&self.trust.val()).into_iter().map(|trust| trust < 0.0).collect()
    }
}

/// Data hyper-cleaning (Franceschi et al. 2017).
pub struct Cleaning;

impl Problem for Cleaning {
    type Outer = Cleaners;
    type Inner = Classifiers;
    type Task = Splits;

    fn learned(&self) -> Selection {
        Selection::below(["trust"])
    }

    fn init<B: Backend>(&self, cleaner: &Cleaner<B>, _: &Split<B>) -> Linear<B> {
        cleaner.start.clone()
    }

    fn inner_loss<B: Backend>(
        &self,
        classifier: &Linear<B>,
        cleaner: &Cleaner<B>,
        split: &Split<B>,
        _: usize,
    ) -> Tensor<B, 1> {
        let weights = sigmoid(cleaner.trust.val());
        // The quadratic term makes the minimum unique, which `Implicit` relies on.
        let decay = classifier.weight.val().square().sum() * 2e-4;
        (weights * cross_entropy(classifier, &split.noisy)).mean() + decay
    }

    fn outer_loss<B: Backend>(
        &self,
        classifier: &Linear<B>,
        _: &Cleaner<B>,
        split: &Split<B>,
    ) -> Tensor<B, 1> {
        cross_entropy(classifier, &split.clean).mean()
    }
}

/// The loss of each sample, `[samples]`.
fn cross_entropy<B: Backend>(classifier: &Linear<B>, samples: &Labelled<B>) -> Tensor<B, 1> {
    let scores = layers::linear(classifier, samples.x.clone());
    (log_softmax(scores, 1) * samples.labels.clone()).sum_dim(1).squeeze_dim(1).neg()
}
