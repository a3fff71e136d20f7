//! What the core's errors say in the words of the settings: who runs `slowfast` knows none of the core's types. Settings of a loop are
//! named from the top of its configuration.

use inner_outer::Error;

/// What tames the steps of a training, or of fast learning alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remedies {
    /// Where what is learned slowly is no longer finite.
    slow: &'static str,
    /// Where what is learned fast is not.
    fast: &'static str,
    /// Where a gradient is not that may have come through fast learning.
    through: &'static str,
}

/// What the core calls the rates of the fast steps.
const RATES: &str = "inner rates";

/// Of trainings without fast learning: the autoencoder and the inverse dynamics.
pub(crate) const SLOW_ALONE: Remedies =
    Remedies { slow: "lower `rate.rate`", fast: "lower `rate.rate`", through: "lower `rate.rate`" };
/// Of the denoiser's trainings.
pub(crate) const SLOW_AND_FAST: Remedies = Remedies {
    slow: "lower `slow.rate.rate`, or bound the gradient with `slow.clip`",
    fast: "lower `method.second_order.fast.rate`, or bound the gradient with `method.second_order.fast.optimizer.clip`",
    through: "lower `slow.rate.rate`, or, of a second-order loop, `method.second_order.fast.rate`",
};
/// Of fast learning while an episode goes on.
pub(crate) const FAST_ALONE: Remedies = Remedies {
    slow: "lower `fast.rate`, bound the gradient with `fast.optimizer.clip`, or take a model whose training did not diverge",
    fast: "lower `fast.rate`, or bound the gradient with `fast.optimizer.clip`",
    through: "lower `fast.rate`",
};

const HYPERGRADIENT: &str = "`method.second_order.hypergradient.kind`";

/// Why learning stopped, and what to set.
pub(crate) fn of_learning(error: &Error, remedies: &Remedies) -> String {
    let Remedies { slow, fast, through } = remedies;
    match error {
        Error::InTask { task, source } => {
            format!("part {task} of the batch: {}", of_learning(source, remedies))
        }
        Error::NonFiniteInnerLoss { loss, steps_taken: 0, .. } => {
            format!("the fast loss is {loss} before any fast step; {slow}")
        }
        Error::NonFiniteInnerLoss { step, loss, largest_gradient, path, .. } => {
            let before = match path.is_empty() {
                true => String::new(),
                false => format!(", after a gradient of {largest_gradient:.3e} in `{path}`"),
            };
            format!("the fast loss is {loss} at fast step {step}{before}; {fast}")
        }
        Error::NonFiniteEnd { path, steps } => {
            format!("`{path}` is not finite after the last of {steps} fast steps; {fast}")
        }
        Error::NonFiniteState { path, steps } => format!(
            "what the optimiser keeps of `{path}` is not finite after the last of {steps} fast steps; {fast}"
        ),
        Error::NonFiniteOuterLoss { loss, steps: 0 } => format!("the loss is {loss}; {slow}"),
        Error::NonFiniteOuterLoss { loss, steps } => {
            format!("the loss is {loss} after {steps} fast steps; {through}")
        }
        Error::NonFiniteMetaGradient { path } if path == RATES => {
            "the gradient of the rates of the fast steps is not finite, though the loss is; lower `method.second_order.fast.rate`, or set `method.second_order.rates_rate.rate` to 0".to_owned()
        }
        Error::NonFiniteMetaGradient { path } => {
            format!("the gradient of `{path}` is not finite, though the loss is; {through}")
        }
        _ => of_hypergradient(error),
    }
}

/// What only the second-order loop can meet.
fn of_hypergradient(error: &Error) -> String {
    match error {
        Error::NoRatesGradient { .. } => format!(
            "nothing gives the rates of the fast steps a gradient; set `method.second_order.rates_rate.rate` to 0, or choose \"unrolled\" as {HYPERGRADIENT}"
        ),
        Error::NoGradient { path } | Error::FirstOrderCannotReach { path } => format!(
            "{HYPERGRADIENT} gives `{path}` no gradient; choose \"unrolled\", or set `method.second_order.learn_start` to false if that is a part of the adapters"
        ),
        Error::ImplicitRestsElsewhere { .. } => format!(
            "{HYPERGRADIENT} is \"implicit\", but with `method.second_order.fast.optimizer.rule` = \"adamw\" fast learning does not come to rest where its gradient is zero; choose another of either"
        ),
        Error::ImplicitGradientIsZero => {
            format!("the implicit gradient is zero; choose \"unrolled\" as {HYPERGRADIENT}")
        }
        Error::LinearSolver { solver, iteration, reason, .. } => format!(
            "the {solver} solver stopped at iteration {iteration}: {reason}; raise `damping` or lower `step` in `method.second_order.hypergradient.solver`, take more `method.second_order.fast.steps`, or choose \"unrolled\" as {HYPERGRADIENT}"
        ),
        Error::NotTwiceDifferentiable { operation, .. } => format!(
            "the curvature of {operation} is not known; choose \"forward-over-reverse\" as `method.second_order.hypergradient.curvature`"
        ),
        Error::RatesMismatch { found, needed } => format!(
            "the learned rates of the fast steps are for {found}, but {needed} are needed; take the model as its loop left it"
        ),
        // No setting leads to these.
        other => other.to_string(),
    }
}

/// Why a training's state cannot be written or read, and what to do.
pub(crate) fn of_state(error: &Error) -> String {
    let action =
        if matches!(error, Error::State { action: "write", .. }) { "write" } else { "read" };
    format!(
        "cannot {action} the state of the training: {}; go on from another checkpoint, or begin again in another --out",
        in_file(error)
    )
}

/// What is wrong with the tensors of a file.
pub(crate) fn in_file(error: &Error) -> String {
    match error {
        Error::ShapeMismatch { path, expected, found } => {
            format!("`{path}` is {found:?}, but its settings make it {expected:?}")
        }
        Error::ParameterNames { path, state: "missing in the file" } => {
            format!("`{path}` is missing")
        }
        Error::ParameterNames { path, .. } => format!("`{path}` is no part of it"),
        Error::State { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What nobody finds in a configuration.
    const WORDS_OF_THE_CORE: [&str; 8] = [
        "Clipped",
        "Unrolled",
        "Implicit`",
        "Problem::",
        "MetaLearner",
        "inner rate",
        "module",
        "::",
    ];

    fn told(error: &Error) -> String {
        let told = of_learning(error, &SLOW_AND_FAST);
        for word in WORDS_OF_THE_CORE {
            assert!(!told.contains(word), "{told}");
        }
        assert!(told.contains("; ") && told.contains('`'), "{told}");
        told
    }

    #[test]
    fn remedies_name_settings_and_no_types() {
        let path = || "network.blocks.0.lora.a".to_owned();
        let inner = |steps_taken| Error::NonFiniteInnerLoss {
            step: 1,
            steps_taken,
            loss: f64::NAN,
            largest_gradient: 3e9,
            path: path(),
        };
        let steep = told(&inner(3));
        let clip = "`method.second_order.fast.optimizer.clip`";
        assert!(steep.contains(clip) && steep.contains("3.000e9"), "{steep}");
        assert!(told(&inner(0)).contains("`slow.rate.rate`"));
        let of_fast = of_learning(&inner(3), &FAST_ALONE);
        assert!(of_fast.ends_with("or bound the gradient with `fast.optimizer.clip`"), "{of_fast}");
        for error in [
            Error::NonFiniteEnd { path: path(), steps: 2 },
            Error::NonFiniteState { path: path(), steps: 2 },
        ] {
            assert!(told(&error).contains("`method.second_order.fast.rate`"));
        }
        for error in [
            Error::NonFiniteOuterLoss { loss: f64::INFINITY, steps: 3 },
            Error::NonFiniteMetaGradient { path: path() },
            Error::NonFiniteMetaGradient { path: RATES.to_owned() },
        ] {
            assert!(told(&error).contains("`method.second_order.fast.rate`"), "{error}");
        }
        let outer = Error::NonFiniteOuterLoss { loss: f64::INFINITY, steps: 0 };
        assert!(of_learning(&outer, &SLOW_ALONE).ends_with("inf; lower `rate.rate`"));
        let in_task = told(&Error::InTask { task: 3, source: Box::new(outer) });
        assert!(in_task.starts_with("part 3 of the batch: the loss is inf"), "{in_task}");
        let reason = "the curvature along the search direction is -1.000e0".to_owned();
        let (solver, remedy) = ("conjugate gradient", "raise `ConjugateGradient::damping`");
        for error in [
            Error::NoRatesGradient { learns_more: true },
            Error::NoGradient { path: path() },
            Error::FirstOrderCannotReach { path: path() },
            Error::ImplicitRestsElsewhere { cause: "the weight decay of `Adam`" },
            Error::ImplicitGradientIsZero,
            Error::LinearSolver { solver, iteration: 4, reason, remedy },
        ] {
            told(&error);
        }
    }

    #[test]
    fn files_are_told_of_without_the_core_s_words() {
        let path = || "network.input.weight".to_owned();
        let shape = Error::ShapeMismatch { path: path(), expected: vec![2], found: vec![3] };
        assert_eq!(in_file(&shape), "`network.input.weight` is [3], but its settings make it [2]");
        let names = |state| in_file(&Error::ParameterNames { path: path(), state });
        assert_eq!(names("missing in the file"), "`network.input.weight` is missing");
        assert_eq!(names("not part of the module"), "`network.input.weight` is no part of it");
        let cut = Error::State { action: "read", reason: "it is cut off".into() };
        assert_eq!(in_file(&cut), "it is cut off");
        assert!(
            of_state(&cut).starts_with("cannot read the state of the training: it is cut off;")
        );
        let full = Error::State { action: "write", reason: "no such precision".into() };
        assert!(of_state(&full).starts_with("cannot write"));
    }
}
