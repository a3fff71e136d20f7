//! The network that reads an action from where blocks went.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor, TensorData};
use experiment::seed::Seed;
use inner_outer::{family, layers};

use super::{InverseDynamicsConfig, InverseDynamicsError};
use crate::action::Action;
use crate::clip::TrainingScenes;
use crate::metrics::Video;
use crate::model::{Draw, Scale};

/// Pairs of frames that go through the network at once.
const AT_ONCE: usize = 1024;

/// Two hidden layers between the values of [`BlockMatching`](super::BlockMatching) and a score for each action.
#[derive(Module, Debug)]
pub struct MotionNetwork<B: Backend> {
    /// `[values, hidden]`.
    pub first: Linear<B>,
    /// `[hidden, features]`.
    pub second: Linear<B>,
    /// `[features, 9]`.
    pub scores: Linear<B>,
}

family!(
    /// Motion networks on every backend.
    pub MotionNetworks => MotionNetwork
);

impl<B: Backend> MotionNetwork<B> {
    pub(super) fn new(config: &InverseDynamicsConfig, seed: &Seed, device: &Device<B>) -> Self {
        let mut draw = Draw::new(&seed.child("inverse dynamics"), device);
        let layers = config.layers();
        let [first, second, scores] =
            layers.map(|(_, [inputs, outputs])| draw.linear(inputs, outputs, Scale::Keeping));
        Self { first, second, scores }
    }

    /// Features of motion `[pairs, features]` of the values of pairs.
    pub fn features(&self, values: Tensor<B, 2>) -> Tensor<B, 2> {
        let hidden = layers::gelu_tanh(layers::linear(&self.first, values));
        layers::gelu_tanh(layers::linear(&self.second, hidden))
    }

    /// Scores `[pairs, 9]` of the actions, in the order of their codes.
    pub fn forward(&self, values: Tensor<B, 2>) -> Tensor<B, 2> {
        layers::linear(&self.scores, self.features(values))
    }
}

/// A trained network with what it needs: from frames to actions.
#[derive(Clone, Debug)]
pub struct InverseDynamics<B: Backend> {
    /// Its settings.
    pub config: InverseDynamicsConfig,
    /// Rows and columns of the frames that it was trained on.
    pub size: [usize; 2],
    /// The scenes that it was trained on; none if it is not known.
    pub trained_on: Option<TrainingScenes>,
    /// The network.
    pub network: MotionNetwork<B>,
}

impl<B: Backend> InverseDynamics<B> {
    /// An untrained network for frames of this size.
    ///
    /// # Errors
    /// [`InverseDynamicsError::Setting`], and [`InverseDynamicsError::Blocks`] for frames with fewer pixels than blocks.
    pub fn new(
        config: InverseDynamicsConfig,
        size: [usize; 2],
        seed: &Seed,
        device: &Device<B>,
    ) -> Result<Self, InverseDynamicsError> {
        config.check()?;
        config.matching.check(size)?;
        let network = MotionNetwork::new(&config, seed, device);
        Ok(Self { config, size, trained_on: None, network })
    }

    /// The action between each frame and the next: one fewer than there are frames.
    ///
    /// # Errors
    /// [`InverseDynamicsError::Size`].
    pub fn actions(&self, video: Video<'_>) -> Result<Vec<Action>, InverseDynamicsError> {
        let values = self.values(video)?;
        Ok(self.most_likely(&values))
    }

    /// Features of the motion between each frame and the next.
    ///
    /// # Errors
    /// [`InverseDynamicsError::Size`].
    pub fn features(&self, video: Video<'_>) -> Result<Vec<Vec<f64>>, InverseDynamicsError> {
        let values = self.values(video)?;
        let rows = self.by_rows(&values, |network, values| network.features(values));
        Ok(rows.into_iter().map(|row| row.into_iter().map(f64::from).collect()).collect())
    }

    fn values(&self, video: Video<'_>) -> Result<Vec<f32>, InverseDynamicsError> {
        let found = [video.height(), video.width()];
        if found != self.size {
            return Err(InverseDynamicsError::Size { found, expected: self.size });
        }
        let pairs = video.frames().zip(video.frames().skip(1));
        let matching = self.config.matching;
        Ok(pairs.flat_map(|(before, after)| matching.between(before, after, found)).collect())
    }

    /// The action with the highest score for the values of each pair.
    pub(super) fn most_likely(&self, values: &[f32]) -> Vec<Action> {
        let rows = self.by_rows(values, |network, values| network.forward(values));
        let best = |row: Vec<f32>| {
            let best = (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]));
            Action::ALL[best.unwrap_or_default()]
        };
        rows.into_iter().map(best).collect()
    }

    fn by_rows(
        &self,
        values: &[f32],
        read: impl Fn(&MotionNetwork<B>, Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Vec<Vec<f32>> {
        let width = self.config.matching.values();
        let device = self.network.scores.weight.device();
        let mut rows = Vec::new();
        for part in values.chunks(AT_ONCE * width) {
            let data = TensorData::new(part.to_vec(), [part.len() / width, width]);
            let read = read(&self.network, Tensor::from_data(data, &device));
            let columns = read.dims()[1];
            let read = read.to_data().convert::<f32>().into_vec::<f32>();
            let read = read.expect("the data were just converted");
            rows.extend(read.chunks(columns).map(<[f32]>::to_vec));
        }
        rows
    }
}
