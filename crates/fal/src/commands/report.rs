//! `fal report`: one page from one or more runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use experiment::cli::{
    Failure, OrFailure, print_line, refuse_to_lose, require_not_among, write_file,
};
use experiment::report::{Report, is_page};
use experiment::statistics::Interval;
use serde_json::json;

use super::train::{GALLERY_FILE, PARTITION_FILE, SURFACE_FILE};
use crate::figures::{Figure, figures};
use crate::finished::{FinishedRun, Group, Judgement, columns, grouped};

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folders of finished runs of `fal train` or `fal attack`; those that differ only in their seed become one line
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// Page to write, which needs nothing else to be shown
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
    /// Folder that every figure is also written to, as an SVG
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Print the accuracies as JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Reads the runs and writes the page.
///
/// # Errors
/// Bad input: a folder without a finished run, or a page in the place of one of its files or of another. Failed: writing.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    require_not_among(&arguments.out, &arguments.folders, is_page)?;
    refuse_to_lose(&arguments.out, "page", is_page)?;
    let groups = write_page(&arguments.folders, &arguments.out, arguments.svg.as_deref())?;
    if arguments.json {
        return print_json(&arguments.out, &groups);
    }
    print_table(&groups)?;
    print_line(format!("\n{}", arguments.out.display()))
}

/// One line: the page, and each group with its accuracies and, for each run, the checks without which they are not to be shown.
pub(super) fn print_json(page: &Path, groups: &[Group]) -> Result<(), Failure> {
    let of_run = |run: &FinishedRun| {
        let mut checks = json!(run.judgement.report.checks);
        // Eighty-one numbers for a picture, which `results.json` has.
        checks.as_object_mut().map(|checks| checks.remove("surface"));
        let (attendance, warnings) = (run.attendance(), run.warnings());
        json!({
            "run": run.path.to_string_lossy(), "seed": run.seed(), "checks": checks, "attendance": attendance, "warnings": warnings,
        })
    };
    let of = |group: &Group| {
        let runs: Vec<_> = group.runs.iter().map(of_run).collect();
        let rounds = group.runs[0].judgement.rounds;
        json!({ "name": group.name, "rounds": rounds, "accuracies": group.accuracies(), "runs": runs })
    };
    let groups: Vec<_> = groups.iter().map(of).collect();
    print_line(json!({ "report": page, "groups": groups }))
}

/// A Markdown table with a line for each group, then the checks of each run with its warnings.
pub(super) fn print_table(groups: &[Group]) -> Result<(), Failure> {
    let row = |cells: Vec<String>| print_line(format!("| {} |", cells.join(" | ")));
    let columns = columns(groups);
    let header = header(&columns);
    let rule = vec!["---".to_owned(); header.len()];
    row(header)?;
    row(rule)?;
    groups.iter().try_for_each(|group| row(cells(group, &columns)))?;
    groups.iter().flat_map(|group| &group.runs).try_for_each(print_checks)
}

/// The checks against hidden gradients, which say too what does not hold.
fn print_checks(run: &FinishedRun) -> Result<(), Failure> {
    let checks = run.judgement.report.checks.as_ref();
    let (mut told, of_checks) = match checks {
        Some(checks) => (checks.to_string(), checks.warnings()),
        None => ("without checks".to_owned(), Vec::new()),
    };
    if let Some(attendance) = run.attendance() {
        told += &format!("\n  {attendance}");
    }
    for warning in run.warnings().into_iter().filter(|warning| !of_checks.contains(warning)) {
        told += &format!("\n  WARNING: {warning}");
    }
    print_line(format!("\n{} (seed {}): {told}", run.path.display(), run.seed()))
}

fn header(columns: &[String]) -> Vec<String> {
    let counts = ["run", "rounds", "seeds", "test images"].map(str::to_owned);
    counts.into_iter().chain(columns.iter().cloned()).collect()
}

fn cells(group: &Group, columns: &[String]) -> Vec<String> {
    let Judgement { rounds, samples, .. } = &group.runs[0].judgement;
    let rounds = rounds.map_or_else(|| "–".to_owned(), |rounds| rounds.to_string());
    let counts = [rounds, group.runs.len().to_string(), samples.to_string()];
    let accuracies: BTreeMap<String, Interval> = group.accuracies().into_iter().collect();
    let cell = |column: &String| {
        accuracies.get(column).map_or_else(|| "–".to_owned(), |found| found.percent().to_string())
    };
    std::iter::once(group.name.clone()).chain(counts).chain(columns.iter().map(cell)).collect()
}

/// Writes the page of the runs in `folders`.
pub(super) fn write_page(
    folders: &[PathBuf],
    out: &Path,
    svg: Option<&Path>,
) -> Result<Vec<Group>, Failure> {
    let runs: Result<Vec<FinishedRun>, _> =
        folders.iter().map(|folder| FinishedRun::read(folder)).collect();
    let groups = grouped(runs.bad_input()?).bad_input()?;
    let figures = figures(&groups).failed()?;
    write_file(out, page(&groups, &figures).to_html())?;
    if let Some(folder) = svg {
        for figure in &figures {
            write_file(&folder.join(format!("{}.svg", figure.name)), &figure.svg)?;
        }
    }
    Ok(groups)
}

fn page(groups: &[Group], figures: &[Figure]) -> Report {
    let columns = columns(groups);
    let mut report = Report::new("Federated adversarial learning")
        .paragraph("Share of test images that the network gets right, with 95 % intervals.")
        .table(header(&columns), groups.iter().map(|group| cells(group, &columns)));
    for group in groups {
        for warning in group.runs.iter().flat_map(FinishedRun::warnings) {
            report = report.paragraph(&format!("{}: {warning}", group.name));
        }
    }
    for figure in figures {
        report = report.figure(&figure.svg, &figure.caption);
    }
    for group in groups {
        let run = &group.runs[0];
        report = report.heading(&format!("{} (seed {})", group.name, run.seed()));
        for run in &group.runs {
            if let Some(attendance) = run.attendance() {
                let title = format!("Rounds (seed {}): {attendance}.", run.seed());
                report = report.paragraph(&title);
            }
            if let Some(checks) = &run.judgement.report.checks {
                let title = format!("Checks against hidden gradients (seed {}):", run.seed());
                report = report.paragraph(&title).table(["check", "accuracy"], checks.rows());
            }
        }
        let pictures = [
            (GALLERY_FILE, "Test images, what the attack adds, and the results."),
            (PARTITION_FILE, "Who has what."),
            (SURFACE_FILE, "Mean loss along the attack and along a random direction."),
        ];
        for (file, caption) in pictures {
            // A run that was copied without its pictures still has its numbers.
            if let Ok(svg) = fs::read_to_string(run.path.join(file)) {
                report = report.figure(&svg, caption);
            }
        }
        if let Ok(config) = fs::read_to_string(run.path.join("config.toml")) {
            report = report.code(&config);
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_takes_the_place_of_no_file_of_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let told = |out: PathBuf| {
            let folders = vec![folder.path().to_owned()];
            match run(Arguments { folders, out, svg: None, json: false }) {
                Err(Failure::BadInput(cause)) => cause.to_string(),
                other => panic!("{other:?}"),
            }
        };
        for file in ["results.json", "config.toml", SURFACE_FILE] {
            let told = told(written(file, "text"));
            assert!(told.contains(file) && told.contains("name another file"), "{told}");
        }
        fs::remove_file(folder.path().join("config.toml")).unwrap();
        for page in ["report.html", "Other.HTML"] {
            let told = told(written(page, &Report::new(page).to_html()));
            assert!(told.contains("holds no run"), "{told}");
        }
    }
}
