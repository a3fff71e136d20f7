//! Who has which samples.
//!
//! A [`PartitionChoice`] divides the samples of a set among clients: every sample goes to exactly one of them, and the
//! same seed divides in the same way. [`Partition`] counts who has what, says how unlike the clients are, and draws it.

mod choice;
mod error;
mod picture;
mod schemes;

pub use choice::PartitionChoice;
pub use error::PartitionError;

/// The samples of each client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// For each client the positions of its samples in the set, in ascending order.
    pub clients: Vec<Vec<usize>>,
    /// For each client its samples of each class.
    counts: Vec<Vec<usize>>,
}

impl Partition {
    fn new(mut clients: Vec<Vec<usize>>, labels: &[u8], classes: usize) -> Self {
        clients.iter_mut().for_each(|samples| samples.sort_unstable());
        let count = |samples: &Vec<usize>| {
            let mut counts = vec![0; classes];
            samples.iter().for_each(|sample| counts[usize::from(labels[*sample])] += 1);
            counts
        };
        let counts = clients.iter().map(count).collect();
        Self { clients, counts }
    }

    /// Number of clients.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether there are no clients; never, as dividing among none is refused.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Samples of each client.
    pub fn sizes(&self) -> Vec<usize> {
        self.clients.iter().map(Vec::len).collect()
    }

    /// Samples of each class for each client: `counts()[client][class]`.
    pub fn counts(&self) -> &[Vec<usize>] {
        &self.counts
    }

    /// Samples of each class, all clients together.
    pub fn class_totals(&self) -> Vec<usize> {
        let classes = self.counts.first().map_or(0, Vec::len);
        (0..classes).map(|class| self.counts.iter().map(|counts| counts[class]).sum()).collect()
    }

    /// How unlike the clients' classes are, from 0 for the same shares everywhere to nearly 1: half the sum of the absolute
    /// differences between a client's shares of classes and everybody's (the total variation distance), averaged over
    /// clients that have samples.
    pub fn label_skew(&self) -> f64 {
        let shares = |counts: &[usize]| {
            let total = counts.iter().sum::<usize>() as f64;
            counts.iter().map(|count| *count as f64 / total).collect::<Vec<_>>()
        };
        let everybody = shares(&self.class_totals());
        let distances = self.counts.iter().filter(|counts| counts.iter().any(|count| *count > 0));
        let distances = distances.map(|counts| {
            let pairs = shares(counts).into_iter().zip(&everybody);
            pairs.map(|(own, all)| (own - all).abs()).sum::<f64>() / 2.0
        });
        mean(distances)
    }

    /// How unlike the clients' numbers of samples are, from 0 for equal numbers to nearly 1: the Gini coefficient.
    pub fn quantity_skew(&self) -> f64 {
        let mut sizes = self.sizes();
        sizes.sort_unstable();
        let (clients, total) = (sizes.len() as f64, sizes.iter().sum::<usize>() as f64);
        let ranked = sizes.iter().enumerate().map(|(rank, size)| (rank + 1) as f64 * *size as f64);
        2.0 * ranked.sum::<f64>() / (clients * total) - (clients + 1.0) / clients
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skews_are_those_of_small_examples() {
        let labels = [0, 0, 1, 1];
        let apart = Partition::new(vec![vec![0, 1], vec![3, 2]], &labels, 2);
        assert_eq!((apart.label_skew(), apart.quantity_skew()), (0.5, 0.0));
        assert_eq!(apart.counts(), [[2, 0], [0, 2]]);
        assert_eq!(apart.clients[1], [2, 3]);
        let alike = Partition::new(vec![vec![0, 2], vec![1, 3]], &labels, 2);
        assert_eq!((alike.label_skew(), alike.class_totals()), (0.0, vec![2, 2]));
        let lopsided = Partition::new(vec![vec![0, 1, 2, 3], vec![]], &labels, 2);
        assert_eq!((lopsided.label_skew(), lopsided.quantity_skew()), (0.0, 0.5));
        assert_eq!((lopsided.sizes(), lopsided.len()), (vec![4, 0], 2));
    }
}
