//! The measures against OpenCV, PySceneDetect, scikit-image and SciPy: see `tests/golden/slowfast_metrics/make.py`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use approx::assert_relative_eq;
use safetensors::SafeTensors;
use serde::Deserialize;

use super::hsv::hsv;
use super::scene_cuts::changes;
use super::*;

#[derive(Deserialize)]
struct Golden {
    cuts: BTreeMap<String, Vec<usize>>,
    scores: Scores,
    pairs: Vec<Pair>,
    frechet: Frechet,
}

#[derive(Deserialize)]
struct Scores {
    clip: String,
    values: Vec<f64>,
}

#[derive(Deserialize)]
struct Pair {
    first: String,
    second: String,
    frames: usize,
    psnr: f64,
    ssim: f64,
}

#[derive(Deserialize)]
struct Frechet {
    first: Vec<Vec<f64>>,
    second: Vec<Vec<f64>>,
    distance: f64,
}

fn file(name: &str) -> Vec<u8> {
    let folder = "../../tests/golden/slowfast_metrics";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder).join(name);
    std::fs::read(&path).unwrap_or_else(|failure| panic!("{}: {failure}", path.display()))
}

fn golden() -> Golden {
    serde_json::from_slice(&file("golden.json")).unwrap()
}

/// Calls `check` with the bytes and the shape of a tensor.
fn with_tensor(name: &str, check: impl FnOnce(&[u8], &[usize])) {
    let bytes = file("clips.safetensors");
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = tensors.tensor(name).unwrap();
    check(tensor.data(), tensor.shape());
}

fn with_video(name: &str, check: impl FnOnce(Video<'_>)) {
    with_tensor(name, |bytes, shape| check(Video::new(bytes, shape[1], shape[2]).unwrap()));
}

#[test]
fn colours_are_those_of_opencv() {
    with_tensor("hsv.colours", |colours, _| {
        with_tensor("hsv.values", |values, _| {
            let pairs = colours.as_chunks::<3>().0.iter().zip(values.as_chunks::<3>().0);
            for (colour, expected) in pairs {
                assert_eq!(hsv(*colour), *expected, "{colour:?}");
            }
        });
    });
}

#[test]
fn cuts_are_those_of_pyscenedetect() {
    let cuts = golden().cuts;
    assert!(cuts.len() >= 7 && cuts.values().any(|cuts| cuts.len() > 2));
    for (name, expected) in cuts {
        with_video(&name, |video| {
            assert_eq!(AdaptiveDetector::default().cuts(video), expected, "{name}");
            assert_eq!(scene_cuts(video), expected.len());
        });
    }
}

#[test]
fn scores_of_frames_are_those_of_pyscenedetect() {
    let Scores { clip, values } = golden().scores;
    with_video(&clip, |video| {
        let found = changes(video);
        assert_eq!(found.len(), values.len());
        for (found, expected) in found.iter().zip(&values) {
            assert_relative_eq!(found, expected, max_relative = 1e-12);
        }
    });
}

#[test]
fn similarities_are_those_of_scikit_image() {
    for Pair { first, second, frames, psnr: decibels, ssim } in golden().pairs {
        with_video(&first, |one| {
            with_video(&second, |other| {
                let (one, other) = (beginning(one, frames), beginning(other, frames));
                let video = |bytes| Video::new(bytes, 14, 18).unwrap();
                let (one, other) = (video(&one), video(&other));
                let similarity = structural_similarity(one, other).unwrap();
                assert_relative_eq!(similarity, ssim, max_relative = 1e-10);
                assert_relative_eq!(psnr(one, other).unwrap(), decibels, max_relative = 1e-12);
            });
        });
    }
}

fn beginning(video: Video<'_>, frames: usize) -> Vec<u8> {
    video.frames().take(frames).flatten().copied().collect()
}

#[test]
fn distances_are_those_of_scipy() {
    let Frechet { first, second, distance } = golden().frechet;
    let (first, second) = (Gaussian::of(&first).unwrap(), Gaussian::of(&second).unwrap());
    let found = frechet_distance(&first, &second).unwrap();
    assert_relative_eq!(found, distance, max_relative = 1e-9);
}
