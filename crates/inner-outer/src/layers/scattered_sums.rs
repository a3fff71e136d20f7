//! Sums of rows, each with its weight, that grow where they lie while a row is kept in registers.

use std::ops::Range;

use pulp::Simd;

use super::batch_pass::{BatchPass, load, store};
use super::tiles::{by_tiles, rows_of_tile};
use super::windows::{Run, Terms};

/// The sums of [`WeightedSums`](super::weighted_sums::WeightedSums) that begin with zero, told from the other side: `terms` are
/// the targets to which a source contributes.
///
/// Where targets have few rows, the sums of one hardly occupy the processor while the same sources are read again for each of
/// the neighbours.
pub(super) struct ScatteredSums<'a> {
    pub(super) targets: usize,
    /// Of each source.
    pub(super) terms: &'a Terms,
    /// `[taps, outputs, inputs]`.
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
        let weight = &by_tiles(self.weight, self.inputs);
        // One after the other, and not as far apart as rows of the whole batch are.
        let mut totals = vec![[simd.splat_f32s(0.0); VECTORS]; self.targets * self.outputs];
        let sources = self.source.chunks_exact(self.inputs * self.batch);
        for (runs, source) in self.terms.each().zip(sources) {
            let source = Source { rows: source, places: places.clone(), runs };
            let mut input = 0;
            while input < self.inputs {
                input += match rows_of_tile(self.inputs - input) {
                    1 => self.tile::<S, 1, VECTORS>(simd, weight, &source, input, &mut totals),
                    2 => self.tile::<S, 2, VECTORS>(simd, weight, &source, input, &mut totals),
                    4 => self.tile::<S, 4, VECTORS>(simd, weight, &source, input, &mut totals),
                    _ => self.tile::<S, 6, VECTORS>(simd, weight, &source, input, &mut totals),
                }
            }
        }
        for (sums, totals) in sums.chunks_exact_mut(self.batch).zip(&totals) {
            store(simd, &mut sums[places.clone()], totals);
        }
    }
}

struct Source<'a> {
    /// `[inputs, batch]`.
    rows: &'a [f32],
    /// Which images.
    places: Range<usize>,
    /// Of targets.
    runs: &'a [Run],
}

impl ScatteredSums<'_> {
    /// Of `ROWS` rows from `input`, a tile, what they add to all their targets. Says how many rows these are.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        weight: &[f32],
        source: &Source<'_>,
        input: usize,
        totals: &mut [[S::f32s; VECTORS]],
    ) -> usize {
        let depth = self.weight.len() / self.inputs;
        let (weight, _) = weight[input * depth..][..ROWS * depth].as_chunks::<ROWS>();
        let mut rows = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for (row, values) in rows.iter_mut().enumerate() {
            *values = load(simd, &source.rows[(input + row) * self.batch..][source.places.clone()]);
        }
        for run in source.runs {
            let weights = &weight[run.taps(self.outputs)];
            let totals = &mut totals[run.pixels(self.outputs)];
            for (weights, total) in weights.iter().zip(totals) {
                let mut sums = *total;
                for (row, weight) in rows.iter().zip(weights) {
                    let weight = simd.splat_f32s(*weight);
                    for (sum, x) in sums.iter_mut().zip(row) {
                        *sum = simd.mul_add_e_f32s(weight, *x, *sum);
                    }
                }
                *total = sums;
            }
        }
        ROWS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::check::numbers;
    use super::super::weighted_sums::{Order, WeightedSums};
    use super::super::windows::Term;
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
            let of = |tap, input, output| weight[(tap * inputs + input) * outputs + output];
            let places = (0..taps).flat_map(|tap| (0..outputs).map(move |output| (tap, output)));
            let transposed: Vec<f32> = places
                .flat_map(|(tap, output)| (0..inputs).map(move |input| of(tap, input, output)))
                .collect();
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
                weight: &weight, source: &source, order: Order::AsTheyLie, begin: &vec![0.0; outputs], inputs, batch,
            };
            let scattered = ScatteredSums {
                targets,
                terms: &of_sources,
                weight: &transposed, source: &source, inputs, outputs, batch,
            };
            let (expected, found) = (gathered.compute(), scattered.compute());
            prop_assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found - expected).abs() < 1e-5, "{} is not {}", found, expected);
            }
        }
    }
}
