//! Sums of rows, each with its weight, that are kept in registers until they are complete.

use std::ops::Range;

use pulp::Simd;

use super::batch_pass::{BatchPass, load, store};
use super::tiles::{by_tiles, rows_of_tile};
use super::windows::{Run, Terms};

/// For each target, which is a pixel with some `terms`, `outputs` rows of `batch` numbers: the sum over its terms of
/// `weight[tap]^T source[pixel]`, and `begin`, one number a row.
///
/// As a product of matrices each pixel would have its terms gathered, and the kernel for products would copy them once more
/// into its own order, which for a convolution of few channels costs more than the arithmetic.
pub(super) struct WeightedSums<'a> {
    /// Of each target.
    pub(super) terms: &'a Terms,
    /// `[taps, inputs, outputs]`.
    pub(super) weight: &'a [f32],
    /// `[pixels, inputs, batch]`.
    pub(super) source: &'a [f32],
    /// In which the terms count the pixels.
    pub(super) order: Order,
    /// `[outputs]`.
    pub(super) begin: &'a [f32],
    pub(super) inputs: usize,
    pub(super) batch: usize,
}

/// Of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The first is the first.
    AsTheyLie,
    /// The last is the first.
    FromTheLast,
}

impl BatchPass for WeightedSums<'_> {
    fn batch(&self) -> usize {
        self.batch
    }

    fn size(&self) -> usize {
        self.terms.each().len() * self.begin.len() * self.batch
    }

    #[inline(always)]
    fn vectors<S: Simd, const VECTORS: usize>(
        &self,
        simd: S,
        places: Range<usize>,
        sums: &mut [f32],
    ) {
        let outputs = self.begin.len();
        let here = Here {
            source: &self.source_at::<S, VECTORS>(simd, places.clone()),
            weight: &by_tiles(self.weight, outputs),
            places,
        };
        let sums = sums.chunks_exact_mut(outputs * self.batch);
        for (runs, sums) in self.terms.each().zip(sums) {
            let mut output = 0;
            while output < outputs {
                output += match rows_of_tile(outputs - output) {
                    1 => self.tile::<S, 1, VECTORS>(simd, &here, runs, output, sums),
                    2 => self.tile::<S, 2, VECTORS>(simd, &here, runs, output, sums),
                    4 => self.tile::<S, 4, VECTORS>(simd, &here, runs, output, sums),
                    _ => self.tile::<S, 6, VECTORS>(simd, &here, runs, output, sums),
                }
            }
        }
    }
}

/// What the images at some places have for their sums.
struct Here<'a, F, const VECTORS: usize> {
    /// `[pixels, inputs]`, in the order of the terms.
    source: &'a [[F; VECTORS]],
    /// [By tiles](by_tiles).
    weight: &'a [f32],
    /// Where these images lie in a row.
    places: Range<usize>,
}

impl WeightedSums<'_> {
    /// The numbers at `places` of all rows, one row after the other: where they lie, rows are so far apart that the few
    /// numbers of each displace one another from the cache.
    #[inline(always)]
    fn source_at<S: Simd, const VECTORS: usize>(
        &self,
        simd: S,
        places: Range<usize>,
    ) -> Vec<[S::f32s; VECTORS]> {
        let mut rows = Vec::with_capacity(self.source.len() / self.batch);
        let pixels = self.source.len() / (self.inputs * self.batch);
        // No iterator that is reversed or not, whose closure the compiler may leave in the narrowest vectors.
        for number in 0..pixels {
            let pixel = match self.order {
                Order::AsTheyLie => number,
                Order::FromTheLast => pixels - 1 - number,
            };
            for row in pixel * self.inputs..(pixel + 1) * self.inputs {
                let row = &self.source[row * self.batch..];
                rows.push(load(simd, &row[places.clone()]));
            }
        }
        rows
    }

    /// `ROWS` rows of a target from `output`, a tile. Says how many rows these are.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        here: &Here<'_, S::f32s, VECTORS>,
        runs: &[Run],
        output: usize,
        sums: &mut [f32],
    ) -> usize {
        let depth = self.weight.len() / self.begin.len();
        let (weight, _) = here.weight[output * depth..][..ROWS * depth].as_chunks::<ROWS>();
        let mut tile = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for (sums, begin) in tile.iter_mut().zip(&self.begin[output..]) {
            *sums = [simd.splat_f32s(*begin); VECTORS];
        }
        for run in runs {
            let weights = &weight[run.taps(self.inputs)];
            let source = &here.source[run.pixels(self.inputs)];
            for (weights, row) in weights.iter().zip(source) {
                for (sums, weight) in tile.iter_mut().zip(weights) {
                    let weight = simd.splat_f32s(*weight);
                    for (sum, x) in sums.iter_mut().zip(row) {
                        *sum = simd.mul_add_e_f32s(weight, *x, *sum);
                    }
                }
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            let sums = &mut sums[(output + row) * self.batch..];
            store(simd, &mut sums[here.places.clone()], tile);
        }
        ROWS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::check::numbers;
    use super::super::windows::Term;
    use super::*;

    proptest! {
        #[test]
        fn they_are_sums_of_products(inputs in 1..4_usize, outputs in 1..10_usize, batch in 1..150_usize) {
            // The last has a run of two.
            let all_terms = [&[(0, 2), (1, 0)][..], &[], &[(2, 1), (0, 0), (1, 1)]];
            let (taps, pixels) = (3, 3);
            let weight = numbers(taps * inputs * outputs, 1);
            let (source, begin) = (numbers(pixels * inputs * batch, 2), numbers(outputs, 3));
            let mut terms = Terms::default();
            for of_target in all_terms {
                terms.push(of_target.iter().map(|&(tap, pixel)| Term { tap, pixel }));
            }
            for order in [Order::AsTheyLie, Order::FromTheLast] {
                let sums = WeightedSums {
                    terms: &terms, weight: &weight, source: &source, order, begin: &begin, inputs, batch,
                };
                let found = sums.compute();
                prop_assert_eq!(found.len(), 3 * outputs * batch);
                for (index, found) in found.iter().enumerate() {
                    let (target, output, lane) = (index / batch / outputs, index / batch % outputs, index % batch);
                    let products = all_terms[target].iter().flat_map(|&(tap, pixel)| {
                        let (weight, source) = (&weight, &source);
                        let pixel = if order == Order::AsTheyLie { pixel } else { pixels - 1 - pixel };
                        (0..inputs).map(move |input| {
                            weight[(tap * inputs + input) * outputs + output] * source[(pixel * inputs + input) * batch + lane]
                        })
                    });
                    let expected = begin[output] + products.sum::<f32>();
                    prop_assert!((found - expected).abs() < 1e-5, "{} is not {}", found, expected);
                }
            }
        }
    }
}
