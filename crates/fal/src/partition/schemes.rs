//! The divisions themselves.

use experiment::seed::Seed;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_distr::Distribution;
use rand_distr::multi::Dirichlet;

use super::PartitionError;

/// What is divided, among how many.
pub(super) struct Samples<'a> {
    pub(super) labels: &'a [u8],
    pub(super) classes: usize,
    /// At least 1.
    pub(super) clients: usize,
    pub(super) seed: &'a Seed,
}

impl Samples<'_> {
    /// Deals the samples out like cards.
    pub(super) fn iid(&self) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        order.shuffle(&mut self.seed.child("order").rng());
        let mut clients = vec![Vec::new(); self.clients];
        for (place, sample) in order.into_iter().enumerate() {
            clients[place % self.clients].push(sample);
        }
        clients
    }

    /// Divides each class by its own draw of shares; `capped`, among those who have less than an equal share of all samples.
    pub(super) fn dirichlet(&self, alpha: f64, capped: bool) -> Vec<Vec<usize>> {
        let mut clients = vec![Vec::new(); self.clients];
        for (class, samples) in self.by_class().into_iter().enumerate() {
            let mut shares = self.shares(alpha, class);
            if capped {
                self.close(&mut shares, &clients);
            }
            for (client, part) in clients.iter_mut().zip(cut(&samples, &shares)) {
                client.extend(part);
            }
        }
        clients
    }

    /// Leaves no share to clients that have an equal share of all samples. Where the shares of all others vanish, theirs are
    /// equal.
    fn close(&self, shares: &mut [f64], clients: &[Vec<usize>]) {
        let is_open = |own: &Vec<usize>| own.len() * self.clients < self.labels.len();
        let open: Vec<bool> = clients.iter().map(is_open).collect();
        let none_left = shares.iter().zip(&open).all(|(share, open)| !open || *share == 0.0);
        for (share, open) in shares.iter_mut().zip(open) {
            *share = match (open, none_left) {
                (true, false) => *share,
                (true, true) => 1.0,
                (false, _) => 0.0,
            };
        }
    }

    /// Deals out equal shards of the samples sorted by class.
    ///
    /// # Errors
    /// [`PartitionError::TooFewSamples`] if there are more shards than samples.
    pub(super) fn shards(&self, per_client: usize) -> Result<Vec<Vec<usize>>, PartitionError> {
        let (clients, samples) = (self.clients, self.labels.len());
        let shards = clients.saturating_mul(per_client);
        if shards > samples {
            return Err(PartitionError::TooFewSamples { clients, minimum: per_client, samples });
        }
        let sorted = self.by_class().concat();
        let mut shards: Vec<&[usize]> = cut(&sorted, &vec![1.0; shards]).collect();
        shards.shuffle(&mut self.seed.child("shards").rng());
        Ok(shards.chunks(per_client).map(<[_]>::concat).collect())
    }

    /// Gives each client a run of classes, and each other client a share of it.
    ///
    /// # Errors
    /// [`PartitionError::TooFewClasses`] if there are more clients than classes.
    pub(super) fn own_classes(&self, given: f64) -> Result<Vec<Vec<usize>>, PartitionError> {
        let Self { classes, clients, .. } = *self;
        if clients > classes {
            return Err(PartitionError::TooFewClasses { clients, classes });
        }
        let mut divided = vec![Vec::new(); clients];
        for (class, samples) in self.by_class().into_iter().enumerate() {
            let owner = class * clients / classes;
            let kept = 1.0 - given * (clients - 1) as f64;
            let shares: Vec<f64> =
                (0..clients).map(|client| if client == owner { kept } else { given }).collect();
            for (client, part) in divided.iter_mut().zip(cut(&samples, &shares)) {
                client.extend(part);
            }
        }
        Ok(divided)
    }

    /// Random samples in numbers by one draw of shares.
    pub(super) fn quantity(&self, alpha: f64) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        order.shuffle(&mut self.seed.child("order").rng());
        cut(&order, &self.shares(alpha, 0)).map(<[_]>::to_vec).collect()
    }

    /// Moves random samples from the largest client to whoever has less than `minimum`. There must be enough for all.
    pub(super) fn level(&self, clients: &mut [Vec<usize>], minimum: usize) {
        let mut rng = self.seed.child("level").rng();
        for poor in 0..clients.len() {
            while clients[poor].len() < minimum {
                let rich = (0..clients.len()).max_by_key(|client| clients[*client].len());
                let rich = &mut clients[rich.unwrap_or(poor)];
                let moved = rich.swap_remove(rng.random_range(0..rich.len()));
                clients[poor].push(moved);
            }
        }
    }

    /// The samples of each class, each in random order.
    fn by_class(&self) -> Vec<Vec<usize>> {
        let mut classes = vec![Vec::new(); self.classes];
        for (sample, label) in self.labels.iter().enumerate() {
            classes[usize::from(*label)].push(sample);
        }
        for (class, samples) in classes.iter_mut().enumerate() {
            samples.shuffle(&mut self.seed.child("class").index(class as u64).rng());
        }
        classes
    }

    /// Shares of the clients, drawn from a symmetric Dirichlet distribution.
    fn shares(&self, alpha: f64, draw: usize) -> Vec<f64> {
        if self.clients == 1 {
            return vec![1.0];
        }
        let mut rng = self.seed.child("shares").index(draw as u64).rng();
        let dirichlet = Dirichlet::new(&vec![alpha; self.clients])
            .expect("there are two clients, and the concentration was checked");
        let shares: Vec<f64> = dirichlet.sample(&mut rng);
        if shares.iter().all(|share| share.is_finite()) {
            return shares;
        }
        // So small an alpha that all shares but one vanish, which one is left to chance.
        let only = rng.random_range(0..self.clients);
        (0..self.clients).map(|client| f64::from(u8::from(client == only))).collect()
    }
}

/// Consecutive parts of `samples` in proportion to `shares`, each rounded so that all together are `samples`.
fn cut<'s>(samples: &'s [usize], shares: &[f64]) -> impl Iterator<Item = &'s [usize]> {
    let total: f64 = shares.iter().sum();
    let last = shares.len() - 1;
    let ends = shares.iter().enumerate().scan(0.0, move |sum, (index, share)| {
        *sum += share;
        let end = (*sum / total * samples.len() as f64).round() as usize;
        Some(if index == last { samples.len() } else { end.min(samples.len()) })
    });
    ends.scan(0, move |start, end| {
        let part = &samples[*start..end];
        *start = end;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_in_proportion() {
        let samples: Vec<usize> = (0..10).collect();
        let parts: Vec<_> = cut(&samples, &[0.25, 0.0, 0.5, 0.25]).map(<[_]>::len).collect();
        assert_eq!(parts, [3, 0, 5, 2]);
        let thirds: Vec<_> = cut(&samples, &[1.0; 3]).map(<[_]>::len).collect();
        assert_eq!(thirds, [3, 4, 3]);
        assert_eq!(cut(&[], &[1.0; 3]).map(<[_]>::len).sum::<usize>(), 0);
    }

    #[test]
    fn the_poor_are_given_until_they_have_enough() {
        let samples = Samples { labels: &[0; 6], classes: 1, clients: 3, seed: &Seed::new(0) };
        let mut clients = vec![vec![], vec![0, 1, 2, 3, 4], vec![5]];
        samples.level(&mut clients, 2);
        assert_eq!(clients.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2]);
    }

    #[test]
    fn shares_are_finite_for_every_concentration() {
        for alpha in [f64::MIN_POSITIVE, 1e-8, 0.05, 0.1, 0.11, 1e8, 1e9] {
            let samples = Samples { labels: &[], classes: 1, clients: 4, seed: &Seed::new(1) };
            let shares = samples.shares(alpha, 0);
            assert_eq!(shares.len(), 4);
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{alpha}: {shares:?}");
        }
    }
}
