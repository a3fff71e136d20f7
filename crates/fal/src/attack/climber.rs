//! One image on its way up in APGD: its steps, its momentum, its step size.

use super::ThreatModel;

/// How much of a step is new; the rest repeats the last one.
const NEW: f32 = 0.75;
/// The step size is halved where no more than this share of the steps since the last checkpoint went up.
const RISING_SHARE: f64 = 0.75;

/// One image on its way up.
pub(super) struct Climber<'a> {
    /// Position in the batch.
    pub(super) index: usize,
    original: &'a [f32],
    pub(super) image: Vec<f32>,
    gradient: Vec<f32>,
    loss: f64,
    /// Where the last step came from, if there was one.
    previous: Option<Vec<f32>>,
    /// `eta`, the length of a step.
    step: f64,
    pub(super) best: Highest,
    best_at_checkpoint: f64,
    /// Steps since the last checkpoint that went up.
    rises: usize,
    /// Whether the step was halved at the last checkpoint (`reduced_last_check` of the authors' code, which begins with it set: at
    /// the first checkpoint condition 2 says nothing).
    halved: bool,
}

/// The highest point that an image has seen.
pub(super) struct Highest {
    pub(super) image: Vec<f32>,
    gradient: Vec<f32>,
    loss: f64,
}

impl<'a> Climber<'a> {
    pub(super) fn new(index: usize, original: &'a [f32], image: Vec<f32>, step: f64) -> Self {
        let none = f64::NEG_INFINITY;
        Self {
            index,
            original,
            gradient: Vec::new(),
            // Infinite before the first look, so that the start counts as no rise.
            loss: f64::INFINITY,
            previous: None,
            step,
            best: Highest { image: image.clone(), gradient: Vec::new(), loss: none },
            best_at_checkpoint: none,
            rises: 0,
            halved: true,
            image,
        }
    }

    /// Takes notice of the loss and the gradient at the present point.
    pub(super) fn see(&mut self, loss: f64, gradient: &[f32]) {
        self.rises += usize::from(loss > self.loss);
        self.loss = loss;
        self.gradient = gradient.to_vec();
        if loss > self.best.loss {
            let (image, gradient) = (self.image.clone(), self.gradient.clone());
            self.best = Highest { image, gradient, loss };
        }
    }

    /// `z = P(x + eta steepest)`, then `x <- P(x + a (z - x) + (1 - a) (x - x_previous))`; the first step ends at `z`.
    pub(super) fn advance(&mut self, threat: &ThreatModel) {
        let steepest = threat.norm.steepest(&self.gradient);
        let mut next = threat.moved(self.original, &self.image, &steepest, self.step);
        if let Some(previous) = &self.previous {
            for ((next, now), before) in next.iter_mut().zip(&self.image).zip(previous) {
                *next = now + NEW * (*next - now) + (1.0 - NEW) * (now - before);
            }
            threat.project(self.original, &mut next);
        }
        self.previous = Some(std::mem::replace(&mut self.image, next));
    }

    /// At a checkpoint, `steps` steps after the last one: halves the step size and goes back to the best point if either condition
    /// of Croce and Hein (2020), section 3.1, says that the climb has stalled.
    pub(super) fn reconsider(&mut self, steps: usize) {
        // Condition 1.
        let oscillates = self.rises as f64 <= RISING_SHARE * steps as f64;
        // Condition 2.
        let stands_still = !self.halved && self.best_at_checkpoint >= self.best.loss;
        self.halved = oscillates || stands_still;
        if self.halved {
            self.step /= 2.0;
            self.image.clone_from(&self.best.image);
            self.gradient.clone_from(&self.best.gradient);
        }
        self.best_at_checkpoint = self.best.loss;
        self.rises = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAT: ThreatModel =
        ThreatModel { norm: crate::attack::Norm::Linf, epsilon: 0.25, low: 0.0, high: 1.0 };

    fn climber(original: &[f32]) -> Climber<'_> {
        let mut climber = Climber::new(0, original, original.to_vec(), 0.125);
        climber.see(1.0, &[1.0, -1.0]);
        climber
    }

    #[test]
    fn steps_after_the_first_have_momentum() {
        let original = [0.5, 0.5];
        let mut climber = climber(&original);
        climber.advance(&THREAT);
        assert_eq!(climber.image, [0.625, 0.375]);
        climber.see(2.0, &[-1.0, -1.0]);
        climber.advance(&THREAT);
        // 3/4 of the new step of 1/8 and 1/4 of the last one, which went up and then down.
        assert_eq!(climber.image, [0.625 - 0.09375 + 0.03125, 0.25 + 1.0 / 256.0 - 1.0 / 256.0]);
    }

    #[test]
    fn a_stalled_climb_goes_back_to_its_best_point_with_half_the_step() {
        let original = [0.5, 0.5];
        let mut climber = climber(&original);
        for loss in [5.0, 3.0, 2.0, 1.0] {
            climber.advance(&THREAT);
            climber.see(loss, &[loss as f32, 1.0]);
        }
        climber.reconsider(4);
        assert_eq!((climber.step, climber.image.clone()), (0.0625, vec![0.625, 0.375]));
        assert_eq!((climber.gradient.clone(), climber.rises), (vec![5.0, 1.0], 0));
    }

    #[test]
    fn a_climb_that_rises_keeps_its_step_until_it_gains_nothing() {
        let original = [0.5, 0.5];
        let mut climber = climber(&original);
        let mut climb = |losses: [f64; 4]| {
            for loss in losses {
                climber.see(loss, &[1.0, 1.0]);
            }
            climber.reconsider(4);
            climber.step
        };
        assert_eq!(climb([2.0, 3.0, 4.0, 5.0]), 0.125);
        // All four rise, but not beyond the best of before.
        climb([1.0, 2.0, 3.0, 4.0]);
        assert_eq!(climber.step, 0.0625);
    }
}
