//! `slowfast plan`: go there and retrace the way, imagined by one or more models and carried out in the simulator.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use experiment::cli::{CommonArguments, Failure, OrFailure, print_line, tell_default, write_file};
use experiment::interrupt::Interrupt;
use experiment::run_directory::RunDirectory;
use inner_outer::Threads;

use super::eval::{REPORT_FILE, load_model, read_inverse};
use super::{RESULTS_FILE, inputs, note_words, require_apart};
use crate::planning::{Planner, Planning, PlanningConfig};
use crate::video_model::VideoModel;

/// The run where none is named.
const USUAL_OUT: &str = "runs/planning";

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("out", |argument| tell_default(argument, USUAL_OUT)))]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// A name for a model and its folder, or that of the run that trained it; may be given several times
    #[arg(long, value_name = "NAME=FOLDER", required = true, value_parser = named)]
    model: Vec<(String, PathBuf)>,
    /// File or run of `train-inverse-dynamics`
    #[arg(long, value_name = "FILE")]
    inverse_dynamics: PathBuf,
}

fn named(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, folder)) if !name.is_empty() && !folder.is_empty() => {
            Ok((name.to_owned(), folder.into()))
        }
        _ => Err("write a name, `=` and a folder, such as slow=runs/train".to_owned()),
    }
}

/// Plans, and leaves the run directory with `results.json` and `report.html`.
///
/// # Errors
/// Bad input: the configuration, the models or the folder. Interrupted: `--resume` goes on.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let out = common.out.clone().unwrap_or_else(|| USUAL_OUT.into());
    let resumed = common.resumed(&out)?;
    let config = match &resumed {
        Some(run) => run.config().bad_input()?,
        None => configuration(common)?,
    };
    if resumed.is_none() {
        let models = arguments.model.iter().map(|(_, folder)| Some(folder));
        let others = [Some(&arguments.inverse_dynamics), common.settings.config.as_ref()];
        let read: Vec<Option<&PathBuf>> = models.chain(others).collect();
        require_apart(&out, &[RESULTS_FILE, REPORT_FILE], &read)?;
    }
    let planning = experiment::on_device!(common.settings.device, B => {
        plan::<B>(&arguments, &config, resumed, &out)
    })?;
    match common.settings.json {
        true => print_line(serde_json::to_string(&planning).failed()?),
        false => print_line(format!("{}\n{}", planning.table(), out.join(REPORT_FILE).display())),
    }
}

fn configuration(common: &CommonArguments) -> Result<PlanningConfig, Failure> {
    let mut config: PlanningConfig =
        common.settings.configuration(&PlanningConfig::default()).bad_input()?;
    config.seed = common.settings.seed.unwrap_or(config.seed);
    config.check().bad_input()?;
    Ok(config)
}

fn plan<B: Backend>(
    arguments: &Arguments,
    config: &PlanningConfig,
    resumed: Option<RunDirectory>,
    out: &Path,
) -> Result<Planning, Failure> {
    let load = |(name, folder): &(String, PathBuf)| Ok((name.clone(), load_model::<B>(folder)?));
    let models = arguments.model.iter().map(load).collect::<Result<Vec<_>, Failure>>()?;
    let inverse = read_inverse::<B>(&arguments.inverse_dynamics)?;
    let of = |(name, model): &(String, VideoModel<B>)| {
        Ok(format!("{name} {}", inputs::of_model(model)?))
    };
    let names = models.iter().map(of).collect::<Result<Vec<_>, Failure>>()?;
    let about = [names, vec![inputs::of_inverse(&inverse)]].concat();
    let threads = Threads::default();
    let planner = Planner { config, models: &models, inverse: &inverse, threads };
    // Everything is tried before the folder is made, so that a corrected command finds it free.
    planner.check()?;
    for (name, unknown) in planner.unknown_words().bad_input()? {
        note_words("the tasks' phrases", name, unknown);
    }
    let run = match resumed {
        Some(run) => run,
        None => RunDirectory::create(out, config).bad_input()?,
    };
    run.require_inputs(&about).bad_input()?;
    let planning = planner.plan(run.path(), &Interrupt::install().failed()?)?;
    write_file(&run.path().join(RESULTS_FILE), serde_json::to_string_pretty(&planning).failed()?)?;
    write_file(&run.path().join(REPORT_FILE), planning.page().failed()?.to_html())?;
    Ok(planning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_named() {
        assert_eq!(named("a=b/c").unwrap(), ("a".to_owned(), "b/c".into()));
        assert!(["a", "=b", "a=", ""].iter().all(|text| named(text).is_err()));
    }
}
