//! How large a setting may be that memory is taken in proportion to: far more than anybody needs, so that a number that no machine
//! could hold is told where it is read, and not by a program that breaks off.

/// Numbers that may be held at a time: 400 GB in single precision.
pub(crate) const MOST_NUMBERS: f64 = 1e11;
/// Inner steps, each of which keeps its rates and its loss.
pub(crate) const MOST_INNER_STEPS: usize = 10_000;
/// Knowledge sets that are made or asked at a time.
pub(crate) const MOST_SETS: usize = 1_000_000;
/// The largest rate and weight, whose products are still finite in single precision.
pub(crate) const LARGEST: f64 = 1e6;

/// Refuses a setting that is larger than `most`.
///
/// # Errors
/// A sentence that names it, its value and what is allowed.
pub(crate) fn require_at_most(setting: &str, value: usize, most: usize) -> Result<(), String> {
    at_most(value, most).map_err(|problem| format!("{setting} {problem}"))
}

/// What is wrong with a value that is larger than `most`, to be said of its setting.
pub(crate) fn at_most(value: usize, most: usize) -> Result<(), String> {
    match value <= most {
        true => Ok(()),
        false => Err(format!("is {value}; it must be at most {most}")),
    }
}
