//! What is measured.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::client::{ClientConfig, Work};
use crate::config::{ExperimentConfig, PopulationConfig};
use crate::data::{DataError, ImageSet, ImageShape};
use crate::network::NetworkChoice;
use crate::server::Participation;

/// Images of MNIST's size.
pub(super) const SHAPE: ImageShape = ImageShape { channels: 1, height: 28, width: 28 };
pub(super) const CLASSES: usize = 10;

/// A network that both sides have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Net {
    /// Two hidden layers of 200 neurons.
    Mlp,
    /// Convolutions of 4x4 with stride 2 to 16 and 32 channels, a hidden layer of 100 neurons.
    Cnn,
    /// LeNet-5.
    Lenet,
    /// Three stages of a residual block, 16 channels at first.
    Resnet,
}

impl Net {
    pub(super) fn choice(self) -> NetworkChoice {
        match self {
            Self::Mlp => NetworkChoice::Mlp { hidden: vec![200, 200] },
            Self::Cnn => NetworkChoice::Cnn { channels: vec![16, 32], hidden: 100 },
            Self::Lenet => NetworkChoice::Lenet,
            Self::Resnet => NetworkChoice::Resnet { width: 16, blocks: 1, groups: 8 },
        }
    }
}

impl fmt::Display for Net {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Mlp => "mlp",
            Self::Cnn => "cnn",
            Self::Lenet => "lenet",
            Self::Resnet => "resnet",
        })
    }
}

/// A federation whose rounds are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// What is trained.
    pub network: Net,
    /// Number of clients.
    pub clients: usize,
    /// Clients that take part in a round.
    pub participants: usize,
    /// Samples of a local step.
    pub batch: usize,
    /// Local steps of a client in a round.
    pub steps: usize,
    /// Images of all clients together.
    pub images: usize,
}

impl Case {
    /// A federation in which all take part and no client sees an image twice in a round.
    pub(super) fn full(network: Net, clients: usize, batch: usize, steps: usize) -> Self {
        let images = clients * batch * steps;
        Self { network, clients, participants: clients, batch, steps, images }
    }

    /// Its configuration; the adversary is the default one, PGD-10.
    pub(super) fn config(&self) -> ExperimentConfig {
        let participation = Participation {
            fraction: self.participants as f64 / self.clients as f64,
            ..Participation::default()
        };
        ExperimentConfig {
            network: self.network.choice(),
            clients: PopulationConfig {
                count: self.clients,
                participation,
                ..PopulationConfig::default()
            },
            client: ClientConfig {
                work: Work::Steps { count: self.steps },
                batch: self.batch,
                ..ClientConfig::default()
            },
            ..ExperimentConfig::default()
        }
    }

    /// Its images. How long a round takes does not depend on what they show.
    pub(super) fn images(&self) -> Result<ImageSet, DataError> {
        let pixel = |index: usize| (index * 7919 % 1009) as f32 / 1008.0;
        let pixels = (0..self.images * SHAPE.pixels()).map(pixel).collect();
        let labels = (0..self.images).map(|index| (index % CLASSES) as u8).collect();
        let names = (0..CLASSES).map(|class| class.to_string()).collect();
        ImageSet::new("images to measure with", SHAPE, pixels, labels, names)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { network, clients, participants, batch, steps, .. } = self;
        write!(
            formatter,
            "{network}, {participants} of {clients} clients, {steps} steps of {batch}"
        )
    }
}
