//! `fal data`: what a set holds, and who has what of it.

mod inspection;
mod sheet;

use std::path::{Path, PathBuf};

use anyhow::Context;
use experiment::atomic::write_atomically;
use experiment::cli::{
    Failure, OrFailure, SettingsArguments, print_line, print_note, require_not_among, write_file,
};
use experiment::seed::Seed;

use super::{configured, refuse_training};
use crate::config::ExperimentConfig;
use crate::data::Split;
use inspection::Inspection;

const SHEET_FILE: &str = "images.png";
const PARTITION_FILE: &str = "partition.svg";

/// Arguments of `data`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Show the images, whether their files are the originals, and how the configuration divides them; with --out also as
    /// pictures
    Inspect(Inspect),
}

#[derive(Debug, clap::Args)]
struct Inspect {
    #[command(flatten)]
    settings: SettingsArguments,
    /// Folder to write images.png and partition.svg to
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folder with the files of the configuration's set; four idx files of any set if that one needs no folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Prints what there is, and writes `images.png` and `partition.svg` into `--out`.
///
/// # Errors
/// Bad input: the configuration, the data or their division. Failed: writing.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Task::Inspect(arguments) = arguments.task;
    inspect(&arguments)
}

fn inspect(arguments: &Inspect) -> Result<(), Failure> {
    if let Some(out) = &arguments.out {
        require_free(out, arguments)?;
    }
    let config = configuration(arguments)?;
    let split = config.data.load().bad_input()?;
    config.data.untrained(&split).into_iter().for_each(print_note);
    let Split { train, .. } = &split;
    // The division that `fal train` makes with this seed.
    let partition = config.clients.partition.divide(
        train.labels(),
        train.classes(),
        config.clients.count,
        &Seed::new(config.seed).child("partition"),
    );
    let partition = partition.bad_input()?;
    if let Some(out) = &arguments.out {
        let title = format!("{} among {} clients", train.name(), partition.len());
        let picture = partition.to_svg(&title, train.class_names());
        write_file(&out.join(PARTITION_FILE), &picture)?;
        let too_large = "the contact sheet of the images cannot be drawn; leave out --out, or make the images smaller";
        let sheet = sheet::contact_sheet(train).context(too_large).failed()?;
        let path = out.join(SHEET_FILE);
        let refused = || format!("cannot write {}", path.display());
        write_atomically(&path, &sheet).with_context(refused).failed()?;
    }
    let inspection = Inspection::of(config.data.set, &split, &partition);
    match arguments.settings.json {
        true => print_line(serde_json::to_string(&inspection).failed()?),
        false => print_line(inspection),
    }
}

/// The pictures take nobody's place but that of earlier ones.
fn require_free(out: &Path, Inspect { settings, data, .. }: &Inspect) -> Result<(), Failure> {
    refuse_training(out)?;
    let inputs: Vec<&PathBuf> = settings.config.iter().chain(data).collect();
    [PARTITION_FILE, SHEET_FILE].iter().try_for_each(|file| {
        require_not_among(&out.join(file), &inputs, |place| place.ends_with(file))
    })
}

fn configuration(arguments: &Inspect) -> Result<ExperimentConfig, Failure> {
    let Inspect { settings, data, .. } = arguments;
    let config = configured(settings, &ExperimentConfig::default(), data.clone())?;
    config.check().bad_input()?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use crate::data::DataChoice;
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(given: &[&str]) -> Arguments {
        let program = Program::try_parse_from(["data", "inspect"].iter().chain(given));
        program.expect("valid arguments").arguments
    }

    #[test]
    fn pictures_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("pictures");
        run(parse(&["--out", out.to_str().unwrap(), "--set", "clients.count=3"])).unwrap();
        assert_eq!(&std::fs::read(out.join(SHEET_FILE)).unwrap()[1..4], b"PNG");
        let picture = std::fs::read_to_string(out.join(PARTITION_FILE)).unwrap();
        assert!(picture.contains("digits among 3 clients"));
    }

    #[test]
    fn pictures_take_no_other_file_s_place() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().to_str().unwrap();
        for _ in 0..2 {
            run(parse(&["--out", out])).unwrap();
        }
        let config = folder.path().join(PARTITION_FILE);
        std::fs::write(&config, "clients.count = 3").unwrap();
        let told = |given: &[&str]| match run(parse(given)) {
            Err(Failure::BadInput(cause)) => cause.to_string(),
            other => panic!("{other:?}"),
        };
        let read = told(&["--out", out, "--config", config.to_str().unwrap()]);
        assert!(read.contains("name another file or folder"), "{read}");
        std::fs::write(folder.path().join(experiment::metrics::FILE_NAME), "").unwrap();
        let of_training = told(&["--out", out]);
        assert!(of_training.contains("name another folder with --out"), "{of_training}");
        assert_eq!(std::fs::read_to_string(config).unwrap(), "clients.count = 3");
    }

    #[test]
    fn a_folder_means_the_set_that_is_configured() {
        let read = |given: &[&str]| {
            let Task::Inspect(arguments) = parse(given).task;
            configuration(&arguments).unwrap().data
        };
        let named = read(&["--data", "here", "--set", "data.set=\"mnist\""]);
        assert_eq!(named.set, DataChoice::Mnist);
        let any = read(&["--data", "here"]);
        assert_eq!((any.set, any.folder), (DataChoice::Folder, Some("here".into())));
    }

    #[test]
    fn what_cannot_be_read_or_divided_is_bad_input() {
        for given in [["--data", "no such folder"], ["--set", "clients.count=100000"]] {
            assert!(matches!(run(parse(&given)), Err(Failure::BadInput(_))), "{given:?}");
        }
    }
}
