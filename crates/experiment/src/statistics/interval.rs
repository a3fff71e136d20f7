//! An estimate with its interval, and how it reads.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer};

/// An estimate with its 95 % confidence interval.
///
/// Displays as `0.973 [0.961, 0.982]`, with as many decimals as the format asks for (`{:.1}`), three by default;
/// [`Interval::percent`] displays the same as `97.3 % [96.1, 98.2]`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// The estimate: a mean of values or a proportion.
    pub mean: f64,
    /// The lower end; minus infinity, `null` in JSON, for the mean of a single value, whose spread is unknown.
    #[serde(deserialize_with = "low_end")]
    pub low: f64,
    /// The upper end; infinity, `null` in JSON, for the mean of a single value.
    #[serde(deserialize_with = "high_end")]
    pub high: f64,
    /// How many observations the estimate rests on.
    pub n: usize,
}

/// JSON has no infinity.
fn low_end<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NEG_INFINITY))
}

fn high_end<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
}

impl Interval {
    /// Of nothing: what a figure leaves out where others have a value.
    pub const ABSENT: Self = Self { mean: f64::NAN, low: f64::NAN, high: f64::NAN, n: 0 };

    /// The interval without what lies outside of the `possible` values: the t distribution knows no bounds. The ends that
    /// a single observation does not have stay infinite.
    #[must_use]
    pub fn within(self, possible: RangeInclusive<f64>) -> Self {
        if self.n < 2 {
            return self;
        }
        let (low, high) = (self.low.max(*possible.start()), self.high.min(*possible.end()));
        Self { low, high, ..self }
    }

    /// The interval of the same estimate in other units, such as 100 for percent. A negative `factor` makes the upper end the
    /// lower one.
    #[must_use]
    pub fn scale(self, factor: f64) -> Self {
        let (low, high) = (factor * self.low, factor * self.high);
        let (low, high) = if factor < 0.0 { (high, low) } else { (low, high) };
        Self { mean: factor * self.mean, low, high, n: self.n }
    }

    /// The same interval in percent: displays as `97.3 % [96.1, 98.2]`, with one decimal by default.
    pub fn percent(&self) -> Percent {
        Percent(*self)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = formatter.precision().unwrap_or(3);
        write!(formatter, "{:.decimals$}", self.mean)?;
        write_ends(formatter, self, decimals)
    }
}

/// An [`Interval`] that displays in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percent(Interval);

impl fmt::Display for Percent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = formatter.precision().unwrap_or(1);
        let scaled = self.0.scale(100.0);
        write!(formatter, "{:.decimals$} %", scaled.mean)?;
        write_ends(formatter, &scaled, decimals)
    }
}

fn write_ends(
    formatter: &mut fmt::Formatter<'_>,
    interval: &Interval,
    decimals: usize,
) -> fmt::Result {
    if interval.low.is_finite() && interval.high.is_finite() {
        write!(formatter, " [{:.decimals$}, {:.decimals$}]", interval.low, interval.high)
    } else {
        write!(formatter, " (n = {}, no interval)", interval.n)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{mean_interval, proportion_interval};
    use super::*;

    #[test]
    fn an_interval_is_cut_at_what_is_possible() {
        let wide = mean_interval(&[0.0, 1.0]).unwrap();
        let cut = wide.within(0.0..=1.0);
        assert_eq!((cut.low, cut.high, cut.mean, cut.n), (0.0, 1.0, 0.5, 2));
        assert_eq!(wide.within(-100.0..=100.0), wide);
        let single = mean_interval(&[0.5]).unwrap();
        assert_eq!(single.within(0.0..=1.0), single);
    }

    #[test]
    fn an_interval_in_other_units_is_as_sure() {
        let interval = Interval { mean: 0.5, low: 0.25, high: 1.0, n: 3 };
        let percent = Interval { mean: 50.0, low: 25.0, high: 100.0, n: 3 };
        assert_eq!(interval.scale(100.0), percent);
        let turned = Interval { mean: -1.0, low: -2.0, high: -0.5, n: 3 };
        assert_eq!(interval.scale(-2.0), turned);
        let single = mean_interval(&[0.5]).unwrap().scale(-2.0);
        assert_eq!((single.low, single.high), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn intervals_come_back_from_json_even_without_ends() {
        for interval in
            [mean_interval(&[0.5]), mean_interval(&[0.5, 0.25]), proportion_interval(1, 2)]
        {
            let interval = interval.unwrap();
            let json = serde_json::to_string(&interval).unwrap();
            assert_eq!(serde_json::from_str::<Interval>(&json).unwrap(), interval, "{json}");
        }
    }

    #[test]
    fn intervals_read_well() {
        let interval = Interval { mean: 0.9731, low: 0.961, high: 0.982, n: 5 };
        assert_eq!(interval.to_string(), "0.973 [0.961, 0.982]");
        assert_eq!(format!("{interval:.1}"), "1.0 [1.0, 1.0]");
        assert_eq!(interval.percent().to_string(), "97.3 % [96.1, 98.2]");
        assert_eq!(format!("{:.0}", interval.percent()), "97 % [96, 98]");
    }

    #[test]
    fn a_single_value_has_no_spread_to_judge_by() {
        let interval = mean_interval(&[0.5]).unwrap();
        assert_eq!((interval.low, interval.high), (f64::NEG_INFINITY, f64::INFINITY));
        assert_eq!(interval.to_string(), "0.500 (n = 1, no interval)");
        assert_eq!(interval.percent().to_string(), "50.0 % (n = 1, no interval)");
    }
}
