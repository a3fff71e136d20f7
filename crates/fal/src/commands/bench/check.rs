//! Whether both sides compute the same: what one client learns in two local steps, from the same parameters on the same
//! batch and start of the ascent. All numbers are waves that `bench.py` makes in the same way.

use anyhow::{Context, ensure};
use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData};
use experiment::cli::{Failure, OrFailure};
use experiment::peer::Python;
use experiment::seed::Seed;
use inner_outer::tensors::Tensors;

use super::case::{CLASSES, Net, SHAPE};
use super::peer;

use crate::adversary::AdversaryConfig;
use crate::client::{ClientConfig, Encounter, client_update};
use crate::game::{AdversarialGame, Batch};
use crate::network::Network;
use crate::server::parameters::flatten_tensors;

/// The largest relative difference that counts as equal.
///
/// Of the ResNet's million rectified values a few lie within rounding of zero, and each that lies on the other side there takes
/// part in the gradient or not: a thousandth of it, and more after ten steps of signs. PyTorch is as far from itself in double precision
/// on some numbers. Another normalisation or shortcut is far beyond.
fn tolerance(network: Net) -> f64 {
    match network {
        Net::Mlp | Net::Cnn | Net::Lenet => 1e-4,
        Net::Resnet => 5e-2,
    }
}

const SAMPLES: usize = 32;
const STEPS: usize = 2;

/// How far our update is from PyTorch's, relative to its length.
///
/// # Errors
/// Failed: the script, or a difference beyond the tolerance.
pub(super) fn relative_difference(network: Net, python: &Python) -> Result<f64, Failure> {
    compare(&update(network).failed()?, &peer::update(python, network)?, tolerance(network))
        .with_context(|| format!("the update of the {network} is not that of PyTorch"))
        .failed()
}

/// The length of the difference over that of `theirs`, where it is within the tolerance.
fn compare(ours: &[f32], theirs: &[f32], tolerance: f64) -> anyhow::Result<f64> {
    ensure!(
        ours.len() == theirs.len(),
        "it has {} parameters and PyTorch's {}; the networks differ",
        ours.len(),
        theirs.len()
    );
    let difference = relative_distance(ours, theirs);
    ensure!(
        difference <= tolerance,
        "it differs by {difference:.1e}, more than {tolerance:.0e}; compare the losses of the steps"
    );
    Ok(difference)
}

/// The length of the difference over that of `theirs`.
pub(super) fn relative_distance(ours: &[f32], theirs: &[f32]) -> f64 {
    let length = |values: &mut dyn Iterator<Item = f32>| {
        values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt()
    };
    let apart = length(&mut ours.iter().zip(theirs).map(|(a, b)| a - b));
    apart / length(&mut theirs.iter().copied())
}

/// What the client learns, all parameters one after the other.
fn update(network: Net) -> inner_outer::Result<Vec<f32>> {
    let device = Default::default();
    let network = Network::<Flex>::new(&network.choice(), SHAPE, CLASSES, &Seed::new(0), &device)
        .expect("a network for these images");
    let start: Vec<_> = Tensors::of(&network).0.iter().enumerate().map(parameter).collect();
    let start = Tensors(start);
    let network = start.write(network);

    let (client, adversary) = (ClientConfig::default(), AdversaryConfig::default());
    let game = AdversarialGame::default();
    let elements = SAMPLES * SHAPE.pixels();
    let pixels: Vec<f32> = wave(elements, 0.0, 0.37).map(|x| 0.5 + 0.5 * x).collect();
    let change = wave(elements, 1.0, 1.3).map(|x| adversary.radius as f32 * x);
    let change: Vec<f32> =
        change.zip(&pixels).map(|(change, x)| change.clamp(-x, 1.0 - x)).collect();
    let labels: Vec<i32> = (0..SAMPLES).map(|sample| (sample % CLASSES) as i32).collect();
    let images = |values: &[f32]| {
        let sides = [SAMPLES, SHAPE.channels, SHAPE.height, SHAPE.width];
        Tensor::from_data(TensorData::new(values.to_vec(), sides), &device)
    };
    let batch = Batch {
        images: images(&pixels),
        labels: Tensor::from_data(TensorData::new(labels, [SAMPLES]), &device),
        start: images(&change),
        class_counts: Tensor::zeros([CLASSES], &device),
        clean: None,
    };
    let learned = client_update(&game, &network, &client, None, STEPS, |_, _| {
        Ok(Encounter {
            adversary: adversary.inner_loop(&pixels, SAMPLES)?,
            step_length: adversary.step,
            batch: batch.clone(),
        })
    })?;
    let pairs = flatten_tensors(&learned.weights).into_iter().zip(flatten_tensors(&start));
    Ok(pairs.map(|(after, before)| after - before).collect())
}

/// The values of a parameter, by its position.
fn parameter((index, like): (usize, &Tensor<Flex, 1>)) -> Tensor<Flex, 1> {
    let [length] = like.dims();
    let values: Vec<f32> = wave(length, index as f64, 0.7).map(|x| 0.1 * x).collect();
    Tensor::from_data(TensorData::new(values, [length]), &like.device())
}

/// `sin(offset + step i)` for `i` below `count`.
pub(super) fn wave(count: usize, offset: f64, step: f64) -> impl Iterator<Item = f32> {
    (0..count).map(move |i| (offset + step * i as f64).sin() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_nearly_equal_passes() {
        assert!(compare(&[3.0, 4.0], &[3.0, 4.0001], 1e-4).unwrap() < 3e-5);
        for (other, told) in [
            (vec![3.0, 4.1], "more than 1e-4"),
            (vec![3.0, f32::NAN], "more than 1e-4"),
            (vec![3.0], "the networks differ"),
        ] {
            let refused = compare(&[3.0, 4.0], &other, 1e-4).unwrap_err().to_string();
            assert!(refused.contains(told), "{refused}");
        }
    }

    #[test]
    fn clients_learn_something_from_the_waves() {
        for (network, parameters) in
            [(Net::Mlp, 199_210), (Net::Cnn, 166_406), (Net::Lenet, 61_706), (Net::Resnet, 77_754)]
        {
            let learned = update(network).unwrap();
            assert_eq!(learned.len(), parameters);
            let moved = learned.iter().filter(|change| **change != 0.0).count();
            assert!(moved > parameters / 2, "{moved} of {parameters}");
            assert!(learned.iter().all(|change| change.is_finite()));
        }
    }
}
