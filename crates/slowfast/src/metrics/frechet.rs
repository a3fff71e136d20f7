//! The Frechet distance between two sets of features, as if both were Gaussian.
//!
//! FVD is this distance of the features of one video network. With the features of another encoder it is another measure:
//! name it after the encoder, and compare only values of the same encoder and about as many clips.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::MetricError;

/// Mean and covariance of features.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
}

impl Gaussian {
    /// The mean and the unbiased covariance of vectors, one a clip or a frame.
    ///
    /// # Errors
    /// [`MetricError::TooFew`] below two vectors, [`MetricError::Features`] for different or no lengths,
    /// [`MetricError::NotFinite`].
    pub fn of(features: &[Vec<f64>]) -> Result<Self, MetricError> {
        let samples = features.len();
        if samples < 2 {
            let what = "a covariance of features";
            return Err(MetricError::TooFew { what, needed: 2, found: samples });
        }
        let length = features[0].len();
        if let Some(other) = features.iter().find(|vector| vector.len() != length || length == 0) {
            return Err(MetricError::Features { first: length, second: other.len() });
        }
        if let Some(value) = features.iter().flatten().find(|value| !value.is_finite()) {
            return Err(MetricError::NotFinite(*value));
        }
        let rows = DMatrix::from_row_iterator(samples, length, features.iter().flatten().copied());
        let mean = rows.row_mean().transpose();
        let mut centred = rows;
        for mut row in centred.row_iter_mut() {
            row -= mean.transpose();
        }
        let covariance = centred.tr_mul(&centred) / (samples - 1) as f64;
        Ok(Self { mean, covariance })
    }
}

/// `|m1 - m2|^2 + trace(S1 + S2 - 2 (S1 S2)^(1/2))`, at least 0.
///
/// The trace of the root is the sum of the roots of the eigenvalues of `S1^(1/2) S2 S1^(1/2)`, which is symmetric.
///
/// # Errors
/// [`MetricError::Features`] for features of different length.
pub fn frechet_distance(one: &Gaussian, other: &Gaussian) -> Result<f64, MetricError> {
    let lengths = (one.mean.len(), other.mean.len());
    if lengths.0 != lengths.1 {
        return Err(MetricError::Features { first: lengths.0, second: lengths.1 });
    }
    let root = square_root(&one.covariance);
    let product = &root * &other.covariance * &root;
    // Rounding makes it slightly asymmetric.
    let product = (&product + product.transpose()) / 2.0;
    let roots: f64 =
        product.symmetric_eigenvalues().iter().map(|value| value.max(0.0).sqrt()).sum();
    let means = (&one.mean - &other.mean).norm_squared();
    let distance = means + one.covariance.trace() + other.covariance.trace() - 2.0 * roots;
    Ok(distance.max(0.0))
}

/// The mean distance of each half of one set to the other half of another set.
///
/// The distance of finite sets grows as they shrink. Halves of `expected` itself give what two samples of one kind differ by,
/// and a set that was made along `expected`, member by member, is compared in the same numbers and with none of its own
/// models: so the two can be set side by side. Halves of one set must be independent of each other.
///
/// # Errors
/// Those of [`Gaussian::of`], which needs two vectors, and of [`frechet_distance`].
pub fn frechet_between_halves(
    found: &[Vec<Vec<f64>>; 2],
    expected: &[Vec<Vec<f64>>; 2],
) -> Result<f64, MetricError> {
    let distance = |found: &[Vec<f64>], expected: &[Vec<f64>]| {
        frechet_distance(&Gaussian::of(found)?, &Gaussian::of(expected)?)
    };
    Ok((distance(&found[0], &expected[1])? + distance(&found[1], &expected[0])?) / 2.0)
}

/// The symmetric square root of a covariance.
fn square_root(matrix: &DMatrix<f64>) -> DMatrix<f64> {
    let SymmetricEigen { eigenvectors, eigenvalues } = matrix.clone().symmetric_eigen();
    let roots = eigenvalues.map(|value| value.max(0.0).sqrt());
    &eigenvectors * DMatrix::from_diagonal(&roots) * eigenvectors.transpose()
}

#[cfg(test)]
mod tests {
    use approx::{assert_abs_diff_eq, assert_relative_eq};
    use proptest::prelude::*;

    use super::*;

    fn features(count: usize, length: usize) -> impl Strategy<Value = Vec<Vec<f64>>> {
        prop::collection::vec(prop::collection::vec(-5.0..5.0_f64, length), count)
    }

    #[test]
    fn in_one_dimension_it_is_the_distance_of_means_and_deviations() {
        let one = vec![vec![1.0], vec![3.0]];
        let other = vec![vec![10.0], vec![18.0]];
        let gaussian = |set: &[Vec<f64>]| Gaussian::of(set).unwrap();
        let deviations = (2.0_f64.sqrt() - 32.0_f64.sqrt()).powi(2);
        let found = frechet_distance(&gaussian(&one), &gaussian(&other)).unwrap();
        assert_relative_eq!(found, 12.0 * 12.0 + deviations, max_relative = 1e-12);
    }

    #[test]
    fn what_has_no_distance_is_refused() {
        let refused = |set: &[Vec<f64>]| Gaussian::of(set).unwrap_err();
        assert!(matches!(refused(&[vec![1.0]]), MetricError::TooFew { needed: 2, found: 1, .. }));
        let uneven = refused(&[vec![1.0], vec![1.0, 2.0]]);
        assert_eq!(uneven, MetricError::Features { first: 1, second: 2 });
        assert!(matches!(refused(&[vec![], vec![]]), MetricError::Features { .. }));
        assert!(matches!(refused(&[vec![1.0], vec![f64::NAN]]), MetricError::NotFinite(_)));
        let (one, two) = (vec![vec![1.0]; 3], vec![vec![1.0, 2.0]; 3]);
        let (one, two) = (Gaussian::of(&one).unwrap(), Gaussian::of(&two).unwrap());
        assert!(matches!(frechet_distance(&one, &two), Err(MetricError::Features { .. })));
        let few = [vec![vec![1.0]; 3], vec![vec![1.0]]];
        assert!(matches!(frechet_between_halves(&few, &few), Err(MetricError::TooFew { .. })));
    }

    /// Sets of one distribution are as far from each other as the halves of one of them, and others are farther.
    #[test]
    fn the_truth_is_no_farther_from_itself_than_what_is_distributed_like_it() {
        let numbers = |first: u64, shift: f64| -> [Vec<Vec<f64>>; 2] {
            let wave = |n: u64, k: u64| ((n * 37 + k * 101 + first) as f64 * 0.7).sin() + shift;
            [0, 1].map(|half| {
                (0..200).map(|n| [0, 1].map(|k| wave(2 * n + half, k)).to_vec()).collect()
            })
        };
        let truth = numbers(0, 0.0);
        let [itself, alike, shifted] = [truth.clone(), numbers(5_000, 0.0), numbers(5_000, 0.5)]
            .map(|found| frechet_between_halves(&found, &truth).unwrap());
        assert!(itself < 0.01 && alike < 0.01, "{itself} {alike}");
        assert!((shifted - 0.5).abs() < 0.1, "{shifted}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_is_symmetric_and_0_to_itself(one in features(6, 3), other in features(9, 3)) {
            let (one, other) = (Gaussian::of(&one).unwrap(), Gaussian::of(&other).unwrap());
            let there = frechet_distance(&one, &other).unwrap();
            assert_abs_diff_eq!(there, frechet_distance(&other, &one).unwrap(), epsilon = 1e-6);
            assert_abs_diff_eq!(frechet_distance(&one, &one).unwrap(), 0.0, epsilon = 1e-6);
            prop_assert!(there >= 0.0);
        }

        #[test]
        fn moving_one_set_adds_the_square_of_the_way(set in features(8, 3), way in prop::collection::vec(-5.0..5.0_f64, 3)) {
            let moved: Vec<Vec<f64>> = set
                .iter()
                .map(|vector| vector.iter().zip(&way).map(|(value, way)| value + way).collect())
                .collect();
            let (set, moved) = (Gaussian::of(&set).unwrap(), Gaussian::of(&moved).unwrap());
            let square: f64 = way.iter().map(|value| value * value).sum();
            assert_abs_diff_eq!(frechet_distance(&set, &moved).unwrap(), square, epsilon = 1e-6);
        }
    }
}
