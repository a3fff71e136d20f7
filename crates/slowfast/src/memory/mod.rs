//! The episodic memory: a Temp-LoRA that is learned while an episode is generated (section 3.2 of the paper).
//!
//! After each chunk a few steps of gradient descent write it into low-rank adapters of the frozen denoiser,
//!
//! $$\Theta_{i+1} = \Theta_i - \alpha \nabla_\Theta \lVert \epsilon - \epsilon_{\Phi + \Theta_i}(z_t, t) \rVert^2,
//!   \qquad z_0 = X_i \oplus Y_i,$$
//!
//! by default without an action and with noise on all frames. [`SlowFast`] is this as the inner loop of a bi-level
//! problem, [`FastLearner`] runs it at inference, [`Episode`] is what it leaves behind, and a file of one.

mod config;
mod episode;
mod error;
mod file;
mod fingerprint;
mod learner;
mod problem;

pub use config::{FastConfig, FastForm};
pub use episode::{Chunk, Episode};
pub use error::MemoryError;
pub use file::PlayedWith;
pub use fingerprint::{Fingerprint, NotAFingerprint, of_module};
pub use learner::FastLearner;
pub(crate) use learner::Learned;
pub use problem::{Lesson, Lessons, SlowFast};
pub(crate) use problem::{memory_of, with_memory};
