//! Parameters as a vector: the float parameters of a module, each flattened, in visiting order.
//!
//! [`Tensors`] holds values, [`Cotangents`] holds derivatives with respect to them, where an absent entry is
//! exactly zero and costs nothing.

use std::collections::HashMap;
use std::ops::{Add, RangeInclusive};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorPrimitive};

use crate::{Autodiff, Error, Result};

/// An ordered list of flattened tensors, each `[elements]`.
#[derive(Clone, Debug)]
pub struct Tensors<B: Backend>(pub Vec<Tensor<B, 1>>);

/// One derivative for each tensor of a list, `[elements]`; `None` is exactly zero.
#[derive(Clone, Debug)]
pub struct Cotangents<B: Backend>(pub Vec<Option<Tensor<B, 1>>>);

impl<B: Backend> Tensors<B> {
    /// The float parameters of `module`.
    pub fn of<M: Module<B>>(module: &M) -> Self {
        let mut visitor = Flatten(Vec::new());
        module.visit(&mut visitor);
        Self(visitor.0)
    }

    /// The module with these values in place of its own. Parameter ids are kept.
    ///
    /// A layer of `LinearLayout::Col`, whose weights Burn's records hold transposed, forgets that here, as it does in Burn's own
    /// `valid`: its record would come back transposed into a new layer. [`save_selected`](crate::save_selected) has no such trap.
    ///
    /// # Panics
    /// If there are not as many tensors as the module has parameters.
    pub fn write<M: Module<B>>(&self, module: M) -> M {
        require_length(self.len(), count(&module), "parameters of the module to write");
        module.map(&mut Write(self.0.iter()))
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Elements in all tensors together.
    pub fn elements(&self) -> usize {
        self.0.iter().map(|tensor| tensor.dims()[0]).sum()
    }

    /// Constants on the backend above.
    pub fn lift<A: AutodiffBackend<InnerBackend = B>>(&self) -> Tensors<A> {
        Tensors(self.0.iter().cloned().map(Tensor::from_inner).collect())
    }

    /// Leaves of a new graph, one for each tensor.
    pub fn track(&self) -> Tensors<Autodiff<B>> {
        self.track_where(&vec![true; self.len()])
    }

    /// Leaves of a new graph where `learned` says so, constants elsewhere.
    ///
    /// # Panics
    /// If there are not as many answers as tensors.
    pub fn track_where(&self, learned: &[bool]) -> Tensors<Autodiff<B>> {
        require_length(self.len(), learned.len(), "answers");
        let lift = |(tensor, &learned): (&Tensor<B, 1>, &bool)| {
            Tensor::from_inner(tensor.clone()).set_require_grad(learned)
        };
        Tensors(self.0.iter().zip(learned).map(lift).collect())
    }

    /// The entries chosen by `mask`, in order.
    ///
    /// # Panics
    /// If there are not as many answers as entries.
    pub fn select(&self, mask: &[bool]) -> Self {
        Self(masked(&self.0, mask).cloned().collect())
    }

    /// The list with the entries chosen by `mask` replaced, in order, by `values`.
    ///
    /// # Panics
    /// If there are not as many answers as entries, or not as many `values` as chosen entries.
    pub fn replace(&self, mask: &[bool], values: &Self) -> Self {
        require_length(self.len(), mask.len(), "answers");
        require_length(values.len(), chosen(mask), "chosen entries");
        let mut values = values.0.iter();
        let pick = |(old, &chosen): (&Tensor<B, 1>, &bool)| match chosen {
            true => values.next().expect("one value for each chosen tensor").clone(),
            false => old.clone(),
        };
        Self(self.0.iter().zip(mask).map(pick).collect())
    }

    /// `self + scale * direction`.
    ///
    /// # Panics
    /// If the lists have different lengths.
    pub fn add_scaled(&self, scale: f64, direction: &Cotangents<B>) -> Self {
        require_length(self.len(), direction.0.len(), "entries of the direction");
        let step = |(value, direction): (&Tensor<B, 1>, &Option<Tensor<B, 1>>)| match direction {
            Some(direction) => value.clone() + direction.clone() * scale,
            None => value.clone(),
        };
        Self(self.0.iter().zip(&direction.0).map(step).collect())
    }

    /// `self - other`, as a derivative list.
    ///
    /// # Panics
    /// If the lists have different lengths.
    pub fn minus(&self, other: &Self) -> Cotangents<B> {
        require_length(self.len(), other.len(), "tensors to subtract");
        let subtract = |(a, b): (&Tensor<B, 1>, &Tensor<B, 1>)| Some(a.clone() - b.clone());
        Cotangents(self.0.iter().zip(&other.0).map(subtract).collect())
    }

    /// `sum_i <self_i, cotangents_i>`, `[1]`; `None` if every cotangent is absent.
    ///
    /// # Panics
    /// If the lists have different lengths.
    pub fn pair(&self, cotangents: &Cotangents<B>) -> Option<Tensor<B, 1>> {
        require_length(self.len(), cotangents.0.len(), "cotangents");
        let products = self.0.iter().zip(&cotangents.0).filter_map(|(value, cotangent)| {
            let cotangent = cotangent.as_ref()?;
            Some((value.clone() * cotangent.clone()).sum())
        });
        products.reduce(|a, b| a + b)
    }

    /// All elements, in order, as `f64`.
    pub fn to_f64(&self) -> Vec<f64> {
        self.0.iter().flat_map(to_f64).collect()
    }

    /// All entries as present cotangents.
    pub fn into_cotangents(self) -> Cotangents<B> {
        Cotangents(self.0.into_iter().map(Some).collect())
    }
}

impl<B: Backend> Tensors<Autodiff<B>> {
    /// Values without their graph.
    pub fn detach(&self) -> Tensors<B> {
        Tensors(self.0.iter().map(|tensor| tensor.clone().inner()).collect())
    }

    /// Which tensors hang on a graph.
    pub fn tracked(&self) -> Vec<bool> {
        self.0.iter().map(is_tracked).collect()
    }
}

/// Entry by entry sum. Panics if the lists have different lengths.
impl<B: Backend> Add for Cotangents<B> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        require_length(self.0.len(), other.0.len(), "entries to add");
        let add = |(a, b): (Option<_>, Option<_>)| match (a, b) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        Self(self.0.into_iter().zip(other.0).map(add).collect())
    }
}

impl<B: Backend> Cotangents<B> {
    /// All zero.
    pub fn zeros(len: usize) -> Self {
        Self(vec![None; len])
    }

    /// `scale * self`.
    pub fn scale(self, scale: f64) -> Self {
        self.map(|tensor| tensor * scale)
    }

    /// `function` of every present entry.
    pub fn map<C: Backend>(self, function: impl Fn(Tensor<B, 1>) -> Tensor<C, 1>) -> Cotangents<C> {
        Cotangents(self.0.into_iter().map(|entry| entry.map(&function)).collect())
    }

    /// Zeros in place of every present entry.
    pub fn zeros_like(self) -> Self {
        self.map(|tensor| tensor.zeros_like())
    }

    /// The entries chosen by `mask`, in order.
    ///
    /// # Panics
    /// If there are not as many answers as entries.
    pub fn select(&self, mask: &[bool]) -> Self {
        Self(masked(&self.0, mask).cloned().collect())
    }

    /// The inverse of [`Self::select`]: zero where `mask` is false.
    ///
    /// # Panics
    /// If there are not as many entries as `mask` chooses.
    pub fn spread(self, mask: &[bool]) -> Self {
        require_length(self.0.len(), chosen(mask), "chosen entries");
        let mut entries = self.0.into_iter();
        Self(
            mask.iter()
                .map(|&chosen| if chosen { entries.next().flatten() } else { None })
                .collect(),
        )
    }

    /// Zero where `mask` is false.
    ///
    /// # Panics
    /// If there are not as many answers as entries.
    pub fn keep(self, mask: &[bool]) -> Self {
        require_length(self.0.len(), mask.len(), "answers");
        Self(self.0.into_iter().zip(mask).map(|(entry, &kept)| entry.filter(|_| kept)).collect())
    }

    /// `<self, other>`, zero where either is absent; of each entry in its own precision, in which its square must not overflow.
    ///
    /// # Panics
    /// If the lists have different lengths.
    pub fn dot(&self, other: &Self) -> f64 {
        require_length(self.0.len(), other.0.len(), "entries to multiply");
        let products = self.0.iter().zip(&other.0).filter_map(|(a, b)| {
            let product = a.clone()? * b.clone()?;
            Some(to_f64(&product.sum())[0])
        });
        products.sum()
    }

    /// Euclidean norm of all entries together, also where their squares leave the range of their precision.
    pub fn norm(&self) -> f64 {
        let square = self.dot(self);
        if square.is_nan() || ORDINARY_SQUARES.contains(&square) {
            return square.sqrt();
        }
        self.0.iter().flatten().map(length).fold(0.0, f64::hypot)
    }

    /// Whether every entry is absent.
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The entries as values, zeros shaped like `like` where absent.
    ///
    /// # Panics
    /// If the lists have different lengths.
    pub fn or_zeros(&self, like: &Tensors<B>) -> Tensors<B> {
        require_length(self.0.len(), like.len(), "tensors to take shapes from");
        let fill = |(entry, like): (&Option<Tensor<B, 1>>, &Tensor<B, 1>)| {
            entry.clone().unwrap_or_else(|| like.zeros_like())
        };
        Tensors(self.0.iter().zip(&like.0).map(fill).collect())
    }

    /// Burn's gradients container for `module`, so that any Burn optimiser can take the step.
    ///
    /// # Panics
    /// If there are not as many entries as the module has parameters, or one is of a parameter that the module has twice: Burn's
    /// optimisers tell parameters apart by their ids, so that both would move by the gradient of one.
    pub fn gradients<A, M>(&self, module: &M) -> GradientsParams
    where
        A: AutodiffBackend<InnerBackend = B>,
        M: Module<A>,
    {
        let mut register =
            Register::<B> { entries: self.0.iter(), gradients: GradientsParams::new() };
        require_length(self.0.len(), count::<A, M>(module), "parameters of the module");
        if let Some([first, second]) = repeated_parameter(module, |place| self.0[place].is_some()) {
            panic!("{}", Error::RepeatedParameter { first, second });
        }
        module.visit::<Register<B>>(&mut register);
        register.gradients
    }
}

/// The paths of a module's float parameters (`"blocks.0.attention.weight"`), in visiting order.
pub fn parameter_paths<B: Backend, M: Module<B>>(module: &M) -> Vec<String> {
    parameter_shapes(module).into_iter().map(|(path, _)| path).collect()
}

/// The paths and shapes of a module's float parameters, in visiting order.
pub fn parameter_shapes<B: Backend, M: Module<B>>(module: &M) -> Vec<(String, Vec<usize>)> {
    parameters(module).into_iter().map(|Named { path, shape, .. }| (path, shape)).collect()
}

fn parameters<B: Backend, M: Module<B>>(module: &M) -> Vec<Named> {
    let mut visitor = Names { path: Vec::new(), found: Vec::new() };
    module.visit(&mut visitor);
    visitor.found
}

/// The elements of a tensor as `f64`, whatever its precision.
pub fn to_f64<B: Backend, const D: usize>(tensor: &Tensor<B, D>) -> Vec<f64> {
    tensor.to_data().convert::<f64>().into_vec().expect("data was just converted to f64")
}

/// The number that the `inner` or `outer` loss is.
///
/// # Errors
/// [`Error::LossShape`] if it has more or fewer elements than one.
pub(crate) fn loss_value<B: Backend>(loss: &'static str, tensor: &Tensor<B, 1>) -> Result<f64> {
    match to_f64(tensor)[..] {
        [value] => Ok(value),
        ref values => Err(Error::LossShape { loss, elements: values.len() }),
    }
}

/// Whether a tensor hangs on an autodiff graph.
pub fn is_tracked<B: Backend, const D: usize>(tensor: &Tensor<Autodiff<B>, D>) -> bool {
    match tensor.clone().into_primitive() {
        TensorPrimitive::Float(tensor) => tensor.is_tracked(),
        TensorPrimitive::QFloat(_) => false,
    }
}

/// `d loss / d leaves` for each list of leaves. Entries the loss does not depend on are absent.
pub fn gradients<B: Backend, const N: usize>(
    loss: Tensor<Autodiff<B>, 1>,
    leaves: [&Tensors<Autodiff<B>>; N],
) -> [Cotangents<B>; N] {
    if !is_tracked(&loss) {
        return leaves.map(|list| Cotangents::zeros(list.len()));
    }
    let mut gradients = loss.backward();
    leaves.map(|list| {
        Cotangents(list.0.iter().map(|leaf| leaf.grad_remove(&mut gradients)).collect())
    })
}

/// Refuses lists of different lengths: to pair them would drop the end of the longer one.
fn require_length(entries: usize, others: usize, what: &str) {
    assert!(entries == others, "a list of {entries} entries was given {others} {what}");
}

/// Number of float parameters.
fn count<B: Backend, M: Module<B>>(module: &M) -> usize {
    let mut visitor = Count(0);
    module.visit(&mut visitor);
    visitor.0
}

fn chosen(mask: &[bool]) -> usize {
    mask.iter().filter(|chosen| **chosen).count()
}

/// Squares that no precision of at least 32 bits has to round to nothing or to infinity.
const ORDINARY_SQUARES: RangeInclusive<f64> = 1e-30..=f32::MAX as f64;

/// The Euclidean length of a tensor, divided by a power of two near its largest entry before it is squared.
fn length<B: Backend>(tensor: &Tensor<B, 1>) -> f64 {
    if tensor.dims()[0] == 0 {
        return 0.0;
    }
    let largest = to_f64(&tensor.clone().abs().max())[0];
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    let reach = tensor.dtype().finfo().map_or(0.0, |info| 0.9 * info.max.log2());
    let exponent = largest.log2().clamp(-reach, reach).floor() as i32;
    let scaled = tensor.clone() * 2_f64.powi(-exponent);
    to_f64(&scaled.powi_scalar(2).sum())[0].sqrt() * 2_f64.powi(exponent)
}

/// Whether every element is finite.
pub(crate) fn is_finite<B: Backend>(tensor: &Tensor<B, 1>) -> bool {
    // A sum of zeros, unless one is zero times what is not finite.
    to_f64(&(tensor.clone() * 0.0).sum()) == [0.0]
}

fn masked<'a, T>(entries: &'a [T], mask: &'a [bool]) -> impl Iterator<Item = &'a T> {
    require_length(entries.len(), mask.len(), "answers");
    entries.iter().zip(mask).filter_map(|(entry, &chosen)| chosen.then_some(entry))
}

struct Flatten<B: Backend>(Vec<Tensor<B, 1>>);

impl<B: Backend> ModuleVisitor<B> for Flatten<B> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<B, D>>) {
        let value = parameter.val();
        let elements = value.shape().num_elements();
        self.0.push(value.reshape([elements]));
    }
}

struct Count(usize);

impl<B: Backend> ModuleVisitor<B> for Count {
    fn visit_float<const D: usize>(&mut self, _parameter: &Param<Tensor<B, D>>) {
        self.0 += 1;
    }
}

/// A float parameter of a module, without its values.
struct Named {
    path: String,
    shape: Vec<usize>,
    id: ParamId,
}

struct Names {
    path: Vec<String>,
    found: Vec<Named>,
}

impl<B: Backend> ModuleVisitor<B> for Names {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<B, D>>) {
        let (path, shape) = (self.path.join("."), parameter.lazy_shape().to_vec());
        self.found.push(Named { path, shape, id: parameter.id });
    }
}

/// The paths of two float parameters of `module` with the same id, if there are any of which one at least is `chosen`.
pub fn repeated_parameter<B: Backend, M: Module<B>>(
    module: &M,
    chosen: impl Fn(usize) -> bool,
) -> Option<[String; 2]> {
    let mut first: HashMap<ParamId, (usize, String)> = HashMap::new();
    parameters(module).into_iter().enumerate().find_map(|(place, Named { id, path, .. })| {
        let (before, other) = first.insert(id, (place, path.clone()))?;
        (chosen(before) || chosen(place)).then_some([other, path])
    })
}

struct Write<'a, B: Backend>(std::slice::Iter<'a, Tensor<B, 1>>);

impl<B: Backend> ModuleMapper<B> for Write<'_, B> {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let value = self.0.next().expect("as many tensors as the module has parameters").clone();
        // `lazy_shape` does not draw the random values of a parameter that nobody has read yet.
        Param::initialized(parameter.id, value.reshape(parameter.lazy_shape()))
    }
}

struct Register<'a, B: Backend> {
    entries: std::slice::Iter<'a, Option<Tensor<B, 1>>>,
    gradients: GradientsParams,
}

impl<A: AutodiffBackend> ModuleVisitor<A> for Register<'_, A::InnerBackend> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<A, D>>) {
        let entry = self.entries.next().expect("as many cotangents as the module has parameters");
        if let Some(gradient) = entry {
            let gradient = gradient.clone().reshape(parameter.shape());
            self.gradients.register::<A::InnerBackend, D>(parameter.id, gradient);
        }
    }
}

#[cfg(test)]
mod tests;
