//! The same seed gives the same bits.

use assert_cmd::prelude::*;

use super::binary::{reckoning, run};
use super::run_folder::{outcome, train};

#[test]
fn the_number_of_threads_changes_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let of_threads = |threads: &str| {
        let out = format!("threads-{threads}");
        let mut command = reckoning(folder.path());
        command.env("RAYON_NUM_THREADS", threads).args(train(&out, 6, &[])).assert().success();
        outcome(&folder.path().join(out))
    };
    let one = of_threads("1");
    for threads in ["2", "8"] {
        assert_eq!(of_threads(threads), one, "{threads} threads");
    }
}

#[test]
fn another_seed_is_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let of_seed = |seed: &str| {
        run(folder.path(), train(seed, 2, &["--set", &format!("seed={seed}")]));
        outcome(&folder.path().join(seed))
    };
    assert_ne!(of_seed("11"), of_seed("12"));
}
