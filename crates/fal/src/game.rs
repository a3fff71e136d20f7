//! The game of adversarial training as a bi-level problem: the inner loop moves the perturbation of a batch, the outer loop
//! the weights of the network.

use burn::module::{Module, Param, ParamId};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use inner_outer::{Problem, family};

use crate::Classifier;
use crate::loss::LossChoice;
use crate::network::{Network, Networks};

/// What the adversary moves.
#[derive(Module, Debug)]
pub struct Perturbation<B: Backend> {
    /// What is added to the images, `[batch, channels, height, width]`.
    pub change: Param<Tensor<B, 4>>,
}

/// Some samples of a client.
#[derive(Module, Debug)]
pub struct Batch<B: Backend> {
    /// `[batch, channels, height, width]`, pixels from 0 to 1.
    pub images: Tensor<B, 4>,
    /// `[batch]`.
    pub labels: Tensor<B, 1, Int>,
    /// The perturbation before the first step of ascent, as `images`.
    pub start: Tensor<B, 4>,
    /// Logarithms of the client's class counts, `[classes]`.
    pub class_counts: Tensor<B, 1>,
    /// Calibrated scores of the unperturbed images, `[batch, classes]`, where the adversary climbs away from them.
    pub clean: Option<Tensor<B, 2>>,
}

family!(
    /// Perturbations on every backend.
    pub Perturbations => Perturbation,
    /// Batches on every backend.
    pub Batches => Batch,
);

/// `min_W max_delta loss(f_W(x + delta), y)` with `delta` in a ball: the outer module is the network, the inner one the
/// perturbation.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdversarialGame {
    /// What is descended and climbed.
    pub loss: LossChoice,
}

impl AdversarialGame {
    fn scores<B: Backend>(
        &self,
        network: &Network<B>,
        images: Tensor<B, 4>,
        batch: &Batch<B>,
    ) -> Tensor<B, 2> {
        self.loss.calibrate(network.logits(images), &batch.class_counts)
    }

    /// The batch with the scores of `network` for its unperturbed images, where the adversary climbs away from them.
    pub fn with_clean_scores<B: Backend>(&self, network: &Network<B>, batch: Batch<B>) -> Batch<B> {
        let clean = self
            .loss
            .climbs_divergence()
            .then(|| self.scores(network, batch.images.clone(), &batch));
        Batch { clean, ..batch }
    }
}

impl Problem for AdversarialGame {
    type Outer = Networks;
    type Inner = Perturbations;
    type Task = Batches;

    fn init<B: Backend>(&self, _network: &Network<B>, batch: &Batch<B>) -> Perturbation<B> {
        Perturbation { change: Param::initialized(ParamId::new(), batch.start.clone()) }
    }

    /// Minus the loss of the adversary: the inner loop descends it.
    fn inner_loss<B: Backend>(
        &self,
        perturbation: &Perturbation<B>,
        network: &Network<B>,
        batch: &Batch<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        let images = batch.images.clone() + perturbation.change.val();
        let scores = self.scores(network, images, batch);
        self.loss.of_adversary(scores, batch.labels.clone(), batch.clean.clone()).neg()
    }

    fn outer_loss<B: Backend>(
        &self,
        perturbation: &Perturbation<B>,
        network: &Network<B>,
        batch: &Batch<B>,
    ) -> Tensor<B, 1> {
        let images = batch.images.clone() + perturbation.change.val();
        let scores = self.scores(network, images, batch);
        let clean = || self.scores(network, batch.images.clone(), batch);
        self.loss.of_client(scores, batch.labels.clone(), clean)
    }
}
