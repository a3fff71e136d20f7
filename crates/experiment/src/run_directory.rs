//! The folder that holds all of one run: its resolved configuration, metrics, checkpoints and report.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::atomic::{create_folders, remove_leftovers, remove_leftovers_below, write_atomically};
use crate::checkpoint;
use crate::cli::print_note;
use crate::fingerprint::Fingerprint;
use crate::metrics::{self, Metrics, MetricsError};

/// The file of a run that holds its configuration.
pub const CONFIG: &str = "config.toml";
const LOCK: &str = ".lock";
const INPUTS: &str = "inputs.txt";
/// The fingerprint of the configuration that the run began with.
const BEGUN_WITH: &str = "config.sha256";
/// A program that a writer is just starting has the writer's files open until its own code begins, so a lock can
/// outlive its holder by some milliseconds.
const PATIENCE: Duration = Duration::from_millis(500);

/// The folder of one run.
///
/// A run that was created or resumed is locked until the value is dropped (or its process dies), so that no two
/// processes write to it; one that was opened can only be read.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    lock: Option<File>,
}

/// A run's folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The folder already holds a run.
    #[error("{} already holds a run: pass --resume to go on with it, or name another folder with --out", .0.display())]
    AlreadyARun(PathBuf),
    /// The folder holds what a run leaves, but not its configuration.
    #[error("{} holds parts of a run without its config.toml: put that file back, or name another folder with --out", .0.display())]
    Remains(PathBuf),
    /// The folder holds no run.
    #[error("{} holds no run (no config.toml): check the path, or start a run there first", .0.display())]
    NotARun(PathBuf),
    /// Another process writes the same run.
    #[error("another process is writing the run in {}: wait for it to end, or name another folder with --out", .0.display())]
    InUse(PathBuf),
    /// The file system cannot lock files.
    #[error("the file system of {} cannot lock files, which keeps two processes from writing one run: name a folder on another one with --out", .0.display())]
    NoLocks(PathBuf),
    /// The configuration was changed after the run had begun.
    #[error("config.toml in {} is not what the run was begun with, and what is done would pass for the work of what it says now: put it back, or begin anew with --config and the changed file in another --out", .0.display())]
    OtherConfig(PathBuf),
    /// The run was begun with other settings than those that are wanted.
    #[error("{} holds a run of other settings: give those that it began with, or choose another --out", .0.display())]
    OtherSettings(PathBuf),
    /// The run was begun with something else.
    #[error("the run in {} was begun with other data, or with another model: give those that it began with, or begin anew in another --out", .0.display())]
    OtherInputs(PathBuf),
    /// The run was opened for reading only.
    #[error("the run in {} was opened for reading: resume it to write to it", .0.display())]
    ReadOnly(PathBuf),
    /// The configuration cannot be written as TOML, which is a fault of the program.
    #[error(
        "the configuration cannot be written as TOML: make it a struct of sections, lists, text and numbers"
    )]
    Unwritable(#[from] toml::ser::Error),
    /// The saved configuration does not fit this program.
    #[error("{}: {reason}: this is a run of another command, or of another version of this one; use what started it, or begin anew in another --out", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The file system refused.
    #[error("cannot use {}: check the path, its permissions and the space left", path.display())]
    FileSystem {
        /// The file or folder in question.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
}

/// The file itself, or the one called `name` in it if `path` is the folder of a run.
pub fn file_or_of_run(path: &Path, name: &str) -> PathBuf {
    if path.is_dir() { path.join(name) } else { path.to_owned() }
}

impl RunDirectory {
    /// Starts a run in the folder `path`, which is made if it is not there, and saves the resolved `config` in it.
    ///
    /// # Errors
    /// [`RunError::AlreadyARun`] if the folder holds a run, [`RunError::Remains`] if parts of one, [`RunError::InUse`] if one is
    /// just being started there, [`RunError::NoLocks`], [`RunError::Unwritable`] and [`RunError::FileSystem`].
    pub fn create<C: Serialize>(path: impl Into<PathBuf>, config: &C) -> Result<Self, RunError> {
        let path = path.into();
        let text = toml::to_string_pretty(config)?;
        create_folders(&path).map_err(refused(&path))?;
        let lock = lock(&path)?;
        let file = path.join(CONFIG);
        if file.exists() {
            return Err(RunError::AlreadyARun(path));
        }
        // Another run's checkpoints would be gone on from.
        if [checkpoint::FOLDER, BEGUN_WITH, INPUTS, metrics::FILE_NAME]
            .iter()
            .any(|part| path.join(part).exists())
        {
            return Err(RunError::Remains(path));
        }
        remove_leftovers(&path);
        write_atomically(&file, text.as_bytes()).map_err(refused(&file))?;
        let run = Self { path, lock: Some(lock) };
        run.require_same_config()?;
        Ok(run)
    }

    /// Goes on with the run in the folder `path`. The files that a kill left unfinished there are removed, on Unix.
    ///
    /// # Errors
    /// [`RunError::NotARun`] if the folder holds none, [`RunError::InUse`] if another process is writing it,
    /// [`RunError::OtherConfig`] if its configuration has been changed, and [`RunError::FileSystem`].
    pub fn resume(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let run = Self::open(path)?;
        let lock = lock(&run.path)?;
        run.require_same_config()?;
        remove_leftovers_below(&run.path);
        Ok(Self { lock: Some(lock), ..run })
    }

    /// Goes on with the run in the folder `path`, or starts it where there is none, so that a program of several runs can be
    /// interrupted and called again. The run has the settings `config` in either case.
    ///
    /// # Errors
    /// [`RunError::OtherSettings`] if the folder holds a run of other settings, [`RunError::Config`] if it holds one whose settings
    /// are no `C`, and those of [`RunDirectory::create`] and [`RunDirectory::resume`].
    pub fn create_or_resume<C: Serialize + DeserializeOwned + PartialEq>(
        path: impl Into<PathBuf>,
        config: &C,
    ) -> Result<Self, RunError> {
        let path = path.into();
        if !path.join(CONFIG).exists() {
            return Self::create(path, config);
        }
        let run = Self::resume(path)?;
        if run.config::<C>()? == *config { Ok(run) } else { Err(RunError::OtherSettings(run.path)) }
    }

    /// Opens the run in the folder `path` for reading, even while another process writes it.
    ///
    /// # Errors
    /// [`RunError::NotARun`] if the folder holds none.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let path = path.into();
        if !path.join(CONFIG).is_file() {
            return Err(RunError::NotARun(path));
        }
        Ok(Self { path, lock: None })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The configuration that the run was started with.
    ///
    /// # Errors
    /// [`RunError::Config`] if the file does not fit `C`, [`RunError::OtherConfig`] if it was changed since, and
    /// [`RunError::FileSystem`].
    pub fn config<C: DeserializeOwned>(&self) -> Result<C, RunError> {
        let path = self.path.join(CONFIG);
        let text = fs::read_to_string(&path).map_err(refused(&path))?;
        if self.path.join(BEGUN_WITH).exists() {
            self.require_same(BEGUN_WITH, &fingerprint(&text), RunError::OtherConfig)?;
        }
        toml::from_str(&text)
            .map_err(|failure| RunError::Config { path, reason: failure.message().to_owned() })
    }

    /// Writes down what the run is about beside its configuration, such as fingerprints of data and models, or checks that it
    /// is about the same as before.
    ///
    /// # Errors
    /// [`RunError::OtherInputs`] if the run was begun with others, and [`RunError::FileSystem`].
    pub fn require_inputs(&self, inputs: &[String]) -> Result<(), RunError> {
        self.require_same(INPUTS, &inputs.join("\n"), RunError::OtherInputs)
    }

    /// The configuration is what it was when the run began. A run that was killed before it said so has just begun; one of an
    /// earlier version, which said nothing, is taken at its word.
    fn require_same_config(&self) -> Result<(), RunError> {
        let path = self.path.join(CONFIG);
        let config = fs::read_to_string(&path).map_err(refused(&path))?;
        let is_told = self.path.join(BEGUN_WITH).exists();
        if !is_told && self.path.join(metrics::FILE_NAME).exists() {
            print_note(format!(
                "{} was begun by a version that did not keep the fingerprint of its configuration: config.toml is taken as it is",
                self.path.display()
            ));
        }
        self.require_same(BEGUN_WITH, &fingerprint(&config), RunError::OtherConfig)
    }

    /// Leaves `text` in a file, or refuses another than what an earlier process left there.
    fn require_same(
        &self,
        file: &str,
        text: &str,
        refusal: fn(PathBuf) -> RunError,
    ) -> Result<(), RunError> {
        let path = self.path.join(file);
        match fs::read_to_string(&path) {
            Ok(before) if before == text => Ok(()),
            Ok(_) => Err(refusal(self.path.clone())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write_atomically(&path, text.as_bytes()).map_err(refused(&path))
            }
            Err(source) => Err(RunError::FileSystem { path, source }),
        }
    }

    /// The run's metrics, to be logged to. `resume_from_step` is the step of the checkpoint that the run goes on
    /// from: rows of later steps are dropped, for the run will log them again. With `None` it starts from nothing.
    ///
    /// # Errors
    /// [`MetricsError`]; in particular for a run that was opened for reading.
    pub fn metrics(&self, resume_from_step: Option<u64>) -> Result<Metrics, MetricsError> {
        self.require_writer()?;
        Metrics::open(&self.path, resume_from_step)
    }

    /// Refuses a run that this process may not write to.
    pub(crate) fn require_writer(&self) -> Result<(), RunError> {
        match self.lock {
            Some(_) => Ok(()),
            None => Err(RunError::ReadOnly(self.path.clone())),
        }
    }
}

fn fingerprint(config: &str) -> String {
    Fingerprint::of_parts(&[config.as_bytes()]).to_string()
}

/// Takes the run's lock; the system gives it back when the file is closed, also by a kill.
fn lock(folder: &Path) -> Result<File, RunError> {
    let path = folder.join(LOCK);
    let file = File::options().create(true).append(true).open(&path).map_err(refused(&path))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if started.elapsed() < PATIENCE => {
                std::thread::sleep(PATIENCE / 50);
            }
            Err(TryLockError::WouldBlock) => return Err(RunError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                return Err(RunError::NoLocks(folder.to_owned()));
            }
            Err(TryLockError::Error(source)) => return Err(RunError::FileSystem { path, source }),
        }
    }
}

fn refused(path: &Path) -> impl FnOnce(io::Error) -> RunError {
    let path = path.to_owned();
    move |source| RunError::FileSystem { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        steps: u64,
    }

    #[test]
    fn a_run_keeps_its_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/run");
        let run = RunDirectory::create(&path, &Config { steps: 3 }).unwrap();
        assert_eq!(run.path(), path);
        drop(run);
        let resumed = RunDirectory::resume(&path).unwrap();
        assert_eq!(resumed.config::<Config>().unwrap(), Config { steps: 3 });
    }

    #[test]
    fn a_run_is_not_gone_on_with_by_another_configuration() {
        let folder = tempfile::tempdir().unwrap();
        drop(RunDirectory::create(folder.path(), &Config { steps: 3 }).unwrap());
        let config = folder.path().join(CONFIG);
        let begun_with = fs::read_to_string(&config).unwrap();
        fs::write(&config, "steps = 4").unwrap();
        let failure = RunDirectory::resume(folder.path()).unwrap_err();
        assert!(matches!(failure, RunError::OtherConfig(_)));
        assert!(failure.to_string().contains("--config"));
        let reader = RunDirectory::open(folder.path()).unwrap();
        assert!(matches!(reader.config::<Config>(), Err(RunError::OtherConfig(_))));
        fs::write(&config, begun_with).unwrap();
        RunDirectory::resume(folder.path()).unwrap();
    }

    #[test]
    fn a_run_is_begun_once_and_then_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let begun = RunDirectory::create_or_resume(&run, &Config { steps: 3 }).unwrap();
        assert_eq!(begun.config::<Config>().unwrap(), Config { steps: 3 });
        begun.metrics(None).unwrap().log(1, &[("loss", 0.5)]).unwrap();
        drop(begun);
        let resumed = RunDirectory::create_or_resume(&run, &Config { steps: 3 }).unwrap();
        assert_eq!(metrics::read(&run.join(metrics::FILE_NAME)).unwrap().len(), 1);
        resumed.metrics(Some(1)).unwrap();
        drop(resumed);
        let failure = RunDirectory::create_or_resume(&run, &Config { steps: 4 }).unwrap_err();
        assert!(matches!(&failure, RunError::OtherSettings(path) if *path == run));
        assert!(failure.to_string().contains("--out"));
        assert_eq!(RunDirectory::open(&run).unwrap().config::<Config>().unwrap().steps, 3);
        // Whoever is refused holds no lock.
        RunDirectory::resume(&run).unwrap();
    }

    /// As a kill between the two files leaves it, and as versions that wrote one left it.
    #[test]
    fn a_run_that_does_not_say_what_it_began_with_says_so_when_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        drop(RunDirectory::create(folder.path(), &Config { steps: 3 }).unwrap());
        let begun_with = folder.path().join(BEGUN_WITH);
        fs::remove_file(&begun_with).unwrap();
        let reader = RunDirectory::open(folder.path()).unwrap();
        assert_eq!(reader.config::<Config>().unwrap().steps, 3);
        assert!(!begun_with.exists(), "who reads writes nothing");
        drop(RunDirectory::resume(folder.path()).unwrap());
        assert!(begun_with.exists());
    }

    #[test]
    fn a_run_is_not_gone_on_with_about_something_else() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(folder.path().join("run"), &Config { steps: 3 }).unwrap();
        let require = |inputs: &[&str]| {
            run.require_inputs(&inputs.iter().map(|&input| input.into()).collect::<Vec<_>>())
        };
        require(&["data 1", "model 2"]).unwrap();
        require(&["data 1", "model 2"]).unwrap();
        for others in [vec!["data 1"], vec!["model 2", "data 1"]] {
            let failure = require(&others).unwrap_err();
            assert!(matches!(failure, RunError::OtherInputs(_)));
            assert!(failure.to_string().contains("--out"));
        }
    }

    #[test]
    fn a_run_is_not_overwritten_and_other_files_do_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        drop(RunDirectory::create(folder.path(), &Config { steps: 3 }).unwrap());
        let failure = RunDirectory::create(folder.path(), &Config { steps: 4 }).unwrap_err();
        assert!(matches!(failure, RunError::AlreadyARun(_)));
        assert!(failure.to_string().contains("--resume"));
        assert!(folder.path().join("notes.txt").exists());
    }

    #[test]
    fn one_process_writes_while_others_read() {
        let folder = tempfile::tempdir().unwrap();
        let writer = RunDirectory::create(folder.path(), &Config { steps: 3 }).unwrap();
        assert!(matches!(RunDirectory::resume(folder.path()), Err(RunError::InUse(_))));
        assert!(matches!(
            RunDirectory::create(folder.path(), &Config { steps: 3 }),
            Err(RunError::InUse(_))
        ));
        let reader = RunDirectory::open(folder.path()).unwrap();
        assert_eq!(reader.config::<Config>().unwrap().steps, 3);
        assert!(matches!(reader.metrics(None), Err(MetricsError::Run(RunError::ReadOnly(_)))));
        drop(writer);
        RunDirectory::resume(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_without_a_run_is_not_resumed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(RunDirectory::resume(folder.path()), Err(RunError::NotARun(_))));
        assert!(matches!(
            RunDirectory::open(folder.path().join("absent")),
            Err(RunError::NotARun(_))
        ));
    }

    #[test]
    fn what_another_run_left_is_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(folder.path(), &Config { steps: 3 }).unwrap();
        run.require_inputs(&["data 1".into()]).unwrap();
        drop(run);
        fs::remove_file(folder.path().join(CONFIG)).unwrap();
        let failure = RunDirectory::create(folder.path(), &Config { steps: 3 }).unwrap_err();
        assert!(matches!(failure, RunError::Remains(_)));
        assert!(failure.to_string().contains("put that file back"));
        assert!(!folder.path().join(CONFIG).exists());
    }

    #[test]
    fn a_start_that_was_killed_before_its_configuration_is_started_again() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(".unfinished-abc");
        fs::write(&left, "steps").unwrap();
        RunDirectory::create(folder.path(), &Config { steps: 3 }).unwrap();
        assert!(cfg!(not(unix)) || !left.exists());
    }

    #[cfg(unix)]
    #[test]
    fn what_a_kill_left_unfinished_goes_when_the_run_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        drop(RunDirectory::create(folder.path(), &Config { steps: 3 }).unwrap());
        fs::create_dir(folder.path().join("network")).unwrap();
        let left = [".unfinished-abc", "network/.unfinished-def"];
        let left = left.map(|name| folder.path().join(name));
        left.iter().for_each(|file| fs::write(file, "half").unwrap());
        RunDirectory::open(folder.path()).unwrap();
        assert!(left.iter().all(|file| file.exists()), "who reads removes nothing");
        RunDirectory::resume(folder.path()).unwrap();
        assert!(!left.iter().any(|file| file.exists()));
    }

    #[test]
    fn unusable_paths_and_configurations_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(
            RunDirectory::create(&file, &Config { steps: 3 }),
            Err(RunError::FileSystem { .. })
        ));
        let run = folder.path().join("run");
        assert!(matches!(RunDirectory::create(&run, &3), Err(RunError::Unwritable(_))));
        assert!(!run.exists());

        let run = RunDirectory::create(&run, &Config { steps: 3 }).unwrap();
        fs::remove_file(run.path().join(BEGUN_WITH)).unwrap();
        fs::write(run.path().join(CONFIG), "stepz = 3").unwrap();
        let failure = run.config::<Config>().unwrap_err();
        assert!(failure.to_string().contains("unknown field `stepz`"), "{failure}");
    }
}
