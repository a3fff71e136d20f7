//! A model as an attacker sees it: through its scores alone, or with gradients.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::AutodiffModule;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use inner_outer::Autodiff;
use inner_outer::tensors::{Tensors, is_tracked};

use super::{AttackError, Images, Objective};
use crate::Classifier;

/// By how much, relative to the largest, scores with and without a graph may differ.
const SAME_FUNCTION: f32 = 1e-3;

/// A row of scores for each image.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    values: Vec<f32>,
    classes: usize,
}

impl Scores {
    /// Checks and copies `[images, classes]`.
    fn read<B: Backend>(scores: Tensor<B, 2>, images: usize) -> Result<Self, AttackError> {
        let [rows, classes] = scores.dims();
        if rows != images || classes < 2 {
            return Err(AttackError::ScoresShape { found: [rows, classes], images });
        }
        let values = numbers(scores);
        match values.iter().find(|value| !value.is_finite()) {
            Some(&value) => Err(AttackError::NonFiniteScore { value }),
            None => Ok(Self { values, classes }),
        }
    }

    /// The scores of each image.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.classes)
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Those of a model that takes each class for the one as far from the end.
    #[cfg(test)]
    pub(super) fn reversed(mut self) -> Self {
        self.values.chunks_exact_mut(self.classes).for_each(<[f32]>::reverse);
        self
    }
}

/// What one forward and backward pass tells about each image.
#[derive(Clone, Debug)]
pub struct Slopes {
    /// The model's scores.
    pub scores: Scores,
    /// The objective of each image.
    pub losses: Vec<f64>,
    /// Its derivative with respect to the image, up to the positive factor of [`Objective::evaluate`].
    pub gradients: Images,
}

/// A model that answers with scores.
pub trait BlackBox: Sync {
    /// The scores of `images`.
    ///
    /// # Errors
    /// [`AttackError::ScoresShape`] and [`AttackError::NonFiniteScore`].
    fn scores(&self, images: &Images) -> Result<Scores, AttackError>;
}

/// A model whose gradients are known.
pub trait WhiteBox: BlackBox {
    /// Scores, losses and gradients of `images`, of which each has its own objective.
    ///
    /// # Errors
    /// As [`BlackBox::scores`], and [`AttackError::NoGradient`], [`AttackError::NonFiniteGradient`] and
    /// [`AttackError::TrainingMode`].
    fn slopes(&self, images: &Images, objectives: &[Objective]) -> Result<Slopes, AttackError>;
}

/// Any classifier, seen through its scores.
pub struct Opaque<'a, B: Backend, C: ?Sized> {
    classifier: &'a C,
    device: B::Device,
}

impl<'a, B: Backend, C: Classifier<B> + ?Sized> Opaque<'a, B, C> {
    /// Hides everything but the scores of `classifier`, which computes on `device`.
    pub fn new(classifier: &'a C, device: &B::Device) -> Self {
        Self { classifier, device: device.clone() }
    }
}

impl<B: Backend, C: Classifier<B> + ?Sized> BlackBox for Opaque<'_, B, C> {
    fn scores(&self, images: &Images) -> Result<Scores, AttackError> {
        Scores::read(self.classifier.logits(images.to_tensor(&self.device)), images.len())
    }
}

/// A Burn module with its gradients.
///
/// It is kept without a graph and lifted for every pass in the thread that asks, with all its parameters as constants:
/// threads never share a graph, and no gradient is computed that nobody reads.
pub struct Transparent<B: Backend, M: AutodiffModule<Autodiff<B>>> {
    module: M::InnerModule,
    device: B::Device,
    /// Whether the lifted module was seen to be the same function.
    compared: AtomicBool,
    differentiated: PhantomData<fn() -> M>,
}

impl<B, M> Transparent<B, M>
where
    B: Backend,
    M: AutodiffModule<Autodiff<B>> + Classifier<Autodiff<B>>,
    M::InnerModule: Classifier<B>,
{
    /// Shows the gradients of `module`, which is on `device`.
    pub fn new(module: &M, device: &B::Device) -> Self {
        // Reading every parameter once draws the lazy ones: later copies would draw other values.
        let _ = Tensors::of(module);
        Self::of_inner(module.valid(), device)
    }

    /// Shows the gradients of `module`, which is on `device` and hangs on no graph.
    pub fn of_inner(module: M::InnerModule, device: &B::Device) -> Self {
        let _ = Tensors::of(&module);
        let compared = AtomicBool::new(false);
        Self { module, device: device.clone(), compared, differentiated: PhantomData }
    }

    /// A gradient of a function other than the one under attack would mislead without a sign of it.
    fn compare(&self, images: &Images, lifted: &Scores) -> Result<(), AttackError> {
        if self.compared.load(Ordering::Relaxed) {
            return Ok(());
        }
        let plain = self.scores(images)?;
        let pairs = plain.values.iter().zip(&lifted.values);
        let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let largest = plain.values.iter().fold(0.0_f32, |largest, score| largest.max(score.abs()));
        if difference > SAME_FUNCTION * largest {
            return Err(AttackError::TrainingMode { difference });
        }
        self.compared.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl<B, M> BlackBox for Transparent<B, M>
where
    B: Backend,
    M: AutodiffModule<Autodiff<B>>,
    M::InnerModule: Classifier<B>,
{
    fn scores(&self, images: &Images) -> Result<Scores, AttackError> {
        Opaque::new(&self.module, &self.device).scores(images)
    }
}

impl<B, M> WhiteBox for Transparent<B, M>
where
    B: Backend,
    M: AutodiffModule<Autodiff<B>> + Classifier<Autodiff<B>>,
    M::InnerModule: Classifier<B>,
{
    fn slopes(&self, images: &Images, objectives: &[Objective]) -> Result<Slopes, AttackError> {
        let module = M::from_inner(self.module.clone()).no_grad();
        let leaf =
            Tensor::<Autodiff<B>, 4>::from_inner(images.to_tensor(&self.device)).require_grad();
        let logits = module.logits(leaf.clone());
        let scores = Scores::read(logits.clone().inner(), images.len())?;
        self.compare(images, &scores)?;

        let mut directions = vec![0.0; scores.values.len()];
        let rows = scores.iter().zip(directions.chunks_exact_mut(scores.classes()));
        let losses = rows
            .zip(objectives)
            .map(|((scores, direction), objective)| objective.evaluate(scores, direction));
        let losses = losses.collect::<Result<_, _>>()?;

        let shape = [images.len(), scores.classes()];
        let directions = Tensor::from_data(TensorData::new(directions, shape), &self.device);
        let total = (logits * directions).sum();
        if !is_tracked(&total) {
            return Err(AttackError::NoGradient);
        }
        let gradients = leaf.grad(&total.backward()).ok_or(AttackError::NoGradient)?;
        let gradients = Images::from_tensor(gradients);
        if gradients.iter().flatten().any(|entry| !entry.is_finite()) {
            return Err(AttackError::NonFiniteGradient);
        }
        Ok(Slopes { scores, losses, gradients })
    }
}

fn numbers<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().into_vec().expect("data was just converted to f32")
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::module::Module;
    use burn::nn::{BatchNorm, BatchNormConfig};

    use super::*;
    use crate::attack::toy::{self, Brightness, Linear};

    /// Batch normalisation as Burn applies it by itself.
    #[derive(Module, Debug)]
    struct Normalised<B: Backend> {
        norm: BatchNorm<B>,
        linear: Linear<B>,
    }

    impl<B: Backend> Classifier<B> for Normalised<B> {
        fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
            self.linear.logits(self.norm.forward(images))
        }
    }

    /// Scores that hang on the pixels by a step of the given kind.
    #[derive(Module, Debug)]
    struct Odd<B: Backend> {
        linear: Linear<B>,
        kind: usize,
    }

    impl<B: Backend> Classifier<B> for Odd<B> {
        fn logits(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
            match self.kind {
                0 => self.linear.logits(images.detach()),
                1 => self.linear.logits(images).narrow(0, 0, 1),
                2 => self.linear.logits(images).log(),
                3 => self.linear.logits((images.clone() - images).sqrt()),
                _ => self.linear.logits(images).narrow(1, 0, 1),
            }
        }
    }

    fn odd(kind: usize) -> AttackError {
        let device = Default::default();
        let module = Odd { linear: toy::linear::<Flex>(&[[-1.0, 0.0], [0.0, 1.0]]), kind };
        let model = Transparent::<Flex, Odd<Autodiff<Flex>>>::of_inner(module, &device);
        let images = toy::images(&[&[0.2, 0.3], &[0.4, 0.5]]);
        let objectives = [Objective::Margin { label: 0 }; 2];
        model.slopes(&images, &objectives).unwrap_err()
    }

    #[test]
    fn what_cannot_be_attacked_is_named() {
        assert_eq!(odd(0), AttackError::NoGradient);
        assert_eq!(odd(1), AttackError::ScoresShape { found: [1, 2], images: 2 });
        assert!(matches!(odd(2), AttackError::NonFiniteScore { .. }));
        assert_eq!(odd(3), AttackError::NonFiniteGradient);
        assert_eq!(odd(4), AttackError::ScoresShape { found: [2, 1], images: 2 });
    }

    #[test]
    fn gradients_of_a_linear_model_are_its_weights() {
        let model = toy::linear_model(&[[1.0, 3.0], [2.0, -1.0]]);
        let images = toy::images(&[&[0.2, 0.3], &[0.4, 0.5]]);
        let objectives = [
            Objective::Difference { label: 0, target: 1 },
            Objective::Difference { label: 1, target: 0 },
        ];
        let slopes = model.slopes(&images, &objectives).unwrap();
        assert_eq!(slopes.gradients, toy::images(&[&[1.0, -4.0], &[-1.0, 4.0]]));
        assert!((slopes.losses[0] - (0.2 - 1.2)).abs() < 1e-6);
        let plain = model.scores(&images).unwrap();
        assert_eq!(plain, slopes.scores);
    }

    #[test]
    fn a_model_that_trains_while_it_is_differentiated_is_refused() {
        let device = Default::default();
        let linear = toy::linear::<Flex>(&[[1.0, 0.0], [0.0, 1.0]]);
        let module = Normalised { norm: BatchNormConfig::new(1).init(&device), linear };
        let model = Transparent::<Flex, Normalised<Autodiff<Flex>>>::of_inner(module, &device);
        let images = toy::images(&[&[0.2, 0.3], &[0.4, 0.5]]);
        let failure = model.slopes(&images, &[Objective::Margin { label: 0 }; 2]).unwrap_err();
        assert!(matches!(failure, AttackError::TrainingMode { .. }), "{failure}");
    }

    #[test]
    fn scores_are_those_of_the_classifier() {
        let device = Default::default();
        let model = Opaque::<Flex, _>::new(&Brightness, &device);
        let scores = model.scores(&toy::images(&[&[0.0, 0.5], &[1.0, 0.75]])).unwrap();
        assert_eq!(scores.iter().collect::<Vec<_>>(), [[0.25, -0.25], [-0.375, 0.375]]);
    }
}
