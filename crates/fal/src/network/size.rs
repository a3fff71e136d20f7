//! How many parameters a network has, before any is drawn.

use super::{NetworkChoice, cnn, lenet, resnet};
use crate::data::ImageShape;

/// Number of parameters of `choice` for these images. Settings may be anything, so it is a float that cannot overflow; it is
/// exact for every network that fits into memory.
pub(super) fn parameters(choice: &NetworkChoice, shape: ImageShape, classes: usize) -> f64 {
    match choice {
        NetworkChoice::Mlp { hidden } => {
            let pixels = shape.channels as f64 * shape.height as f64 * shape.width as f64;
            let before = [pixels].into_iter().chain(hidden.iter().map(|width| *width as f64));
            let after = hidden.iter().chain([&classes]);
            before.zip(after).map(|(from, to)| layer(from, *to)).sum()
        }
        NetworkChoice::Lenet => {
            let pixels = 16.0 * lenet::left(shape.height) as f64 * lenet::left(shape.width) as f64;
            let convolutions = layer(25.0 * shape.channels as f64, 6) + layer(25.0 * 6.0, 16);
            convolutions + layer(pixels, 120) + layer(120.0, 84) + layer(84.0, classes)
        }
        NetworkChoice::Cnn { channels, hidden } => {
            let before = [shape.channels].into_iter().chain(channels.iter().copied());
            let convolutions: f64 =
                before.zip(channels).map(|(from, to)| layer(16.0 * from as f64, *to)).sum();
            let left = |length| channels.iter().fold(length, |length, _| cnn::left(length)) as f64;
            let last = channels.last().copied().unwrap_or(shape.channels) as f64;
            let features = last * left(shape.height) * left(shape.width);
            convolutions + layer(features, *hidden) + layer(*hidden as f64, classes)
        }
        NetworkChoice::Resnet { width, blocks, .. } => {
            let (width, blocks) = (*width as f64, *blocks as f64);
            let stem = (9.0 * shape.channels as f64 + NORM) * width;
            let mut before = width;
            let stages = (0..resnet::STAGES as i32).map(|stage| {
                let wide = width * 2.0_f64.powi(stage);
                let from = std::mem::replace(&mut before, wide);
                let shortcut = if stage == 0 { 0.0 } else { (from + NORM) * wide };
                let first = (9.0 * from + NORM + 9.0 * wide + NORM) * wide + shortcut;
                first + (blocks - 1.0) * (18.0 * wide + 2.0 * NORM) * wide
            });
            let stages: f64 = stages.sum();
            stem + stages + layer(before, classes)
        }
    }
}

/// Scale and shift of a channel.
const NORM: f64 = 2.0;

/// Weights and biases of `outputs` neurons.
fn layer(inputs: f64, outputs: usize) -> f64 {
    (inputs + 1.0) * outputs as f64
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::module::Module;
    use experiment::seed::Seed;

    use super::*;
    use crate::network::Network;

    #[test]
    fn the_count_is_that_of_the_network_itself() {
        let images = [
            ImageShape { channels: 1, height: 28, width: 28 },
            ImageShape { channels: 3, height: 33, width: 18 },
        ];
        for choice in [
            NetworkChoice::Mlp { hidden: vec![] },
            NetworkChoice::Mlp { hidden: vec![7, 5] },
            NetworkChoice::Lenet,
            NetworkChoice::Cnn { channels: vec![], hidden: 3 },
            NetworkChoice::Cnn { channels: vec![4, 6], hidden: 9 },
            NetworkChoice::Resnet { width: 4, blocks: 1, groups: 2 },
            NetworkChoice::Resnet { width: 4, blocks: 3, groups: 2 },
        ] {
            for shape in images {
                let device = Default::default();
                let network =
                    Network::<Flex>::new(&choice, shape, 10, &Seed::new(0), &device).unwrap();
                let counted = parameters(&choice, shape, 10);
                assert_eq!(counted, network.num_params() as f64, "{choice:?} on {shape}");
            }
        }
    }
}
