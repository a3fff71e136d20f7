//! How samples are divided.

use experiment::seed::Seed;
use serde::{Deserialize, Serialize};

use super::schemes::Samples;
use super::{Partition, PartitionError};

/// A way to divide samples among clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PartitionChoice {
    /// At random, as many for each, give or take one.
    #[default]
    Iid,
    /// Each class by its own draw from a Dirichlet distribution over clients: the smaller `alpha`, the fewer clients hold
    /// most of a class (Yurochkin et al. 2019; the label skew of NIID-Bench, Li et al. 2022). Hsu, Qi and Brown (2019) draw a
    /// distribution over classes for each client instead.
    Dirichlet {
        /// Concentration, above 0, at most 1e9.
        alpha: f64,
        /// Whether a client that has an equal share of all samples gets none of the classes that follow, as in the code of
        /// NIID-Bench and CalFAT: numbers of samples are then less unequal.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        capped: bool,
        /// Samples that each client has at least: whoever has fewer is given some of the largest client's, at random.
        #[serde(default = "one")]
        minimum: usize,
    },
    /// Sorted by class, cut into equal shards, dealt out at random (McMahan et al. 2017).
    Shards {
        /// Shards of each client, at least 1; with as many shards as twice the clients, most see two classes.
        per_client: usize,
    },
    /// Classes in equal runs, one run a client, of which it gives `given` of the samples to every other client. With 10
    /// classes, 5 clients and 0.02, each has 92 % of two classes and 2 % of the others: the setting of SFAT.
    OwnClasses {
        /// Share of a client's own samples that each other client gets, at least 0, at most one client's equal share.
        #[serde(default = "two_percent")]
        given: f64,
    },
    /// At random, numbers of samples by a draw from a Dirichlet distribution.
    Quantity {
        /// Concentration, above 0, at most 1e9: the smaller, the more unequal.
        alpha: f64,
        /// Samples that each client has at least.
        #[serde(default = "one")]
        minimum: usize,
    },
}

/// Beyond it, sums of draws may overflow; shares are equal long before.
const LARGEST_ALPHA: f64 = 1e9;

fn one() -> usize {
    1
}

fn two_percent() -> f64 {
    0.02
}

impl PartitionChoice {
    /// Whether the settings make sense for this number of clients.
    ///
    /// # Errors
    /// [`PartitionError::NoClients`] and [`PartitionError::OutOfRange`].
    pub fn check(&self, clients: usize) -> Result<(), PartitionError> {
        let out_of_range =
            |setting, value, range| Err(PartitionError::OutOfRange { setting, value, range });
        if clients == 0 {
            return Err(PartitionError::NoClients);
        }
        match *self {
            Self::Dirichlet { alpha, .. } | Self::Quantity { alpha, .. }
                if !(alpha.is_normal() && (0.0..=LARGEST_ALPHA).contains(&alpha)) =>
            {
                out_of_range("alpha", alpha, "above 0 and at most 1e9, where all shares are equal")
            }
            Self::Dirichlet { minimum: 0, .. } | Self::Quantity { minimum: 0, .. } => out_of_range(
                "minimum",
                0.0,
                "at least 1, for a client without samples cannot learn",
            ),
            Self::Shards { per_client: 0 } => out_of_range("per_client", 0.0, "at least 1"),
            Self::OwnClasses { given } if !(0.0..=1.0 / clients as f64).contains(&given) => {
                out_of_range("given", given, "from 0 to one part in as many as there are clients")
            }
            _ => Ok(()),
        }
    }

    /// Divides the samples with these `labels`, of `classes` classes, among `clients`.
    ///
    /// # Errors
    /// Those of [`Self::check`]; [`PartitionError::Label`]; [`PartitionError::TooFewSamples`] if not every client can have
    /// its minimum, or one sample where none is stated; [`PartitionError::TooFewClasses`] for [`Self::OwnClasses`].
    pub fn divide(
        &self,
        labels: &[u8],
        classes: usize,
        clients: usize,
        seed: &Seed,
    ) -> Result<Partition, PartitionError> {
        self.check(clients)?;
        if let Some(index) = labels.iter().position(|label| usize::from(*label) >= classes) {
            return Err(PartitionError::Label { index, label: labels[index], classes });
        }
        let (minimum, samples) = (self.minimum(), labels.len());
        if clients.saturating_mul(minimum.max(1)) > samples {
            return Err(PartitionError::TooFewSamples { clients, minimum, samples });
        }
        let samples = Samples { labels, classes, clients, seed };
        let mut divided = match *self {
            Self::Iid => samples.iid(),
            Self::Dirichlet { alpha, capped, .. } => samples.dirichlet(alpha, capped),
            Self::Shards { per_client } => samples.shards(per_client)?,
            Self::OwnClasses { given } => samples.own_classes(given)?,
            Self::Quantity { alpha, .. } => samples.quantity(alpha),
        };
        samples.level(&mut divided, minimum);
        Ok(Partition::new(divided, labels, classes))
    }

    /// Samples that each client has at least.
    fn minimum(&self) -> usize {
        match *self {
            Self::Dirichlet { minimum, .. } | Self::Quantity { minimum, .. } => minimum,
            Self::Iid | Self::Shards { .. } | Self::OwnClasses { .. } => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `samples` labels that go round the classes.
    fn labels(samples: usize, classes: usize) -> Vec<u8> {
        (0..samples).map(|sample| (sample % classes) as u8).collect()
    }

    fn divide(choice: PartitionChoice, clients: usize, number: u64) -> Partition {
        choice.divide(&labels(600, 10), 10, clients, &Seed::new(number)).unwrap()
    }

    fn dirichlet(alpha: f64, capped: bool) -> PartitionChoice {
        PartitionChoice::Dirichlet { alpha, capped, minimum: 1 }
    }

    fn any_choice() -> impl Strategy<Value = PartitionChoice> {
        prop_oneof![
            Just(PartitionChoice::Iid),
            (0.01..100.0_f64, any::<bool>(), 1..6_usize).prop_map(|(alpha, capped, minimum)| {
                PartitionChoice::Dirichlet { alpha, capped, minimum }
            }),
            (1..4_usize).prop_map(|per_client| PartitionChoice::Shards { per_client }),
            (0.0..0.1_f64).prop_map(|given| PartitionChoice::OwnClasses { given }),
            (0.01..100.0_f64, 1..6_usize)
                .prop_map(|(alpha, minimum)| PartitionChoice::Quantity { alpha, minimum }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn every_sample_goes_to_exactly_one_client(
            choice in any_choice(), samples in 60..400_usize, clients in 1..10_usize, number: u64,
        ) {
            let labels = labels(samples, 10);
            let partition = choice.divide(&labels, 10, clients, &Seed::new(number)).unwrap();
            let mut all = partition.clients.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..samples).collect::<Vec<_>>());
            prop_assert_eq!(partition.len(), clients);
            prop_assert!(partition.sizes().into_iter().all(|size| size >= choice.minimum()));
            let again = choice.divide(&labels, 10, clients, &Seed::new(number)).unwrap();
            prop_assert_eq!(&again, &partition);
            prop_assert!((0.0..1.0).contains(&partition.label_skew()));
            prop_assert!((-1e-12..1.0).contains(&partition.quantity_skew()));
        }
    }

    #[test]
    fn iid_is_equal_up_to_one() {
        let sizes = divide(PartitionChoice::Iid, 7, 1).sizes();
        assert!(sizes.iter().all(|size| [85, 86].contains(size)), "{sizes:?}");
        let (one, other) = (divide(PartitionChoice::Iid, 7, 1), divide(PartitionChoice::Iid, 7, 2));
        assert_ne!(one, other);
        assert!(one.label_skew() < 0.2);
    }

    #[test]
    fn a_smaller_alpha_makes_clients_less_alike() {
        let skew = |alpha| {
            let skews =
                (0..5).map(|number| divide(dirichlet(alpha, false), 5, number).label_skew());
            skews.sum::<f64>() / 5.0
        };
        let (near, middle, far) = (skew(1000.0), skew(1.0), skew(0.05));
        assert!(near < 0.05 && near < middle && middle < far && far > 0.5, "{near} {middle} {far}");
    }

    /// Whoever has an equal share gets no more classes, so that nobody has more than that and one class; of the first class as
    /// many get some as without the cap.
    #[test]
    fn a_cap_makes_numbers_less_unequal() {
        let (mut free, mut capped) = (0.0, 0.0);
        for number in 0..20 {
            let divisions = [false, true].map(|capped| divide(dirichlet(0.1, capped), 5, number));
            assert!(divisions[1].sizes().iter().all(|size| *size < 600 / 5 + 60));
            let of_first_class = divisions.each_ref().map(|division| {
                division.counts().iter().map(|counts| counts[0]).collect::<Vec<_>>()
            });
            let given = |counts: &[usize]| counts.iter().filter(|count| **count > 1).count();
            assert_eq!(given(&of_first_class[0]), given(&of_first_class[1]));
            free += divisions[0].quantity_skew() / 20.0;
            capped += divisions[1].quantity_skew() / 20.0;
        }
        assert!(capped < 0.6 * free, "{capped} and {free}");
    }

    /// The expected share of the largest of five parts under Dirichlet(1, ..., 1) is (1 + 1/2 + ... + 1/5) / 5.
    #[test]
    fn shares_are_those_of_the_distribution() {
        let choice = dirichlet(1.0, false);
        let largest = (0..400).map(|number| {
            let one_class = choice.divide(&[0; 500], 1, 5, &Seed::new(number)).unwrap();
            one_class.sizes().into_iter().max().unwrap() as f64 / 500.0
        });
        let mean = largest.sum::<f64>() / 400.0;
        let expected = (1..=5).map(|k| 1.0 / f64::from(k)).sum::<f64>() / 5.0;
        assert!((mean - expected).abs() < 0.025, "{mean} is not {expected}");
    }

    #[test]
    fn shards_hold_few_classes() {
        let partition = divide(PartitionChoice::Shards { per_client: 2 }, 10, 5);
        assert_eq!(partition.sizes(), [60; 10]);
        let classes = |counts: &Vec<usize>| counts.iter().filter(|count| **count > 0).count();
        assert!(partition.counts().iter().all(|counts| classes(counts) <= 4));
        assert!(partition.label_skew() > 0.6);
    }

    #[test]
    fn own_classes_are_those_of_sfat() {
        let labels = labels(5000, 10);
        let choice = PartitionChoice::OwnClasses { given: 0.02 };
        let partition = choice.divide(&labels, 10, 5, &Seed::new(0)).unwrap();
        for (client, counts) in partition.counts().iter().enumerate() {
            let own = counts[2 * client] + counts[2 * client + 1];
            assert_eq!((own, counts.iter().sum()), (920, 1000));
        }
        let kept = PartitionChoice::OwnClasses { given: 0.0 };
        let kept = kept.divide(&labels, 10, 10, &Seed::new(0)).unwrap();
        assert!((kept.label_skew() - 0.9).abs() < 1e-12);
        // Where every client gets as much as it keeps, nobody has classes of its own.
        let even = PartitionChoice::OwnClasses { given: 0.2 };
        assert!(even.divide(&labels, 10, 5, &Seed::new(0)).unwrap().label_skew() < 0.05);
    }

    #[test]
    fn quantities_differ_and_classes_do_not() {
        let partition = divide(PartitionChoice::Quantity { alpha: 0.5, minimum: 20 }, 5, 3);
        assert!(partition.quantity_skew() > 0.2);
        assert!(partition.sizes().into_iter().all(|size| size >= 20));
        assert!(partition.label_skew() < 0.25, "{}", partition.label_skew());
    }

    #[test]
    fn what_cannot_be_divided_is_told() {
        let refuse = |choice: PartitionChoice, clients| {
            choice.divide(&labels(20, 10), 10, clients, &Seed::new(0)).unwrap_err()
        };
        let setting = |error| match error {
            PartitionError::OutOfRange { setting, .. } => setting,
            other => panic!("{other}"),
        };
        assert_eq!(refuse(PartitionChoice::Iid, 0), PartitionError::NoClients);
        assert!(matches!(refuse(PartitionChoice::Iid, 21), PartitionError::TooFewSamples { .. }));
        for alpha in [0.0, -1.0, 1e-310, 2e9, f64::NAN, f64::INFINITY] {
            assert_eq!(setting(refuse(dirichlet(alpha, false), 2)), "alpha");
        }
        let quantity = PartitionChoice::Quantity { alpha: 1.0, minimum: 11 };
        assert!(matches!(refuse(quantity, 2), PartitionError::TooFewSamples { minimum: 11, .. }));
        assert_eq!(setting(refuse(PartitionChoice::Shards { per_client: 0 }, 2)), "per_client");
        let shards = PartitionChoice::Shards { per_client: 11 };
        assert!(matches!(refuse(shards, 2), PartitionError::TooFewSamples { minimum: 11, .. }));
        assert_eq!(setting(refuse(PartitionChoice::OwnClasses { given: 0.6 }, 2)), "given");
        let own = PartitionChoice::OwnClasses { given: 0.0 };
        let many = own.divide(&labels(40, 10), 10, 11, &Seed::new(0));
        assert_eq!(many, Err(PartitionError::TooFewClasses { clients: 11, classes: 10 }));
        let label = PartitionChoice::Iid.divide(&[0, 3], 3, 1, &Seed::new(0));
        assert_eq!(label, Err(PartitionError::Label { index: 1, label: 3, classes: 3 }));
    }

    #[test]
    fn choices_are_read_from_configurations() {
        let read = serde_json::from_str::<PartitionChoice>;
        let bare = r#"{"kind": "dirichlet", "alpha": 0.1}"#;
        assert_eq!(read(bare).unwrap(), dirichlet(0.1, false));
        let capped = r#"{"kind": "dirichlet", "alpha": 0.1, "capped": true}"#;
        assert_eq!(read(capped).unwrap(), dirichlet(0.1, true));
        let own = PartitionChoice::OwnClasses { given: 0.02 };
        assert_eq!(read(r#"{"kind": "own-classes"}"#).unwrap(), own);
        assert!(read(r#"{"kind": "dirichlet", "beta": 0.1}"#).is_err());
    }
}
