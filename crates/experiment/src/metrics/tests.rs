use super::*;
use proptest::prelude::*;

fn steps(folder: &Path) -> Vec<u64> {
    read(&folder.join(FILE_NAME)).unwrap().iter().map(|row| row.step).collect()
}

fn logged(folder: &Path, steps: impl IntoIterator<Item = u64>) {
    let mut metrics = Metrics::open(folder, None).unwrap();
    for step in steps {
        metrics.log(step, &[("loss", step as f64)]).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_value_comes_back_to_the_last_bit(step: u64, value in any::<f64>(), name in "[a-rt-z/ \"é]{1,8}") {
        let folder = tempfile::tempdir().unwrap();
        Metrics::open(folder.path(), None).unwrap().log(step, &[(&name, value)]).unwrap();
        let rows = read(&folder.path().join(FILE_NAME)).unwrap();
        prop_assert_eq!(rows[0].step, step);
        let found = rows[0].values[&name];
        prop_assert!(found.to_bits() == value.to_bits() || found.is_nan() && value.is_nan());
    }
}

#[test]
fn a_row_is_one_readable_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut metrics = Metrics::open(folder.path(), None).unwrap();
    metrics.log(3, &[("loss", 0.5), ("accuracy", f64::NAN), ("bound", f64::NEG_INFINITY)]).unwrap();
    let text = fs::read_to_string(folder.path().join(FILE_NAME)).unwrap();
    assert!(text.starts_with(r#"{"step":3,"seconds":"#), "{text}");
    assert!(text.ends_with("\"loss\":0.5,\"accuracy\":\"NaN\",\"bound\":\"-inf\"}\n"), "{text}");
}

#[test]
fn resuming_drops_later_rows_and_goes_on_in_time() {
    let folder = tempfile::tempdir().unwrap();
    logged(folder.path(), 1..=5);
    let before = read(&folder.path().join(FILE_NAME)).unwrap()[2].seconds;
    let mut metrics = Metrics::open(folder.path(), Some(3)).unwrap();
    assert_eq!(steps(folder.path()), [1, 2, 3]);
    metrics.log(4, &[("loss", 0.0)]).unwrap();
    assert_eq!(steps(folder.path()), [1, 2, 3, 4]);
    assert!(read(&folder.path().join(FILE_NAME)).unwrap()[3].seconds >= before);
}

#[test]
fn starting_from_nothing_drops_all_rows() {
    let folder = tempfile::tempdir().unwrap();
    logged(folder.path(), 1..=5);
    Metrics::open(folder.path(), None).unwrap();
    assert!(steps(folder.path()).is_empty());
}

#[test]
fn a_line_torn_by_a_kill_is_passed_over_wherever_it_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    logged(folder.path(), 1..=3);
    let whole = fs::read(&path).unwrap();
    let second = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0 + 1;
    for end in second..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        assert_eq!(steps(folder.path()), [1, 2]);
        let mut metrics = Metrics::open(folder.path(), Some(2)).unwrap();
        metrics.log(3, &[]).unwrap();
        assert_eq!(steps(folder.path()), [1, 2, 3]);
    }
}

#[test]
fn a_broken_row_inside_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let good = "{\"step\":1,\"seconds\":0.0}\n";
    for bad in [
        "{\"step\":1,\"seco\n",
        "{\"step\":1}\n",
        "{\"step\":1,\"seconds\":0.0,\"loss\":\"low\"}\n",
    ] {
        fs::write(&path, format!("{good}{bad}{good}")).unwrap();
        for failure in
            [read(&path).unwrap_err(), Metrics::open(folder.path(), Some(1)).err().unwrap()]
        {
            assert!(matches!(failure, MetricsError::Corrupt { line: 2, .. }), "{failure}");
        }
    }
}

/// As after a row that did not fit on the disk.
#[test]
fn a_row_that_is_taken_back_leaves_no_hole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let mut metrics = Metrics::open(folder.path(), None).unwrap();
    metrics.log(1, &[("loss", 0.5)]).unwrap();
    let whole = fs::metadata(&path).unwrap().len();
    metrics.log(2, &[("loss", 0.25)]).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(whole).unwrap();
    metrics.log(3, &[("loss", 0.125)]).unwrap();
    assert_eq!(steps(folder.path()), [1, 3]);
}

#[test]
fn unusable_names_are_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut metrics = Metrics::open(folder.path(), None).unwrap();
    for values in [&[("step", 1.0)][..], &[("seconds", 1.0)], &[("loss", 1.0), ("loss", 2.0)]] {
        assert!(matches!(metrics.log(1, values), Err(MetricsError::Name(_))));
    }
    assert!(steps(folder.path()).is_empty());
}

#[test]
fn a_missing_file_is_an_error_to_read() {
    assert!(matches!(read(Path::new("absent.jsonl")), Err(MetricsError::FileSystem { .. })));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join(FILE_NAME)).unwrap();
    let mut metrics = Metrics::open(folder.path(), None).unwrap();
    let failure = metrics.log(1, &[("loss", 1.0)]).unwrap_err();
    assert!(failure.to_string().contains("space left"), "{failure}");
}
