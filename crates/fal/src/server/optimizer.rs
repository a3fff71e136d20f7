//! How the aggregated update moves the model.

use serde::{Deserialize, Serialize};

use super::ServerError;
use super::error::require;
use super::update::{require_finite, require_length};

/// A rule of the server; the aggregated update `d` takes the place of a negative gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum OptimizerChoice {
    /// `U + rate d`: the paper's global rate; FedAvg with a rate of 1.
    Rate {
        /// Above 0.
        #[serde(default = "one")]
        rate: f64,
    },
    /// FedAvgM (Hsu, Qi and Brown 2019): `m = momentum m + d`, `U + rate m`.
    Momentum {
        /// Above 0.
        #[serde(default = "one")]
        rate: f64,
        /// At least 0, below 1.
        #[serde(default = "nine_tenths")]
        momentum: f64,
    },
    /// FedAdam (Reddi et al. 2021): `v = second v + (1 - second) d^2`.
    Adam(Adaptive),
    /// FedYogi (Reddi et al. 2021): `v = v - (1 - second) d^2 sign(v - d^2)`.
    Yogi(Adaptive),
    /// FedAdagrad (Reddi et al. 2021): `v = v + d^2`; `second` has no effect. As there `first` is 0 if it is not stated, so that
    /// `m` is the update itself.
    Adagrad(#[serde(deserialize_with = "AdagradFields::deserialize")] Adaptive),
}

/// Settings of the adaptive rules: `m = first m + (1 - first) d`, `U + rate m / (sqrt(v) + floor)`. As in the paper there is
/// no correction for the start, and `v` begins at `floor^2`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adaptive {
    /// Above 0.
    pub rate: f64,
    /// Decay of the mean of updates, at least 0, below 1.
    pub first: f64,
    /// Decay of the mean of squared updates, at least 0, below 1.
    pub second: f64,
    /// The paper's tau, above 0: the larger, the less adaptive.
    pub floor: f64,
}

/// [`Adaptive`], whose fields are those of [`Adaptive::adagrad`] where they are not stated.
#[derive(Deserialize)]
#[serde(remote = "Adaptive", deny_unknown_fields, default = "Adaptive::adagrad")]
struct AdagradFields {
    rate: f64,
    first: f64,
    second: f64,
    floor: f64,
}

/// What a server remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerState {
    /// Rounds so far.
    pub rounds: u64,
    /// `m`; empty before the first round of a rule that has it.
    pub(crate) momentum: Vec<f32>,
    /// `v`; empty before the first round of a rule that has it.
    pub(crate) squares: Vec<f32>,
}

fn one() -> f64 {
    1.0
}

fn nine_tenths() -> f64 {
    0.9
}

impl Default for OptimizerChoice {
    fn default() -> Self {
        Self::Rate { rate: 1.0 }
    }
}

impl Default for Adaptive {
    fn default() -> Self {
        Self { rate: 0.1, first: 0.9, second: 0.99, floor: 1e-3 }
    }
}

impl Adaptive {
    /// The defaults of FedAdagrad: those of the others without a mean over rounds.
    pub fn adagrad() -> Self {
        Self { first: 0.0, ..Self::default() }
    }
}

impl OptimizerChoice {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`ServerError::OutOfRange`].
    pub fn check(&self) -> Result<(), ServerError> {
        let positive = |setting, value: f64| {
            require(value.is_finite() && value > 0.0, setting, value, "finite and above 0")
        };
        let decay = |setting, value: f64| {
            require((0.0..1.0).contains(&value), setting, value, "at least 0 and below 1")
        };
        match *self {
            Self::Rate { rate } => positive("rate", rate),
            Self::Momentum { rate, momentum } => {
                positive("rate", rate)?;
                decay("momentum", momentum)
            }
            Self::Adam(settings) | Self::Yogi(settings) | Self::Adagrad(settings) => {
                positive("rate", settings.rate)?;
                decay("first", settings.first)?;
                decay("second", settings.second)?;
                positive("floor", settings.floor)
            }
        }
    }

    /// Moves `global` by the aggregated update and counts the round.
    ///
    /// # Errors
    /// [`ServerError::Length`] if vectors are of different models, [`ServerError::Overflow`] if the model or the memory would
    /// hold a value that is not finite; nothing is changed then.
    pub fn step(
        &self,
        state: &mut ServerState,
        global: &mut [f32],
        delta: &[f32],
    ) -> Result<(), ServerError> {
        require_length(|| "the aggregated update".into(), global.len(), delta.len())?;
        let (mut next_state, mut next_global) = (state.clone(), global.to_vec());
        self.advance(&mut next_state, &mut next_global, delta)?;
        require_finite("the server's mean of updates", &next_state.momentum)?;
        require_finite("the server's mean of squared updates", &next_state.squares)?;
        require_finite("the model", &next_global)?;
        next_state.rounds += 1;
        *state = next_state;
        global.copy_from_slice(&next_global);
        Ok(())
    }

    /// The arithmetic of a step. After an error, and for values beyond single precision, `state` and `global` are of no use.
    fn advance(
        &self,
        state: &mut ServerState,
        global: &mut [f32],
        delta: &[f32],
    ) -> Result<(), ServerError> {
        match *self {
            Self::Rate { rate } => {
                for (u, d) in global.iter_mut().zip(delta) {
                    *u = (f64::from(*u) + rate * f64::from(*d)) as f32;
                }
            }
            Self::Momentum { rate, momentum } => {
                prepare(&mut state.momentum, global.len(), 0.0)?;
                for ((u, d), m) in global.iter_mut().zip(delta).zip(&mut state.momentum) {
                    *m = (momentum * f64::from(*m) + f64::from(*d)) as f32;
                    *u = (f64::from(*u) + rate * f64::from(*m)) as f32;
                }
            }
            Self::Adam(settings) => {
                let decay = settings.second;
                settings
                    .step(state, global, delta, |v, square| decay * v + (1.0 - decay) * square)?;
            }
            Self::Yogi(settings) => {
                let share = 1.0 - settings.second;
                let sign = |difference: f64| {
                    if difference == 0.0 { 0.0 } else { difference.signum() }
                };
                settings.step(state, global, delta, |v, square| {
                    v - share * square * sign(v - square)
                })?;
            }
            Self::Adagrad(settings) => {
                settings.step(state, global, delta, |v, square| v + square)?;
            }
        }
        Ok(())
    }
}

impl Adaptive {
    /// `squares` makes the next `v` of the last one and of `d^2`.
    fn step(
        &self,
        state: &mut ServerState,
        global: &mut [f32],
        delta: &[f32],
        squares: impl Fn(f64, f64) -> f64,
    ) -> Result<(), ServerError> {
        let Self { rate, first, floor, .. } = *self;
        prepare(&mut state.momentum, global.len(), 0.0)?;
        prepare(&mut state.squares, global.len(), (floor * floor) as f32)?;
        let ServerState { momentum, squares: all_squares, .. } = state;
        let memory = momentum.iter_mut().zip(all_squares);
        for ((u, d), (m, v)) in global.iter_mut().zip(delta).zip(memory) {
            let d = f64::from(*d);
            let next = first * f64::from(*m) + (1.0 - first) * d;
            let square = squares((*v).into(), d * d);
            *u = (f64::from(*u) + rate * next / (square.sqrt() + floor)) as f32;
            (*m, *v) = (next as f32, square as f32);
        }
        Ok(())
    }
}

/// Gives a memory that is still empty its first values.
fn prepare(memory: &mut Vec<f32>, length: usize, start: f32) -> Result<(), ServerError> {
    if memory.is_empty() {
        memory.resize(length, start);
    }
    require_length(|| "the memory of the server".into(), length, memory.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_rounds(choice: OptimizerChoice) -> f64 {
        let (mut state, mut global) = (ServerState::default(), [1.0]);
        for delta in [0.5, -0.25] {
            choice.step(&mut state, &mut global, &[delta]).unwrap();
        }
        assert_eq!(state.rounds, 2);
        global[0].into()
    }

    fn assert_close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }

    /// By hand, two rounds each.
    #[test]
    fn rules_are_those_of_the_papers() {
        assert_close(two_rounds(OptimizerChoice::Rate { rate: 2.0 }), 1.5);
        let momentum = OptimizerChoice::Momentum { rate: 1.0, momentum: 0.5 };
        assert_close(two_rounds(momentum), 1.0 + 0.5 + 0.0);
        let settings = Adaptive { rate: 0.1, first: 0.5, second: 0.75, floor: 0.01 };
        let expected = |v: [f64; 2]| {
            let m = [0.25, 0.125 - 0.125];
            (0..2).fold(1.0, |u, t| u + 0.1 * m[t] / (v[t].sqrt() + 0.01))
        };
        let start = 1e-4;
        let adam = 0.75 * start + 0.25 * 0.25;
        assert_close(two_rounds(OptimizerChoice::Adam(settings)), expected([adam, adam]));
        let yogi = start + 0.25 * 0.25;
        assert_close(two_rounds(OptimizerChoice::Yogi(settings)), expected([yogi, yogi]));
        let adagrad = start + 0.25;
        assert_close(two_rounds(OptimizerChoice::Adagrad(settings)), expected([adagrad, adagrad]));
    }

    #[test]
    fn adagrad_remembers_no_updates_unless_it_is_told_to() {
        let read = |text: &str| serde_json::from_str::<OptimizerChoice>(text).unwrap();
        assert_eq!(read(r#"{"kind": "adagrad"}"#), OptimizerChoice::Adagrad(Adaptive::adagrad()));
        assert_eq!(Adaptive::adagrad(), Adaptive { first: 0.0, ..Adaptive::default() });
        assert_eq!(read(r#"{"kind": "adam"}"#), OptimizerChoice::Adam(Adaptive::default()));
        // As runs wrote it whose default was another.
        let old =
            r#"{"kind": "adagrad", "rate": 0.1, "first": 0.9, "second": 0.99, "floor": 0.001}"#;
        let choice = read(old);
        assert_eq!(choice, OptimizerChoice::Adagrad(Adaptive::default()));
        assert_eq!(read(&serde_json::to_string(&choice).unwrap()), choice);
        assert!(
            serde_json::from_str::<OptimizerChoice>(r#"{"kind": "adagrad", "beta": 1}"#).is_err()
        );
    }

    #[test]
    fn vectors_of_different_models_are_refused() {
        for choice in [
            OptimizerChoice::default(),
            OptimizerChoice::Momentum { rate: 1.0, momentum: 0.9 },
            OptimizerChoice::Adam(Adaptive::default()),
        ] {
            let mut state = ServerState::default();
            let short = choice.step(&mut state, &mut [1.0, 2.0], &[1.0]);
            assert!(matches!(short, Err(ServerError::Length { expected: 2, found: 1, .. })));
        }
        let momentum = OptimizerChoice::Momentum { rate: 1.0, momentum: 0.9 };
        let mut state = ServerState::default();
        momentum.step(&mut state, &mut [1.0], &[1.0]).unwrap();
        let mut global = [1.0, 2.0];
        let other = momentum.step(&mut state, &mut global, &[1.0, 1.0]);
        assert!(matches!(other, Err(ServerError::Length { expected: 2, found: 1, .. })));
        assert_eq!((state.rounds, global), (1, [1.0, 2.0]));
    }

    /// The square of the update is beyond single precision although the update is not: kept as infinity, it would hold
    /// its parameter where it is for ever.
    #[test]
    fn a_step_beyond_single_precision_is_refused_and_changes_nothing() {
        let adaptive = Adaptive::default();
        for (choice, first, second) in [
            (OptimizerChoice::Rate { rate: 2.0 }, 0.5, f32::MAX),
            (OptimizerChoice::Momentum { rate: 1e-9, momentum: 0.9 }, f32::MAX, f32::MAX),
            (OptimizerChoice::Adam(adaptive), 0.5, 3e20),
            (OptimizerChoice::Yogi(adaptive), 0.5, 3e20),
            (OptimizerChoice::Adagrad(adaptive), 0.5, 3e20),
        ] {
            let (mut state, mut global) = (ServerState::default(), [1.0, 2.0]);
            choice.step(&mut state, &mut global, &[first, 0.1]).unwrap();
            let before = (state.clone(), global);
            let refusal = choice.step(&mut state, &mut global, &[second, 0.1]).unwrap_err();
            assert!(matches!(refusal, ServerError::Overflow { .. }), "{choice:?}: {refusal}");
            assert!(refusal.to_string().contains("`server.clip`"), "{refusal}");
            assert_eq!((state, global), before, "{choice:?}");
        }
    }

    #[test]
    fn the_memory_survives_being_saved() {
        let choice = OptimizerChoice::Yogi(Adaptive::default());
        let mut state = ServerState::default();
        choice.step(&mut state, &mut [1.0, 2.0], &[0.1, -0.3]).unwrap();
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<ServerState>(&text).unwrap(), state);
    }
}
