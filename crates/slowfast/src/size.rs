//! Sizes beyond any machine: what is held in proportion to a setting is counted before any of it is made.
//!
//! The counts are floats, which cannot overflow, since settings may be anything. Numbers that only make the work long have no
//! bound.

/// What a count may be whose parts are small: far more frames, windows or episodes than are of use at once.
pub(crate) const MOST: usize = 1_000_000;
/// Layers that a network may have: far more than can be trained.
pub(crate) const MOST_LAYERS: usize = 1000;
/// Parameters that a network may have: 40 GB in single precision.
pub(crate) const MOST_PARAMETERS: f64 = 1e10;
/// Bytes that may be counted for one setting: several times what usual machines have, for a count may be several times what is held
/// at once.
pub(crate) const MOST_BYTES: f64 = 1e12;
/// Bytes of a number in single precision.
pub(crate) const NUMBER: f64 = 4.0;

/// A setting, or several together, that no machine has room for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SizeError {
    /// More than there may be of anything.
    #[error("`{setting}` is {found}, but must be at most {most}; lower it")]
    Count {
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: usize,
        /// What it may be.
        most: usize,
    },
    /// A number of things that are too large for so many.
    #[error(
        "`{setting}` is {found}, for which about {bytes:.0e} bytes would be held at once, but must be at most {most} here, for which {MOST_BYTES:.0e} are enough; lower it"
    )]
    Bytes {
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: usize,
        /// What all of them would take.
        bytes: f64,
        /// How many may be held.
        most: usize,
    },
    /// One thing that is too large.
    #[error(
        "one of `{setting}` alone would take about {each:.0e} bytes, and {MOST_BYTES:.0e} may be held; make what it is of smaller, such as a network, a window or a number of steps"
    )]
    One {
        /// The setting.
        setting: &'static str,
        /// What one would take.
        each: f64,
    },
    /// Settings that are too large together.
    #[error("{what} {found:.1e} {unit}, of which there may be {most:.1e}; lower {settings}")]
    Together {
        /// What is too large, such as `the denoiser would have`.
        what: &'static str,
        /// How large it is.
        found: f64,
        /// In what it is counted, such as `parameters`.
        unit: &'static str,
        /// How large it may be.
        most: f64,
        /// The settings that make it large, with their values.
        settings: String,
    },
}

/// Refuses the first of some counts that is more than `most`.
pub(crate) fn at_most(most: usize, counts: &[(&'static str, usize)]) -> Result<(), SizeError> {
    match counts.iter().find(|(_, found)| *found > most) {
        Some(&(setting, found)) => Err(SizeError::Count { setting, found, most }),
        None => Ok(()),
    }
}

/// Refuses a count of things, of `each` bytes, that are more than [`MOST_BYTES`].
pub(crate) fn fits(setting: &'static str, found: usize, each: f64) -> Result<(), SizeError> {
    let bytes = found as f64 * each;
    match bytes <= MOST_BYTES {
        true => Ok(()),
        false => {
            // A float beyond the range of an integer becomes the nearest.
            match (MOST_BYTES / each).floor() as usize {
                0 => Err(SizeError::One { setting, each }),
                most => Err(SizeError::Bytes { setting, found, bytes, most }),
            }
        }
    }
}

/// Refuses what the `settings` make too large together.
pub(crate) fn together(
    (what, found, unit): (&'static str, f64, &'static str),
    most: f64,
    settings: impl FnOnce() -> String,
) -> Result<(), SizeError> {
    match found <= most {
        true => Ok(()),
        false => Err(SizeError::Together { what, found, unit, most, settings: settings() }),
    }
}

/// Settings with their values, as a message lists them.
pub(crate) fn listed(settings: &[(&'static str, usize)]) -> String {
    let one = |(setting, value): &(&str, usize)| format!("`{setting}` = {value}");
    settings.iter().map(one).collect::<Vec<_>>().join(", or ")
}

/// Weights and biases of a linear layer.
pub(crate) fn layer(inputs: f64, outputs: f64) -> f64 {
    (inputs + 1.0) * outputs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_named_with_its_value_and_what_is_allowed() {
        at_most(MOST, &[("batch", MOST)]).unwrap();
        let told = at_most(MOST, &[("graphs", 1), ("batch", MOST + 1)]).unwrap_err().to_string();
        assert_eq!(told, "`batch` is 1000001, but must be at most 1000000; lower it");
        fits("batch", 16, 6e10).unwrap();
        let told = fits("batch", usize::MAX, 6e10).unwrap_err().to_string();
        for words in ["`batch` is 18446744073709551615", "at most 16 here", "1e12"] {
            assert!(told.contains(words), "{told}");
        }
        for each in [2e12, f64::INFINITY] {
            let told = fits("batch", 1, each).unwrap_err().to_string();
            assert!(told.starts_with("one of `batch` alone") && told.contains("a number of steps"));
        }
        fits("batch", usize::MAX, 0.0).unwrap();
        let settings = || listed(&[("width", 7), ("layers", 8)]);
        let what = ("the network would have", 3e10, "parameters");
        let told = together(what, MOST_PARAMETERS, settings).unwrap_err().to_string();
        let expected = "the network would have 3.0e10 parameters, of which there may be 1.0e10; lower `width` = 7, or `layers` = 8";
        assert_eq!(told, expected);
        together((what.0, 1e10, what.2), MOST_PARAMETERS, settings).unwrap();
        let no_number = (what.0, f64::NAN, what.2);
        assert!(together(no_number, MOST_PARAMETERS, settings).is_err());
    }
}
