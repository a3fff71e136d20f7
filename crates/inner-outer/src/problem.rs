//! The bi-level problem: what is adapted, what is learned, and the two losses.
//!
//! $$\theta_0 = \mathrm{init}(\phi, \text{task}), \qquad \theta_{k+1} = U_k(\theta_k, \nabla_\theta L_k(\theta_k, \phi)),
//! \qquad \text{meta loss} = \sum_{k<K} F_k(\theta_k, \phi) + F_K(\theta_K, \phi)$$

use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use crate::running_statistics::running_statistic;
use crate::tensors::{Tensors, gradients, parameter_paths, repeated_parameter};
use crate::{Autodiff, Error, Family, On, Result, Selection};

/// A bi-level problem, written once for every backend on ordinary Burn modules.
///
/// Its functions must return the same for the same arguments: the walk back evaluates `init` and the losses again, so that dropout
/// or random draws inside them would make gradients of other functions than those that were followed. Draw outside, and hand the
/// draws over in the task.
pub trait Problem: Send + Sync {
    /// What the outer loop learns, `phi`.
    type Outer: Family;
    /// The module whose parameters the inner loop adapts, `theta`.
    type Inner: Family;
    /// The data of one task: a module of plain tensors.
    type Task: Family;

    /// The parameters of the inner module that the inner loop adapts.
    fn adapted(&self) -> Selection {
        Selection::All
    }

    /// The parameters of the outer module that the outer loop learns; [`Selection::None`] if only the inner rates are
    /// learned.
    fn learned(&self) -> Selection {
        Selection::All
    }

    /// The inner module before the first step, `theta_0 = init(phi, task)`.
    ///
    /// Parameters that are computed are put in place by `Param::initialized(id, value)`: Burn's `Param::from_tensor`
    /// makes its value a leaf of the graph and so panics on one that hangs on `phi`. Only parameters are differentiated: a plain
    /// tensor of the inner module must not be computed from `phi`. Let it be a parameter that [`Self::adapted`] leaves out, or compute it
    /// in the losses ([`Error::ComputedField`]).
    fn init<B: Backend>(
        &self,
        outer: &On<Self::Outer, B>,
        task: &On<Self::Task, B>,
    ) -> On<Self::Inner, B>;

    /// What inner step `step` descends, `L_k(theta, phi)`, `[1]`.
    fn inner_loss<B: Backend>(
        &self,
        inner: &On<Self::Inner, B>,
        outer: &On<Self::Outer, B>,
        task: &On<Self::Task, B>,
        step: usize,
    ) -> Tensor<B, 1>;

    /// The loss after the last inner step, `F_K(theta_K, phi)`, `[1]`.
    fn outer_loss<B: Backend>(
        &self,
        inner: &On<Self::Inner, B>,
        outer: &On<Self::Outer, B>,
        task: &On<Self::Task, B>,
    ) -> Tensor<B, 1>;

    /// The loss before inner step `step`, `F_k(theta_k, phi)` for `k < K`, `[1]`; none by default.
    fn trajectory_loss<B: Backend>(
        &self,
        _inner: &On<Self::Inner, B>,
        _outer: &On<Self::Outer, B>,
        _task: &On<Self::Task, B>,
        _step: usize,
    ) -> Option<Tensor<B, 1>> {
        None
    }
}

/// A problem with the modules of one task on one backend; losses are functions of the parameters as vectors.
pub struct Instance<'p, P: Problem, B: Backend> {
    problem: &'p P,
    inner: On<P::Inner, B>,
    outer: On<P::Outer, B>,
    task: On<P::Task, B>,
}

impl<'p, P: Problem, B: Backend> Instance<'p, P, B> {
    /// Binds `problem` to the outer module and one task, and computes the inner module before the first step.
    pub fn new(problem: &'p P, outer: &On<P::Outer, B>, task: &On<P::Task, B>) -> Self {
        // A parameter that nobody has read yet would draw other random values in every clone.
        let _drawn = Tensors::of(outer);
        let inner = problem.init(outer, task);
        Self { problem, inner, outer: outer.clone(), task: task.clone() }
    }

    /// The same instance on the backend above; its modules become constants.
    pub fn lift<A: AutodiffBackend<InnerBackend = B>>(&self) -> Instance<'p, P, A> {
        Instance {
            problem: self.problem,
            inner: P::Inner::lift::<A>(self.inner.clone()),
            outer: P::Outer::lift::<A>(self.outer.clone()),
            task: P::Task::lift::<A>(self.task.clone()),
        }
    }

    /// The inner module with parameters `theta`. Here and below a list of other sizes than the module's parameters is a panic.
    pub fn inner(&self, theta: &Tensors<B>) -> On<P::Inner, B> {
        theta.write(self.inner.clone())
    }

    fn outer(&self, phi: &Tensors<B>) -> On<P::Outer, B> {
        phi.write(self.outer.clone())
    }

    /// `L_k(theta, phi)`, `[1]`.
    pub fn inner_loss(&self, theta: &Tensors<B>, phi: &Tensors<B>, step: usize) -> Tensor<B, 1> {
        self.problem.inner_loss(&self.inner(theta), &self.outer(phi), &self.task, step)
    }

    /// `F_K(theta, phi)`, `[1]`.
    pub fn outer_loss(&self, theta: &Tensors<B>, phi: &Tensors<B>) -> Tensor<B, 1> {
        self.problem.outer_loss(&self.inner(theta), &self.outer(phi), &self.task)
    }

    /// `F_k(theta, phi)`, `[1]`, where the problem has one.
    pub fn trajectory_loss(
        &self,
        theta: &Tensors<B>,
        phi: &Tensors<B>,
        step: usize,
    ) -> Option<Tensor<B, 1>> {
        self.problem.trajectory_loss(&self.inner(theta), &self.outer(phi), &self.task, step)
    }

    /// `theta_0 = init(phi, task)`.
    pub fn init(&self, phi: &Tensors<B>) -> Tensors<B> {
        Tensors::of(&self.problem.init(&self.outer(phi), &self.task))
    }

    /// `theta_0` at the instance's own outer module.
    pub fn start(&self) -> Tensors<B> {
        Tensors::of(&self.inner)
    }

    /// The outer module's parameters.
    pub fn phi(&self) -> Tensors<B> {
        Tensors::of(&self.outer)
    }
}

impl<P: Problem, B: Backend> Instance<'_, P, Autodiff<B>> {
    /// The loss that reads a plain tensor of the inner module that `init` computes from tracked parameters among `phi`; `None` if
    /// there is none. Such a tensor is a constant in all losses, so that it would get no derivative.
    pub fn loss_of_computed_field(
        &self,
        phi: &Tensors<Autodiff<B>>,
        steps: usize,
    ) -> Option<&'static str> {
        let Self { problem, outer, task, .. } = self;
        let inner = self.start().write(problem.init(&self.outer(phi), task));
        let first = (steps > 0).then_some(0);
        let losses = [
            ("inner", first.map(|step| problem.inner_loss(&inner, outer, task, step))),
            (
                "trajectory",
                first.and_then(|step| problem.trajectory_loss(&inner, outer, task, step)),
            ),
            ("outer", Some(problem.outer_loss(&inner, outer, task))),
        ];
        // A loss may hang on leaves of its own, as layers that are made anew have them.
        let reads = |loss| {
            let [by_phi] = gradients(loss, [phi]);
            !by_phi.is_zero()
        };
        losses.into_iter().find_map(|(name, loss)| loss.is_some_and(reads).then_some(name))
    }
}

/// Which parameters of a problem are adapted and learned, and their names.
#[derive(Clone, Debug)]
pub struct Roles {
    /// For each parameter of the inner module: does the inner loop adapt it?
    pub adapted: Vec<bool>,
    /// For each parameter of the outer module: does the outer loop learn it?
    pub learned: Vec<bool>,
    /// Paths of the inner module's parameters.
    pub inner_paths: Vec<String>,
    /// Paths of the outer module's parameters.
    pub outer_paths: Vec<String>,
}

impl Roles {
    /// Reads the roles off an instance.
    ///
    /// # Errors
    /// [`Error::NothingAdapted`] if no parameter of the inner module is selected, [`Error::NothingLearned`] if none of
    /// the outer module is, by a selection other than [`Selection::None`], [`Error::NothingThere`] if a part of a selection matches
    /// nothing, [`Error::TiedParameters`] if an adapted parameter has the id of another, [`Error::RunningStatistic`] if one of them is
    /// one, [`Error::DifferentiatingBackend`] if the instance is on a backend that makes graphs.
    pub fn of<P: Problem, B: Backend>(instance: &Instance<P, B>) -> Result<Self> {
        refuse_differentiating::<B>()?;
        let inner_paths = parameter_paths(&instance.inner);
        let outer_paths = parameter_paths(&instance.outer);
        let adapted = instance.problem.adapted().mask(&inner_paths);
        if !adapted.contains(&true) {
            return Err(Error::NothingAdapted { available: inner_paths.join(", ") });
        }
        let selection = instance.problem.learned();
        let learned = selection.mask(&outer_paths);
        if !learned.contains(&true) && !matches!(selection, Selection::None) {
            return Err(Error::NothingLearned { available: outer_paths.join(", ") });
        }
        for (selection, paths) in
            [(instance.problem.adapted(), &inner_paths), (selection, &outer_paths)]
        {
            if let Some(entry) = selection.unmatched(paths) {
                return Err(Error::NothingThere { entry, available: paths.join(", ") });
            }
        }
        if let Some([first, second]) = repeated_parameter(&instance.inner, |place| adapted[place]) {
            return Err(Error::TiedParameters { first, second });
        }
        if let Some(path) = running_statistic::<P::Inner, B>(&instance.inner, &adapted) {
            return Err(Error::RunningStatistic { path });
        }
        Ok(Self { adapted, learned, inner_paths, outer_paths })
    }

    /// Paths of the adapted parameters, in order.
    pub fn adapted_paths(&self) -> Vec<String> {
        let chosen = self.inner_paths.iter().zip(&self.adapted);
        chosen.filter(|(_, adapted)| **adapted).map(|(path, _)| path.clone()).collect()
    }
}

/// Refuses a backend with graphs or tangents of its own: they would grow through the whole inner loop, and their values are no
/// leaves.
pub(crate) fn refuse_differentiating<B: Backend>() -> Result<()> {
    let device = B::Device::default();
    match B::ad_enabled(&device) {
        true => Err(Error::DifferentiatingBackend { backend: B::name(&device) }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::module::Param;
    use burn::nn::{Linear, LinearConfig};

    use super::*;
    use crate::family;

    family!(Layers => Linear);

    struct Halves {
        learned: Selection,
    }

    const ALL: Halves = Halves { learned: Selection::All };

    impl Problem for Halves {
        type Outer = Layers;
        type Inner = Layers;
        type Task = Layers;

        fn adapted(&self) -> Selection {
            Selection::below(["bias"])
        }

        fn learned(&self) -> Selection {
            self.learned.clone()
        }

        fn init<B: Backend>(&self, outer: &Linear<B>, _task: &Linear<B>) -> Linear<B> {
            outer.clone()
        }

        fn inner_loss<B: Backend>(
            &self,
            inner: &Linear<B>,
            _outer: &Linear<B>,
            _task: &Linear<B>,
            _step: usize,
        ) -> Tensor<B, 1> {
            inner.weight.val().sum()
        }

        fn outer_loss<B: Backend>(
            &self,
            inner: &Linear<B>,
            outer: &Linear<B>,
            task: &Linear<B>,
        ) -> Tensor<B, 1> {
            self.inner_loss(inner, outer, task, 0)
        }
    }

    fn layer() -> Linear<Flex> {
        LinearConfig::new(3, 2).init(&Default::default())
    }

    /// Burn draws the values of a fresh layer when they are first read, anew in every clone.
    #[test]
    fn random_values_are_drawn_once() {
        let outer = layer();
        let instance = Instance::<_, Flex>::new(&ALL, &outer, &layer());
        let drawn = Tensors::of(&outer).to_f64();
        assert_eq!(instance.phi().to_f64(), drawn);
        assert_eq!(instance.start().to_f64(), drawn);
        assert_eq!(instance.init(&instance.phi()).to_f64(), drawn);
    }

    #[test]
    fn roles_name_what_takes_part() {
        let instance = Instance::<_, Flex>::new(&ALL, &layer(), &layer());
        let roles = Roles::of(&instance).unwrap();
        assert_eq!(roles.inner_paths, ["weight", "bias"]);
        assert_eq!(
            (roles.adapted.clone(), roles.learned.clone()),
            (vec![false, true], vec![true, true])
        );
        assert_eq!(roles.adapted_paths(), ["bias"]);
    }

    #[test]
    fn what_is_adapted_is_not_tied() {
        let outer = layer();
        let bias = outer.bias.as_ref().map(|bias| bias.val()).expect("layers have one");
        let bias = Some(Param::initialized(outer.weight.id, bias));
        let tied = Linear { bias, ..outer };
        let refused = Roles::of(&Instance::<_, Flex>::new(&ALL, &tied, &layer())).unwrap_err();
        let Error::TiedParameters { first, second } = refused else { panic!("{refused}") };
        assert_eq!([first, second], ["weight", "bias"]);
    }

    #[test]
    fn learning_nothing_must_be_said() {
        let roles = |learned| {
            let halves = Halves { learned };
            Roles::of(&Instance::<_, Flex>::new(&halves, &layer(), &layer()))
        };
        let refused = roles(Selection::below(["weights"])).unwrap_err();
        let message = refused.to_string();
        assert!(matches!(refused, Error::NothingLearned { .. }));
        for words in ["its parameters are: weight, bias", "`Problem::learned`", "`Selection::None`"]
        {
            assert!(message.contains(words), "{message:?} does not say {words:?}");
        }
        assert_eq!(roles(Selection::None).unwrap().learned, [false, false]);
        assert_eq!(roles(Selection::below(["bias"])).unwrap().learned, [false, true]);
    }
}
