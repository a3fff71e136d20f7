//! Passes that treat every number of a batch alike, some vectors of the batch at a time.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

/// A pass over rows of `batch` numbers each that fills a result.
pub(super) trait BatchPass {
    /// Numbers of a row.
    fn batch(&self) -> usize;

    /// Numbers of the result, which are zero at first.
    fn size(&self) -> usize;

    /// Computes the numbers at `places` of every row: `VECTORS` vectors, or fewer numbers than one has.
    fn vectors<S: Simd, const VECTORS: usize>(
        &self,
        simd: S,
        places: Range<usize>,
        result: &mut [f32],
    );

    /// The result, in the widest vectors that the processor has.
    fn compute(self) -> Vec<f32>
    where
        Self: Sized,
    {
        Arch::new().dispatch(Whole(self))
    }
}

/// All vectors of the batch.
struct Whole<P>(P);

impl<P: BatchPass> WithSimd for Whole<P> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        // As many at a time as there are registers for, beside weights and rows.
        match S::REGISTER_COUNT {
            ..32 => all::<P, S, 2>(&self.0, simd),
            32.. => all::<P, S, 4>(&self.0, simd),
        }
    }
}

/// Few vectors at a time, and of these all rows: neighbours share most of what they need, and so it stays near.
#[inline(always)]
fn all<P: BatchPass, S: Simd, const MANY: usize>(pass: &P, simd: S) -> Vec<f32> {
    let (batch, lanes) = (pass.batch(), S::F32_LANES);
    let mut result = vec![0.0; pass.size()];
    let whole = batch - batch % (MANY * lanes);
    for lane in (0..whole).step_by(MANY * lanes) {
        pass.vectors::<S, MANY>(simd, lane..lane + MANY * lanes, &mut result);
    }
    for lane in (whole..batch).step_by(lanes) {
        pass.vectors::<S, 1>(simd, lane..batch.min(lane + lanes), &mut result);
    }
    result
}

/// The vectors in a row, or the one that its few numbers and zeros make.
#[inline(always)]
pub(super) fn load<S: Simd, const VECTORS: usize>(simd: S, row: &[f32]) -> [S::f32s; VECTORS] {
    match row.len() < S::F32_LANES {
        true => [simd.partial_load_f32s(row); VECTORS],
        false => {
            let (vectors, _) = S::as_simd_f32s(row);
            std::array::from_fn(|vector| vectors[vector])
        }
    }
}

/// Puts the vectors into a row, or as many numbers of the first as it has.
#[inline(always)]
pub(super) fn store<S: Simd, const VECTORS: usize>(
    simd: S,
    row: &mut [f32],
    values: &[S::f32s; VECTORS],
) {
    match row.len() < S::F32_LANES {
        true => simd.partial_store_f32s(row, values[0]),
        false => S::as_mut_simd_f32s(row).0.copy_from_slice(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A build that leaves a kind of vectors out computes the same, many times as slowly.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn vectors_are_as_wide_as_the_processor_has() {
        struct Lanes;

        impl WithSimd for Lanes {
            type Output = usize;

            fn with_simd<S: Simd>(self, _: S) -> usize {
                S::F32_LANES
            }
        }

        let middle = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt");
        let wide = middle
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512cd")
            && is_x86_feature_detected!("avx512dq");
        let expected = if wide {
            16..=16
        } else if middle {
            8..=8
        } else {
            1..=4
        };
        let found = Arch::new().dispatch(Lanes);
        assert!(expected.contains(&found), "{found} numbers and not {expected:?} in a vector");
    }
}
