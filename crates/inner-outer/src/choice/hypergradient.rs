//! The hypergradient and its linear solver as data.

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::CurvatureChoice;
use crate::hypergradient::{
    ConjugateGradient, Envelope, FirstOrder, Hypergradient, Implicit, LinearSolver, MetaGradient,
    Neumann, Nystroem, Operator, Reptile, Truncated, Unrolled,
};
use crate::inner::{InnerLoop, InnerOptimizer, Iterate, Rates};
use crate::problem::Problem;
use crate::tensors::Tensors;
use crate::{On, Result};

/// A linear solver of [`Implicit`] chosen at run time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SolverChoice {
    /// [`ConjugateGradient`].
    ConjugateGradient(ConjugateGradient),
    /// [`Neumann`].
    Neumann(Neumann),
    /// [`Nystroem`].
    Nystroem(Nystroem),
}

impl Default for SolverChoice {
    fn default() -> Self {
        Self::ConjugateGradient(ConjugateGradient::default())
    }
}

impl LinearSolver for SolverChoice {
    fn solve<B: Backend>(&self, apply: &mut Operator<B>, right: &Tensors<B>) -> Result<Tensors<B>> {
        match self {
            Self::ConjugateGradient(solver) => solver.solve(apply, right),
            Self::Neumann(solver) => solver.solve(apply, right),
            Self::Nystroem(solver) => solver.solve(apply, right),
        }
    }
}

/// A hypergradient chosen at run time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
// Braces without fields: serde accepts unknown fields beside the tag of a variant that has none.
pub enum HypergradientChoice {
    /// [`Unrolled`].
    Unrolled {
        /// How second derivatives are computed.
        #[serde(default)]
        curvature: CurvatureChoice,
    },
    /// [`Truncated`].
    Truncated {
        /// Inner steps that are differentiated exactly, counted from the end.
        exact_steps: usize,
        /// How second derivatives are computed.
        #[serde(default)]
        curvature: CurvatureChoice,
    },
    /// [`FirstOrder`].
    FirstOrder {},
    /// [`Envelope`].
    Envelope {},
    /// [`Implicit`].
    Implicit {
        /// How the linear system is solved.
        #[serde(default)]
        solver: SolverChoice,
        /// How second derivatives are computed.
        #[serde(default)]
        curvature: CurvatureChoice,
    },
    /// [`Reptile`].
    Reptile {},
}

impl Default for HypergradientChoice {
    fn default() -> Self {
        Self::Unrolled { curvature: CurvatureChoice::default() }
    }
}

impl HypergradientChoice {
    /// The name of the method if it gives inner rates no gradient, so that they cannot be learned by it.
    pub fn blind_to_rates(&self) -> Option<&'static str> {
        match self {
            Self::Envelope {} => Some("envelope"),
            Self::Reptile {} => Some("reptile"),
            Self::Implicit { .. } => Some("implicit"),
            Self::Unrolled { .. } | Self::Truncated { .. } | Self::FirstOrder {} => None,
        }
    }
}

impl Hypergradient for HypergradientChoice {
    fn meta_gradient_from<P: Problem, O: InnerOptimizer, B: Backend>(
        &self,
        problem: &P,
        inner_loop: &InnerLoop<O>,
        outer: &On<P::Outer, B>,
        rates: &Rates<B>,
        task: &On<P::Task, B>,
        from: Option<&Iterate<B>>,
    ) -> Result<MetaGradient<B>> {
        match *self {
            Self::Unrolled { curvature } => Unrolled { curvature }
                .meta_gradient_from(problem, inner_loop, outer, rates, task, from),
            Self::Truncated { exact_steps, curvature } => Truncated { exact_steps, curvature }
                .meta_gradient_from(problem, inner_loop, outer, rates, task, from),
            Self::FirstOrder {} => {
                FirstOrder.meta_gradient_from(problem, inner_loop, outer, rates, task, from)
            }
            Self::Envelope {} => {
                Envelope.meta_gradient_from(problem, inner_loop, outer, rates, task, from)
            }
            Self::Implicit { solver, curvature } => Implicit { solver, curvature }
                .meta_gradient_from(problem, inner_loop, outer, rates, task, from),
            Self::Reptile {} => {
                Reptile.meta_gradient_from(problem, inner_loop, outer, rates, task, from)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{DType, Tensor};

    use super::*;

    /// The solution of `diagonal x = right`.
    fn solve(solver: &impl LinearSolver) -> Vec<f64> {
        let tensor =
            |values: [f64; 2]| Tensor::from_data(values, (&Default::default(), DType::F64));
        let diagonal: Tensor<Flex, 1> = tensor([0.5, 0.25]);
        let mut apply = |x: &Tensors<Flex>| Ok(Tensors(vec![x.0[0].clone() * diagonal.clone()]));
        solver.solve(&mut apply, &Tensors(vec![tensor([1.0, 3.0])])).unwrap().to_f64()
    }

    #[test]
    fn a_solver_chosen_is_the_solver() {
        let conjugate = ConjugateGradient { damping: 0.1, ..ConjugateGradient::default() };
        assert_eq!(solve(&SolverChoice::ConjugateGradient(conjugate)), solve(&conjugate));
        let neumann = Neumann { terms: 3, step: 0.5 };
        assert_eq!(solve(&SolverChoice::Neumann(neumann)), solve(&neumann));
        let nystroem = Nystroem { rank: 1, ..Nystroem::default() };
        assert_eq!(solve(&SolverChoice::Nystroem(nystroem)), solve(&nystroem));
    }

    #[test]
    fn choices_are_read_with_defaults() {
        let read = serde_json::from_str::<HypergradientChoice>;
        let implicit = |solver, curvature| HypergradientChoice::Implicit { solver, curvature };
        let usual = CurvatureChoice::default();
        assert_eq!(read(r#"{"kind": "envelope"}"#).unwrap(), HypergradientChoice::Envelope {});
        let plain = read(r#"{"kind": "implicit"}"#).unwrap();
        assert_eq!(plain, implicit(SolverChoice::default(), usual));
        let iterations = r#"{"kind": "implicit", "curvature": "nested", "solver": {"kind": "conjugate-gradient", "iterations": 7}}"#;
        let conjugate = ConjugateGradient { iterations: 7, ..ConjugateGradient::default() };
        let expected =
            implicit(SolverChoice::ConjugateGradient(conjugate), CurvatureChoice::Nested);
        assert_eq!(read(iterations).unwrap(), expected);
        let neumann =
            r#"{"kind": "implicit", "solver": {"kind": "neumann", "terms": 9, "step": 0.1}}"#;
        let series = SolverChoice::Neumann(Neumann { terms: 9, step: 0.1 });
        assert_eq!(read(neumann).unwrap(), implicit(series, usual));
    }

    #[test]
    fn choices_are_written_and_read_again() {
        let sketch = Nystroem { rank: 3, damping: 0.5, seed: 7 };
        let curvature = CurvatureChoice::CentralDifference;
        for choice in [
            HypergradientChoice::Envelope {},
            HypergradientChoice::Implicit { solver: SolverChoice::default(), curvature },
            HypergradientChoice::Implicit { solver: SolverChoice::Nystroem(sketch), curvature },
        ] {
            let text = serde_json::to_string(&choice).unwrap();
            assert_eq!(serde_json::from_str::<HypergradientChoice>(&text).unwrap(), choice);
        }
    }

    #[test]
    fn unknown_settings_are_refused() {
        let read = serde_json::from_str::<HypergradientChoice>;
        assert!(read(r#"{"kind": "implicit", "solver": {"kind": "lanczos"}}"#).is_err());
        assert!(
            read(r#"{"kind": "implicit", "solver": {"kind": "nystroem", "ranks": 3}}"#).is_err()
        );
        assert!(
            read(r#"{"kind": "implicit", "solver": {"kind": "neumann", "terms": 3}}"#).is_err()
        );
        assert!(read(r#"{"kind": "implicit", "rank": 3}"#).is_err());
        assert!(read(r#"{"kind": "first-order", "curvature": "nested"}"#).is_err());
        assert!(read(r#"{"kind": "reptile", "exact_steps": 3}"#).is_err());
        assert!(read(r#"{"kind": "envelope", "steps": 1}"#).is_err());
    }
}
