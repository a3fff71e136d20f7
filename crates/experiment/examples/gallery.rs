//! Writes one of each figure and a report into the folder that is named, to be looked at.
//!
//! `cargo run -p experiment --example gallery -- FOLDER`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use experiment::cli::{self, Failure, OrFailure};
use experiment::figure::{Axis, BarChart, FigureError, HeatMap, LineChart, Series};
use experiment::report::Report;
use experiment::seed::Seed;
use experiment::statistics::{StatisticsError, mean_interval, proportion_interval};
use rand::RngExt;

fn main() -> ExitCode {
    cli::run(|| {
        let folder = std::env::args_os()
            .nth(1)
            .map(PathBuf::from)
            .context("name a folder to write into")
            .bad_input()?;
        write_gallery(&folder)
    })
}

fn write_gallery(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).context("cannot make the folder").bad_input()?;
    let figures = [
        ("curves", learning_curves().failed()?),
        ("rates", rates().failed()?),
        ("bars", accuracies().failed()?),
        ("heat", transfer().failed()?),
    ];
    let mut report = Report::new("A gallery of figures")
        .paragraph("Invented numbers, to see how the figures look on a screen, a phone and paper.")
        .table(
            ["method", "accuracy", "seconds"],
            [
                ["exact", "95.2 % [94.1, 96.3]", "12.1"],
                ["first order", "48.0 % [45.2, 50.8]", "7.4"],
            ],
        )
        .code("cargo run -p experiment --example gallery -- gallery\nsteps = 400")
        .heading("Figures");
    for (name, svg) in &figures {
        std::fs::write(folder.join(name).with_extension("svg"), svg).failed()?;
        report = report
            .figure(svg, &format!("The figure {name}. Bands and whiskers are 95 % intervals."));
    }
    cli::write_file(&folder.join("report.html"), report.to_html())
}

fn learning_curves() -> anyhow::Result<String> {
    let axes = (
        Axis::linear("outer step"),
        Axis::linear("accuracy on unseen stories").including(0.0).including(1.0),
    );
    let chart = LineChart::new(
        "Exact second-order gradients learn what first-order ones cannot",
        axes.0,
        axes.1,
    );
    let curves =
        [("exact", 0.95, 90.0), ("first order", 0.48, 60.0), ("no adaptation", 0.12, 20.0)];
    let chart =
        curves.into_iter().enumerate().try_fold(chart, |chart, (index, (name, end, pace))| {
            let mut noise = Seed::new(3).child("noise").index(index as u64).rng();
            let points = (0..=40).map(|step| {
                let step = f64::from(step) * 10.0;
                let runs: [f64; 5] = std::array::from_fn(|_| {
                    (end * (1.0 - (-step / pace).exp()) + 0.08 * (noise.random::<f64>() - 0.5))
                        .max(0.0)
                });
                Ok((step, mean_interval(&runs)?))
            });
            Ok::<_, StatisticsError>(
                chart.series(Series::of_intervals(name, points.collect::<Result<Vec<_>, _>>()?)),
            )
        })?;
    Ok(chart.marker("warm-up ends", 40.0).marker("rate halved", 300.0).to_svg()?)
}

fn rates() -> Result<String, FigureError> {
    let curve = |scale: f64| {
        (0..9).map(move |power| (10_f64.powf(f64::from(power) / 2.0 - 4.0), power)).map(
            move |(rate, power)| {
                (rate, scale * (f64::from((power - 5) * (power - 5)) + 0.05) * 0.01)
            },
        )
    };
    let chart = LineChart::new(
        "Loss over inner rates",
        Axis::logarithmic("inner rate"),
        Axis::logarithmic("loss"),
    );
    let names = [
        "SGD",
        "momentum",
        "Adam",
        "AdamW",
        "signed",
        "learned",
        "learned per tensor",
        "learned per step",
        "none",
    ];
    let add = |chart: LineChart, (index, name): (usize, &str)| {
        chart.series(Series::new(name, curve(1.0 + 0.6 * index as f64)))
    };
    names.into_iter().enumerate().fold(chart, add).to_svg()
}

fn accuracies() -> anyhow::Result<String> {
    let groups = ["2 hops", "3 hops", "4 hops", "10 hops, none of them seen in training"];
    let methods = [
        ("reckoning", [293, 281, 240, 131]),
        ("in context", [280, 230, 160, 60]),
        ("closed book", [31, 28, 30, 33]),
    ];
    let chart = BarChart::new(
        "Answers to questions of more hops",
        Axis::linear("right answers, share").including(1.0),
        groups,
    );
    let chart = methods.into_iter().try_fold(chart, |chart, (name, right)| {
        let bars: Result<Vec<_>, _> =
            right.into_iter().map(|right| proportion_interval(right, 300)).collect();
        Ok::<_, StatisticsError>(chart.series(name, bars?))
    })?;
    Ok(chart.to_svg()?)
}

fn transfer() -> Result<String, FigureError> {
    let hops = ["2 hops", "3 hops", "4 hops", "with distractors", "5 hops"];
    let change = |row: usize, column: usize| {
        if row == 3 && column == 4 { f64::NAN } else { 8.0 - 3.1 * row.abs_diff(column) as f64 }
    };
    let values = (0..4).map(|row| (0..5).map(|column| change(row, column)).collect()).collect();
    let map =
        HeatMap::new("Change of accuracy by transfer, points", hops[..4].to_vec(), hops, values);
    map.axes("trained on", "tested on").decimals(1).to_svg()
}
