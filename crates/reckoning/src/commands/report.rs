//! `reckoning report`: one page from runs, evaluations and benchmarks.

mod page;
mod reading;
mod tables;

use std::path::{Path, PathBuf};

use experiment::cli::{Failure, OrFailure, print_line, refuse_to_lose, write_file};
use experiment::report::is_page;
use serde_json::{Map, Value, json};

use super::bench::Benchmark;
use crate::figures::{
    Figure, Group, Named, benchmark_figures, figures, generated_figures, grouped,
};
pub use page::page;
pub use reading::{Found, ReadingError, read_folders};

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folders of runs, evaluations and benchmarks; runs that differ only in their seed become one line
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,

    /// Page to write, which needs nothing else to be shown; an earlier page is replaced, and no other file
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
    /// Scores of generated answers.
    pub evaluations: Vec<Named>,
    /// Run times and memory, by the name of the folder.
    pub benchmarks: Vec<(String, Benchmark)>,
    /// The figures, in the order of the page.
    pub figures: Vec<Figure>,
    /// What is not shown, and why.
    pub notes: Vec<String>,
}

/// Reads the folders and writes the page.
///
/// # Errors
/// Bad input: a folder that holds nothing whole. Failed: writing.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { folders, out, svg, json } = arguments;
    let contents = write_page(&folders, &out)?;
    let Contents { groups, evaluations, benchmarks, figures, notes } = &contents;
    let drawings = write_drawings(svg.as_deref(), figures)?;
    if json {
        let remarks = page::remarks(groups);
        let groups: Vec<Value> = groups.iter().map(in_json).collect();
        let report = json!({
            "out": out.to_string_lossy(),
            "svg": drawings,
            "groups": groups,
            "evaluations": evaluations,
            "benchmarks": benchmarks,
            "notes": notes,
            "remarks": remarks,
        });
        return print_line(report);
    }
    notes.iter().try_for_each(print_line)?;
    drawings.iter().try_for_each(|path| print_line(path.display()))?;
    print_line(out.display())
}

/// Writes the page of what is in `folders` to `out`.
///
/// # Errors
/// As [`run`].
pub fn write_page(folders: &[PathBuf], out: &Path) -> Result<Contents, Failure> {
    refuse_to_lose(out, "page", is_page)?;
    let Found { runs, evaluations, benchmarks, notes } = read_folders(folders).bad_input()?;
    let groups = grouped(runs);
    let mut figures = figures(&groups).failed()?;
    figures.extend(generated_figures(&evaluations).failed()?);
    for (name, benchmark) in &benchmarks {
        let of_this = benchmark_figures(benchmark).failed()?;
        // Several benchmarks have figures of the same names.
        figures.extend(of_this.into_iter().map(|figure| match benchmarks.len() {
            1 => figure,
            _ => Figure { name: format!("{}-{name}", figure.name), ..figure },
        }));
    }
    let contents = Contents { groups, evaluations, benchmarks, figures, notes };
    write_file(out, page(&contents).to_html())?;
    Ok(contents)
}

/// Writes each figure as a file in `folder`, and tells their paths.
fn write_drawings(folder: Option<&Path>, figures: &[Figure]) -> Result<Vec<PathBuf>, Failure> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let file = |figure: &Figure| {
        let path = folder.join(format!("{}.svg", figure.name));
        write_file(&path, &figure.svg)?;
        Ok(path)
    };
    figures.iter().map(file).collect()
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::commands::bench::BENCH_FILE;
    use crate::figures::test_benchmark;

    #[test]
    fn pages_alone_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let bench = folder.path().join(BENCH_FILE);
        let measured = serde_json::to_string(&test_benchmark()).unwrap();
        fs::write(&bench, &measured).unwrap();
        let folders = [folder.path().to_owned()];
        for out in [bench.as_path(), folder.path()] {
            match write_page(&folders, out) {
                Err(Failure::BadInput(cause)) => {
                    assert!(cause.to_string().contains("is no page"), "{cause}");
                }
                other => panic!("{}: {other:?}", out.display()),
            }
        }
        assert_eq!(fs::read_to_string(&bench).unwrap(), measured);
        let page = folder.path().join("report.html");
        for _ in 0..2 {
            write_page(&folders, &page).unwrap();
        }
        assert!(is_page(&page));
    }
}
