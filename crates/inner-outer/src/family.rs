//! Modules without their backend.
//!
//! A bi-level problem is evaluated on several backends: plain tensors, one or two levels of automatic
//! differentiation, forward mode. Rust cannot state "this module exists on every autodiff backend", so a
//! [`Family`] names a module type for all backends at once and carries the witness that it can be lifted.
//! The macro [`family!`](crate::family!) writes the implementation for any module that derives `Module`.

use burn::module::Module;
use burn::tensor::backend::{AutodiffBackend, Backend};

/// A module type on every backend.
pub trait Family: Send + Sync + 'static {
    /// The module on backend `B`.
    type On<B: Backend>: Module<B> + Sync;

    /// Moves a module from a backend to the autodiff (or dual-number) backend above it.
    fn lift<B: AutodiffBackend>(module: On<Self, B::InnerBackend>) -> On<Self, B>;
}

/// The module of family `F` on backend `B`.
pub type On<F, B> = <F as Family>::On<B>;

/// Declares families: `family!(Networks => Network, Tasks => Task)` for modules `Network<B>` and `Task<B>`.
///
/// The modules must derive Burn's `Module`; plain tensors, integers and nested modules are allowed as fields.
#[macro_export]
macro_rules! family {
    ($($(#[$attribute:meta])* $visibility:vis $name:ident => $module:ident),* $(,)?) => { $(
        $(#[$attribute])*
        #[doc = concat!("The family of [`", stringify!($module), "`] modules.")]
        #[derive(Clone, Copy, Debug)]
        $visibility struct $name;

        impl $crate::Family for $name {
            type On<B: burn::tensor::backend::Backend> = $module<B>;

            fn lift<B: burn::tensor::backend::AutodiffBackend>(
                module: $module<B::InnerBackend>,
            ) -> $module<B> {
                burn::module::AutodiffModule::from_inner(module)
            }
        }
    )* }
}
