//! Checks of settings that several types have.

use burn::tensor::backend::Backend;

use crate::tensors::Tensors;
use crate::{Error, Result};

/// Refuses a setting that is not a finite number above 0.
pub(crate) fn require_positive(setting: &'static str, value: f64) -> Result<()> {
    match value.is_finite() && value > 0.0 {
        true => Ok(()),
        false => Err(Error::OutOfRange { setting, value, range: "a finite number above 0" }),
    }
}

/// Refuses a setting that is not at least 0 and below 1.
pub(crate) fn require_share(setting: &'static str, value: f64) -> Result<()> {
    match (0.0..1.0).contains(&value) {
        true => Ok(()),
        false => Err(Error::OutOfRange { setting, value, range: "at least 0 and below 1" }),
    }
}

/// Refuses a setting that is not a finite number of at least 0.
pub(crate) fn require_not_negative(setting: &'static str, value: f64) -> Result<()> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(Error::OutOfRange { setting, value, range: "a finite number of at least 0" }),
    }
}

/// Refuses a count of zero.
pub(crate) fn require_some(setting: &'static str, count: usize) -> Result<()> {
    match count {
        0 => Err(Error::OutOfRange { setting, value: 0.0, range: "at least 1" }),
        _ => Ok(()),
    }
}

/// Refuses a number of equal blocks that some tensor cannot be cut into.
pub(crate) fn require_even_rows<B: Backend>(
    setting: &'static str,
    rows: usize,
    theta: &Tensors<B>,
) -> Result<()> {
    let mut sizes = theta.0.iter().map(|tensor| tensor.dims()[0]);
    match sizes.find(|elements| rows == 0 || !elements.is_multiple_of(rows)) {
        Some(elements) => Err(Error::UnevenRows { setting, rows, elements }),
        None => Ok(()),
    }
}
