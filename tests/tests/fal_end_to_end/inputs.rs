//! Runs that are resumed with the images they began with, and not with others.

use std::fs;
use std::path::Path;

use super::{FAL, train};

const COUNT: usize = 24;
const SIDE: usize = 4;

/// Four idx files of images whose `brightest` pixel of two tells the class.
fn write_images(folder: &Path, brightest: u8) {
    fs::create_dir_all(folder).unwrap();
    let head = |kind: u8, lengths: &[usize]| {
        let lengths = lengths.iter().flat_map(|length| (*length as u32).to_be_bytes());
        [0, 0, 8, kind].into_iter().chain(lengths).collect::<Vec<u8>>()
    };
    let pixel = |image: usize, at: usize| match at == image % 2 {
        true => brightest,
        false => (image * 7 % 50) as u8,
    };
    for part in ["train", "t10k"] {
        let pixels = (0..COUNT).flat_map(|image| (0..SIDE * SIDE).map(move |at| pixel(image, at)));
        let images = [head(3, &[COUNT, SIDE, SIDE]), pixels.collect()].concat();
        fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        let labels = [head(1, &[COUNT]), (0..COUNT).map(|image| (image % 2) as u8).collect()];
        fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels.concat()).unwrap();
    }
}

#[test]
fn a_run_goes_on_from_anywhere_and_only_with_its_own_images() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_images(&here.join("images"), 250);
    FAL.run(here, train("run", 2, &["--data", "images"]));
    let run = here.join("run");
    let resume = ["train", "--resume", "--out", run.to_str().unwrap()];
    let elsewhere = tempfile::tempdir().unwrap();
    let results = fs::read(run.join("results.json")).unwrap();
    FAL.run(elsewhere.path(), resume);
    assert_eq!(fs::read(run.join("results.json")).unwrap(), results);

    write_images(&here.join("images"), 251);
    let other = FAL.failure(here, resume, 2);
    assert!(other.contains("other data") && other.contains("another --out"), "{other}");
    write_images(&here.join("images"), 250);
    FAL.run(here, resume);
}
