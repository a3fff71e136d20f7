//! Which network.

use serde::{Deserialize, Serialize};

use super::size::parameters;
use super::{NetworkError, cnn, lenet};
use crate::data::ImageShape;

/// A network for images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum NetworkChoice {
    /// Layers of neurons with ReLU; two of 200 are the "2NN" of McMahan et al. (2017).
    Mlp {
        /// Neurons of each hidden layer; none for a linear classifier.
        #[serde(default = "two_of_200")]
        hidden: Vec<usize>,
    },
    /// LeNet-5 with tanh and mean pooling (LeCun et al. 1998), which CalFAT uses on MNIST. At least 12x12 pixels.
    Lenet,
    /// Convolutions of 4x4 with stride 2 and ReLU, then a hidden layer: with 16 and 32 channels and 100 neurons the small
    /// network of provable and adversarial training on MNIST (Wong and Kolter 2018).
    Cnn {
        /// Channels of each convolution; each halves the image.
        #[serde(default = "sixteen_and_32")]
        channels: Vec<usize>,
        /// Neurons of the hidden layer.
        #[serde(default = "one_hundred")]
        hidden: usize,
    },
    /// Three stages of residual blocks (He et al. 2016) with group normalisation.
    Resnet {
        /// Channels of the first stage; each next one has twice as many.
        #[serde(default = "sixteen")]
        width: usize,
        /// Blocks of each stage; 3 give the depth of ResNet-20.
        #[serde(default = "one")]
        blocks: usize,
        /// Groups of channels that are normalised together; must divide `width`.
        #[serde(default = "eight")]
        groups: usize,
    },
}

/// Parameters that a network may have: far more than any that is trained on such images.
const MOST: f64 = 1e8;

fn two_of_200() -> Vec<usize> {
    vec![200, 200]
}

fn sixteen_and_32() -> Vec<usize> {
    vec![16, 32]
}

fn one_hundred() -> usize {
    100
}

fn sixteen() -> usize {
    16
}

fn eight() -> usize {
    8
}

fn one() -> usize {
    1
}

impl Default for NetworkChoice {
    fn default() -> Self {
        Self::Mlp { hidden: two_of_200() }
    }
}

impl NetworkChoice {
    /// Whether the network can be built for these images.
    ///
    /// # Errors
    /// [`NetworkError::Classes`] for less than 2 of them, [`NetworkError::Zero`] for an empty layer or image,
    /// [`NetworkError::TooSmall`] for images that its convolutions swallow, [`NetworkError::Groups`] for groups that do not divide the channels,
    /// [`NetworkError::TooLarge`] for more than a hundred million parameters.
    pub fn check(&self, shape: ImageShape, classes: usize) -> Result<(), NetworkError> {
        let positive = |setting, values: &[usize]| match values.contains(&0) {
            true => Err(NetworkError::Zero { setting }),
            false => Ok(()),
        };
        let at_least = |network, least| match shape.height.min(shape.width) < least {
            true => Err(NetworkError::TooSmall { network, shape, least }),
            false => Ok(()),
        };
        if classes < 2 {
            return Err(NetworkError::Classes { found: classes });
        }
        positive("shape", &[shape.channels, shape.height, shape.width])?;
        match self {
            Self::Mlp { hidden } => positive("network.hidden", hidden)?,
            Self::Lenet => at_least("lenet", lenet::LEAST)?,
            Self::Cnn { channels, hidden } => {
                positive("network.channels", channels)?;
                positive("network.hidden", &[*hidden])?;
                at_least("cnn", cnn::least(channels.len()))?;
            }
            Self::Resnet { width, blocks, groups } => {
                positive("network.width", &[*width])?;
                positive("network.blocks", &[*blocks])?;
                positive("network.groups", &[*groups])?;
                if !width.is_multiple_of(*groups) {
                    return Err(NetworkError::Groups { groups: *groups, width: *width });
                }
            }
        }
        let parameters = parameters(self, shape, classes);
        match parameters <= MOST {
            true => Ok(()),
            false => Err(NetworkError::TooLarge { parameters, most: MOST }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: ImageShape = ImageShape { channels: 1, height: 8, width: 8 };

    fn read(text: &str) -> NetworkChoice {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn defaults_are_those_of_the_papers() {
        assert_eq!(read(r#"{"kind": "mlp"}"#), NetworkChoice::default());
        let cnn = NetworkChoice::Cnn { channels: vec![16, 32], hidden: 100 };
        assert_eq!(read(r#"{"kind": "cnn"}"#), cnn);
        let resnet = NetworkChoice::Resnet { width: 16, blocks: 3, groups: 8 };
        assert_eq!(read(r#"{"kind": "resnet", "blocks": 3}"#), resnet);
        assert_eq!(read(r#"{"kind": "lenet"}"#), NetworkChoice::Lenet);
        assert!(serde_json::from_str::<NetworkChoice>(r#"{"kind": "cnn", "width": 3}"#).is_err());
    }

    #[test]
    fn what_cannot_be_built_is_told() {
        let refuse = |text| read(text).check(TINY, 10).unwrap_err();
        let zero = |setting| NetworkError::Zero { setting };
        assert_eq!(refuse(r#"{"kind": "mlp", "hidden": [3, 0]}"#), zero("network.hidden"));
        assert_eq!(refuse(r#"{"kind": "cnn", "channels": [0]}"#), zero("network.channels"));
        assert_eq!(refuse(r#"{"kind": "cnn", "hidden": 0}"#), zero("network.hidden"));
        assert_eq!(refuse(r#"{"kind": "resnet", "width": 0}"#), zero("network.width"));
        assert_eq!(refuse(r#"{"kind": "resnet", "blocks": 0}"#), zero("network.blocks"));
        assert_eq!(refuse(r#"{"kind": "resnet", "groups": 0}"#), zero("network.groups"));
        let groups = NetworkError::Groups { groups: 8, width: 12 };
        assert_eq!(refuse(r#"{"kind": "resnet", "width": 12}"#), groups);
        for text in [r#"{"kind": "lenet"}"#, r#"{"kind": "cnn", "channels": [1, 1, 1, 1]}"#] {
            assert!(matches!(refuse(text), NetworkError::TooSmall { .. }), "{text}");
        }
        let large = [
            r#"{"kind": "mlp", "hidden": [10000000000]}"#,
            r#"{"kind": "mlp", "hidden": [18446744073709551615, 18446744073709551615]}"#,
            r#"{"kind": "cnn", "channels": [1000000000]}"#,
            r#"{"kind": "cnn", "hidden": 18446744073709551615}"#,
            r#"{"kind": "resnet", "width": 18446744073709551608}"#,
            r#"{"kind": "resnet", "blocks": 18446744073709551615}"#,
        ];
        for text in large {
            let refusal = refuse(text);
            assert!(matches!(refusal, NetworkError::TooLarge { .. }), "{text}");
            assert!(refusal.to_string().contains("at most 1e8"), "{refusal}");
        }
        let choice = NetworkChoice::default();
        for found in [0, 1] {
            assert_eq!(choice.check(TINY, found), Err(NetworkError::Classes { found }));
        }
        choice.check(TINY, 2).unwrap();
        assert_eq!(choice.check(ImageShape { height: 0, ..TINY }, 10), Err(zero("shape")));
        choice.check(TINY, 10).unwrap();
        let endless = ImageShape { channels: 3, height: usize::MAX, width: usize::MAX };
        for text in [r#"{"kind": "mlp"}"#, r#"{"kind": "lenet"}"#, r#"{"kind": "cnn"}"#] {
            let refusal = read(text).check(endless, 10).unwrap_err();
            assert!(matches!(refusal, NetworkError::TooLarge { .. }), "{text}: {refusal}");
        }
    }
}
