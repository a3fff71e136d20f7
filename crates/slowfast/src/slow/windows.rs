//! Windows of video as lessons of slow learning.

use burn::tensor::backend::Backend;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{SlowError, WindowConfig};
use crate::diffusion::{Clip, Diffusion};
use crate::memory::Lesson;

impl WindowConfig {
    /// A lesson from a batch of clips of [`Self::frames`] frames: their last frames are to be denoised after a random number
    /// of given ones, or all frames without an action.
    ///
    /// # Errors
    /// [`SlowError::ShortClip`].
    pub fn lesson<B: Backend>(
        &self,
        diffusion: &Diffusion,
        clips: &Clip<B>,
        random: &mut ChaCha8Rng,
    ) -> Result<Lesson<B>, SlowError> {
        let (found, expected) = (clips.frames(), self.frames());
        if found < expected {
            return Err(SlowError::ShortClip { found, expected });
        }
        let past = random.random_range(self.least_past..=self.most_past);
        let window = clips.last(past + self.future);
        let timesteps = diffusion.timesteps();
        let example = if random.random_bool(self.all_noised) {
            diffusion.unconditional(&window, timesteps, random)?
        } else {
            let untold: Vec<bool> =
                (0..window.batch()).map(|_| random.random_bool(self.no_action)).collect();
            let window = Clip { phrases: window.phrases.without(&untold), ..window };
            diffusion.conditional(&window, past, timesteps, random)?
        };
        Ok(Lesson { fast: Vec::new(), along: Vec::new(), slow: vec![example], memory: None })
    }
}
