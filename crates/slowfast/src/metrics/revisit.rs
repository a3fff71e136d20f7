//! Whether a place looks as it did when it comes into view again.

use serde::{Deserialize, Serialize};

use super::psnr::of_frames;
use super::{FeatureEncoder, MetricError, Video, cosine_similarity};
use crate::clip::{Pose, PoseScale};

/// How near two poses must be to count as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// In the world's units of length.
    pub distance: f64,
    /// In degrees.
    pub angle: f64,
}

impl Tolerance {
    /// The very same pose, which built-in worlds come back to.
    pub const EXACT: Self = Self { distance: 0.0, angle: 0.0 };

    /// Whether two poses are so near.
    pub fn agree(self, one: Pose, other: Pose, scale: PoseScale) -> bool {
        let length = |units: i32, other: i32| {
            (f64::from(units) - f64::from(other)) / f64::from(scale.position)
        };
        let distance = length(one.x, other.x).hypot(length(one.y, other.y));
        let circle = i64::from(scale.heading.max(1));
        let turned = (i64::from(one.heading) - i64::from(other.heading)).rem_euclid(circle);
        let angle = turned.min(circle - turned) as f64 * 360.0 / circle as f64;
        distance <= self.distance && angle <= self.angle
    }
}

/// Two frames of one view, between which something else was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revisit {
    /// The frame that saw it first.
    pub first: usize,
    /// A frame that sees it again.
    pub again: usize,
}

/// The frames that come back to a pose which the agent had left, each with the first frame there.
pub fn revisits(poses: &[Pose], scale: PoseScale, tolerance: Tolerance) -> Vec<Revisit> {
    struct Place {
        first: usize,
        left: bool,
    }
    let mut places: Vec<Place> = Vec::new();
    let mut found = Vec::new();
    for (frame, pose) in poses.iter().enumerate() {
        let mut known = false;
        for place in &mut places {
            if !tolerance.agree(poses[place.first], *pose, scale) {
                place.left = true;
            } else if !known {
                known = true;
                if place.left {
                    found.push(Revisit { first: place.first, again: frame });
                }
            }
        }
        if !known {
            places.push(Place { first: frame, left: false });
        }
    }
    found
}

/// SRC: 100 times the mean cosine similarity between the features of the frame that first saw a view and of each that sees
/// it again.
///
/// # Errors
/// [`MetricError::TooFew`] without revisits, [`MetricError::NoSuchFrame`], and those of the encoder.
pub fn revisit_consistency(
    video: Video<'_>,
    revisits: &[Revisit],
    encoder: &dyn FeatureEncoder,
) -> Result<f64, MetricError> {
    let features = encoder.encode(video)?;
    let of_frame = |frame: usize| {
        let missing = MetricError::NoSuchFrame { frame, frames: features.len() };
        features.get(frame).ok_or(missing)
    };
    mean(revisits, |Revisit { first, again }| {
        Ok(100.0 * cosine_similarity(of_frame(first)?, of_frame(again)?)?)
    })
}

/// Mean PSNR, in decibels, of the frames that see a view again, against the simulator's frames of the same number.
///
/// # Errors
/// [`MetricError::TooFew`] without revisits, [`MetricError::NoSuchFrame`] and [`MetricError::Shapes`].
pub fn revisit_psnr(
    found: Video<'_>,
    expected: Video<'_>,
    revisits: &[Revisit],
) -> Result<f64, MetricError> {
    found.require_shape_of(expected)?;
    mean(revisits, |Revisit { again, .. }| {
        Ok(of_frames(found.frame(again)?, expected.frame(again)?))
    })
}

fn mean(
    revisits: &[Revisit],
    measure: impl Fn(Revisit) -> Result<f64, MetricError>,
) -> Result<f64, MetricError> {
    if revisits.is_empty() {
        return Err(MetricError::TooFew { what: "consistency of revisits", needed: 1, found: 0 });
    }
    let values: Vec<f64> = revisits.iter().map(|pair| measure(*pair)).collect::<Result<_, _>>()?;
    Ok(values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use experiment::seed::Seed;

    use super::super::{CEILING, PooledColours};
    use super::*;
    use crate::clip::{Episode, Route};
    use crate::world::{World, WorldSettings};

    const SCALE: PoseScale = PoseScale { position: 10, heading: 36 };

    fn poses(places: &[(i32, i32)]) -> Vec<Pose> {
        places.iter().map(|(x, heading)| Pose { x: *x, y: 0, heading: *heading }).collect()
    }

    fn pairs(places: &[(i32, i32)], tolerance: Tolerance) -> Vec<(usize, usize)> {
        let found = revisits(&poses(places), SCALE, tolerance);
        found.into_iter().map(|pair| (pair.first, pair.again)).collect()
    }

    #[test]
    fn only_a_view_that_was_left_is_revisited() {
        assert!(pairs(&[(0, 0), (0, 0), (0, 0)], Tolerance::EXACT).is_empty());
        let there_and_back = [(0, 0), (1, 0), (1, 0), (0, 0), (0, 0), (1, 0)];
        assert_eq!(pairs(&there_and_back, Tolerance::EXACT), [(0, 3), (0, 4), (1, 5)]);
        assert!(pairs(&[(0, 0), (1, 0), (0, 18)], Tolerance::EXACT).is_empty());
    }

    #[test]
    fn tolerances_are_in_lengths_and_degrees_around_the_circle() {
        let near = Tolerance { distance: 0.1, angle: 10.0 };
        assert_eq!(pairs(&[(0, 0), (50, 0), (1, 35)], near), [(0, 2)]);
        assert!(pairs(&[(0, 0), (50, 0), (2, 0)], near).is_empty());
        assert!(pairs(&[(0, 0), (50, 0), (0, 2)], near).is_empty());
    }

    fn episode(route: Route) -> (Episode, PoseScale) {
        let settings = WorldSettings { size: 16, ..WorldSettings::default() };
        let world = World::new(&settings, &Seed::new(1)).unwrap();
        let plan = route.plan(&world, 8, 6, 4, &Seed::new(1)).unwrap();
        (world.record(&plan, &Seed::new(1)), world.pose_scale())
    }

    /// The metric's own check: true frames are perfectly consistent, and a frozen picture only seems to be.
    #[test]
    fn true_ways_back_are_consistent_and_a_frozen_picture_is_given_away() {
        for route in Route::THERE_AND_BACK {
            let (episode, scale) = episode(route);
            let video = Video::of(&episode).unwrap();
            let pairs = revisits(&episode.poses, scale, Tolerance::EXACT);
            assert!(!pairs.is_empty(), "{route}");
            let consistency = |video| revisit_consistency(video, &pairs, &PooledColours::default());
            assert_relative_eq!(consistency(video).unwrap(), 100.0, max_relative = 1e-12);
            assert_eq!(revisit_psnr(video, video, &pairs).unwrap(), CEILING);
            let frozen = video.frame(0).unwrap().repeat(video.len());
            let frozen = Video::new(&frozen, 16, 16).unwrap();
            assert_relative_eq!(consistency(frozen).unwrap(), 100.0, max_relative = 1e-12);
            if route == Route::Retrace {
                assert!(revisit_psnr(frozen, video, &pairs).unwrap() < 40.0);
            }
        }
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        let bytes = [0; 24];
        let video = Video::new(&bytes, 2, 2).unwrap();
        let encoder = PooledColours { cells: 1 };
        let failure = revisit_consistency(video, &[], &encoder).unwrap_err();
        assert!(matches!(failure, MetricError::TooFew { found: 0, .. }));
        let beyond = [Revisit { first: 0, again: 2 }];
        let missing = MetricError::NoSuchFrame { frame: 2, frames: 2 };
        assert_eq!(revisit_consistency(video, &beyond, &encoder), Err(missing.clone()));
        assert_eq!(revisit_psnr(video, video, &beyond), Err(missing));
    }
}
