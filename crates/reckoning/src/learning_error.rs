//! What the bi-level core says, in the words of this program's settings.

use std::fmt;

use inner_outer::Error;

/// What to change where the weights have grown too large.
const SMALLER_OUTER_STEPS: &str =
    "lower outer.rate, and where a trained system is used, train it so again";
/// What to change where inner steps are too large.
const SMALLER_INNER_STEPS: &str = "lower inner.rate, or outer.rate, by which inner rates and weights are learned, and where a trained system is used, train it so \
                                   again";

/// An error of the bi-level core. Its message names settings of this program where the core's own names types of the library.
#[derive(Debug)]
pub struct LearningError(Box<Error>);

impl LearningError {
    /// The core's own error.
    pub fn core(&self) -> &Error {
        &self.0
    }
}

impl From<Error> for LearningError {
    fn from(error: Error) -> Self {
        Self(Box::new(error))
    }
}

impl From<Box<Error>> for LearningError {
    fn from(error: Box<Error>) -> Self {
        Self(error)
    }
}

impl fmt::Display for LearningError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&told(&self.0))
    }
}

// Without a source, whose words would be told once more.
impl std::error::Error for LearningError {}

fn told(error: &Error) -> String {
    match error {
        Error::NonFiniteInnerLoss { steps_taken: 0, loss, .. } => format!(
            "the loss of the facts is {loss} before the first inner step, as the weights are after an outer step that was too large; {SMALLER_OUTER_STEPS}"
        ),
        Error::NonFiniteInnerLoss { steps_taken, loss, largest_gradient, path, .. } => format!(
            "the loss of the facts is {loss} after {steps_taken} inner steps, where the largest gradient before is {largest_gradient:.1e} in `{path}`; \
             {SMALLER_INNER_STEPS}"
        ),
        Error::NonFiniteEnd { path, steps } | Error::NonFiniteState { path, steps } => format!(
            "`{path}` is not finite after {steps} inner steps, of which the last was too large; {SMALLER_INNER_STEPS}"
        ),
        Error::NonFiniteOuterLoss { loss, steps: 0 } => format!(
            "the loss of the answers is {loss}, as the weights are after an outer step that was too large; {SMALLER_OUTER_STEPS}"
        ),
        Error::NonFiniteOuterLoss { loss, steps } => format!(
            "the loss of the answers is {loss} after {steps} inner steps; {SMALLER_INNER_STEPS}"
        ),
        Error::NonFiniteMetaGradient { path } => format!(
            "the gradient of `{path}` is not finite, though every loss is; {SMALLER_INNER_STEPS}"
        ),
        Error::RatesMismatch { found, needed } => format!(
            "the inner rates are for {found}, but the inner loop needs {needed}; copy the system's folder again, or train again"
        ),
        Error::State { action: "read", reason } => format!(
            "the saved state does not belong to this run ({reason}); delete the checkpoint to go on from the one before, or begin anew in another --out"
        ),
        // Who asks several sets says which.
        Error::InTask { source, .. } => told(source),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types and functions of the library that a user of the program cannot change.
    const OF_THE_LIBRARY: [&str; 7] =
        ["Clipped", "Problem", "InnerLoop", "MetaLearner", "module", "function", "meta-batch"];

    #[test]
    fn remedies_are_settings_of_the_program() {
        let path = || "blocks.0.attention.input.linear.weight".to_owned();
        let inner = |steps_taken, largest_gradient| Error::NonFiniteInnerLoss {
            step: steps_taken,
            steps_taken,
            loss: f64::NAN,
            largest_gradient,
            path: path(),
        };
        let (found, needed) = ("1 tensor".to_owned(), "2 tensors".to_owned());
        for (error, remedy) in [
            (inner(0, 0.0), "outer.rate"),
            (inner(2, 3e20), "inner.rate"),
            (inner(2, f64::NAN), "inner.rate"),
            (Error::NonFiniteEnd { path: path(), steps: 3 }, "inner.rate"),
            (Error::NonFiniteState { path: path(), steps: 3 }, "inner.rate"),
            (Error::NonFiniteOuterLoss { loss: f64::NAN, steps: 0 }, "outer.rate"),
            (Error::NonFiniteOuterLoss { loss: f64::NAN, steps: 3 }, "inner.rate"),
            (Error::NonFiniteMetaGradient { path: path() }, "inner.rate"),
            (Error::RatesMismatch { found, needed }, "train again"),
            (Error::State { action: "read", reason: "cut off".into() }, "another --out"),
        ] {
            let error = Error::InTask { task: 1, source: Box::new(error) };
            let told = LearningError::from(error).to_string();
            assert!(told.contains(remedy), "{told}");
            for word in OF_THE_LIBRARY {
                assert!(!told.contains(word), "{word} in {told}");
            }
        }
    }
}
