//! What can go wrong when samples are divided.

/// A division that cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PartitionError {
    /// Nobody to divide among.
    #[error("there are no clients to divide the samples among; give at least 1")]
    NoClients,
    /// Fewer samples than promised.
    #[error(
        "{clients} clients with at least {minimum} samples each need more than the {samples} samples that there are; take fewer clients, or a lower minimum"
    )]
    TooFewSamples {
        /// Number of clients.
        clients: usize,
        /// Samples that each must have.
        minimum: usize,
        /// Samples that there are.
        samples: usize,
    },
    /// More clients than classes, where each must have classes of its own.
    #[error(
        "{clients} clients cannot each have classes of their own among {classes}; take at most as many clients, or divide by shards or a Dirichlet distribution"
    )]
    TooFewClasses {
        /// Number of clients.
        clients: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A label beyond the classes.
    #[error(
        "sample {index} has the label {label}, but there are {classes} classes; correct the labels or the number of classes"
    )]
    Label {
        /// Position of the sample, from 0.
        index: usize,
        /// Its label.
        label: u8,
        /// Number of classes.
        classes: usize,
    },
    /// A setting lies outside of its range.
    #[error("`{setting}` is {value}, but must be {range}; correct it")]
    OutOfRange {
        /// The setting.
        setting: &'static str,
        /// What it was set to.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
}
