//! What an evaluation shows: a table, and a page with figures.

use std::fmt::Write;

use experiment::figure::{Axis, BarChart, FigureError, LineChart, Series};
use experiment::report::Report;
use experiment::statistics::{Interval, mean_interval};

use super::strip::rows as strip_rows;
use super::{Divergence, Evaluation, Row, Scores};

/// The names of the table's columns.
const HEADER: [&str; 16] = [
    "method",
    "PSNR",
    "SSIM",
    "PD-random",
    "SCuts",
    "SRC",
    "motion",
    "action",
    "turn",
    "revisit PSNR",
    "outside context",
    "gain",
    "gain outside",
    "FVD-random",
    "FVD-motion",
    "chunk: s + s, MB",
];

/// What is read together: a heading and the columns beside the method.
const TABLES: [(&str, &[usize]); 3] = [
    ("At revisited poses", &[9, 10, 11, 12]),
    ("Consistent, and moving as told", &[4, 5, 6, 7, 8]),
    ("Likeness and cost", &[1, 2, 3, 13, 14, 15]),
];

const NOTE: &str = "PSNR in decibels, of generated frames to the simulator's. SCuts: jumps of the picture. SRC: 100 times the \
    cosine of revisited views. A frozen picture has hardly a cut and, where the first frame alone is given, a perfect SRC: read both beside motion, the \
    accuracy of actions as inverse dynamics see them, and the PSNR at revisited poses; outside context counts those that \
    were first seen before their chunk and that the chunk before did not show. Gains are over the baseline in the same episodes. PD-random and \
    FVD-random are of untrained filters and FVD-motion of the inverse dynamics: none is LPIPS or FVD. Distances are between \
    halves of a row's windows and the other halves of the truth's. Seconds of a chunk to sample and to learn. A row that diverged, \
    because its fast learning was no longer finite in some episode, has no scores.";

fn told(interval: &Option<Interval>, decimals: usize) -> String {
    interval.as_ref().map_or("-".to_owned(), |interval| format!("{interval:.decimals$}"))
}

impl Row {
    /// The name, and where it diverged, if it did.
    fn label(&self) -> String {
        let name = &self.name;
        self.diverged.map_or(name.clone(), |Divergence { episode, seed, chunk }| {
            format!("{name}: diverged at chunk {chunk} of episode {episode}, seed {seed}")
        })
    }

    /// The cells of the table.
    fn cells(&self) -> Vec<String> {
        let share = |interval: &Option<Interval>| {
            interval.as_ref().map_or("-".to_owned(), |share| share.percent().to_string())
        };
        let number =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
        let cost = self.cost.as_ref().map_or("-".to_owned(), |cost| {
            let memory = cost.peak_bytes.map_or("-".to_owned(), |bytes| (bytes >> 20).to_string());
            format!("{:.2} + {:.2}, {memory}", cost.sampling_seconds, cost.learning_seconds)
        });
        vec![
            self.label(),
            told(&self.psnr, 2),
            told(&self.structural_similarity, 3),
            told(&self.perceptual_distance, 3),
            told(&self.scene_cuts, 2),
            told(&self.consistency, 2),
            told(&self.motion, 2),
            share(&self.action_accuracy),
            share(&self.turn_accuracy),
            told(&self.revisit_psnr, 2),
            told(&self.outside_psnr, 2),
            told(&self.revisit_gain, 2),
            told(&self.outside_gain, 2),
            number(self.frechet_random),
            number(self.frechet_motion),
            cost,
        ]
    }
}

impl Evaluation {
    /// The tables as text, a line a method.
    pub fn table(&self) -> String {
        let tables = TABLES
            .map(|(heading, columns)| format!("{heading}\n{}", aligned(&self.columns(columns))));
        tables.join("\n")
    }

    /// The header and the cells of some columns beside that of the methods.
    fn columns(&self, columns: &[usize]) -> Vec<Vec<String>> {
        let rows = self.rows.iter().map(Row::cells);
        let all = std::iter::once(HEADER.map(str::to_owned).to_vec()).chain(rows);
        let of =
            |row: Vec<String>| [&[0], columns].concat().iter().map(|at| row[*at].clone()).collect();
        all.map(of).collect()
    }

    /// The page.
    ///
    /// # Errors
    /// [`FigureError`] for figures without a finite value.
    pub fn page(&self) -> Result<Report, FigureError> {
        let count = self.episodes.len();
        let intro = format!(
            "{count} episodes, 95 % intervals over their scenes, gains over {}, SRC of {}.",
            self.baseline, self.encoder
        );
        let mut report = Report::new("Evaluation").paragraph(&intro);
        for (heading, columns) in TABLES {
            let table = self.columns(columns);
            report = report.heading(heading).table(table[0].clone(), &table[1..]);
        }
        report = report.paragraph(NOTE);
        if let Some(svg) = self.revisits()? {
            report = report.figure(&svg, "PSNR at revisited poses, with 95 % intervals.");
        }
        report =
            report.figure(&self.curves()?, "PSNR of each generated frame, mean over episodes.");
        for (episode, svg) in self.strips() {
            let caption = format!("Episode {episode}: the numbers are those of the frames.");
            report = report.figure(&svg, &caption);
        }
        Ok(report)
    }

    fn revisits(&self) -> Result<Option<String>, FigureError> {
        // The truth's ceiling says nothing and would hide the rest.
        let shown: Vec<&Row> =
            self.rows[1..].iter().filter(|row| row.revisit_psnr.is_some()).collect();
        if shown.is_empty() {
            return Ok(None);
        }
        let names = shown.iter().map(|row| row.name.clone());
        let bars = |of: fn(&Row) -> Option<Interval>| -> Vec<Interval> {
            shown.iter().map(|row| of(row).unwrap_or(Interval::ABSENT)).collect()
        };
        BarChart::new("PSNR at revisited poses", Axis::linear("dB"), names)
            .series("all revisits", bars(|row| row.revisit_psnr))
            .series("outside of the context", bars(|row| row.outside_psnr))
            .to_svg()
            .map(Some)
    }

    fn curves(&self) -> Result<String, FigureError> {
        let axes = (Axis::counts("frame after the last given one"), Axis::linear("PSNR, dB"));
        let chart = LineChart::new("PSNR along the way", axes.0, axes.1);
        let rows = self.rows.iter().zip(&self.scores).skip(1);
        let rows = rows.filter(|(_, scores)| !scores.is_empty());
        let add = |chart: LineChart, (row, scores): (&Row, &Vec<Scores>)| {
            chart.series(Series::new(row.name.clone(), curve(scores)))
        };
        rows.fold(chart, add).to_svg()
    }

    /// The strips of each episode that has some.
    fn strips(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for &episode in &self.episodes {
            let mut strips = Vec::new();
            let mut frames = 0;
            for (row, scores) in self.rows.iter().zip(&self.scores) {
                let here = scores.iter().filter(|score| score.episode == episode);
                for (score, png) in here.filter_map(|score| Some((score, score.strip.clone()?))) {
                    frames = score.given + score.frame_psnr.len();
                    strips.push((row.name.clone(), png));
                }
            }
            if !strips.is_empty() {
                found.push((episode, strip_rows(&strips, self.size, frames)));
            }
        }
        found
    }
}

/// Means over the episodes that have a frame of each number.
fn curve(scores: &[Scores]) -> Vec<(f64, f64)> {
    let most = scores.iter().map(|score| score.frame_psnr.len()).max().unwrap_or_default();
    let mean = |frame: usize| {
        let values: Vec<f64> =
            scores.iter().filter_map(|score| score.frame_psnr.get(frame).copied()).collect();
        mean_interval(&values).map_or(f64::NAN, |interval| interval.mean)
    };
    (0..most).map(|frame| ((frame + 1) as f64, mean(frame))).collect()
}

/// Rows of cells in columns.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = width(column).unwrap_or_default();
            format!("{cell:<width$}")
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(text, "{}", line.trim_end()).expect("texts take all");
    }
    text
}
