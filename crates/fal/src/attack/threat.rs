//! What an attacker may do: how far each image may move, measured how, and between which pixels.

use std::fmt;

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::AttackError;
use super::error::require;
use crate::training_error::LONGEST;

/// How the size of a perturbation is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// The largest change of a pixel.
    Linf,
    /// The Euclidean length of the change.
    L2,
}

impl Norm {
    /// The length of a change.
    pub fn length(self, change: impl IntoIterator<Item = f64>) -> f64 {
        let change = change.into_iter();
        match self {
            Self::Linf => change.map(f64::abs).fold(0.0, f64::max),
            Self::L2 => change.map(|x| x * x).sum::<f64>().sqrt(),
        }
    }

    /// The distance of two images.
    pub fn distance(self, from: &[f32], to: &[f32]) -> f64 {
        self.length(from.iter().zip(to).map(|(from, to)| f64::from(*to) - f64::from(*from)))
    }

    /// The change of length 1 that follows `gradient` furthest: its signs, or its direction. Zero for a gradient of zero.
    pub fn steepest(self, gradient: &[f32]) -> Vec<f32> {
        match self {
            Self::Linf => {
                gradient.iter().map(|x| if *x == 0.0 { 0.0 } else { x.signum() }).collect()
            }
            Self::L2 => {
                let length = self.length(gradient.iter().map(|x| f64::from(*x)));
                let scale = if length > 0.0 { length.recip() } else { 0.0 };
                gradient.iter().map(|x| (f64::from(*x) * scale) as f32).collect()
            }
        }
    }

    /// A change in a random direction, by a length uniform in 0 to `radius`.
    pub(crate) fn random_change(
        self,
        radius: f64,
        elements: usize,
        rng: &mut impl Rng,
    ) -> Vec<f64> {
        let direction = self.random_unit(elements, rng);
        let length = radius * rng.random::<f64>();
        direction.into_iter().map(|x| x * length).collect()
    }

    /// A change of length 1 in a random direction: uniform signs and sizes with the largest at 1, or uniform on the sphere.
    pub(super) fn random_direction(self, elements: usize, rng: &mut impl Rng) -> Vec<f32> {
        self.random_unit(elements, rng).into_iter().map(|x| x as f32).collect()
    }

    fn random_unit(self, elements: usize, rng: &mut impl Rng) -> Vec<f64> {
        let draw = |_| match self {
            Self::Linf => rng.random_range(-1.0..=1.0),
            Self::L2 => rng.sample(StandardNormal),
        };
        let change: Vec<f64> = (0..elements).map(draw).collect();
        let length = self.length(change.iter().copied());
        let scale = if length > 0.0 { length.recip() } else { 0.0 };
        change.into_iter().map(|x| x * scale).collect()
    }
}

impl fmt::Display for Norm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Linf => "Linf",
            Self::L2 => "L2",
        })
    }
}

/// The images that an attacker may show the model in place of `x`: those within `epsilon` of `x` with all pixels in
/// `low..=high`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreatModel {
    /// How distance is measured.
    pub norm: Norm,
    /// Largest distance, at most a million, in the unit of the pixels.
    pub epsilon: f64,
    /// Smallest pixel.
    pub low: f32,
    /// Largest pixel.
    pub high: f32,
}

impl ThreatModel {
    /// A ball of radius `epsilon` around each image, with pixels in 0 to 1.
    pub fn new(norm: Norm, epsilon: f64) -> Self {
        Self { norm, epsilon, low: 0.0, high: 1.0 }
    }

    /// Every pixel may change by `epsilon`.
    pub fn linf(epsilon: f64) -> Self {
        Self::new(Norm::Linf, epsilon)
    }

    /// The change may have a Euclidean length of `epsilon`.
    pub fn l2(epsilon: f64) -> Self {
        Self::new(Norm::L2, epsilon)
    }

    /// Allows pixels from `low` to `high` instead of 0 to 1.
    #[must_use]
    pub fn pixels(self, low: f32, high: f32) -> Self {
        Self { low, high, ..self }
    }

    /// Refuses what is no threat model.
    ///
    /// # Errors
    /// [`AttackError::Setting`] for an epsilon that is not from 0 to a million, and for an empty pixel range.
    pub fn check(&self) -> Result<(), AttackError> {
        let Self { epsilon, low, high, .. } = *self;
        // Farther off, single precision overflows, and a projection would never reach the ball.
        let usable = (0.0..=LONGEST).contains(&epsilon);
        require(usable, "ThreatModel::epsilon", epsilon, "at least 0 and at most a million")?;
        let range = "finite and below `ThreatModel::high`, which must be finite";
        let usable = low.is_finite() && high.is_finite() && low < high;
        require(usable, "ThreatModel::low", f64::from(low), range)
    }

    /// Whether `image` is one that the attacker may show for `original`.
    pub fn allows(&self, original: &[f32], image: &[f32]) -> bool {
        self.norm.distance(original, image) <= self.epsilon
            && image.iter().all(|pixel| (self.low..=self.high).contains(pixel))
    }

    /// Moves `image` to an allowed one close to it: exactly to the closest for Linf; for L2 it is pulled to the ball and
    /// then cut to the pixel range, which only brings it closer to `original`. [`Self::allows`] holds for the result, to
    /// the last bit, where `original` is within the pixel range; what no number can be made of becomes `original`.
    pub fn project(&self, original: &[f32], image: &mut [f32]) {
        match self.norm {
            Norm::Linf => {
                for (pixel, &original) in image.iter_mut().zip(original) {
                    let (down, up) = self.interval(original);
                    let within = if pixel.is_nan() { original } else { *pixel };
                    *pixel = within.max(down).min(up).max(self.low).min(self.high);
                }
            }
            Norm::L2 => self.project_to_sphere(original, image),
        }
    }

    /// Cuts the pixels to their range.
    pub(super) fn clamp(&self, image: &mut [f32]) {
        image.iter_mut().for_each(|pixel| *pixel = pixel.clamp(self.low, self.high));
    }

    /// The smallest and largest single-precision pixel within epsilon of `original`: rounding must not lead outside.
    fn interval(&self, original: f32) -> (f32, f32) {
        let exact = f64::from(original);
        let (down, up) = ((exact - self.epsilon) as f32, (exact + self.epsilon) as f32);
        let down = if exact - f64::from(down) > self.epsilon { down.next_up() } else { down };
        let up = if f64::from(up) - exact > self.epsilon { up.next_down() } else { up };
        (down, up)
    }

    fn project_to_sphere(&self, original: &[f32], image: &mut [f32]) {
        // Rounding may leave the result just outside of the ball; then it is pulled a little further.
        let mut slack = 0.0;
        loop {
            let distance = self.norm.distance(original, image);
            if distance <= self.epsilon {
                break;
            }
            // No change is short enough, or the distance is no number.
            if slack >= 1.0 || !distance.is_finite() {
                image.copy_from_slice(original);
                break;
            }
            let scale = self.epsilon / distance * (1.0 - slack);
            for (pixel, &original) in image.iter_mut().zip(original) {
                let original = f64::from(original);
                *pixel = (original + (f64::from(*pixel) - original) * scale) as f32;
            }
            slack = (2.0_f64 * slack).clamp(1e-8, 1.0);
        }
        self.clamp(image);
    }

    /// `from` moved by `length` along `direction` and projected.
    pub(super) fn moved(
        &self,
        original: &[f32],
        from: &[f32],
        direction: &[f32],
        length: f64,
    ) -> Vec<f32> {
        let length = length as f32;
        let mut image: Vec<f32> = from.iter().zip(direction).map(|(x, d)| x + length * d).collect();
        self.project(original, &mut image);
        image
    }
}

impl fmt::Display for ThreatModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Four decimals tell any two epsilons of the literature apart.
        write!(formatter, "{} {}", self.norm, (self.epsilon * 1e4).round() / 1e4)
    }
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;
    use proptest::prelude::*;

    use super::*;

    fn threat() -> impl Strategy<Value = ThreatModel> {
        let norm = prop_oneof![Just(Norm::Linf), Just(Norm::L2)];
        (norm, 0.0..2.0_f64, -1.0..0.0_f32, 0.1..1.0_f32).prop_map(|(norm, epsilon, low, high)| {
            ThreatModel::new(norm, epsilon).pixels(low, high)
        })
    }

    fn image(range: std::ops::Range<f32>) -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(range, 12)
    }

    proptest! {
        #[test]
        fn a_projected_image_is_allowed(threat in threat(), original in image(0.0..1.0), wish in image(-3.0..3.0)) {
            let mut original = original;
            threat.clamp(&mut original);
            let mut projected = wish;
            threat.project(&original, &mut projected);
            prop_assert!(threat.allows(&original, &projected), "{}", threat.norm.distance(&original, &projected));
        }

        #[test]
        fn an_allowed_image_stays_where_it_is(threat in threat(), original in image(0.0..1.0), wish in image(-3.0..3.0)) {
            let mut original = original;
            threat.clamp(&mut original);
            let mut once = wish;
            threat.project(&original, &mut once);
            let mut twice = once.clone();
            threat.project(&original, &mut twice);
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn no_change_of_length_one_rises_more_than_the_steepest(gradient in image(-2.0..2.0), seed: u64) {
            let rise = |change: &[f32]| gradient.iter().zip(change).map(|(g, c)| f64::from(g * c)).sum::<f64>();
            for norm in [Norm::Linf, Norm::L2] {
                let steepest = norm.steepest(&gradient);
                prop_assert!((norm.length(steepest.iter().map(|x| f64::from(*x))) - 1.0).abs() < 1e-6);
                let other = norm.random_direction(gradient.len(), &mut Seed::new(seed).rng());
                prop_assert!((norm.length(other.iter().map(|x| f64::from(*x))) - 1.0).abs() < 1e-6);
                prop_assert!(rise(&other) <= rise(&steepest) + 1e-5);
            }
        }
    }

    #[test]
    fn the_norms_are_the_textbook_s() {
        let (from, to) = ([0.0, 1.0], [3.0, 5.0]);
        assert_eq!((Norm::Linf.distance(&from, &to), Norm::L2.distance(&from, &to)), (4.0, 5.0));
        for norm in [Norm::Linf, Norm::L2] {
            assert_eq!(norm.steepest(&[0.0, 0.0]), [0.0, 0.0]);
        }
    }

    #[test]
    fn what_is_no_threat_model_is_refused() {
        for threat in [
            ThreatModel::linf(-0.1),
            ThreatModel::l2(f64::NAN),
            ThreatModel::l2(f64::INFINITY),
            ThreatModel::l2(1e39),
            ThreatModel::linf(0.1).pixels(1.0, 1.0),
            ThreatModel::linf(0.1).pixels(f32::NAN, 1.0),
        ] {
            assert!(matches!(threat.check(), Err(AttackError::Setting { .. })), "{threat:?}");
        }
        assert_eq!(ThreatModel::linf(0.0).check(), Ok(()));
        assert_eq!(ThreatModel::l2(1e6).check(), Ok(()));
    }

    /// An attack may hand in anything, and a threat model need not have been checked.
    #[test]
    fn what_cannot_be_projected_becomes_the_original() {
        let strange = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        for threat in [ThreatModel::linf(0.1), ThreatModel::l2(0.1)] {
            for pixel in strange {
                let mut image = [0.5, pixel];
                threat.project(&[0.5, 0.25], &mut image);
                assert!(threat.allows(&[0.5, 0.25], &image), "{threat}: {image:?}");
            }
        }
        for epsilon in [-0.1, f64::NAN] {
            let mut image = [0.75, 0.0];
            ThreatModel::l2(epsilon).project(&[0.5, 0.25], &mut image);
            assert_eq!(image, [0.5, 0.25], "{epsilon}");
        }
        for epsilon in [-0.1, 0.1, f64::NAN] {
            let mut image = [1.5, 0.0, -0.5];
            ThreatModel::linf(epsilon).project(&[1.5, 0.25, -0.5], &mut image);
            assert!(image.iter().all(|pixel| (0.0..=1.0).contains(pixel)), "{epsilon}: {image:?}");
        }
    }

    #[test]
    fn threat_models_read_well() {
        assert_eq!(ThreatModel::linf(8.0 / 255.0).to_string(), "Linf 0.0314");
        assert_eq!(ThreatModel::l2(1.0).to_string(), "L2 1");
    }
}
