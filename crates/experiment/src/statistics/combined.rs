//! One estimate from several, each with its interval.

use super::{Interval, StatisticsError, mean_interval};

/// One estimate from those of `parts` that share no observation, weighted by their numbers, with an interval from theirs:
/// the distance from the estimate to an end is the root of the sum of the squared weighted distances (Zou and Donner 2008,
/// "MOVER"), which lets each part keep the interval that suits it.
///
/// # Errors
/// [`StatisticsError::Empty`] without parts.
pub fn pooled_interval(parts: &[Interval]) -> Result<Interval, StatisticsError> {
    if let [alone] = parts {
        return Ok(*alone);
    }
    let n: usize = parts.iter().map(|part| part.n).sum();
    if n == 0 {
        return Err(StatisticsError::Empty);
    }
    let weighted = |of: &dyn Fn(&Interval) -> f64| {
        parts.iter().map(|part| part.n as f64 / n as f64 * of(part)).collect::<Vec<_>>()
    };
    let root = |squares: Vec<f64>| squares.iter().map(|value| value * value).sum::<f64>().sqrt();
    let mean = weighted(&|part| part.mean).iter().sum();
    let below = root(weighted(&|part| part.mean - part.low));
    let above = root(weighted(&|part| part.high - part.mean));
    Ok(Interval { mean, low: mean - below, high: mean + above, n })
}

/// The mean of `runs`, such as of several seeds, that were judged on the same observations. Both the runs and the observations are
/// samples, so the distance to an end is the root of the sum of two squares: that of Student's t over the runs, and that of the
/// runs' own distances in the mean. For runs that were judged on observations of their own, of which the first has a part, the
/// interval is on the wide side. One run keeps its own.
///
/// # Errors
/// [`StatisticsError::Empty`] and [`StatisticsError::NotFinite`].
pub fn mean_over_runs(runs: &[Interval]) -> Result<Interval, StatisticsError> {
    let means: Vec<f64> = runs.iter().map(|run| run.mean).collect();
    let over_runs = mean_interval(&means)?;
    if let [alone] = runs {
        return Ok(*alone);
    }
    let own =
        |distance: fn(&Interval) -> f64| runs.iter().map(distance).sum::<f64>() / runs.len() as f64;
    let Interval { mean, low, high, n } = over_runs;
    let below = (mean - low).hypot(own(|run| run.mean - run.low));
    let above = (high - mean).hypot(own(|run| run.high - run.mean));
    Ok(Interval { mean, low: mean - below, high: mean + above, n })
}

#[cfg(test)]
mod tests {
    use super::super::proportion_interval;
    use super::super::tests::assert_close;
    use super::*;

    #[test]
    fn runs_that_agree_are_no_surer_than_their_observations() {
        let run = proportion_interval(38, 38).unwrap();
        let alike = mean_over_runs(&[run; 3]).unwrap();
        assert_eq!((alike.mean, alike.n), (1.0, 3));
        assert!((alike.low - run.low).abs() < 1e-12 && (alike.high - run.high).abs() < 1e-12);
        let runs =
            [0.4, 0.6].map(|mean| Interval { mean, low: mean - 0.3, high: mean + 0.4, n: 9 });
        let found = mean_over_runs(&runs).unwrap();
        let half = mean_interval(&[0.4, 0.6]).unwrap().high - 0.5;
        assert!((found.mean - 0.5).abs() < 1e-12);
        assert!((found.low - (0.5 - half.hypot(0.3))).abs() < 1e-12);
        assert!((found.high - (0.5 + half.hypot(0.4))).abs() < 1e-12);
        assert_eq!(mean_over_runs(&runs[..1]).unwrap(), runs[0]);
        assert_eq!(mean_over_runs(&[]), Err(StatisticsError::Empty));
    }

    #[test]
    fn parts_are_pooled_by_their_numbers() {
        let part = |mean, low, high, n| Interval { mean, low, high, n };
        let pooled = pooled_interval(&[part(0.5, 0.1, 0.8, 1), part(0.9, 0.8, 1.0, 3)]).unwrap();
        assert_close(pooled.mean, 0.8, 1e-12);
        assert_close(pooled.mean - pooled.low, (0.1_f64.powi(2) + 0.075_f64.powi(2)).sqrt(), 1e-12);
        assert_close(pooled.high - pooled.mean, 2.0_f64.sqrt() * 0.075, 1e-12);
        assert_eq!(pooled.n, 4);
        let alone = pooled_interval(&[part(0.5, 0.25, 0.75, 10)]).unwrap();
        assert_eq!(alone, part(0.5, 0.25, 0.75, 10));
        assert_eq!(pooled_interval(&[]), Err(StatisticsError::Empty));
        let halves = proportion_interval(60, 100).unwrap();
        let (pooled, whole) =
            (pooled_interval(&[halves; 2]).unwrap(), proportion_interval(120, 200).unwrap());
        assert!((pooled.low - whole.low).abs() < 2e-3 && (pooled.high - whole.high).abs() < 2e-3);
    }
}
