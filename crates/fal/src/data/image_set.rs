//! Labelled images of one shape.

use std::fmt;

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Int, Tensor, TensorData};
use experiment::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};

use super::DataError;

/// What an image is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageShape {
    /// 1 for grey, 3 for colour.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl ImageShape {
    /// Pixels of one image, all channels together.
    pub fn pixels(&self) -> usize {
        self.channels * self.height * self.width
    }
}

impl fmt::Display for ImageShape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// Images with pixels from 0 to 1, each with the number of its class.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSet {
    name: String,
    shape: ImageShape,
    pixels: Vec<f32>,
    labels: Vec<u8>,
    class_names: Vec<String>,
}

/// Images to learn from, and images to judge by.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// To learn from.
    pub train: ImageSet,
    /// To judge by.
    pub test: ImageSet,
}

impl ImageSet {
    /// A set from `pixels`, `[images, channels, height, width]` in row-major order from 0 to 1, and one label an image.
    ///
    /// # Errors
    /// [`DataError::Empty`], [`DataError::Pixels`], [`DataError::Pixel`], [`DataError::Classes`] for less than 2 of them, and
    /// [`DataError::Label`] for what does not fit.
    pub fn new(
        name: impl Into<String>,
        shape: ImageShape,
        pixels: Vec<f32>,
        labels: Vec<u8>,
        class_names: Vec<String>,
    ) -> Result<Self, DataError> {
        let set = Self { name: name.into(), shape, pixels, labels, class_names };
        set.check()?;
        Ok(set)
    }

    fn check(&self) -> Result<(), DataError> {
        let set = || self.name.clone();
        let (images, found) = (self.labels.len(), self.pixels.len());
        if found != images * self.shape.pixels() {
            return Err(DataError::Pixels { set: set(), images, shape: self.shape, found });
        }
        if found == 0 {
            return Err(DataError::Empty { set: set() });
        }
        if let Some(at) = self.pixels.iter().position(|pixel| !(0.0..=1.0).contains(pixel)) {
            let (index, value) = (at / self.shape.pixels(), self.pixels[at]);
            return Err(DataError::Pixel { set: set(), index, value });
        }
        let classes = self.classes();
        if classes < 2 {
            return Err(DataError::Classes { set: set(), found: classes });
        }
        match self.labels.iter().position(|label| usize::from(*label) >= classes) {
            Some(index) => {
                Err(DataError::Label { set: set(), index, label: self.labels[index], classes })
            }
            None => Ok(()),
        }
    }

    /// What the set is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shape of every image.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images; never, as [`Self::new`] refuses that.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.class_names.len()
    }

    /// What the classes are called.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The class of each image, from 0.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// All pixels, `[images, channels, height, width]` in row-major order, from 0 to 1.
    pub fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    /// The pixels of one image, `[channels, height, width]`.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn image(&self, index: usize) -> &[f32] {
        let size = self.shape.pixels();
        &self.pixels[index * size..(index + 1) * size]
    }

    /// Images `[batch, channels, height, width]` and their classes `[batch]`.
    ///
    /// # Panics
    /// If one of `indices` is no image of the set.
    pub fn batch<B: Backend>(
        &self,
        indices: &[usize],
        device: &Device<B>,
    ) -> (Tensor<B, 4>, Tensor<B, 1, Int>) {
        let ImageShape { channels, height, width } = self.shape;
        let mut pixels = Vec::with_capacity(indices.len() * self.shape.pixels());
        indices.iter().for_each(|index| pixels.extend_from_slice(self.image(*index)));
        let labels: Vec<i32> = indices.iter().map(|index| self.labels[*index].into()).collect();
        let images = TensorData::new(pixels, [indices.len(), channels, height, width]);
        let labels = TensorData::new(labels, [indices.len()]);
        (Tensor::from_data(images, device), Tensor::from_data(labels, device))
    }

    /// The set of the images at `indices`, in that order.
    ///
    /// # Errors
    /// [`DataError::Empty`] without indices.
    ///
    /// # Panics
    /// If one of `indices` is no image of the set.
    pub fn subset(&self, indices: &[usize]) -> Result<Self, DataError> {
        let pixels = indices.iter().flat_map(|index| self.image(*index)).copied().collect();
        let labels = indices.iter().map(|index| self.labels[*index]).collect();
        Self::new(self.name.clone(), self.shape, pixels, labels, self.class_names.clone())
    }

    /// The first `count` images, or all if there are fewer.
    ///
    /// # Errors
    /// [`DataError::Empty`] for none.
    pub fn first(&self, count: usize) -> Result<Self, DataError> {
        self.subset(&(0..self.len().min(count)).collect::<Vec<_>>())
    }

    /// The set with other labels, such as those of a client that lies.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_labels(self, labels: Vec<u8>) -> Result<Self, DataError> {
        Self::new(self.name, self.shape, self.pixels, labels, self.class_names)
    }

    /// Which images these are, by their shape, pixels, labels and names of classes; what the set is called does not count.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_stream(|add| {
            add(self.shape.to_string().as_bytes());
            let all = 0..self.len();
            all.for_each(|index| add(&bytes(self.image(index))));
            add(&self.labels);
            self.class_names.iter().for_each(|name| add(name.as_bytes()));
        })
    }

    /// Images of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes()];
        self.labels.iter().for_each(|label| counts[usize::from(*label)] += 1);
        counts
    }
}

impl Split {
    /// Which images these are, to learn from and to judge by.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_all(&[self.train.fingerprint(), self.test.fingerprint()])
    }
}

/// The same on every machine.
fn bytes(pixels: &[f32]) -> Vec<u8> {
    pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;

    const SHAPE: ImageShape = ImageShape { channels: 1, height: 1, width: 2 };

    fn names() -> Vec<String> {
        vec!["cat".into(), "dog".into()]
    }

    fn set() -> ImageSet {
        let pixels = vec![0.0, 0.1, 0.2, 0.3, 0.4, 0.5];
        ImageSet::new("pets", SHAPE, pixels, vec![0, 1, 1], names()).unwrap()
    }

    #[test]
    fn a_batch_has_the_images_in_the_order_asked_for() {
        let (images, labels) = set().batch::<Flex>(&[2, 0, 2], &Default::default());
        assert_eq!(images.dims(), [3, 1, 1, 2]);
        assert_eq!(images.to_data().to_vec::<f32>().unwrap(), [0.4, 0.5, 0.0, 0.1, 0.4, 0.5]);
        assert_eq!(labels.to_data().convert::<i64>().to_vec::<i64>().unwrap(), [1, 0, 1]);
    }

    #[test]
    fn a_subset_keeps_the_classes() {
        let subset = set().subset(&[2]).unwrap();
        assert_eq!((subset.len(), subset.classes(), subset.image(0)), (1, 2, &[0.4, 0.5][..]));
        assert_eq!((subset.class_counts(), set().class_counts()), (vec![0, 1], vec![1, 2]));
        assert_eq!(set().first(2).unwrap().labels(), [0, 1]);
        assert_eq!(set().first(9).unwrap(), set());
        assert!(matches!(set().first(0), Err(DataError::Empty { .. })));
        assert_eq!(set().with_labels(vec![1, 1, 1]).unwrap().labels(), [1, 1, 1]);
    }

    #[test]
    fn anything_but_the_name_makes_other_images() {
        let one = set().fingerprint();
        let make = |shape, pixels: [f32; 6], labels: [u8; 3], names: Vec<String>| {
            let set = ImageSet::new("animals", shape, pixels.into(), labels.into(), names);
            set.unwrap().fingerprint()
        };
        let pixels = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5];
        assert_eq!(make(SHAPE, pixels, [0, 1, 1], names()), one);
        let upright = ImageShape { height: 2, width: 1, ..SHAPE };
        assert_ne!(make(upright, pixels, [0, 1, 1], names()), one);
        assert_ne!(make(SHAPE, [0.0, 0.1, 0.2, 0.3, 0.4, 0.6], [0, 1, 1], names()), one);
        assert_ne!(make(SHAPE, pixels, [1, 1, 1], names()), one);
        assert_ne!(make(SHAPE, pixels, [0, 1, 1], vec!["cat".into(), "cow".into()]), one);
        let exchanged = |train, test| Split { train, test }.fingerprint();
        let fewer = set().first(2).unwrap();
        assert_ne!(exchanged(set(), fewer.clone()), exchanged(fewer, set()));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let make = |pixels: Vec<f32>, labels| ImageSet::new("pets", SHAPE, pixels, labels, names());
        assert!(matches!(make(vec![], vec![]), Err(DataError::Empty { .. })));
        assert!(matches!(make(vec![0.0; 3], vec![0]), Err(DataError::Pixels { found: 3, .. })));
        let label = make(vec![0.0; 4], vec![0, 2]).unwrap_err();
        assert!(matches!(label, DataError::Label { index: 1, label: 2, classes: 2, .. }));
        assert!(label.to_string().contains("classes are 0 to 1"));
        for value in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
            let refused = make(vec![0.0, 0.0, 0.0, value], vec![0, 0]);
            assert!(matches!(refused, Err(DataError::Pixel { index: 1, .. })));
        }
    }
}
