//! Sums of rows, each with its weight, that grow where they lie while a row is kept in registers.

use std::ops::Range;

use pulp::Simd;

use super::batch_pass::{BatchPass, load, store};
use super::windows::{Term, Terms};

/// The sums of [`WeightedSums`](super::weighted_sums::WeightedSums) that begin with zero, told from the other side: `terms` are
/// the targets to which a source contributes.
///
/// Where targets have few rows, the sums of one hardly occupy the processor while the same sources are read again for each of
/// the neighbours.
pub(super) struct ScatteredSums<'a> {
    pub(super) targets: usize,
    /// Of each source.
    pub(super) terms: &'a Terms,
    /// `[taps, inputs, outputs]`.
    pub(super) weight: &'a [f32],
    /// `[sources, inputs, batch]`.
    pub(super) source: &'a [f32],
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) batch: usize,
}

impl BatchPass for ScatteredSums<'_> {
    fn batch(&self) -> usize {
        self.batch
    }

    fn size(&self) -> usize {
        self.targets * self.outputs * self.batch
    }

    #[inline(always)]
    fn vectors<S: Simd, const VECTORS: usize>(
        &self,
        simd: S,
        places: Range<usize>,
        sums: &mut [f32],
    ) {
        let sources = self.source.chunks_exact(self.inputs * self.batch);
        for (terms, source) in self.terms.each().zip(sources) {
            let mut input = 0;
            while input < self.inputs {
                let places = places.clone();
                input += match self.inputs - input {
                    1 => self.rows::<S, 1, VECTORS>(simd, terms, source, input, places, sums),
                    2..4 => self.rows::<S, 2, VECTORS>(simd, terms, source, input, places, sums),
                    _ => self.rows::<S, 4, VECTORS>(simd, terms, source, input, places, sums),
                }
            }
        }
    }
}

impl ScatteredSums<'_> {
    /// Of `ROWS` rows from `input` what they add to all their targets. Says how many rows these are.
    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        terms: &[Term],
        source: &[f32],
        input: usize,
        places: Range<usize>,
        sums: &mut [f32],
    ) -> usize {
        let (inputs, outputs, batch) = (self.inputs, self.outputs, self.batch);
        let mut rows = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for (row, values) in rows.iter_mut().enumerate() {
            *values = load(simd, &source[(input + row) * batch..][places.clone()]);
        }
        for &Term { tap, pixel } in terms {
            for output in 0..outputs {
                let target = &mut sums[(pixel * outputs + output) * batch..][places.clone()];
                let mut total: [S::f32s; VECTORS] = load(simd, target);
                for (row, values) in rows.iter().enumerate() {
                    let weight = self.weight[(tap * inputs + input + row) * outputs + output];
                    let weight = simd.splat_f32s(weight);
                    for (total, x) in total.iter_mut().zip(values) {
                        *total = simd.mul_add_e_f32s(weight, *x, *total);
                    }
                }
                store(simd, target, &total);
            }
        }
        ROWS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::check::numbers;
    use super::super::weighted_sums::WeightedSums;
    use super::*;

    proptest! {
        #[test]
        fn they_are_those_that_are_gathered(
            inputs in 1..10_usize, outputs in 1..4_usize, batch in 1..150_usize,
        ) {
            // `(source, tap, target)`.
            let all_terms = [(0, 2, 1), (1, 0, 0), (1, 1, 1), (2, 1, 0), (2, 0, 3)];
            let (taps, sources, targets) = (3, 3, 4);
            let weight = numbers(taps * inputs * outputs, 1);
            let source = numbers(sources * inputs * batch, 2);
            let (mut of_targets, mut of_sources) = (Terms::default(), Terms::default());
            for number in 0..targets {
                let own = all_terms.iter().filter(|(.., target)| *target == number);
                of_targets.push(own.map(|&(pixel, tap, _)| Term { tap, pixel }));
            }
            for number in 0..sources {
                let own = all_terms.iter().filter(|(source, ..)| *source == number);
                of_sources.push(own.map(|&(_, tap, pixel)| Term { tap, pixel }));
            }
            let gathered = WeightedSums {
                terms: &of_targets,
                weight: &weight, source: &source, begin: &vec![0.0; outputs], inputs, batch,
            };
            let scattered = ScatteredSums {
                targets,
                terms: &of_sources,
                weight: &weight, source: &source, inputs, outputs, batch,
            };
            let (expected, found) = (gathered.compute(), scattered.compute());
            prop_assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found - expected).abs() < 1e-5, "{} is not {}", found, expected);
            }
        }
    }
}
