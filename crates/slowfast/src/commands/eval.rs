//! `slowfast eval`: all methods on episodes of unseen scenes, in a run directory that can be resumed.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use experiment::cli::{
    CommonArguments, Failure, OrFailure, print_line, print_note, tell_default, write_file,
};
use experiment::interrupt::Interrupt;
use experiment::run_directory::RunDirectory;
use inner_outer::Threads;

use super::{
    MODEL_FOLDER, RESULTS_FILE, inputs, note_unknown_words, open_clips, require_apart,
    trained_scenes,
};
use crate::clip::{ClipSet, TrainingScenes};
use crate::evaluation::{Evaluation, EvaluationConfig, Evaluator};
use crate::inverse_dynamics::InverseDynamics;
use crate::video_model::{DENOISER_FILE, VideoModel};

/// The page within a run directory.
pub(super) const REPORT_FILE: &str = "report.html";

/// The run where none is named.
const USUAL_OUT: &str = "runs/evaluation";

/// Arguments of `eval`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("out", |argument| tell_default(argument, USUAL_OUT)))]
pub struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Folder of the model, or of the run that trained it
    #[arg(long, value_name = "FOLDER")]
    model: PathBuf,
    /// Folder of clips to evaluate on
    #[arg(long, value_name = "CLIPS")]
    data: PathBuf,
    /// File or run of `train-inverse-dynamics`, for the accuracy of actions and FVD-motion
    #[arg(long, value_name = "FILE")]
    inverse_dynamics: Option<PathBuf>,
}

/// Evaluates, and leaves the run directory with `results.json` and `report.html`.
///
/// # Errors
/// Bad input: the configuration, the model, the clips or the folder. Interrupted: `--resume` goes on.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let out = common.out.clone().unwrap_or_else(|| USUAL_OUT.into());
    let resumed = common.resumed(&out)?;
    let config = match &resumed {
        Some(run) => run.config().bad_input()?,
        None => configuration(common)?,
    };
    if resumed.is_none() {
        let Arguments { model, data, inverse_dynamics, .. } = &arguments;
        let read =
            [Some(model), Some(data), inverse_dynamics.as_ref(), common.settings.config.as_ref()];
        require_apart(&out, &[RESULTS_FILE, REPORT_FILE], &read)?;
    }
    let clips = open_clips(&arguments.data)?;
    let evaluation = experiment::on_device!(common.settings.device, B => {
        evaluate::<B>(&arguments, &config, &clips, resumed, &out)
    })?;
    match common.settings.json {
        true => print_line(serde_json::to_string(&evaluation.brief()).failed()?),
        false => print_line(format!("{}\n{}", evaluation.table(), out.join(REPORT_FILE).display())),
    }
}

fn configuration(common: &CommonArguments) -> Result<EvaluationConfig, Failure> {
    let mut config: EvaluationConfig =
        common.settings.configuration(&EvaluationConfig::default()).bad_input()?;
    if let Some(seed) = common.settings.seed {
        config.seeds = vec![seed];
    }
    config.check().bad_input()?;
    Ok(config)
}

fn evaluate<B: Backend>(
    arguments: &Arguments,
    config: &EvaluationConfig,
    clips: &ClipSet,
    resumed: Option<RunDirectory>,
    out: &Path,
) -> Result<Evaluation, Failure> {
    let model = load_model::<B>(&arguments.model)?;
    let inverse = arguments.inverse_dynamics.as_deref().map(read_inverse::<B>).transpose()?;
    let about = vec![inputs::of_model(&model)?, inputs::of_clips(clips)];
    let about = [about, inverse.iter().map(inputs::of_inverse).collect()].concat();
    let (inverse, threads) = (inverse.as_ref(), Threads::default());
    let evaluator = Evaluator { config, model: &model, clips, inverse, threads };
    // Everything is tried before the folder is made, so that a corrected command finds it free.
    evaluator.check()?;
    let run = match resumed {
        Some(run) => run,
        None => RunDirectory::create(out, config).bad_input()?,
    };
    run.require_inputs(&about).bad_input()?;
    about_scenes(config, clips, &model, inverse)?.iter().for_each(print_note);
    note_unknown_words(clips, &model.trained.config.vocabulary)?;
    let evaluation = evaluator.evaluate(run.path(), &Interrupt::install().failed()?)?;
    let text = serde_json::to_string_pretty(&evaluation.brief()).failed()?;
    write_file(&run.path().join(RESULTS_FILE), &text)?;
    let page = evaluation.page().failed()?;
    write_file(&run.path().join(REPORT_FILE), page.to_html())?;
    Ok(evaluation)
}

/// What to tell of scenes that are judged and were learned from.
fn about_scenes<B: Backend>(
    config: &EvaluationConfig,
    clips: &ClipSet,
    model: &VideoModel<B>,
    inverse: Option<&InverseDynamics<B>>,
) -> Result<Vec<String>, Failure> {
    let judged = config.chosen(&clips.index().episodes).bad_input()?;
    let judged = TrainingScenes::of(clips, judged).bad_input()?;
    let trained_on = &model.trained.config.trained_on;
    let mut told = trained_scenes("the model", &judged, trained_on, model.names_its_scenes());
    if let Some(InverseDynamics { trained_on, .. }) = inverse {
        let (learner, tells) = ("the network of the inverse dynamics", trained_on.is_some());
        let trained_on = trained_on.clone().unwrap_or_default();
        told.extend(trained_scenes(learner, &judged, &trained_on, tells));
    }
    Ok(told)
}

/// The model in a folder, or in the run that made it.
pub(super) fn load_model<B: Backend>(folder: &Path) -> Result<VideoModel<B>, Failure> {
    let within = folder.join(MODEL_FOLDER);
    let is_run = !folder.join(DENOISER_FILE).is_file() && within.is_dir();
    VideoModel::load(if is_run { &within } else { folder }, &Default::default()).bad_input()
}

/// The inverse dynamics in a file.
pub(super) fn read_inverse<B: Backend>(path: &Path) -> Result<InverseDynamics<B>, Failure> {
    InverseDynamics::load(path, &Default::default()).bad_input()
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::clip::Split;
    use crate::evaluation::tests::model;
    use crate::inverse_dynamics::tests::{clips, untrained};

    #[test]
    fn a_saved_configuration_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let config = EvaluationConfig::default();
        let run = RunDirectory::create(&path, &config).unwrap();
        assert_eq!(run.config::<EvaluationConfig>().unwrap(), config);
    }

    #[test]
    fn scenes_of_the_model_and_of_the_inverse_dynamics_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let clips = clips(folder.path());
        let config = EvaluationConfig::default();
        let (mut model, mut inverse) = (model(), untrained());
        let told = |model: &VideoModel<Flex>, inverse: &InverseDynamics<Flex>| {
            about_scenes(&config, &clips, model, Some(inverse)).unwrap()
        };
        let silent = told(&model, &inverse);
        let does_not_tell = |note: &String| note.contains("does not tell");
        assert!(silent.len() == 2 && silent.iter().all(does_not_tell), "{silent:?}");
        let of = |split| TrainingScenes::of(&clips, clips.episodes_of(split)).unwrap();
        model.autoencoder_trained_on = Some(of(Split::Train));
        model.trained.config.trained_on = of(Split::Train);
        inverse.trained_on = Some(of(Split::Train));
        assert_eq!(told(&model, &inverse), Vec::<String>::new());
        inverse.trained_on = Some(of(Split::Test));
        let [note] = told(&model, &inverse).try_into().unwrap();
        assert!(note.contains("inverse dynamics") && note.contains("flatters"), "{note}");
    }

    #[test]
    fn absent_models_and_inverse_dynamics_are_named() {
        let absent = Path::new("absent");
        let told = |failure: Failure| match failure {
            Failure::BadInput(cause) => cause.to_string(),
            other => panic!("{other:?}"),
        };
        let model = told(load_model::<Flex>(absent).unwrap_err());
        assert!(model.contains("absent"), "{model}");
        let inverse = read_inverse::<Flex>(absent).unwrap_err();
        assert!(told(inverse).contains("train-inverse-dynamics"));
    }
}
