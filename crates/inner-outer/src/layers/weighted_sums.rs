//! Sums of rows, each with its weight, that are kept in registers until they are complete.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::windows::Term;

/// For each of `targets` pixels, `outputs` rows of `batch` numbers: the sum over its terms of `weight[tap]^T source[pixel]`,
/// and `begin`, one number a row.
///
/// As a product of matrices each pixel would have its terms gathered, and the kernel for products would copy them once more
/// into its own order, which for a convolution of few channels costs more than the arithmetic.
pub(super) struct WeightedSums<'a, T> {
    pub(super) targets: usize,
    /// Puts the terms of a target into a vector that is empty.
    pub(super) terms: T,
    /// `[taps, inputs, outputs]`.
    pub(super) weight: &'a [f32],
    /// `[pixels, inputs, batch]`.
    pub(super) source: &'a [f32],
    /// `[outputs]`.
    pub(super) begin: &'a [f32],
    pub(super) inputs: usize,
    pub(super) batch: usize,
}

impl<T: Fn(usize, &mut Vec<Term>)> WeightedSums<'_, T> {
    /// `[targets, outputs, batch]`.
    pub(super) fn compute(self) -> Vec<f32> {
        Arch::new().dispatch(self)
    }
}

impl<T: Fn(usize, &mut Vec<Term>)> WithSimd for WeightedSums<'_, T> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let size = self.begin.len() * self.batch;
        let mut all = Vec::with_capacity(self.targets * size);
        let (mut terms, mut sums) = (Vec::new(), vec![0.0; size]);
        for target in 0..self.targets {
            terms.clear();
            (self.terms)(target, &mut terms);
            // As many sums as there are registers for, beside weights and rows.
            match S::REGISTER_COUNT {
                ..32 => self.target::<S, 2, 1, 4>(simd, &terms, &mut sums),
                32.. => self.target::<S, 4, 2, 8>(simd, &terms, &mut sums),
            }
            all.extend_from_slice(&sums);
        }
        all
    }
}

impl<T> WeightedSums<'_, T> {
    /// The rows of one target, several together, for each of which `MANY` vectors are summed at a time, or `WIDE` where it is
    /// only one: so many sums do not wait for each other.
    #[inline(always)]
    fn target<S: Simd, const MANY: usize, const FEW: usize, const WIDE: usize>(
        &self,
        simd: S,
        terms: &[Term],
        sums: &mut [f32],
    ) {
        let mut output = 0;
        while output < self.begin.len() {
            output += match self.begin.len() - output {
                1 => self.rows::<S, 1, WIDE, MANY>(simd, terms, output, sums),
                2..4 => self.rows::<S, 2, MANY, FEW>(simd, terms, output, sums),
                _ => self.rows::<S, 4, MANY, FEW>(simd, terms, output, sums),
            }
        }
    }

    /// `ROWS` rows from `output`; says how many these are.
    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize, const MANY: usize, const FEW: usize>(
        &self,
        simd: S,
        terms: &[Term],
        output: usize,
        sums: &mut [f32],
    ) -> usize {
        let (batch, lanes) = (self.batch, S::F32_LANES);
        if batch < lanes {
            self.tile::<S, ROWS, 1>(simd, terms, output, 0..batch, sums);
            return ROWS;
        }
        let mut lane = 0;
        while lane + MANY * lanes <= batch {
            self.tile::<S, ROWS, MANY>(simd, terms, output, lane..lane + MANY * lanes, sums);
            lane += MANY * lanes;
        }
        while lane + FEW * lanes <= batch {
            self.tile::<S, ROWS, FEW>(simd, terms, output, lane..lane + FEW * lanes, sums);
            lane += FEW * lanes;
        }
        while lane < batch {
            // The last vector has some of the one before once more, and no mask.
            let first = lane.min(batch - lanes);
            self.tile::<S, ROWS, 1>(simd, terms, output, first..first + lanes, sums);
            lane = first + lanes;
        }
        ROWS
    }

    /// `ROWS` rows from `output`, of each the numbers at `places`: `VECTORS` vectors, or fewer numbers than one has.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        terms: &[Term],
        output: usize,
        places: Range<usize>,
        sums: &mut [f32],
    ) {
        let (outputs, batch) = (self.begin.len(), self.batch);
        let begin: [f32; ROWS] = std::array::from_fn(|row| self.begin[output + row]);
        let mut tile = begin.map(|begin| [simd.splat_f32s(begin); VECTORS]);
        for &Term { tap, pixel } in terms {
            for input in 0..self.inputs {
                let weights =
                    &self.weight[(tap * self.inputs + input) * outputs + output..][..ROWS];
                let row = &self.source[(pixel * self.inputs + input) * batch..];
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
    }
}

#[inline(always)]
fn load<S: Simd, const VECTORS: usize>(simd: S, row: &[f32]) -> [S::f32s; VECTORS] {
    match row.len() < S::F32_LANES {
        true => [simd.partial_load_f32s(row); VECTORS],
        false => {
            let (vectors, _) = S::as_simd_f32s(row);
            std::array::from_fn(|vector| vectors[vector])
        }
    }
}

#[inline(always)]
fn store<S: Simd, const VECTORS: usize>(simd: S, row: &mut [f32], values: &[S::f32s; VECTORS]) {
    match row.len() < S::F32_LANES {
        true => simd.partial_store_f32s(row, values[0]),
        false => S::as_mut_simd_f32s(row).0.copy_from_slice(values),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(count: usize, shift: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 + shift) % 101) as f32 / 50.0 - 1.0).collect()
    }

    proptest! {
        #[test]
        fn they_are_sums_of_products(inputs in 1..4_usize, outputs in 1..10_usize, batch in 1..150_usize) {
            let all_terms = [&[(0, 2), (1, 0)][..], &[], &[(2, 1), (0, 0), (1, 1)]];
            let (taps, pixels) = (3, 3);
            let weight = numbers(taps * inputs * outputs, 1);
            let (source, begin) = (numbers(pixels * inputs * batch, 2), numbers(outputs, 3));
            let terms = |target: usize, terms: &mut Vec<Term>| {
                terms.extend(all_terms[target].iter().map(|&(tap, pixel)| Term { tap, pixel }));
            };
            let sums = WeightedSums {
                targets: 3, terms, weight: &weight, source: &source, begin: &begin, inputs, batch,
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
