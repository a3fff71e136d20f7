//! What a set holds and how it is divided, as text or JSON.

use std::fmt;

use serde::Serialize;

use crate::data::{DataChoice, ImageSet, ImageShape, Split};
use crate::partition::Partition;

/// How far the files can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Checked {
    BuiltIn,
    Originals,
    Structure,
}

impl Checked {
    fn of(choice: DataChoice, set: &ImageSet) -> Self {
        match choice {
            DataChoice::Digits => Self::BuiltIn,
            DataChoice::FashionMnist | DataChoice::Mnist => Self::Originals,
            DataChoice::Cifar10 => Self::Structure,
            // A folder of a known set is recognised, and takes its name.
            DataChoice::Folder if ["Fashion-MNIST", "MNIST"].contains(&set.name()) => {
                Self::Originals
            }
            DataChoice::Folder | DataChoice::Derived => Self::Structure,
        }
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::BuiltIn => "built in",
            Self::Originals => "the originals, by their SHA-256",
            Self::Structure => "no known checksums; sizes, labels and pixels are valid",
        })
    }
}

/// A class and how many images there are of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Class {
    name: String,
    train: usize,
    test: usize,
}

/// What a client has.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Client {
    samples: usize,
    /// Samples of each class.
    classes: Vec<usize>,
}

/// A set and its division.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Inspection {
    name: String,
    checked: Checked,
    shape: ImageShape,
    /// Images to learn from and to judge by.
    images: [usize; 2],
    classes: Vec<Class>,
    clients: Vec<Client>,
    label_skew: f64,
    quantity_skew: f64,
}

impl Inspection {
    pub(super) fn of(choice: DataChoice, split: &Split, partition: &Partition) -> Self {
        let Split { train, test } = split;
        let counts = train.class_counts().into_iter().zip(test.class_counts());
        let class = |(name, (train, test)): (&String, (usize, usize))| Class {
            name: name.clone(),
            train,
            test,
        };
        let client =
            |(samples, classes): (usize, &Vec<usize>)| Client { samples, classes: classes.clone() };
        Self {
            name: train.name().to_owned(),
            checked: Checked::of(choice, train),
            shape: train.shape(),
            images: [train.len(), test.len()],
            classes: train.class_names().iter().zip(counts).map(class).collect(),
            clients: partition.sizes().into_iter().zip(partition.counts()).map(client).collect(),
            label_skew: partition.label_skew(),
            quantity_skew: partition.quantity_skew(),
        }
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [train, test] = self.images;
        writeln!(formatter, "{}: {}", self.name, self.checked)?;
        writeln!(
            formatter,
            "{train} images to learn from, {test} to judge by, each {}",
            self.shape
        )?;
        let width = self.classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0);
        for Class { name, train, test } in &self.classes {
            writeln!(formatter, "  {name:width$} {train:6} {test:6}")?;
        }
        let Self { label_skew, quantity_skew, .. } = self;
        let clients = self.clients.len();
        writeln!(
            formatter,
            "{clients} clients, label skew {label_skew:.3}, quantity skew {quantity_skew:.3}; samples of each class:"
        )?;
        for (number, Client { samples, classes }) in self.clients.iter().enumerate() {
            write!(formatter, "  client {number:<4} {samples:6} =")?;
            classes.iter().try_for_each(|count| write!(formatter, " {count:5}"))?;
            if number + 1 < clients {
                writeln!(formatter)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;

    use super::*;
    use crate::partition::PartitionChoice;

    fn inspection(choice: DataChoice) -> Inspection {
        let split = DataChoice::Digits.load(None, None).unwrap();
        let shards = PartitionChoice::Shards { per_client: 2 };
        let train = &split.train;
        let partition = shards.divide(train.labels(), train.classes(), 4, &Seed::new(1)).unwrap();
        Inspection::of(choice, &split, &partition)
    }

    #[test]
    fn all_samples_are_told() {
        let found = inspection(DataChoice::Digits);
        assert_eq!((found.images, found.shape.pixels(), found.clients.len()), ([1437, 360], 64, 4));
        assert_eq!(found.classes.iter().map(|class| class.train).sum::<usize>(), 1437);
        assert_eq!(found.clients.iter().map(|client| client.samples).sum::<usize>(), 1437);
        assert!(found.label_skew > 0.5 && found.quantity_skew < 0.01);
        let text = found.to_string();
        assert!(text.starts_with("digits: built in\n1437 images to learn from, 360"), "{text}");
        assert!(text.contains("\n  client 3 ") && !text.ends_with('\n'), "{text}");
    }

    #[test]
    fn files_that_nobody_knows_are_called_so() {
        assert_eq!(inspection(DataChoice::Folder).checked, Checked::Structure);
        assert_eq!(inspection(DataChoice::Mnist).checked, Checked::Originals);
        let json = serde_json::to_value(inspection(DataChoice::Cifar10)).unwrap();
        assert_eq!(json["checked"], "structure");
        assert_eq!(json["clients"][0]["classes"].as_array().unwrap().len(), 10);
    }
}
