//! The Temp-LoRA: low-rank adapters on chosen kinds of layers.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use inner_outer::{AdaptedLinear, Lora, Selection};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Uniform};
use serde::{Deserialize, Serialize};

use super::config::at_least_one;
use super::projection::{Projections, Target};
use super::{Denoiser, ModelError, Network};
use crate::size::{MOST_PARAMETERS, at_most, listed, together};

/// A rank beyond that of any weight that there may be.
const MOST_RANK: usize = 10_000;

/// Low-rank adapters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdapterConfig {
    /// Rank of the change of a weight, at least 1; the paper has 32.
    pub rank: usize,
    /// The change is scaled by `alpha / rank`; the paper does not state it.
    pub alpha: f64,
    /// The layers that are adapted; the paper does not state them.
    pub targets: Vec<Target>,
}

impl Default for AdapterConfig {
    fn default() -> Self {
        Self {
            rank: 32,
            alpha: 32.0,
            targets: vec![
                Target::Spatial,
                Target::Temporal,
                Target::Cross,
                Target::FeedForward,
                Target::Convolution,
            ],
        }
    }
}

impl AdapterConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`ModelError::Zero`] for a rank of zero, [`ModelError::TooLarge`] and [`ModelError::NoTargets`].
    pub fn check(&self) -> Result<(), ModelError> {
        let rank = [("fast.adapters.rank", self.rank)];
        at_least_one(&rank)?;
        at_most(MOST_RANK, &rank)?;
        if self.targets.is_empty() {
            return Err(ModelError::NoTargets);
        }
        Ok(())
    }
}

/// The parameters of adapters, wherever they are.
pub fn adapter_parameters() -> Selection {
    Selection::Named("lora".into())
}

impl<B: Backend> Denoiser<B> {
    /// The denoiser with fresh adapters in place of any it has. Their change is zero; the first factors are uniform in
    /// `+-1 / sqrt(inputs)`, drawn from `random`.
    ///
    /// # Errors
    /// Those of [`Self::adapter_numbers`].
    pub fn with_adapters(
        self,
        config: &AdapterConfig,
        random: &mut ChaCha8Rng,
    ) -> Result<Self, ModelError> {
        self.adapter_numbers(config)?;
        let is_chosen = |target| config.targets.contains(&target);
        Ok(self.without_adapters().map_projections(&mut |target, projection| {
            if is_chosen(target) { adapted(projection, config, random) } else { projection }
        }))
    }

    /// How many numbers such adapters have, before any is drawn: a float that cannot overflow.
    ///
    /// # Errors
    /// Those of [`AdapterConfig::check`], [`ModelError::NothingToAdapt`] if no layer is of the chosen kinds, and
    /// [`ModelError::TooLarge`].
    pub fn adapter_numbers(&self, config: &AdapterConfig) -> Result<f64, ModelError> {
        config.check()?;
        let mut sides = 0;
        self.clone().map_projections(&mut |target, projection| {
            if config.targets.contains(&target) {
                sides += projection.linear.weight.dims().iter().sum::<usize>();
            }
            projection
        });
        if sides == 0 {
            return Err(ModelError::NothingToAdapt { targets: format!("{:?}", config.targets) });
        }
        let numbers = sides as f64 * config.rank as f64;
        let settings = || listed(&[("fast.adapters.rank", config.rank)]);
        together(("the adapters would have", numbers, "parameters"), MOST_PARAMETERS, settings)?;
        Ok(numbers)
    }

    /// The denoiser alone.
    pub fn without_adapters(self) -> Self {
        self.map_projections(&mut |_, projection| AdaptedLinear { lora: None, ..projection })
    }

    /// The denoiser that computes the same without adapters: their change becomes a part of the weights.
    pub fn with_adapters_folded(self) -> Self {
        self.map_projections(&mut |_, mut projection| {
            if let Some(lora) = projection.lora.take() {
                let weight = projection.linear.weight;
                projection.linear.weight = weight.map(|weight| lora.merge(weight));
            }
            projection
        })
    }

    /// Whether there are adapters.
    pub fn has_adapters(&self) -> bool {
        let mut found = false;
        self.clone().map_projections(&mut |_, projection| {
            found |= projection.lora.is_some();
            projection
        });
        found
    }
}

impl<B: Backend> Projections<B> for Denoiser<B> {
    fn map_projections(
        mut self,
        change: &mut dyn FnMut(Target, AdaptedLinear<B>) -> AdaptedLinear<B>,
    ) -> Self {
        self.network = match self.network {
            Network::Transformer(network) => Network::Transformer(network.map_projections(change)),
            Network::Unet(network) => Network::Unet(network.map_projections(change)),
        };
        self
    }
}

fn adapted<B: Backend>(
    projection: AdaptedLinear<B>,
    config: &AdapterConfig,
    random: &mut ChaCha8Rng,
) -> AdaptedLinear<B> {
    let weight = &projection.linear.weight;
    let ([inputs, outputs], device) = (weight.dims(), weight.device());
    let bound = 1.0 / (inputs as f32).sqrt();
    let uniform = Uniform::new_inclusive(-bound, bound).expect("a positive bound");
    let values = (0..inputs * config.rank).map(|_| uniform.sample(random)).collect();
    let a = TensorData::new::<f32, _>(values, [inputs, config.rank]);
    let a = Tensor::from_data(a, (&device, weight.val().dtype()));
    let lora = Lora::with_first_factor(a, outputs, config.alpha);
    AdaptedLinear { lora: Some(lora), ..projection }
}
