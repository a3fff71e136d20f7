//! Square (Andriushchenko et al. 2020): a random search over square patches, which asks for scores alone.
//!
//! Patches reach the last row and column, which those of the authors' package and of torchattacks do not: for the comparison
//! with both, `tests/golden/attacks` patches their `random_int` to include its upper end.

mod euclidean;
mod stripes;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::error::require;
use super::images::Size;
use super::objective::lead;
use super::perturb::{Attack, Batch, Perturbed};
use super::{AttackError, BlackBox, Images, Norm, ThreatModel};

const NAME: &str = "Square";
/// The schedule of the patch size is stated for this many queries.
const SCHEDULED_QUERIES: usize = 10_000;
/// After how many of them the share of changed pixels is halved.
const HALVINGS: [usize; 9] = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];

/// The Square attack on the margin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Square {
    /// How many images the model is asked about for each original.
    pub queries: usize,
    /// Share of the pixels that the first patches change, above 0 and up to 1.
    pub first_share: f64,
    /// Whether the schedule of the patch size is squeezed or stretched from 10,000 queries to these, as the authors do with the
    /// attack alone; AutoAttack, with half of them, goes half way through it.
    pub rescaled: bool,
}

impl Square {
    /// The attack alone, with the paper's first share of 0.8.
    pub fn new(queries: usize) -> Self {
        Self { queries, first_share: 0.8, rescaled: true }
    }

    /// The share of pixels that patch number `patch` changes.
    fn share(&self, patch: usize) -> f64 {
        let scheduled = match self.rescaled {
            true => patch * SCHEDULED_QUERIES / self.queries,
            false => patch,
        };
        let halvings = HALVINGS.iter().filter(|after| scheduled > **after).count();
        self.first_share / f64::from(1_u32 << halvings)
    }

    /// The least height and width of images that it can attack.
    pub fn smallest_side(norm: Norm) -> usize {
        match norm {
            Norm::Linf => 1,
            Norm::L2 => euclidean::SMALLEST,
        }
    }

    pub(super) fn check(&self, threat: &ThreatModel, size: Size) -> Result<(), AttackError> {
        require(self.queries > 0, "Square::queries", self.queries as f64, "at least 1")?;
        let share = self.first_share;
        require(
            share > 0.0 && share <= 1.0,
            "Square::first_share",
            share,
            "above 0 and at most 1",
        )?;
        let Size { height, width, .. } = size;
        let needed = Self::smallest_side(threat.norm);
        if height.min(width) < needed {
            return Err(AttackError::ImageTooSmall { attack: NAME, height, width, needed });
        }
        Ok(())
    }
}

impl<M: BlackBox + ?Sized> Attack<M> for Square {
    fn name(&self) -> String {
        format!("{NAME}-{}", self.queries)
    }

    fn perturb(
        &self,
        model: &M,
        threat: &ThreatModel,
        batch: &Batch,
    ) -> Result<Perturbed, AttackError> {
        let size = batch.images.size();
        self.check(threat, size)?;
        let mut found = Perturbed::untouched(batch);
        let start = |index| Search::new(threat, size, batch, index);
        let mut searches: Vec<Search<'_>> = (0..batch.len()).map(start).collect();
        for query in 0..self.queries {
            if query > 0 {
                let share = self.share(query - 1);
                searches.iter_mut().for_each(|search| search.propose(threat, size, share));
            }
            let images = Images::gather(size, searches.iter().map(|search| &search.proposal[..]));
            let scores = model.scores(&images)?;
            let indices: Vec<usize> = searches.iter().map(|search| search.index).collect();
            found.note(NAME, batch, &indices, &scores);
            for (search, scores) in searches.iter_mut().zip(scores.iter()) {
                let felled = found.felled_by[search.index].is_some();
                search.judge(lead(scores, batch.labels[search.index]), felled);
            }
            searches.retain(|search| {
                let felled = found.felled_by[search.index].is_some();
                if felled {
                    found.images.set(search.index, &search.image);
                }
                !felled
            });
            if searches.is_empty() {
                return Ok(found);
            }
        }
        for search in searches {
            found.images.set(search.index, &search.image);
        }
        Ok(found)
    }
}

/// The search for one original.
struct Search<'a> {
    /// Position in the batch.
    index: usize,
    original: &'a [f32],
    /// The best image so far.
    image: Vec<f32>,
    proposal: Vec<f32>,
    /// By how much the true class leads at the best image.
    lead: f32,
    rng: ChaCha8Rng,
}

impl<'a> Search<'a> {
    fn new(threat: &ThreatModel, size: Size, batch: &'a Batch, index: usize) -> Self {
        let mut rng = batch.seeds[index].child(NAME).rng();
        let original = batch.images.get(index);
        let change = match threat.norm {
            Norm::Linf => stripes::start(size, &mut rng),
            Norm::L2 => euclidean::start(size, &mut rng),
        };
        let proposal = threat.moved(original, original, &change, threat.epsilon);
        Self { index, original, image: original.to_vec(), proposal, lead: f32::INFINITY, rng }
    }

    /// Changes the best image in a random patch of a `share` of its pixels.
    fn propose(&mut self, threat: &ThreatModel, size: Size, share: f64) {
        let side = (share * (size.height * size.width) as f64).sqrt();
        self.proposal = match threat.norm {
            Norm::Linf => {
                stripes::patch(threat, size, self.original, &self.image, side, &mut self.rng)
            }
            Norm::L2 => {
                euclidean::patch(threat, size, self.original, &self.image, side, &mut self.rng)
            }
        };
    }

    fn judge(&mut self, lead: f32, felled: bool) {
        if lead < self.lead || felled {
            self.lead = lead;
            self.image.clone_from(&self.proposal);
        }
    }
}

/// A square of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    top: usize,
    left: usize,
    side: usize,
}

impl Window {
    /// Somewhere in an image, anywhere with the same chance.
    fn random(size: Size, side: usize, rng: &mut ChaCha8Rng) -> Self {
        let top = rng.random_range(0..=size.height - side);
        let left = rng.random_range(0..=size.width - side);
        Self { top, left, side }
    }

    /// The positions of its pixels in `channel`, row by row.
    fn pixels(self, size: Size, channel: usize) -> impl Iterator<Item = usize> {
        let rows = self.top..self.top + self.side;
        rows.flat_map(move |row| {
            let start = (channel * size.height + row) * size.width + self.left;
            start..start + self.side
        })
    }
}

fn random_sign(rng: &mut ChaCha8Rng) -> f32 {
    if rng.random() { 1.0 } else { -1.0 }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use experiment::seed::Seed;

    use super::*;
    use crate::attack::Opaque;
    use crate::attack::toy::{self, Brightness};

    #[test]
    fn the_schedule_is_the_paper_s() {
        let square = Square::new(10_000);
        let shares = [(0, 0.8), (10, 0.8), (11, 0.4), (201, 0.1), (9999, 0.8 / 512.0)];
        for (patch, share) in shares {
            assert_eq!(square.share(patch), share);
        }
        assert_eq!(Square::new(5000).share(6), 0.4);
        assert_eq!(Square::new(5000).share(4999), 0.8 / 512.0);
        let part = crate::attack::AutoAttack::standard().square;
        assert_eq!((part.share(6), part.share(11)), (0.8, 0.4));
        assert_eq!(part.share(part.queries - 1), 0.8 / 128.0);
    }

    #[test]
    fn windows_reach_every_corner() {
        let size = Size { channels: 2, height: 3, width: 4 };
        let mut rng = Seed::new(1).rng();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let window = Window::random(size, 2, &mut rng);
            seen.insert((window.top, window.left));
        }
        assert_eq!(seen.len(), 2 * 3);
        let window = Window { top: 1, left: 2, side: 2 };
        assert_eq!(window.pixels(size, 1).collect::<Vec<_>>(), [18, 19, 22, 23]);
    }

    #[test]
    fn it_finds_the_brightest_and_the_darkest_within_reach() {
        let device = Default::default();
        let model = Opaque::<Flex, _>::new(&Brightness, &device);
        let size = Size { channels: 1, height: 8, width: 8 };
        let images =
            Images::gather(size, [0.38, 0.45, 0.2].map(|x| vec![x; 64]).iter().map(|row| &row[..]));
        let batch = toy::right_batch(&model, images, &Seed::new(3));
        for (threat, fallen) in [
            (ThreatModel::linf(0.15), [true, true, false]),
            (ThreatModel::l2(1.5), [false, true, false]),
        ] {
            let found = Square::new(600).perturb(&model, &threat, &batch).unwrap();
            let felled: Vec<bool> = found.felled_by.iter().map(Option::is_some).collect();
            assert_eq!(felled, fallen, "{threat}");
            assert_eq!(found.queries[2], 600);
            for index in 0..3 {
                assert!(threat.allows(batch.images.get(index), found.images.get(index)));
            }
        }
    }

    #[test]
    fn unusable_settings_are_refused() {
        let device = Default::default();
        let model = Opaque::<Flex, _>::new(&Brightness, &device);
        let batch = toy::right_batch(&model, toy::images(&[&[0.1; 9]]), &Seed::new(3));
        let attempt = |square: Square, threat| square.perturb(&model, &threat, &batch).unwrap_err();
        for square in [
            Square::new(0),
            Square { first_share: 0.0, ..Square::new(5) },
            Square { first_share: 1.5, ..Square::new(5) },
        ] {
            assert!(matches!(attempt(square, ThreatModel::linf(0.1)), AttackError::Setting { .. }));
        }
        let failure = attempt(Square::new(5), ThreatModel::l2(0.1));
        assert_eq!(
            failure,
            AttackError::ImageTooSmall { attack: NAME, height: 1, width: 9, needed: 3 }
        );
    }
}
