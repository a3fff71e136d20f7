//! Seconds and memory of a chunk.

use burn::tensor::backend::Backend;
use experiment::memory::{peak_resident_bytes, reset_peak};
use experiment::seed::Seed;
use serde::{Deserialize, Serialize};

use super::{EvaluationError, Generator};
use crate::clip::Pose;
use crate::diffusion::Clip;

/// What a generated chunk costs, measured on one thread before anything runs beside it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Chunks that were measured.
    pub chunks: usize,
    /// Frames of a chunk.
    pub frames: usize,
    /// Mean seconds to sample one.
    pub sampling_seconds: f64,
    /// Mean seconds to learn one; 0 without memory.
    pub learning_seconds: f64,
    /// Most memory that the whole process held meanwhile; none where the system does not tell.
    pub peak_bytes: Option<u64>,
}

impl Cost {
    /// Measures up to `chunks` chunks after the first, which warms up; none where there are no more, or where fast learning diverges.
    ///
    /// # Errors
    /// What the model refuses.
    pub fn measure<B: Backend>(
        generator: &Generator<B>,
        truth: &Clip<B>,
        poses: &[Pose],
        chunks: usize,
    ) -> Result<Option<Self>, EvaluationError> {
        let wished = generator.chunk.saturating_mul(chunks.saturating_add(1)).saturating_add(1);
        let frames = truth.frames().min(wished);
        let is_counted = reset_peak();
        let truth = truth.narrow(0, frames);
        let made = match generator.generate(&truth, &poses[..frames], 1, &Seed::new(0)) {
            Err(error) if error.diverged_at().is_some() => return Ok(None),
            made => made?,
        };
        let measured = made.sampling.len().saturating_sub(1);
        if measured == 0 {
            return Ok(None);
        }
        // The sum of nothing is minus zero.
        let mean = |seconds: &[f64]| {
            seconds.iter().skip(1).fold(0.0, |sum, one| sum + one) / measured as f64
        };
        Ok(Some(Self {
            chunks: measured,
            frames: generator.chunk,
            sampling_seconds: mean(&made.sampling),
            learning_seconds: mean(&made.learning),
            peak_bytes: peak_resident_bytes().filter(|_| is_counted),
        }))
    }
}
