//! How an episode is memorised.

use burn::tensor::backend::Backend;
use inner_outer::{ConfiguredRule, RuleChoice};
use serde::{Deserialize, Deserializer, Serialize};

use super::MemoryError;
use crate::diffusion::{Clip, Timesteps};
use crate::model::{AdapterConfig, Denoiser, DenoiserConfig, ModelError};
use crate::size::{MOST, at_most, fits};

/// What the fast learning learns from: the paper's rule and its ablations (table 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FastForm {
    /// The chunk and the one before, all frames noised, no action, loss on all frames.
    #[default]
    Local,
    /// "Original Temp-LoRA": the chunk before clean, this one noised, with its action, loss on this one.
    InputToOutput,
    /// "Without local learning rule": a window from anywhere in the episode so far, in the form of [`Self::Local`].
    WholeSequence,
    /// "Without chunk input": chunks are conditioned on one frame; the form is [`Self::Local`] on it and the chunk.
    SingleFrame,
}

impl FastForm {
    /// What a chunk is conditioned on when `chunk` came before it.
    pub fn past_of<B: Backend>(self, chunk: &Clip<B>) -> Clip<B> {
        match self {
            Self::SingleFrame => chunk.last(1),
            Self::Local | Self::InputToOutput | Self::WholeSequence => chunk.clone(),
        }
    }
}

/// The fast learning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FastConfig {
    /// The Temp-LoRA.
    pub adapters: AdapterConfig,
    /// What is learned from.
    pub form: FastForm,
    /// The update rule, Adam in the paper and where none is named, with optional clipping.
    #[serde(deserialize_with = "adam_unless_named")]
    pub optimizer: ConfiguredRule,
    /// The rate, 1e-4 in the paper. Not used where rates were learned.
    pub rate: f64,
    /// Steps after each chunk; algorithm 1a writes one.
    pub steps: usize,
    /// Draws of noise and timestep that a step averages over.
    pub draws: usize,
    /// Timesteps that are drawn; all of the schedule for `None`.
    pub timesteps: Option<Timesteps>,
    /// Whether the optimiser's state goes on from chunk to chunk; the paper does not state it.
    pub keep_state: bool,
}

impl Default for FastConfig {
    /// The paper's, as far as it is stated.
    fn default() -> Self {
        Self {
            adapters: AdapterConfig::default(),
            form: FastForm::default(),
            optimizer: ConfiguredRule { rule: RuleChoice::Adam, clip: None },
            rate: 1e-4,
            steps: 1,
            draws: 1,
            timesteps: None,
            keep_state: true,
        }
    }
}

/// [`ConfiguredRule`] itself is gradient descent where no rule is named.
fn adam_unless_named<'de, D: Deserializer<'de>>(from: D) -> Result<ConfiguredRule, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Given {
        rule: RuleChoice,
        clip: Option<f64>,
    }

    impl Default for Given {
        fn default() -> Self {
            Self { rule: RuleChoice::Adam, clip: None }
        }
    }

    let Given { rule, clip } = Given::deserialize(from)?;
    Ok(ConfiguredRule { rule, clip })
}

impl FastConfig {
    /// Whether a Temp-LoRA moves by the same rule as that of `other`, so that what an outer loop learned for one serves the
    /// other. How many draws of noise a step averages over, and of which timesteps, may differ.
    pub fn moves_like(&self, other: &Self) -> bool {
        let rule = |fast: &Self| Self { draws: 1, timesteps: None, ..fast.clone() };
        rule(self) == rule(other)
    }

    /// Checks the settings that do not depend on a model.
    ///
    /// # Errors
    /// [`MemoryError::Setting`], [`MemoryError::TooLarge`], and those of [`AdapterConfig::check`].
    pub fn check(&self) -> Result<(), MemoryError> {
        self.adapters.check().map_err(of_model)?;
        let counts = [("fast.steps", self.steps), ("fast.draws", self.draws)];
        if let Some((setting, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(MemoryError::Setting { setting, found: 0.0, range: "at least 1" });
        }
        at_most(MOST, &counts)?;
        let positive = [
            ("fast.rate", self.rate),
            ("fast.optimizer.clip", self.optimizer.clip.unwrap_or(1.0)),
            ("fast.adapters.alpha", self.adapters.alpha),
        ];
        let is_positive = |found: f64| found.is_finite() && found > 0.0;
        match positive.into_iter().find(|(_, found)| !is_positive(*found)) {
            None => Ok(()),
            Some((setting, found)) => {
                Err(MemoryError::Setting { setting, found, range: "a finite number above 0" })
            }
        }
    }
}

impl FastConfig {
    /// Checks that there is room for what it holds while it learns a chunk of a denoiser of this shape.
    ///
    /// # Errors
    /// [`MemoryError::TooLarge`], and those of [`Denoiser::adapter_numbers`].
    pub fn check_room<B: Backend>(
        &self,
        denoiser: &Denoiser<B>,
        shape: &DenoiserConfig,
    ) -> Result<(), MemoryError> {
        denoiser.adapter_numbers(&self.adapters).map_err(of_model)?;
        fits("fast.draws", self.draws, shape.window_bytes(shape.frames))?;
        Ok(fits("fast.steps", self.steps, self.example_bytes(shape))?)
    }

    /// Bytes of what a step learns from.
    pub(crate) fn example_bytes(&self, shape: &DenoiserConfig) -> f64 {
        self.draws as f64 * shape.example_bytes(shape.frames)
    }
}

fn of_model(error: ModelError) -> MemoryError {
    MemoryError::Diffusion(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiny;

    /// What would end in no memory, or in a number that overflows.
    #[test]
    fn fast_learning_beyond_any_machine_is_refused() {
        let usual = FastConfig::default();
        let most = i64::MAX as usize;
        let wide = AdapterConfig { rank: 1_000_000_000, ..AdapterConfig::default() };
        for (config, named) in [
            (FastConfig { adapters: wide, ..usual.clone() }, "`fast.adapters.rank` is 1000000000"),
            (FastConfig { steps: most, ..usual.clone() }, "`fast.steps` is 9223372036854775807"),
            (FastConfig { draws: most, ..usual.clone() }, "`fast.draws` is 9223372036854775807"),
        ] {
            let told = config.check().unwrap_err().to_string();
            assert!(told.contains(named) && told.contains("must be at most"), "{told}");
        }
        let network = tiny::networks()[0].clone();
        let shape = DenoiserConfig { frames: 2000, ..tiny::config(network.clone()) };
        let denoiser = tiny::denoiser(network);
        usual.check_room(&denoiser, &shape).unwrap();
        for (config, named) in [
            (FastConfig { draws: MOST, ..usual.clone() }, "`fast.draws` is 1000000"),
            (FastConfig { steps: MOST, draws: 100, ..usual.clone() }, "`fast.steps` is 1000000"),
        ] {
            config.check().unwrap();
            let told = config.check_room(&denoiser, &shape).unwrap_err().to_string();
            assert!(told.contains(named) && told.contains("must be at most"), "{told}");
        }
    }

    #[test]
    fn a_bound_alone_does_not_change_the_rule() {
        let read = |text: &str| serde_json::from_str::<FastConfig>(text).unwrap().optimizer;
        assert_eq!(read("{}").rule, RuleChoice::Adam);
        let bounded = ConfiguredRule { rule: RuleChoice::Adam, clip: Some(1.0) };
        assert_eq!(read(r#"{"optimizer": {"clip": 1.0}}"#), bounded);
        assert_eq!(read(r#"{"optimizer": {"rule": "sgd"}}"#).rule, RuleChoice::Sgd);
        assert!(serde_json::from_str::<FastConfig>(r#"{"optimizer": {"clips": 1.0}}"#).is_err());
    }
}
