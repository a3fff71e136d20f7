//! Passes over slices in the widest vectors that the processor has, which is known only when the program runs.
//!
//! Everything here is arithmetic that rounds the same in vectors of any width.

/// Functions that are compiled for each kind of processor, and run as compiled for this one.
///
/// What they call takes part where it is `#[inline(always)]`. A closure given to [`pulp::Arch::dispatch`] would not do: the compiler
/// may leave it a function of its own, shared by all kinds of processors and so in the narrowest vectors of all. It does as
/// soon as the closure is as large as a softmax.
macro_rules! vectorised {
    ($(
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block
    )+) => {$(
        $(#[$attribute])*
        $visibility fn $name($($argument: $type),*) {
            struct Pass<Arguments>(Arguments);

            impl pulp::WithSimd for Pass<($($type,)*)> {
                type Output = ();

                #[inline(always)]
                fn with_simd<S: pulp::Simd>(self, _: S) {
                    let Self(($($argument,)*)) = self;
                    $body
                }
            }

            pulp::Arch::new().dispatch(Pass(($($argument,)*)))
        }
    )+};
}

pub(super) use vectorised;

/// How many sums go on beside each other: one sum the compiler must not reorder.
const LANES: usize = 16;

/// The sum of products.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        (0..LANES).for_each(|lane| lanes[lane] += a[lane] * b[lane]);
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

/// The sum.
#[inline(always)]
pub(super) fn sum(a: &[f32]) -> f32 {
    let (blocks, rest) = a.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for block in blocks {
        (0..LANES).for_each(|lane| lanes[lane] += block[lane]);
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// The largest, of which NaN is none.
#[inline(always)]
pub(super) fn largest(a: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (blocks, rest) = a.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for block in blocks {
        (0..LANES).for_each(|lane| lanes[lane] = larger(lanes[lane], block[lane]));
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, larger)
}

/// `e^x` to two units in the last place; zero below -87 and infinite above 88, NaN of NaN.
///
/// `2^n e^r` with a whole `n` and `|r| <= ln 2 / 2`, and a polynomial for `e^r` (the coefficients are those of `expf` in the
/// Cephes library, Moshier 1992). The function of the standard library is a call, which no compiler puts into vectors.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// Numbers of this size are whole, and their last bits count.
    const WHOLE: f32 = 12_582_912.0;
    /// `ln 2` in two parts, of which products of the first with a small whole number are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const COEFFICIENTS: [f32; 6] =
        [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    let shifted = x * std::f32::consts::LOG2_E + WHOLE;
    let n = shifted - WHOLE;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let polynomial = COEFFICIENTS.iter().fold(0.0, |sum, coefficient| sum * r + coefficient);
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    let value = (polynomial * r * r + r + 1.0) * power;
    let value = if x < -87.0 { 0.0 } else { value };
    if x > 88.0 { f32::INFINITY } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    vectorised! {
        /// Of what the functions here make of all numbers.
        fn measure(a: &[f32], exponentials: &mut [f32], results: &mut [f32; 3]) {
            exponentials.iter_mut().zip(a).for_each(|(exponential, x)| *exponential = exp(*x));
            *results = [sum(a), dot(a, a), largest(a)];
        }
    }

    #[test]
    fn exp_is_that_of_the_standard_library() {
        for x in (-870_000..=880_000).map(|i| i as f32 * 1e-4) {
            let expected = f64::from(x).exp();
            assert!((f64::from(exp(x)) / expected - 1.0).abs() < 2.4e-7, "e^{x} is not {}", exp(x));
        }
        assert_eq!(exp(0.0), 1.0);
        for x in [-87.1, -1e4, f32::NEG_INFINITY] {
            assert_eq!(exp(x), 0.0);
        }
        for x in [88.1, 1e4, f32::INFINITY] {
            assert_eq!(exp(x), f32::INFINITY);
        }
        assert!(exp(f32::NAN).is_nan());
    }

    /// Of every length: whole blocks and what is left.
    #[test]
    fn sums_are_over_all_elements() {
        for length in 0..50 {
            let a: Vec<f32> = (0..length).map(|i| (i * 7 % 11) as f32 - 4.0).collect();
            let mut found = [0.0; 3];
            measure(&a, &mut [], &mut found);
            let squares = a.iter().map(|x| x * x).sum();
            let largest = a.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(found, [a.iter().sum(), squares, largest]);
        }
    }

    #[test]
    fn wider_vectors_round_the_same() {
        let x: Vec<f32> = (0..100).map(|i| (i as f32 - 50.0) * 0.37).collect();
        let (mut exponentials, mut results) = ([0.0; 100], [0.0; 3]);
        measure(&x, &mut exponentials, &mut results);
        assert_eq!(exponentials.to_vec(), x.iter().map(|&x| exp(x)).collect::<Vec<_>>());
        assert_eq!(results, [sum(&x), dot(&x, &x), largest(&x)]);
    }
}
