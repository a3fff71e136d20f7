//! Forward-mode automatic differentiation, as a decorator of any Burn backend.
//!
//! # Dual numbers
//!
//! Take a function `f` at `x`, and move `x` a little in the direction `v`. To first order,
//!
//! ```text
//! f(x + v ε) = f(x) + f'(x) v ε,        ε² = 0.
//! ```
//!
//! The pair `x + v ε` is a *dual number*: a value, the *primal*, and its rate of change, the
//! *tangent*. Every operation has a rule for its tangent, the one from the calculus textbook:
//! `(x + dx ε)(y + dy ε) = xy + (dx y + x dy) ε` is the product rule. Run a program on dual numbers,
//! and beside each value it computes comes that value's derivative along `v`; no tape is kept and
//! nothing is traversed afterwards.
//!
//! [`Dual<B>`](Dual) is the backend whose float tensors are dual numbers of tensors of `B`. Any
//! code that is generic over Burn's backends runs on it unchanged. [`dual`] brings a tensor and its
//! direction in, [`primal`] and [`tangent`] take the parts out:
//!
//! ```
//! use burn::backend::Flex;
//! use burn::tensor::Tensor;
//! use forward_mode::{dual, primal, tangent};
//!
//! let device = Default::default();
//! let x = Tensor::<Flex, 1>::from_floats([0.0, 1.0], &device);
//! let direction = Tensor::from_floats([1.0, 2.0], &device);
//!
//! let y = dual(x, direction).exp();
//! assert_eq!(primal(y.clone()).into_data().to_vec::<f32>().unwrap(), [1.0, 1.0_f32.exp()]);
//! assert_eq!(tangent(y).unwrap().into_data().to_vec::<f32>().unwrap(), [1.0, 2.0 * 1.0_f32.exp()]);
//! ```
//!
//! # Hessian-vector products
//!
//! The product of a Hessian `H` with a vector `v` is the derivative of the gradient along `v`. Burn's
//! `Autodiff` computes gradients on any backend, so on `Dual` it computes them in dual numbers: the
//! primal of what [`backward`] finds is the gradient at `x`, and its tangent is `H v`. This is
//! *forward over reverse*. One reverse pass yields both, with one tape, where differentiating a
//! gradient by reverse mode again records the first reverse pass on a second tape and walks it back.
//!
//! [`backward`]: burn::tensor::Tensor::backward
//!
//! ```
//! use burn::backend::{Autodiff, Flex};
//! use burn::tensor::Tensor;
//! use forward_mode::{Dual, dual, primal, tangent};
//!
//! // f(x, y) = x² y has the gradient (2xy, x²) and the Hessian [[2y, 2x], [2x, 0]].
//! let device = Default::default();
//! let at = Tensor::<Flex, 1>::from_floats([3.0, 5.0], &device);
//! let direction = Tensor::from_floats([1.0, 10.0], &device);
//!
//! let varying = dual(at, direction);
//! let parameters = Tensor::<Autodiff<Dual<Flex>>, 1>::from_inner(varying).require_grad();
//! let (x, y) = (parameters.clone().slice([0..1]), parameters.clone().slice([1..2]));
//! let gradients = (x.clone() * x * y).backward();
//!
//! let gradient = parameters.grad(&gradients).unwrap();
//! assert_eq!(primal(gradient.clone()).into_data().to_vec::<f32>().unwrap(), [30.0, 9.0]);
//! let product = tangent(gradient).unwrap();
//! assert_eq!(product.into_data().to_vec::<f32>().unwrap(), [70.0, 6.0]);
//! ```
//!
//! It also goes where nested reverse mode does not: Burn's backward functions of linear layers,
//! embeddings, pooling and interpolation have no backward functions of their own, but they have
//! tangents.
//!
//! A model needs no second definition. `Dual<B>` is an `AutodiffBackend` as far as types go, so
//! `AutodiffModule::from_inner` lifts a module from `B` to `Dual<B>`, where its parameters do not
//! vary until a `ModuleMapper` passes them through [`dual`], and from there to `Autodiff<Dual<B>>`.
//! The example `hvp_speed` does this with a transformer and measures it.
//!
//! # What it costs
//!
//! A tangent of `None` is an exact zero. Data, masks, frozen weights and whatever is computed from
//! them alone stay `None`, and no operation does any work for them; a product with one constant
//! factor has one term in its tangent. Where both factors vary, a matrix product costs three; that
//! bounds a Hessian-vector product, gradient included, by about three gradients. On the transformer
//! of the example `hvp_speed` it took the processor time of 2.3 gradients, and nested reverse mode
//! that of 2.9 and 29 % more memory (Flex, f32, one thread of a busy machine).
//!
//! # Limits
//!
//! - `deform_conv2d` is not differentiated in its offsets, and its backward function not at all.
//!   Such an operation panics with a message that names it, and only when a tangent reaches it.
//! - Kinks have one-sided derivatives: that of a clamp, a maximum or a ReLU is the derivative of the
//!   branch that was taken.
//! - The CTC loss of Burn adds probabilities by a maximum and a remainder, so where two paths are
//!   exactly as likely, as with scores of zero, both its tangent and its reverse derivative are that
//!   of one of them, though the loss has no kink there.
//! - The second derivative of GELU is that of the exact function. Its first derivative is the
//!   backend's `gelu_backward`; Flex computes it exactly, other backends may approximate it.

mod backend;
#[cfg(test)]
mod check;
mod dual;
mod ops;
mod rules;
mod tensor;

pub use backend::Dual;
pub use dual::DualTensor;
pub use tensor::{dual, primal, tangent};
