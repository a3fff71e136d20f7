//! A row of a table: all measures of a method, each with its 95 % interval over clips.

use std::fmt;

use experiment::statistics::{Interval, mean_interval};
use serde::{Deserialize, Serialize};

use super::{
    FeatureEncoder, MetricError, Revisit, Video, motion, psnr, revisit_consistency, revisit_psnr,
    scene_cuts, structural_similarity,
};

/// The measures of one generated clip against the simulator's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipScores {
    /// Peak signal-to-noise ratio in decibels.
    pub psnr: f64,
    /// Structural similarity, -1 to 1.
    pub structural_similarity: f64,
    /// Number of jumps of the picture.
    pub scene_cuts: f64,
    /// Mean change from frame to frame, in levels of 0 to 255.
    pub motion: f64,
    /// 100 times the cosine similarity of revisited views; none if the clip revisits nothing.
    pub consistency: Option<f64>,
    /// Peak signal-to-noise ratio of the frames that revisit a view; none if the clip revisits nothing.
    pub revisit_psnr: Option<f64>,
}

impl ClipScores {
    /// Measures a clip of at least two frames of at least 11 by 11 pixels. For the row of the ground truth `found` is the
    /// simulator's clip itself, and for that of the copied first frame [`copy_first_frame`](super::copy_first_frame) of it.
    ///
    /// # Errors
    /// Those of the measures.
    pub fn measure(
        found: Video<'_>,
        expected: Video<'_>,
        revisits: &[Revisit],
        encoder: &dyn FeatureEncoder,
    ) -> Result<Self, MetricError> {
        let revisited = !revisits.is_empty();
        let consistency = revisited.then(|| revisit_consistency(found, revisits, encoder));
        let revisit_psnr = revisited.then(|| revisit_psnr(found, expected, revisits));
        Ok(Self {
            psnr: psnr(found, expected)?,
            structural_similarity: structural_similarity(found, expected)?,
            scene_cuts: scene_cuts(found) as f64,
            motion: motion(found)?,
            consistency: consistency.transpose()?,
            revisit_psnr: revisit_psnr.transpose()?,
        })
    }
}

/// The measures of a method over clips, with 95 % intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Name of the encoder of [`Self::consistency`].
    pub encoder: String,
    /// Peak signal-to-noise ratio in decibels.
    pub psnr: Interval,
    /// Structural similarity, -1 to 1.
    pub structural_similarity: Interval,
    /// Jumps of the picture in a clip (SCuts).
    pub scene_cuts: Interval,
    /// Mean change from frame to frame, in levels of 0 to 255.
    pub motion: Interval,
    /// 100 times the cosine similarity of revisited views (SRC), over the clips that revisit something.
    pub consistency: Option<Interval>,
    /// Peak signal-to-noise ratio of revisited views in decibels, over the clips that revisit something.
    pub revisit_psnr: Option<Interval>,
}

impl Summary {
    /// Summarises the clips of one method, whose features are of the encoder named `encoder`.
    ///
    /// # Errors
    /// [`MetricError::Statistics`] without clips, or with values that are no numbers.
    pub fn of(scores: &[ClipScores], encoder: &str) -> Result<Self, MetricError> {
        let over = |value: fn(&ClipScores) -> f64| -> Result<Interval, MetricError> {
            Ok(mean_interval(&scores.iter().map(value).collect::<Vec<_>>())?)
        };
        let where_any = |value: fn(&ClipScores) -> Option<f64>| -> Result<_, MetricError> {
            let values: Vec<f64> = scores.iter().filter_map(value).collect();
            Ok(if values.is_empty() { None } else { Some(mean_interval(&values)?) })
        };
        Ok(Self {
            encoder: encoder.to_owned(),
            psnr: over(|clip| clip.psnr)?,
            structural_similarity: over(|clip| clip.structural_similarity)?.within(-1.0..=1.0),
            scene_cuts: over(|clip| clip.scene_cuts)?.within(0.0..=f64::INFINITY),
            motion: over(|clip| clip.motion)?.within(0.0..=255.0),
            consistency: where_any(|clip| clip.consistency)?
                .map(|interval| interval.within(-100.0..=100.0)),
            revisit_psnr: where_any(|clip| clip.revisit_psnr)?,
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |interval: &Option<Interval>| {
            interval.as_ref().map_or("no revisits".to_owned(), |interval| format!("{interval:.2}"))
        };
        writeln!(formatter, "PSNR             {:.2} dB", self.psnr)?;
        writeln!(formatter, "SSIM             {:.3}", self.structural_similarity)?;
        writeln!(formatter, "SCuts            {:.2}", self.scene_cuts)?;
        writeln!(formatter, "motion           {:.2}", self.motion)?;
        writeln!(formatter, "SRC              {} ({})", told(&self.consistency), self.encoder)?;
        writeln!(formatter, "PSNR of revisits {}", told(&self.revisit_psnr))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CEILING, PooledColours, copy_first_frame};
    use super::*;

    fn video(bytes: &[u8]) -> Video<'_> {
        Video::new(bytes, 12, 12).unwrap()
    }

    #[test]
    fn the_truth_scores_best_and_a_frozen_picture_does_not_move() {
        let truth: Vec<u8> = (0..4)
            .flat_map(|frame| (0..432).map(move |byte| (byte * (frame % 2 + 1) % 255) as u8))
            .collect();
        let revisits = [Revisit { first: 0, again: 2 }, Revisit { first: 1, again: 3 }];
        let encoder = PooledColours { cells: 4 };
        let measured =
            |found| ClipScores::measure(found, video(&truth), &revisits, &encoder).unwrap();
        let best = measured(video(&truth));
        assert_eq!((best.psnr, best.revisit_psnr), (CEILING, Some(CEILING)));
        assert!((best.consistency.unwrap() - 100.0).abs() < 1e-9);
        let copy = copy_first_frame(video(&truth));
        let frozen = measured(video(&copy));
        assert_eq!((frozen.motion, frozen.scene_cuts), (0.0, 0.0));
        assert!(frozen.psnr < best.psnr && frozen.structural_similarity < 0.999);
        assert!((frozen.consistency.unwrap() - 100.0).abs() < 1e-9, "the trap");
        assert!(frozen.revisit_psnr < best.revisit_psnr);
    }

    #[test]
    fn a_summary_has_intervals_and_leaves_out_what_was_not_revisited() {
        let clip = |psnr, consistency| ClipScores {
            psnr,
            structural_similarity: 1.0,
            scene_cuts: 0.0,
            motion: 3.0,
            consistency,
            revisit_psnr: None,
        };
        let summary = Summary::of(&[clip(10.0, None), clip(14.0, Some(90.0))], "eyes").unwrap();
        assert_eq!((summary.psnr.mean, summary.psnr.n), (12.0, 2));
        assert_eq!(summary.consistency.unwrap().n, 1);
        assert_eq!(summary.revisit_psnr, None);
        let text = summary.to_string();
        assert!(text.contains("no revisits") && text.contains("(eyes)"), "{text}");
        assert!(matches!(Summary::of(&[], "eyes"), Err(MetricError::Statistics(_))));
    }
}
