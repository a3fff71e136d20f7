//! `reckoning report`: one page from one or more run directories.

mod page;
mod reading;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use experiment::atomic::write_atomically;
use experiment::cli::{Failure, OrFailure, print_line};
use serde_json::{Map, Value, json};

use crate::figures::{Figure, Group, figures, grouped};
pub use page::page;
pub use reading::{ReadingError, read_runs};

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Run directories; those that differ only in their seed become one line
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,

    /// Page to write, which needs nothing else to be shown
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,

    /// Folder that every figure is also written to, as an SVG
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,

    /// Print what is in the report as JSON instead of text
    #[arg(long)]
    json: bool,
}

/// What a page shows.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The runs, those that differ only in their seed together.
    pub groups: Vec<Group>,
    /// The figures, in the order of the page.
    pub figures: Vec<Figure>,
    /// What is not shown, and why.
    pub notes: Vec<String>,
}

/// Reads the runs and writes the page.
///
/// # Errors
/// Bad input: a folder that holds no whole run. Failed: writing.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { runs, out, svg, json } = arguments;
    let Contents { groups, figures, notes } = write_page(&runs, &out)?;
    let drawings = write_drawings(svg.as_deref(), &figures)?;
    if json {
        let groups: Vec<Value> = groups.iter().map(in_json).collect();
        let report = json!({ "out": out, "svg": drawings, "groups": groups, "notes": notes });
        return print_line(report);
    }
    notes.iter().try_for_each(print_line)?;
    drawings.iter().try_for_each(|path| print_line(path.display()))?;
    print_line(out.display())
}

/// Writes the page of `runs` to `out`.
///
/// # Errors
/// As [`run`].
pub fn write_page(runs: &[PathBuf], out: &Path) -> Result<Contents, Failure> {
    let (runs, notes) = read_runs(runs).bad_input()?;
    let groups = grouped(runs);
    let figures = figures(&groups).failed()?;
    write(out, &page(&groups, &figures, &notes).to_html())?;
    Ok(Contents { groups, figures, notes })
}

/// Writes each figure as a file in `folder`, and tells their paths.
fn write_drawings(folder: Option<&Path>, figures: &[Figure]) -> Result<Vec<PathBuf>, Failure> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let file = |figure: &Figure| {
        let path = folder.join(format!("{}.svg", figure.name));
        write(&path, &figure.svg)?;
        Ok(path)
    };
    figures.iter().map(file).collect()
}

/// Writes a file, and its folder where that is not there.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let refused = || {
        format!(
            "cannot write {}: check the path, its permissions and the space left",
            path.display()
        )
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(refused).bad_input()?;
    }
    write_atomically(path, text.as_bytes()).with_context(refused).failed()
}

fn in_json(group: &Group) -> Value {
    let tests = page::test_sets(group);
    let accuracy =
        |name: &String| Some((name.clone(), json!(group.proportion(|run| run.overall(name))?)));
    let runs: Vec<Value> = group
        .runs
        .iter()
        .map(|run| json!({ "run": run.name, "seed": run.config.seed, "steps": run.steps(), "seconds": run.seconds() }))
        .collect();
    json!({
        "label": group.label,
        "method": group.config().method,
        "runs": runs,
        "accuracy": tests.iter().filter_map(accuracy).collect::<Map<_, _>>(),
    })
}
