//! What the second-order loop asks of its hypergradient, and how much it holds for a lesson.

use burn::tensor::backend::Backend;
use inner_outer::{
    ConjugateGradient, HypergradientChoice, Neumann, Nystroem, RateScope, SolverChoice,
};

use super::config::in_range;
use super::{SecondOrderConfig, SlowError};
use crate::diffusion::DiffusionError;
use crate::model::{Denoiser, DenoiserConfig};
use crate::size::{NUMBER, fits};

/// What a fast step keeps for the way back at most: the adapters, their gradient, and what the optimiser knows of them. Only unrolling
/// without checkpoints keeps all of it.
const COPIES_OF_ADAPTERS: f64 = 4.0;

impl SecondOrderConfig {
    /// Checks the solver here, by the names of its settings: its own words come at the first step, and name its types.
    pub(super) fn check_hypergradient(&self) -> Result<(), SlowError> {
        let HypergradientChoice::Implicit { solver, .. } = self.hypergradient else {
            return Ok(());
        };
        let (some, positive) = ("at least 1", "a finite number above 0");
        let is_positive = |found: f64| found.is_finite() && found > 0.0;
        let count = |setting, found: usize| in_range(setting, found as f64, found > 0, some);
        match solver {
            SolverChoice::ConjugateGradient(ConjugateGradient {
                iterations,
                tolerance,
                damping,
            }) => {
                count("second_order.hypergradient.solver.iterations", iterations)?;
                let setting = "second_order.hypergradient.solver.tolerance";
                let is_share = (0.0..1.0).contains(&tolerance);
                in_range(setting, tolerance, is_share, "at least 0 and below 1")?;
                let is_damping = damping.is_finite() && damping >= 0.0;
                let setting = "second_order.hypergradient.solver.damping";
                in_range(setting, damping, is_damping, "a finite number of at least 0")
            }
            SolverChoice::Neumann(Neumann { terms, step }) => {
                count("second_order.hypergradient.solver.terms", terms)?;
                in_range(
                    "second_order.hypergradient.solver.step",
                    step,
                    is_positive(step),
                    positive,
                )
            }
            SolverChoice::Nystroem(Nystroem { rank, damping, .. }) => {
                count("second_order.hypergradient.solver.rank", rank)?;
                let setting = "second_order.hypergradient.solver.damping";
                in_range(setting, damping, is_positive(damping), positive)
            }
        }
    }

    /// Bytes that a lesson holds at once, at most.
    ///
    /// # Errors
    /// [`SlowError::TooLarge`] for a setting that no machine has room for, and adapters that do not fit the denoiser.
    pub fn lesson_bytes<B: Backend>(
        &self,
        denoiser: &Denoiser<B>,
        shape: &DenoiserConfig,
    ) -> Result<f64, SlowError> {
        self.fast.check_room(denoiser, shape)?;
        let adapters =
            denoiser.adapter_numbers(&self.fast.adapters).map_err(DiffusionError::from)?;
        fits("second_order.draws", self.draws, shape.window_bytes(shape.frames))?;
        let copies =
            COPIES_OF_ADAPTERS + f64::from(u8::from(self.rate_scope == RateScope::PerElement));
        let step = self.fast.example_bytes(shape) + NUMBER * copies * adapters;
        let chunk =
            self.fast.steps as f64 * step + self.draws as f64 * shape.example_bytes(shape.frames);
        fits("second_order.written", self.written, chunk)?;
        if let HypergradientChoice::Implicit { solver: SolverChoice::Nystroem(sketch), .. } =
            self.hypergradient
        {
            let rank = sketch.rank as f64;
            // The sketch and its products, and what they have in common.
            let column = 2.0 * NUMBER * adapters + 2.0 * NUMBER * rank;
            fits("second_order.hypergradient.solver.rank", sketch.rank, column)?;
        }
        Ok(self.written as f64 * chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::FastConfig;
    use crate::tiny;

    fn implicit(solver: SolverChoice) -> SecondOrderConfig {
        let hypergradient = HypergradientChoice::Implicit { solver, curvature: Default::default() };
        SecondOrderConfig { rates_rate: None, hypergradient, ..SecondOrderConfig::default() }
    }

    #[test]
    fn solvers_are_refused_by_the_names_of_their_settings() {
        let usual = ConjugateGradient::default();
        let conjugate = SolverChoice::ConjugateGradient;
        implicit(conjugate(usual)).check().unwrap();
        let sketch = Nystroem::default();
        for (solver, named) in [
            (conjugate(ConjugateGradient { iterations: 0, ..usual }), "iterations"),
            (conjugate(ConjugateGradient { tolerance: 1.0, ..usual }), "tolerance"),
            (conjugate(ConjugateGradient { damping: -1.0, ..usual }), "damping"),
            (SolverChoice::Neumann(Neumann { terms: 0, step: 1.0 }), "terms"),
            (SolverChoice::Neumann(Neumann { terms: 1, step: f64::NAN }), "step"),
            (SolverChoice::Nystroem(Nystroem { rank: 0, ..sketch }), "rank"),
            (SolverChoice::Nystroem(Nystroem { damping: 0.0, ..sketch }), "damping"),
        ] {
            let told = implicit(solver).check().unwrap_err().to_string();
            let named = format!("`second_order.hypergradient.solver.{named}` is ");
            assert!(told.starts_with(&named), "{told}");
        }
    }

    /// What would end in no memory, or in a number that overflows.
    #[test]
    fn lessons_beyond_any_machine_are_refused() {
        let network = tiny::networks()[0].clone();
        let denoiser = tiny::denoiser(network.clone());
        let shape = DenoiserConfig { frames: 2000, ..tiny::config(network) };
        let usual = SecondOrderConfig::default();
        let bytes = usual.lesson_bytes(&denoiser, &shape).unwrap();
        let twice = SecondOrderConfig { written: 2 * usual.written, ..usual.clone() };
        assert_eq!(twice.lesson_bytes(&denoiser, &shape).unwrap(), 2.0 * bytes);
        let most = i64::MAX as usize;
        for (config, named) in [
            (SecondOrderConfig { written: most, ..usual.clone() }, "second_order.written"),
            (SecondOrderConfig { draws: most, ..usual.clone() }, "second_order.draws"),
        ] {
            let told = config.check().unwrap_err().to_string();
            assert!(told.contains(named) && told.contains("must be at most"), "{told}");
        }
        let steps = FastConfig { steps: 1000, ..FastConfig::default() };
        let sketch = Nystroem { rank: 1_000_000_000, ..Nystroem::default() };
        for (config, named) in [
            (SecondOrderConfig { draws: 1_000_000, ..usual.clone() }, "second_order.draws"),
            (SecondOrderConfig { written: 1000, fast: steps, ..usual }, "second_order.written"),
            (implicit(SolverChoice::Nystroem(sketch)), "second_order.hypergradient.solver.rank"),
        ] {
            config.check().unwrap();
            let told = config.lesson_bytes(&denoiser, &shape).unwrap_err().to_string();
            assert!(told.contains(named) && told.contains("must be at most"), "{told}");
        }
    }
}
