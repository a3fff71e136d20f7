//! Sums of rows, each with its weight, that are kept in registers until they are complete.

use std::ops::Range;

use pulp::Simd;

use super::batch_pass::{BatchPass, load, store};
use super::windows::{Term, Terms};

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
    /// `[outputs]`.
    pub(super) begin: &'a [f32],
    pub(super) inputs: usize,
    pub(super) batch: usize,
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
        let sums = sums.chunks_exact_mut(self.begin.len() * self.batch);
        for (terms, sums) in self.terms.each().zip(sums) {
            self.rows::<S, VECTORS>(simd, terms, places.clone(), sums);
        }
    }
}

impl WeightedSums<'_> {
    /// The numbers at `places` of all rows of a target, several rows together.
    #[inline(always)]
    fn rows<S: Simd, const VECTORS: usize>(
        &self,
        simd: S,
        terms: &[Term],
        places: Range<usize>,
        sums: &mut [f32],
    ) {
        let mut output = 0;
        while output < self.begin.len() {
            let places = places.clone();
            output += match self.begin.len() - output {
                1 => self.tile::<S, 1, VECTORS>(simd, terms, output, places, sums),
                2..4 => self.tile::<S, 2, VECTORS>(simd, terms, output, places, sums),
                4 | 5 | 8 => self.tile::<S, 4, VECTORS>(simd, terms, output, places, sums),
                _ => self.tile::<S, 6, VECTORS>(simd, terms, output, places, sums),
            }
        }
    }

    /// `ROWS` rows from `output`, of each the numbers at `places`: `VECTORS` vectors, or fewer numbers than one has. Says how
    /// many rows these are.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        terms: &[Term],
        output: usize,
        places: Range<usize>,
        sums: &mut [f32],
    ) -> usize {
        let (inputs, outputs, batch) = (self.inputs, self.begin.len(), self.batch);
        let mut tile = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for (sums, begin) in tile.iter_mut().zip(&self.begin[output..]) {
            *sums = [simd.splat_f32s(*begin); VECTORS];
        }
        for &Term { tap, pixel } in terms {
            for input in 0..inputs {
                let weights = &self.weight[(tap * inputs + input) * outputs + output..][..ROWS];
                let row = &self.source[(pixel * inputs + input) * batch..];
                let row: [S::f32s; VECTORS] = load(simd, &row[places.clone()]);
                for (sums, weight) in tile.iter_mut().zip(weights) {
                    let weight = simd.splat_f32s(*weight);
                    for (sum, x) in sums.iter_mut().zip(row) {
                        *sum = simd.mul_add_e_f32s(weight, x, *sum);
                    }
                }
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            store(simd, &mut sums[(output + row) * batch..][places.clone()], tile);
        }
        ROWS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::check::numbers;
    use super::*;

    proptest! {
        #[test]
        fn they_are_sums_of_products(inputs in 1..4_usize, outputs in 1..10_usize, batch in 1..150_usize) {
            let all_terms = [&[(0, 2), (1, 0)][..], &[], &[(2, 1), (0, 0), (1, 1)]];
            let (taps, pixels) = (3, 3);
            let weight = numbers(taps * inputs * outputs, 1);
            let (source, begin) = (numbers(pixels * inputs * batch, 2), numbers(outputs, 3));
            let mut terms = Terms::default();
            for of_target in all_terms {
                terms.push(of_target.iter().map(|&(tap, pixel)| Term { tap, pixel }));
            }
            let sums = WeightedSums {
                terms: &terms, weight: &weight, source: &source, begin: &begin, inputs, batch,
            };
            let found = sums.compute();
            prop_assert_eq!(found.len(), 3 * outputs * batch);
            for (index, found) in found.iter().enumerate() {
                let (target, output, lane) = (index / batch / outputs, index / batch % outputs, index % batch);
                let products = all_terms[target].iter().flat_map(|&(tap, pixel)| {
                    let (weight, source) = (&weight, &source);
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
