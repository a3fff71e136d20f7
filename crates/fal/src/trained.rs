//! A network in a folder: what it is, and its weights.
//!
//! `network.json` says what was built for which images, `weights.safetensors` holds the parameters under their paths in the
//! module, such as `Mlp.layers.0.weight`, in the layout of Burn (`[inputs, outputs]` for a linear layer).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use burn::tensor::{Device, TensorData};
use experiment::atomic::write_atomically;
use experiment::fingerprint::Fingerprint;
use experiment::seed::Seed;
use inner_outer::named_tensors::{self, NamedTensors, Precision, with_values};
use serde::{Deserialize, Serialize};

use crate::data::{ImageSet, ImageShape};
use crate::network::{Network, NetworkChoice, NetworkError};
use crate::server::ServerError;
use crate::server::parameters::unflatten;

const DESCRIPTION: &str = "network.json";
const WEIGHTS: &str = "weights.safetensors";
/// The trained network within a run directory.
pub const NETWORK_FOLDER: &str = "network";

/// Whether `folder` holds a network that was written to its end.
pub fn is_saved(folder: &Path) -> bool {
    folder.join(DESCRIPTION).exists()
}

/// What a network was built for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// What it is.
    pub network: NetworkChoice,
    /// The images that it reads.
    pub images: ImageShape,
    /// What its classes are called.
    pub classes: Vec<String>,
}

/// A network with its description.
#[derive(Clone, Debug)]
pub struct Trained<B: Backend> {
    /// What it was built for.
    pub description: Description,
    /// The network.
    pub network: Network<B>,
}

/// A network that cannot be saved or read.
#[derive(Debug, thiserror::Error)]
pub enum TrainedError {
    /// The file system refused.
    #[error("cannot use {}: check the path, its permissions and the space left", path.display())]
    FileSystem {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// Nothing to read.
    #[error("there is no run and no network at {}; name a run of `fal train`, one of its folders `checkpoints/step-N`, its folder `network`, or a safetensors file", .0.display())]
    Nothing(PathBuf),
    /// The description cannot be read.
    #[error("{} describes no network ({cause}); name a folder that `fal train` wrote, or mend the file", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        cause: serde_json::Error,
    },
    /// The weights are not those of the network.
    #[error("{} does not hold the weights of this network; name the network that they are of", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        #[source]
        source: inner_outer::Error,
    },
    /// Weights that are NaN or infinite.
    #[error(
        "the tensor `{tensor}` holds a value that is not finite, so the network's scores mean nothing; name the weights of a training that did not diverge"
    )]
    NotFinite {
        /// Path of the parameter.
        tensor: String,
    },
    /// The network cannot be built.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Parameters of another network.
    #[error(transparent)]
    Length(#[from] ServerError),
    /// The images are others than the network reads.
    #[error(
        "the network reads {expected} images of {classes} classes, but the data has {found} of {found_classes}; choose other data"
    )]
    Images {
        /// What the network reads.
        expected: ImageShape,
        /// Its classes.
        classes: usize,
        /// What the data has.
        found: ImageShape,
        /// Its classes.
        found_classes: usize,
    },
}

impl Description {
    /// Of a network for images like those of `set`.
    pub fn new(network: NetworkChoice, set: &ImageSet) -> Self {
        Self { network, images: set.shape(), classes: set.class_names().to_vec() }
    }

    /// Whether the network reads the images of `set`.
    ///
    /// # Errors
    /// [`TrainedError::Images`].
    pub fn require_fit(&self, set: &ImageSet) -> Result<(), TrainedError> {
        let (classes, found_classes) = (self.classes.len(), set.classes());
        match self.images == set.shape() && classes == found_classes {
            true => Ok(()),
            false => Err(TrainedError::Images {
                expected: self.images,
                classes,
                found: set.shape(),
                found_classes,
            }),
        }
    }
}

/// Which network this is, by the path, shape and bits of every parameter.
pub fn fingerprint<B: Backend>(network: &Network<B>) -> Fingerprint {
    Fingerprint::of_stream(|add| {
        named_tensors::visit(network, |path, value| {
            let TensorData { bytes, shape, .. } = &value();
            add(path.as_bytes());
            add(format!("{:?}", shape.as_slice()).as_bytes());
            add(bytes);
        });
    })
}

impl<B: Backend> Trained<B> {
    /// Which network this is, see [`fingerprint`].
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.network)
    }

    /// Writes both files into `folder`, which is made if it is not there. The description is the last, so that weights that a
    /// kill left without it are no network ([`is_saved`]).
    ///
    /// # Errors
    /// [`TrainedError::FileSystem`].
    pub fn save(&self, folder: &Path) -> Result<(), TrainedError> {
        let refused = |path: &Path| {
            let path = path.to_owned();
            move |source| TrainedError::FileSystem { path, source }
        };
        fs::create_dir_all(folder).map_err(refused(folder))?;
        let weights = named_tensors::write(&named_tensors::parameters(&self.network));
        let path = folder.join(WEIGHTS);
        let weights =
            weights.map_err(|source| TrainedError::Weights { path: path.clone(), source })?;
        write_atomically(&path, &weights).map_err(refused(&path))?;
        let path = folder.join(DESCRIPTION);
        let text = serde_json::to_string_pretty(&self.description)
            .map_err(|cause| TrainedError::Description { path: path.clone(), cause })?;
        write_atomically(&path, text.as_bytes()).map_err(refused(&path))
    }

    /// Reads what [`Self::save`] wrote, from its folder or from the run directory around it.
    ///
    /// # Errors
    /// All but [`TrainedError::Images`].
    pub fn load(folder: &Path, device: &Device<B>) -> Result<Self, TrainedError> {
        let within = folder.join(NETWORK_FOLDER);
        let folder = if is_saved(&within) { within.as_path() } else { folder };
        if !is_saved(folder) {
            return Err(TrainedError::Nothing(folder.to_owned()));
        }
        let path = folder.join(DESCRIPTION);
        let description = serde_json::from_slice(&read(&path)?)
            .map_err(|cause| TrainedError::Description { path, cause })?;
        Self::with_weights(description, &folder.join(WEIGHTS), device)
    }

    /// The network of `description` with parameters that stand one after the other, as a server has them.
    ///
    /// # Errors
    /// [`TrainedError::Network`], [`TrainedError::Length`] for parameters of another network, and [`TrainedError::NotFinite`].
    pub fn with_parameters(
        description: Description,
        parameters: &[f32],
        device: &Device<B>,
    ) -> Result<Self, TrainedError> {
        let Description { network, images, classes } = &description;
        let fresh = Network::new(network, *images, classes.len(), &Seed::new(0), device)?;
        let network = unflatten(fresh, parameters)?;
        Self { description, network }.finite()
    }

    /// The network of `description` with the weights of any safetensors file that names them as the module does.
    ///
    /// # Errors
    /// [`TrainedError::FileSystem`], [`TrainedError::Network`], [`TrainedError::Weights`] and [`TrainedError::NotFinite`].
    pub fn with_weights(
        description: Description,
        path: &Path,
        device: &Device<B>,
    ) -> Result<Self, TrainedError> {
        let Description { network, images, classes } = &description;
        let fresh = Network::new(network, *images, classes.len(), &Seed::new(0), device)?;
        let refused = |source| TrainedError::Weights { path: path.to_owned(), source };
        let mut file = NamedTensors::read(read(path)?).map_err(refused)?;
        let network = with_values(fresh, Precision::OfParameter, |name, shape| {
            file.take(name, shape).map(Some)
        })
        .map_err(refused)?;
        file.finish().map_err(refused)?;
        Self { description, network }.finite()
    }

    /// A rectifier may make zero of NaN, so scores alone do not tell.
    fn finite(self) -> Result<Self, TrainedError> {
        let mut spoilt = None;
        named_tensors::visit(&self.network, |path, value| {
            let is_spoilt = || value().iter::<f32>().any(|x| !x.is_finite());
            if spoilt.is_none() && is_spoilt() {
                spoilt = Some(path.to_owned());
            }
        });
        match spoilt {
            Some(tensor) => Err(TrainedError::NotFinite { tensor }),
            None => Ok(self),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TrainedError> {
    fs::read(path).map_err(|source| TrainedError::FileSystem { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::data::DataChoice;
    use crate::server::parameters::flatten;

    fn trained(seed: u64) -> Trained<Flex> {
        let digits = DataChoice::Digits.load(None, None).unwrap().test;
        let choice = NetworkChoice::Mlp { hidden: vec![4] };
        let description = Description::new(choice.clone(), &digits);
        let device = Default::default();
        let network = Network::new(&choice, digits.shape(), 10, &Seed::new(seed), &device).unwrap();
        Trained { description, network }
    }

    #[test]
    fn a_network_comes_back_as_it_went() {
        let folder = tempfile::tempdir().unwrap();
        let written = trained(3);
        written.save(&folder.path().join(NETWORK_FOLDER)).unwrap();
        for place in [folder.path().to_owned(), folder.path().join(NETWORK_FOLDER)] {
            let read = Trained::<Flex>::load(&place, &Default::default()).unwrap();
            assert_eq!(read.description, written.description);
            assert_eq!(flatten(&read.network), flatten(&written.network));
            assert_eq!(read.fingerprint(), written.fingerprint());
            assert_ne!(read.fingerprint(), trained(4).fingerprint());
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let load = || Trained::<Flex>::load(folder.path(), &Default::default()).unwrap_err();
        assert!(load().to_string().contains("no run and no network at"), "{}", load());
        let mut other = trained(3);
        other.save(folder.path()).unwrap();
        other.description.network = NetworkChoice::Mlp { hidden: vec![5] };
        let text = serde_json::to_string(&other.description).unwrap();
        fs::write(folder.path().join(DESCRIPTION), text).unwrap();
        assert!(matches!(load(), TrainedError::Weights { .. }), "{}", load());
        fs::write(folder.path().join(DESCRIPTION), "{}").unwrap();
        assert!(matches!(load(), TrainedError::Description { .. }));
        other.save(folder.path()).unwrap();
        fs::write(folder.path().join(WEIGHTS), b"short").unwrap();
        assert!(matches!(load(), TrainedError::Weights { .. }));
    }

    #[test]
    fn weights_that_a_kill_left_without_a_description_are_no_network() {
        let folder = tempfile::tempdir().unwrap();
        let within = folder.path().join(NETWORK_FOLDER);
        let load = || Trained::<Flex>::load(folder.path(), &Default::default());
        trained(4).save(&within).unwrap();
        fs::remove_file(within.join(DESCRIPTION)).unwrap();
        let refused = load().unwrap_err().to_string();
        let named = format!("no network at {};", folder.path().display());
        assert!(refused.contains(&named), "{refused}");
        trained(3).save(folder.path()).unwrap();
        assert_eq!(load().unwrap().fingerprint(), trained(3).fingerprint());
        trained(4).save(&within).unwrap();
        assert_eq!(load().unwrap().fingerprint(), trained(4).fingerprint());
    }

    #[test]
    fn weights_that_are_not_finite_are_refused_by_their_name() {
        let device = Default::default();
        let written = trained(3);
        let mut parameters = flatten(&written.network);
        for spoilt in [f32::NAN, f32::INFINITY] {
            // The first weights are those of layer 0, as the name tells.
            parameters[0] = spoilt;
            let description = written.description.clone();
            let refused = Trained::<Flex>::with_parameters(description, &parameters, &device);
            let refused = refused.unwrap_err();
            assert!(
                matches!(&refused, TrainedError::NotFinite { tensor } if tensor == "Mlp.layers.0.weight")
            );
            let folder = tempfile::tempdir().unwrap();
            let network = unflatten(written.network.clone(), &parameters).unwrap();
            Trained { network, ..written.clone() }.save(folder.path()).unwrap();
            let read = Trained::<Flex>::load(folder.path(), &device).unwrap_err();
            assert_eq!(read.to_string(), refused.to_string());
        }
    }

    #[test]
    fn images_of_another_shape_are_refused() {
        let digits = DataChoice::Digits.load(None, None).unwrap().test;
        let mut description = trained(1).description;
        description.require_fit(&digits).unwrap();
        description.images.width = 9;
        let refused = description.require_fit(&digits).unwrap_err();
        assert!(refused.to_string().contains("1x8x9"), "{refused}");
    }
}
