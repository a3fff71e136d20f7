//! Images in the memory of the host, where attacks move them point by point.
//!
//! An attack treats every image by itself: its own step size, its own random stream, its own moment to stop. That is
//! scalar code, so images live here as plain numbers and visit the backend only to be scored.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use experiment::seed::Seed;
use rand::seq::index;

use super::AttackError;

/// Images of one size, `[images, channels, height, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Images {
    pixels: Vec<f32>,
    size: Size,
}

/// The size of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Colour channels.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
}

impl Size {
    /// Numbers in one image.
    pub fn elements(&self) -> usize {
        self.channels * self.height * self.width
    }
}

impl Images {
    /// Puts images of one `size` together.
    pub fn gather<'a>(size: Size, rows: impl IntoIterator<Item = &'a [f32]>) -> Self {
        let pixels = rows.into_iter().flatten().copied().collect();
        Self { pixels, size }
    }

    /// Copies `[images, channels, height, width]` from the backend.
    pub fn from_tensor<B: Backend>(images: Tensor<B, 4>) -> Self {
        let [_, channels, height, width] = images.dims();
        let pixels = images.into_data().convert::<f32>().into_vec();
        let pixels = pixels.expect("data was just converted to f32");
        Self { pixels, size: Size { channels, height, width } }
    }

    /// Copies the images to the backend: `[images, channels, height, width]`.
    pub fn to_tensor<B: Backend>(&self, device: &B::Device) -> Tensor<B, 4> {
        let Size { channels, height, width } = self.size;
        let shape = [self.len(), channels, height, width];
        Tensor::from_data(TensorData::new(self.pixels.clone(), shape), device)
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.size.elements().max(1)
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The size of each image.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Image number `index`: its pixels by channel, row and column.
    ///
    /// # Panics
    /// If there are fewer images.
    pub fn get(&self, index: usize) -> &[f32] {
        let elements = self.size.elements();
        &self.pixels[index * elements..(index + 1) * elements]
    }

    /// Replaces image number `index`.
    ///
    /// # Panics
    /// If there are fewer images, or `image` has another size.
    pub fn set(&mut self, index: usize, image: &[f32]) {
        let elements = self.size.elements();
        self.pixels[index * elements..(index + 1) * elements].copy_from_slice(image);
    }

    /// The images one by one.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.pixels.chunks_exact(self.size.elements().max(1))
    }

    /// The images at `indices`, in that order.
    ///
    /// # Panics
    /// If there are fewer images.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self::gather(self.size, indices.iter().map(|&index| self.get(index)))
    }
}

/// Images with their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    images: Images,
    labels: Vec<usize>,
}

impl Samples {
    /// Images with one label each.
    ///
    /// # Errors
    /// [`AttackError::NoSamples`] and [`AttackError::LabelCount`].
    pub fn new(images: Images, labels: Vec<usize>) -> Result<Self, AttackError> {
        if images.is_empty() {
            return Err(AttackError::NoSamples);
        }
        if images.len() != labels.len() {
            return Err(AttackError::LabelCount { images: images.len(), labels: labels.len() });
        }
        Ok(Self { images, labels })
    }

    /// `images: [images, channels, height, width]` with one label each.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn from_tensor<B: Backend>(
        images: Tensor<B, 4>,
        labels: Vec<usize>,
    ) -> Result<Self, AttackError> {
        Self::new(Images::from_tensor(images), labels)
    }

    /// The images.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// The label of each image.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Number of samples, at least one.
    #[expect(clippy::len_without_is_empty, reason = "samples are never empty")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// `count` of the samples in random order, or all if there are fewer; at least one. The first ones might be of one class.
    #[must_use]
    pub fn drawn(&self, count: usize, seed: &Seed) -> Self {
        let count = count.clamp(1, self.len());
        let indices = index::sample(&mut seed.rng(), self.len(), count).into_vec();
        let labels = indices.iter().map(|&index| self.labels[index]).collect();
        Self { images: self.images.select(&indices), labels }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;

    fn images() -> Images {
        let pixels = Tensor::<Flex, 1>::from_floats([1., 2., 3., 4., 5., 6.], &Default::default());
        Images::from_tensor(pixels.reshape([3, 1, 1, 2]))
    }

    #[test]
    fn images_survive_the_way_to_the_backend_and_back() {
        let there = images().to_tensor::<Flex>(&Default::default());
        assert_eq!(there.dims(), [3, 1, 1, 2]);
        assert_eq!(Images::from_tensor(there), images());
    }

    #[test]
    fn images_are_selected_and_replaced() {
        let mut chosen = images().select(&[2, 0]);
        assert_eq!((chosen.get(0), chosen.get(1)), (&[5., 6.][..], &[1., 2.][..]));
        chosen.set(1, &[7., 8.]);
        assert_eq!(chosen.iter().last(), Some(&[7., 8.][..]));
        assert_eq!(
            (chosen.len(), chosen.is_empty(), images().select(&[]).is_empty()),
            (2, false, true)
        );
    }

    #[test]
    fn samples_need_images_and_as_many_labels() {
        assert_eq!(Samples::new(images().select(&[]), vec![]), Err(AttackError::NoSamples));
        let failure = Samples::new(images(), vec![0]).unwrap_err();
        assert_eq!(failure, AttackError::LabelCount { images: 3, labels: 1 });
    }

    #[test]
    fn draws_keep_images_with_their_labels_and_see_every_sample() {
        let samples = Samples::new(images(), vec![0, 1, 2]).unwrap();
        let mut seen = [false; 3];
        for seed in 0..20 {
            let drawn = samples.drawn(2, &Seed::new(seed));
            assert_eq!(drawn.len(), 2);
            assert_ne!(drawn.labels()[0], drawn.labels()[1]);
            for (image, &label) in drawn.images().iter().zip(drawn.labels()) {
                assert_eq!(image, samples.images().get(label));
                seen[label] = true;
            }
        }
        assert_eq!(seen, [true; 3]);
        let counts = [0, 9].map(|count| samples.drawn(count, &Seed::new(1)).len());
        assert_eq!(counts, [1, 3]);
    }
}
