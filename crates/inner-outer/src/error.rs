//! What can go wrong, and what to do about it.

/// An error of the core. Messages name the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An inner loss is NaN or infinite.
    #[error("the inner loss is {loss} at inner step {step}; {}", before_it(*steps_taken, *largest_gradient, path))]
    NonFiniteInnerLoss {
        /// Inner step of this loop, from 0.
        step: usize,
        /// Steps that the parameters have taken, in this loop and in those that it goes on from.
        steps_taken: usize,
        /// The loss.
        loss: f64,
        /// Largest absolute entry of the gradient of the step before; 0 at the first step of the loop.
        largest_gradient: f64,
        /// The adapted parameter with that entry; empty at the first step.
        path: String,
    },
    /// An inner loop whose losses were finite ends where a number is not.
    #[error(
        "`{path}` is not finite after the last of {steps} inner steps, though every loss before it was: that step was too large, or an operation has no derivative \
         where it is evaluated (the root of zero, a norm of zero). Lower the inner rate, bound the gradient with `Clipped`, or keep such points away"
    )]
    NonFiniteEnd {
        /// The adapted parameter.
        path: String,
        /// Inner steps taken.
        steps: usize,
    },
    /// An inner loop whose losses were finite leaves an optimiser's state that is not.
    #[error(
        "the optimiser's state of `{path}` is not finite after the last of {steps} inner steps, though every loss before it was: the square of a gradient left the \
         range of its precision, and what is divided by it would never move again. Lower the inner rate, or bound the gradient with `Clipped`"
    )]
    NonFiniteState {
        /// The adapted parameter.
        path: String,
        /// Inner steps taken.
        steps: usize,
    },
    /// An outer loss is NaN or infinite.
    #[error(
        "the outer loss is {loss} after {steps} inner steps; lower the inner or the outer rate, or look for an operation without derivative \
         (the root of zero, a norm of zero) in the inner loss"
    )]
    NonFiniteOuterLoss {
        /// The loss.
        loss: f64,
        /// Inner steps taken.
        steps: usize,
    },
    /// A meta-gradient is NaN or infinite although the losses are finite.
    #[error(
        "the meta-gradient of `{path}` is not finite although every loss is: an operation has no derivative where it is evaluated \
         (the root of zero, a norm of zero), or the inner loop is too steep. Keep such points away, or lower the inner rate"
    )]
    NonFiniteMetaGradient {
        /// Path of the outer parameter, or `inner rates`.
        path: String,
    },
    /// The selection of adapted parameters is empty.
    #[error(
        "no parameter of the inner module is adapted; its parameters are: {available}. Return one of them from `Problem::adapted`"
    )]
    NothingAdapted {
        /// All paths of the inner module.
        available: String,
    },
    /// The selection of learned parameters is empty, and does not say so.
    #[error(
        "no parameter of the outer module is learned; its parameters are: {available}. \
         Return one of them from `Problem::learned`, or `Selection::None` if only the inner rates are learned"
    )]
    NothingLearned {
        /// All paths of the outer module.
        available: String,
    },
    /// A part of a selection that no parameter matches.
    #[error(
        "the selection of parameters names `{entry}`, but there are only: {available}. Correct it, or leave it out"
    )]
    NothingThere {
        /// The path or name.
        entry: String,
        /// All paths of the module.
        available: String,
    },
    /// The inner rates should be learned, but no task gives them a gradient.
    #[error(
        "the inner rates are to be learned, but the hypergradient gives them no gradient: {}use `Unrolled`, `Truncated` or `FirstOrder` with at least one inner step",
        if *learns_more { "set `MetaLearnerConfig::rates_rate` to None, or " } else { "" }
    )]
    NoRatesGradient {
        /// Whether outer parameters are learned as well.
        learns_more: bool,
    },
    /// A step of a learner that would change nothing.
    #[error(
        "nothing is learned: `Problem::learned` is `Selection::None` and `MetaLearnerConfig::rates_rate` is None. Select outer parameters, or give the inner \
         rates a rate of their own; to adapt alone, use `InnerLoop::adapt` or `MetaLearner::evaluate`"
    )]
    LearnsNothing,
    /// A learned outer parameter gets no gradient at all.
    #[error(
        "the learned outer parameter `{path}` gets no gradient in this meta-batch: as the hypergradient differentiates it, it reaches neither \
         the outer loss nor, through `init` or the inner loss, the adapted parameters. Use it there, choose `Unrolled`, which differentiates both ways, \
         with an update rule through which a gradient passes (that of `SignedAscent` is flat), give every meta-batch a task that reaches it or set `MetaLearnerConfig::allow_unreached`, or leave it out of `Problem::learned`"
    )]
    NoGradient {
        /// Path of the outer parameter.
        path: String,
    },
    /// A learned outer parameter gets a gradient of exactly zero from every task.
    #[error(
        "the gradient of the learned outer parameter `{path}` is exactly zero in every task of the first meta-batch. \
         Something between it and the outer loss is flat (a dead ReLU, a product with zero, a detached tensor); mend it, or allow it with `MetaLearnerConfig::allow_zero_gradients`"
    )]
    ZeroGradient {
        /// Path of the outer parameter.
        path: String,
    },
    /// Two parameters of the outer module with one id.
    #[error(
        "the outer parameters `{first}` and `{second}` have the same id, by which optimisers find the gradient, so one of them would move by the other's. \
         Use one parameter twice in `forward`, or make each with its own `init`"
    )]
    RepeatedParameter {
        /// Path of one.
        first: String,
        /// Path of the other.
        second: String,
    },
    /// The inner module has a plain tensor that `init` computes from learned parameters, which would get no derivative.
    #[error(
        "the {loss} loss reads a plain tensor of the inner module that `Problem::init` computes from learned parameters. Only parameters are differentiated: \
         make it a `Param::initialized(ParamId::new(), value)` that `Problem::adapted` leaves out, or compute it in the losses"
    )]
    ComputedField {
        /// Which loss: `inner`, `trajectory` or `outer`.
        loss: &'static str,
    },
    /// Two parameters of the inner module with one id, of which one at least is adapted.
    #[error(
        "the inner parameters `{first}` and `{second}` have the same id, as if they were one, but the inner loop moves each by its own gradient. \
         Use one parameter twice in the losses, or give each an id of its own"
    )]
    TiedParameters {
        /// Path of one.
        first: String,
        /// Path of the other.
        second: String,
    },
    /// First order asked where only second order can reach the variable.
    #[error(
        "as this hypergradient looks at it, only the inner loss reads the learned outer parameter `{path}`, so its gradient needs second order from the \
         steps that read it. Use `Unrolled`, `Truncated` with more steps, or `Implicit`"
    )]
    FirstOrderCannotReach {
        /// Path of the outer parameter.
        path: String,
    },
    /// The implicit gradient of an inner loop that does not come to rest where the inner gradient vanishes.
    #[error(
        "`Implicit` rests on an inner gradient that vanishes where the loop ends, which {cause} prevents. Put it into the inner loss as a penalty, \
         or use `Unrolled` or `Truncated`, which differentiate the steps as they are"
    )]
    ImplicitRestsElsewhere {
        /// What holds the loop elsewhere.
        cause: &'static str,
    },
    /// The implicit gradient vanishes identically.
    #[error(
        "the inner loss does not depend on any learned outer parameter, so its minimiser does not either and the implicit gradient is zero. \
         Add a term that ties the inner to the outer variable (for example a proximal term), or use `Unrolled`"
    )]
    ImplicitGradientIsZero,
    /// The linear solver of the implicit gradient met negative curvature or diverged.
    #[error(
        "the {solver} solver stopped at iteration {iteration}: {reason}. Run more inner steps so that the inner problem is closer to its minimum, or {remedy}"
    )]
    LinearSolver {
        /// Name of the solver.
        solver: &'static str,
        /// Iteration, from 0.
        iteration: usize,
        /// What happened.
        reason: String,
        /// What to set in the solver.
        remedy: &'static str,
    },
    /// Running statistics among the parameters that an inner or an outer loop moves.
    #[error(
        "`{path}` is a running statistic of `nn::BatchNorm`, which copies of the module share and which no gradient is to move. \
         Use `nn::GroupNorm` or `nn::LayerNorm`, or leave it out of `Problem::adapted` and `Problem::learned`"
    )]
    RunningStatistic {
        /// Path of the statistic.
        path: String,
    },
    /// Modules on a backend that differentiates already.
    #[error(
        "the modules are on the backend `{backend}`, which differentiates, but every loop makes the graphs that it needs itself. \
         Give modules on the plain backend below, as `module.valid()` is one"
    )]
    DifferentiatingBackend {
        /// Burn's name of the backend.
        backend: String,
    },
    /// An update rule in a precision whose range its squares leave.
    #[error(
        "`{rule}` takes squares and sums them up, for which {precision} has too small a range or too few digits. \
         Adapt parameters in F32 or F64 (`tensor.cast(DType::F32)`)"
    )]
    HalfPrecision {
        /// The type of the rule or of the set.
        rule: &'static str,
        /// `F16` or `BF16`.
        precision: String,
    },
    /// A loss that is not one number.
    #[error("the {loss} loss has {elements} elements and must have one: average or sum it")]
    LossShape {
        /// `inner` or `outer`.
        loss: &'static str,
        /// Its elements.
        elements: usize,
    },
    /// A layer whose backward pass has no derivative.
    #[error("`{operation}` cannot be differentiated twice by the engine `{engine}`: {remedy}")]
    NotTwiceDifferentiable {
        /// Burn's name of the operation, with the layer that uses it.
        operation: String,
        /// The curvature engine.
        engine: &'static str,
        /// What to use instead.
        remedy: &'static str,
    },
    /// Stored values do not fit the module.
    #[error(
        "`{path}` is stored as {found:?}, but the module expects {expected:?}; load it into a module of the configuration it was saved from"
    )]
    ShapeMismatch {
        /// Path of the parameter.
        path: String,
        /// Shape in the module.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// A stored parameter is missing, or one too many.
    #[error(
        "parameter `{path}` is {state}; load the file into a module of the configuration it was saved from"
    )]
    ParameterNames {
        /// Path of the parameter.
        path: String,
        /// `missing in the file` or `not part of the module`.
        state: &'static str,
    },
    /// The rates were made for another number of tensors or steps.
    #[error(
        "the inner rates are for {found}, but the inner loop needs {needed}; make them with `InnerLoop::rates`"
    )]
    RatesMismatch {
        /// What the rates were made for.
        found: String,
        /// What is needed.
        needed: String,
    },
    /// An iterate to go on from belongs to another problem or update rule.
    #[error(
        "the {part} of the iterate to go on from is {found}, but the inner loop needs {needed}; go on from `Adapted::end` of the same problem and update rule"
    )]
    IterateMismatch {
        /// `adapted tensors` or `optimiser's state`.
        part: &'static str,
        /// Sizes and precisions in the iterate.
        found: String,
        /// Sizes and precisions that are needed.
        needed: String,
    },
    /// Inner loops to go on with, for another number of tasks.
    #[error(
        "there are {starts} starts for {tasks} tasks; give one for each, `None` for a task that begins"
    )]
    StartCount {
        /// Starts that were given.
        starts: usize,
        /// Tasks of the meta-batch.
        tasks: usize,
    },
    /// A setting lies outside of its range.
    #[error("`{setting}` is {value}, but must be {range}; correct it")]
    OutOfRange {
        /// The type and its field.
        setting: &'static str,
        /// What it was set to.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
    /// A tensor cannot be cut into blocks of one size.
    #[error(
        "`{setting}` is {rows}, which does not divide the {elements} elements of an adapted tensor; \
         give the number of samples that every adapted tensor holds, or 1 for one block a tensor"
    )]
    UnevenRows {
        /// The type and its field.
        setting: &'static str,
        /// Blocks that were asked for.
        rows: usize,
        /// Elements of the first tensor that is no multiple of it.
        elements: usize,
    },
    /// A box without a point in it.
    #[error(
        "the box from {lower} to {upper} is empty; give `BoxConstraint` or `Intervals` a lower bound that is at most the upper one"
    )]
    EmptyBox {
        /// Lower bound.
        lower: f64,
        /// Upper bound.
        upper: f64,
    },
    /// Bounds for another number of elements.
    #[error(
        "`Intervals` has {bounds} lower bounds, but there are {elements} elements; make the bounds of the same batch as the perturbation"
    )]
    IntervalCount {
        /// Lower bounds that were given.
        bounds: usize,
        /// Elements, or upper bounds, that they must fit.
        elements: usize,
    },
    /// A decay that has no step to happen in.
    #[error(
        "the schedule decays after {warm_up} steps of warm-up but ends at step {steps}; raise its `steps` above its `warm_up`, or let \
         its `decay` be constant"
    )]
    NoStepToDecay {
        /// Steps of warm-up.
        warm_up: usize,
        /// Steps in all.
        steps: usize,
    },
    /// A task of a meta-batch failed.
    #[error("task {task} of the meta-batch: {source}")]
    InTask {
        /// Position in the meta-batch, from 0.
        task: usize,
        /// What happened.
        source: Box<Error>,
    },
    /// A meta-batch without tasks.
    #[error("the meta-batch holds no task; give at least one")]
    EmptyMetaBatch,
    /// Reading or writing learned state failed.
    #[error(
        "cannot {action} learned state: {reason}. Read what the function of the same name wrote, unchanged, \
         into a learner or module of the same configuration and precision"
    )]
    State {
        /// `read` or `write`.
        action: &'static str,
        /// Why.
        reason: String,
    },
}

/// What to look at when an inner loss is not finite: the steps before it, or what was there before the first.
fn before_it(steps_taken: usize, largest_gradient: f64, path: &str) -> String {
    if steps_taken == 0 {
        return "no step was taken yet, so correct the data, the initial parameters or the loss itself".into();
    }
    if path.is_empty() {
        return format!(
            "the loop goes on from parameters after {steps_taken} steps, of which the last may have been too large, or the data of this one is wrong. \
             Go on from an earlier iterate with a lower inner rate or `Clipped`, or correct the data"
        );
    }
    if !largest_gradient.is_finite() {
        return format!(
            "the gradient before it is not finite in `{path}` though the loss was: an operation has no derivative where it is evaluated \
             (the root of zero, a norm of zero). Keep such points away"
        );
    }
    format!(
        "the largest gradient before it is {largest_gradient:.3e} in `{path}`. \
         Lower the inner rate, or bound the gradient with `Clipped`"
    )
}

/// The result of a computation of the core.
pub type Result<T, E = Error> = std::result::Result<T, E>;
