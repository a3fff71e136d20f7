//! What the folders of runs hold.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The whole rows of `metrics.jsonl` so far.
///
/// # Panics
/// If a row is no object.
pub fn metrics(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).expect("each row is an object")).collect()
}

/// A row without the time it took, which no two runs share.
pub fn without_seconds(mut row: Value) -> Value {
    row.as_object_mut().map(|row| row.remove("seconds"));
    row
}

/// Waits until the run has logged the step `step`, while its program is at work.
///
/// # Panics
/// If the program ends before, or the step does not come within two minutes.
pub fn wait_for_rows(child: &mut Child, run: &Path, step: u64) {
    let started = Instant::now();
    let has_logged = || metrics(run).last().is_some_and(|row| row["step"].as_u64() >= Some(step));
    while !has_logged() {
        assert_eq!(child.try_wait().unwrap(), None, "the program ended before step {step}");
        assert!(started.elapsed() < Duration::from_secs(120), "step {step} never came");
        sleep(Duration::from_millis(1));
    }
}
