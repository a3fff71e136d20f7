use burn::backend::Flex;
use burn::tensor::Tensor;
use experiment::seed::Seed;
use inner_outer::tensors::{Tensors, to_f64};
use inner_outer::{Schedule, Threads};

use super::*;
use crate::clip::TrainingScenes;
use crate::inverse_dynamics::tests::clips;
use crate::model::LatentShape;
use crate::tiny;

fn config(factor: usize) -> AutoencoderConfig {
    AutoencoderConfig {
        height: 16,
        width: 8,
        factor,
        channels: 2,
        hidden: 12,
        blocks: 1,
        kl_weight: 1e-4,
    }
}

fn autoencoder(factor: usize) -> Autoencoder<Flex> {
    Autoencoder::new(&config(factor), &Seed::new(1), &Default::default()).unwrap()
}

/// Smooth pictures whose colours and slopes differ.
fn frames(batch: usize, count: usize, seed: usize) -> Tensor<Flex, 5> {
    let shape = [batch, count, 16, 8, 3];
    let value = |index: usize| {
        let (image, pixel, colour) = (index / 384, index / 3 % 128, index % 3);
        let (row, column) = (pixel / 8, pixel % 8);
        let phase = (image + seed) as f64 * 1.3 + colour as f64;
        let wave = (phase + row as f64 * 0.3).sin() * (phase * 0.7 + column as f64 * 0.2).cos();
        ((wave + 1.0) * 127.0) as u8
    };
    let pixels: Vec<u8> = (0..shape.iter().product()).map(value).collect();
    frames_from_pixels(&pixels, shape, &Default::default()).unwrap()
}

fn images(seed: usize) -> Tensor<Flex, 4> {
    frames(4, 1, seed).reshape([4, 16, 8, 3])
}

fn trainer(factor: usize) -> AutoencoderTrainer<Flex> {
    let rate = Schedule::constant(5e-3);
    AutoencoderTrainer::new(autoencoder(factor), 1e-4, rate, Seed::new(2))
}

fn train(trainer: &mut AutoencoderTrainer<Flex>, steps: usize) -> Vec<f64> {
    let one = |_| {
        let first = 8 * (trainer.steps_taken() % 3);
        trainer.step(&[images(first), images(first + 4)]).unwrap().outer_loss
    };
    (0..steps).map(one).collect()
}

#[test]
fn shapes_go_there_and_back() {
    for (factor, latent) in [(4, [4, 2]), (8, [2, 1])] {
        let autoencoder = autoencoder(factor);
        let latents = autoencoder.encode(frames(2, 3, 0)).unwrap();
        assert_eq!(latents.dims(), [2, 3, 2, latent[0], latent[1]]);
        assert_eq!(autoencoder.decode(latents).unwrap().dims(), [2, 3, 16, 8, 3]);
        let [height, width] = latent;
        assert_eq!(config(factor).latent(), LatentShape { channels: 2, height, width });
        assert_eq!(autoencoder.latent(), config(factor).latent());
    }
}

#[test]
fn patches_are_squares_of_pixels() {
    let autoencoder = autoencoder(4);
    let images = images(0);
    let patches = autoencoder.patches(images.clone());
    assert_eq!(patches.dims(), [4 * 8, 48]);
    // The second patch of the second row of patches of the first image.
    let square = images.slice([0..1, 4..8, 4..8, 0..3]);
    assert_eq!(to_f64(&patches.narrow(0, 3, 1)), to_f64(&square));
}

#[test]
fn training_learns_to_reconstruct() {
    for factor in [4, 8] {
        let mut trainer = trainer(factor);
        let seen = frames(8, 1, 0);
        let error = |autoencoder: &Autoencoder<Flex>| {
            let found = autoencoder.decode(autoencoder.encode(seen.clone()).unwrap()).unwrap();
            to_f64(&(found - seen.clone()).powi_scalar(2).mean())[0]
        };
        let before = error(trainer.autoencoder());
        train(&mut trainer, 60);
        let after = error(trainer.autoencoder());
        assert!(after < 0.3 * before, "factor {factor}: from {before} to {after}");
    }
}

#[test]
fn measured_latents_have_mean_zero_and_deviation_one() {
    let mut trainer = trainer(8);
    train(&mut trainer, 10);
    let before = trainer.autoencoder().clone();
    let all = frames(6, 2, 0);
    let measured = before.clone().measured(all.clone()).unwrap();
    let latents = measured.encode(all.clone()).unwrap().permute([2, 0, 1, 3, 4]).reshape([2, 24]);
    for channel in to_f64(&latents).chunks(24) {
        let mean = channel.iter().sum::<f64>() / 24.0;
        let variance = channel.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 24.0;
        assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-4, "{mean} {variance}");
    }
    // Measured again it is the same, and frames decode to the same pixels as before.
    let again = measured.clone().measured(all.clone()).unwrap();
    assert_eq!(to_f64(&again.deviation.val()), to_f64(&measured.deviation.val()));
    let decoded = |autoencoder: &Autoencoder<Flex>| {
        to_f64(&autoencoder.decode(autoencoder.encode(all.clone()).unwrap()).unwrap())
    };
    for (found, expected) in decoded(&measured).iter().zip(decoded(&before)) {
        assert!((found - expected).abs() < 1e-4);
    }
    // Training leaves the scale alone.
    let mut trainer =
        AutoencoderTrainer::new(measured.clone(), 1e-4, Schedule::default(), Seed::new(1));
    train(&mut trainer, 1);
    assert_eq!(to_f64(&trainer.autoencoder().mean.val()), to_f64(&measured.mean.val()));
}

#[test]
fn a_resumed_training_goes_on_bit_for_bit_on_any_threads() {
    let mut whole = trainer(8);
    train(&mut whole, 2);
    let state = whole.state().unwrap();
    let resumed = trainer(8).with_state(&state, &Default::default()).unwrap();
    let mut resumed = resumed.with_threads(Threads::new(1));
    assert_eq!(train(&mut whole, 2), train(&mut resumed, 2));
    let values = |trainer: &AutoencoderTrainer<Flex>| Tensors::of(trainer.autoencoder()).to_f64();
    assert_eq!(values(&whole), values(&resumed));
    let other = trainer(4).with_state(&state, &Default::default());
    assert!(matches!(other, Err(AutoencoderError::State(_))));
}

#[test]
fn a_saved_autoencoder_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(AUTOENCODER_FILE);
    let saved = tiny::shaken(autoencoder(8), 0.1, 1);
    save_autoencoder(&saved, &config(8), None, &path).unwrap();
    let (read, of, _) = load_autoencoder::<Flex>(&path, &Default::default()).unwrap();
    assert_eq!((Tensors::of(&read).to_f64(), of), (Tensors::of(&saved).to_f64(), config(8)));
    let (of_folder, ..) = load_autoencoder::<Flex>(folder.path(), &Default::default()).unwrap();
    assert_eq!(Tensors::of(&of_folder).to_f64(), Tensors::of(&saved).to_f64());
    let whole = std::fs::read(&path).unwrap();
    let refused = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        load_autoencoder::<Flex>(&path, &Default::default()).unwrap_err()
    };
    for length in (0..whole.len()).step_by(whole.len() / 30) {
        assert!(matches!(refused(&whole[..length]), AutoencoderError::Damaged { .. }));
    }
    let plain = inner_outer::named_tensors::write(&[]).unwrap();
    assert!(refused(&plain).to_string().contains("no autoencoder"));
    save_autoencoder(&saved, &config(4), None, &path).unwrap();
    let mixed = load_autoencoder::<Flex>(&path, &Default::default()).unwrap_err();
    assert!(matches!(mixed, AutoencoderError::Damaged { .. }), "{mixed}");
    let nowhere = folder.path().join("no/folder");
    let absent = load_autoencoder::<Flex>(&nowhere, &Default::default()).unwrap_err();
    assert!(matches!(absent, AutoencoderError::Access { .. }));
    let refused = save_autoencoder(&saved, &config(8), None, &nowhere).unwrap_err();
    assert!(matches!(refused, AutoencoderError::Access { .. }));
}

#[test]
fn a_saved_autoencoder_names_its_scenes_and_an_older_one_does_not_tell() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(AUTOENCODER_FILE);
    let scenes = TrainingScenes::of(&clips(&folder.path().join("clips")), [0, 1]).unwrap();
    for trained_on in [Some(scenes), Some(TrainingScenes::default()), None] {
        save_autoencoder(&autoencoder(8), &config(8), trained_on.as_ref(), &path).unwrap();
        let (_, of, read) = load_autoencoder::<Flex>(&path, &Default::default()).unwrap();
        assert_eq!((of, read), (config(8), trained_on));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let check = |config: AutoencoderConfig| config.check().unwrap_err().to_string();
    let fits = config(8);
    assert!(check(AutoencoderConfig { factor: 5, ..fits }).contains("4 or 8"));
    assert!(check(AutoencoderConfig { width: 12, ..fits }).contains("16x12"));
    assert!(check(AutoencoderConfig { channels: 0, ..fits }).contains("autoencoder.channels"));
    assert!(check(AutoencoderConfig { kl_weight: -1.0, ..fits }).contains("kl_weight"));
    let most = i64::MAX as usize;
    for (large, named) in [
        (AutoencoderConfig { hidden: 1_000_000, ..fits }, "`autoencoder.hidden` = 1000000"),
        (AutoencoderConfig { hidden: most, ..fits }, "`autoencoder.hidden` = "),
        (AutoencoderConfig { channels: most, ..fits }, "`autoencoder.channels` = "),
        (AutoencoderConfig { blocks: 1_000_000_000, ..fits }, "`autoencoder.blocks` is "),
        (AutoencoderConfig { height: 1 << 62, ..fits }, "`autoencoder.height` is "),
    ] {
        let refused = large.check().unwrap_err();
        assert!(matches!(refused, AutoencoderError::TooLarge(_)), "{refused}");
        assert!(refused.to_string().contains(named), "{refused}");
    }
    let autoencoder = autoencoder(8);
    let frames = Tensor::<Flex, 5>::zeros([1, 1, 8, 8, 3], &Default::default());
    let refused = autoencoder.encode(frames.clone()).unwrap_err();
    assert!(matches!(refused, AutoencoderError::Shape { what: "frames", .. }));
    let refused = autoencoder.decode(frames.clone()).unwrap_err();
    assert!(matches!(refused, AutoencoderError::Shape { what: "latents", .. }));
    let refused = trainer(8).step(&[frames.reshape([1, 8, 8, 3])]).unwrap_err();
    assert!(matches!(refused, AutoencoderError::Shape { what: "images", .. }));
    let refused = trainer(8).step(&[]).unwrap_err();
    assert!(matches!(refused, AutoencoderError::Learning { step: 0, .. }));
    let same = Tensor::<Flex, 5>::zeros([1, 1, 16, 8, 3], &Default::default());
    let flat = Tensors(Tensors::of(&autoencoder).0.iter().map(Tensor::zeros_like).collect());
    let collapsed = flat.write(autoencoder).measured(same).unwrap_err();
    assert!(matches!(collapsed, AutoencoderError::Collapsed { channel: 0, .. }));
}
