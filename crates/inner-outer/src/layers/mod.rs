//! Layers that can be differentiated twice, and cheaply.
//!
//! Burn 0.21 runs `nn::Linear` and `nn::Embedding` as fused operations whose backward pass has no derivative, and
//! its GELU pairs the exact forward with the gradient of the tanh approximation wherever a backend, such as nested
//! autodiff, has none of its own. The functions here compute the same
//! layers from plain operations on the same modules, so records stay compatible. [`gelu_tanh`], [`tanh`] and
//! [`cross_entropy`] state their derivative, so that the graph of a training step keeps one tensor where a composition keeps four.
//! In single precision on the CPU, and where no second derivative can be asked for, [`affine`], [`convolve`], [`mean_of_windows`], the activations,
//! [`normalize`], [`modulate`], [`attention`] and [`reorder_rows`] are one operation each, whose gradient is written out.
//!
//! [`affine`], [`linear`] and [`layer_norm`] take the parameters of several copies of a layer, too: see
//! [`copies`](crate::copies).
//!
//! In double precision, write `x * (1.0 / c)` and not `x / c` for a number `c`: Burn rounds the derivative of the
//! division to single precision.

mod activation;
mod attention;
mod attention_by_hand;
mod batch_pass;
mod by_hand;
#[cfg(test)]
mod check;
mod convolution;
mod cross_entropy;
mod linear;
mod modulation;
mod normalize;
mod pooling;
mod rows;
mod scattered_sums;
mod tiles;
mod vectors;
mod weighted_sums;
mod windows;

pub use activation::{gelu_tanh, relu, tanh};
pub use attention::{attention, merge_heads, split_heads};
pub use convolution::convolve;
pub use cross_entropy::cross_entropy;
pub(crate) use linear::affine_parts;
pub use linear::{affine, embedding, linear, linear_parts};
pub use modulation::{gated, modulate};
pub use normalize::{layer_norm, normalize};
pub use pooling::mean_of_windows;
pub use rows::{reorder_rows, repeat_rows};
pub use windows::Windows;
