//! Data sets of the built-in worlds: many scenes, an episode or more in each, written as clips.

use std::path::Path;

use experiment::cli::{Failure, OrFailure};
use experiment::interrupt::Interrupt;
use experiment::progress::Progress;
use experiment::seed::Seed;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::clip::{ClipError, ClipWriter, Description, Index, Recorded, Route, Split};
use crate::size::{MOST, MOST_BYTES};
use crate::world::{World, WorldError, WorldSettings};

/// Episodes that a file may have: more would not fit into its header.
const MOST_IN_A_SHARD: usize = 10_000;
/// The frames of an episode are held as they were recorded, as tensors, and as a file.
const COPIES: f64 = 3.0;

/// Settings of a data set. The defaults are those of the published numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerationSettings {
    /// Seed of every random choice.
    pub seed: u64,
    /// Number of episodes.
    pub episodes: usize,
    /// Episodes in a scene.
    pub episodes_per_scene: usize,
    /// Actions of an episode that explores.
    pub actions: usize,
    /// Actions of the way there on routes that retrace their steps, and at most so many straight ahead on those that turn
    /// around.
    pub actions_there: usize,
    /// Frames that an action is held for; it must divide the turns of a half circle.
    pub frames_per_action: usize,
    /// Share of the episodes, 0 to 1, that go there and back; they take turns in how.
    pub there_and_back: f64,
    /// Share of the scenes, 0 to 1, for validation.
    pub validation: f64,
    /// Share of the scenes, 0 to 1, for tests.
    pub test: f64,
    /// Episodes in a file.
    pub episodes_per_shard: usize,
    /// The worlds and how the agent moves in them.
    pub world: WorldSettings,
}

impl Default for GenerationSettings {
    fn default() -> Self {
        Self {
            seed: 0,
            episodes: 400,
            episodes_per_scene: 1,
            actions: 64,
            actions_there: 12,
            frames_per_action: 4,
            there_and_back: 0.25,
            validation: 0.1,
            test: 0.1,
            episodes_per_shard: 16,
            world: WorldSettings::default(),
        }
    }
}

/// Data that cannot be generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerationError {
    /// A setting out of its range.
    #[error("`{field}` {problem}")]
    Setting {
        /// The field of [`GenerationSettings`].
        field: &'static str,
        /// What is wrong with it and what is allowed.
        problem: String,
    },
    /// The world cannot be made.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The clips cannot be written.
    #[error(transparent)]
    Clip(#[from] ClipError),
}

impl GenerationSettings {
    /// Checks that data can be generated.
    ///
    /// # Errors
    /// [`GenerationError::Setting`] and [`GenerationError::World`] name the field that is out of its range.
    pub fn validate(&self) -> Result<(), GenerationError> {
        self.world.validate()?;
        let refused = |field, problem: String| Err(GenerationError::Setting { field, problem });
        for (field, value, most) in [
            ("episodes", self.episodes, MOST),
            ("episodes_per_scene", self.episodes_per_scene, MOST),
            ("actions", self.actions, MOST),
            ("actions_there", self.actions_there, MOST),
            ("frames_per_action", self.frames_per_action, MOST),
            ("episodes_per_shard", self.episodes_per_shard, MOST_IN_A_SHARD),
        ] {
            if value == 0 {
                return refused(field, "is 0: choose at least 1".to_owned());
            }
            if value > most {
                return refused(field, format!("is {value}: choose at most {most}"));
            }
        }
        for (field, value) in [
            ("there_and_back", self.there_and_back),
            ("validation", self.validation),
            ("test", self.test),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return refused(field, format!("is {value}: choose a share from 0 to 1"));
            }
        }
        if self.validation + self.test > 1.0 {
            return refused(
                "test",
                "and `validation` are more than all scenes together".to_owned(),
            );
        }
        self.world.check_hold(self.frames_per_action)?;
        self.check_room()
    }

    /// Checks that there is room for a file's episodes, and for what is made of them on the way to the disk.
    fn check_room(&self) -> Result<(), GenerationError> {
        let explored = if self.there_and_back < 1.0 { self.actions as f64 } else { 0.0 };
        let back = if self.there_and_back > 0.0 { 2.0 * self.actions_there as f64 } else { 0.0 };
        let circle = f64::from(self.world.turns_per_circle);
        let frames = 1.0 + circle.max(explored.max(back) * self.frames_per_action as f64);
        let episode = COPIES * frames * self.world.frame_bytes();
        let longest = match explored < back {
            true => ("actions_there", self.actions_there),
            false => ("actions", self.actions),
        };
        let at_once = self.episodes_per_shard.min(self.episodes);
        for ((field, value), bytes) in [
            (longest, episode),
            (("episodes_per_shard", self.episodes_per_shard), at_once as f64 * episode),
        ] {
            if bytes > MOST_BYTES {
                let problem = format!(
                    "is {value}, for which {bytes:.0e} bytes would be held at once, of at most {MOST_BYTES:.0e}: choose less"
                );
                return Err(GenerationError::Setting { field, problem });
            }
        }
        Ok(())
    }

    /// The split of a scene: the first scenes are for training, the last for tests. Where the settings ask for a split and
    /// there are three scenes or more, it has at least one.
    pub fn split(&self, scene: usize) -> Split {
        let scenes = self.episodes.div_ceil(self.episodes_per_scene);
        let part = |share: f64| {
            let least = usize::from(share > 0.0 && scenes >= 3);
            ((share * scenes as f64).round() as usize).max(least)
        };
        let (validation, test) = (part(self.validation), part(self.test));
        match scenes.saturating_sub(scene + 1) {
            after if after < test => Split::Test,
            after if after < test + validation => Split::Validation,
            _ => Split::Train,
        }
    }

    /// The route that an episode should take: those that lead back are spread evenly.
    pub fn route(&self, episode: usize) -> Route {
        let before = |episode: usize| (episode as f64 * self.there_and_back).floor() as usize;
        match before(episode) {
            number if before(episode + 1) > number => {
                Route::THERE_AND_BACK[number % Route::THERE_AND_BACK.len()]
            }
            _ => Route::Explore,
        }
    }

    /// The world of a scene.
    ///
    /// # Errors
    /// [`WorldError::Setting`].
    pub fn world(&self, scene: usize) -> Result<World, WorldError> {
        World::new(&self.world, &Seed::new(self.seed).child("scenes").index(scene as u64))
    }

    /// Name of a scene.
    fn scene_name(&self, scene: usize) -> String {
        format!("rooms-{}-{scene}", self.seed)
    }

    fn record(&self, episode: usize) -> Result<Recorded, WorldError> {
        let scene = episode / self.episodes_per_scene;
        let world = self.world(scene)?;
        let route = self.route(episode);
        let seed = Seed::new(self.seed).child("episodes").index(episode as u64);
        let (actions, there) = (self.actions, self.actions_there);
        let plan = route.plan(&world, actions, there, self.frames_per_action, &seed)?;
        Ok(Recorded {
            scene: self.scene_name(scene),
            split: self.split(scene),
            route: plan.route,
            episode: world.record(&plan, &seed),
        })
    }

    fn shard(&self, number: usize) -> Result<Vec<Recorded>, WorldError> {
        let first = number * self.episodes_per_shard;
        let end = (first + self.episodes_per_shard).min(self.episodes);
        // In the order of episodes, whichever thread made them.
        (first..end).into_par_iter().map(|episode| self.record(episode)).collect()
    }

    fn description(&self) -> Description {
        let scale = 2 * self.world.turns_per_circle;
        Description {
            generator: GENERATOR.to_owned(),
            settings: serde_json::to_value(self).expect("settings are numbers"),
            height: self.world.size,
            width: self.world.size,
            pose: crate::clip::PoseScale { position: 1 << 16, heading: scale },
        }
    }
}

/// What the index of generated clips names as its generator.
pub const GENERATOR: &str = "rooms";

/// Generates a data set into a folder, or goes on where an earlier run of the same settings was stopped. The bytes do not
/// depend on the number of threads.
///
/// # Errors
/// Bad input: the settings, or a folder with other clips. Failed: writing. [`Failure::Interrupted`]: a later call goes on.
pub fn generate(
    folder: &Path,
    settings: &GenerationSettings,
    interrupt: &Interrupt,
) -> Result<Index, Failure> {
    settings.validate().bad_input()?;
    let writer = ClipWriter::create(folder, settings.description()).bad_input()?;
    let shards = settings.episodes.div_ceil(settings.episodes_per_shard);
    let there: Vec<bool> =
        (0..shards).map(|number| writer.has_shard(number)).collect::<Result<_, _>>().bad_input()?;
    let done = there.iter().filter(|is_there| **is_there).count();
    let progress = Progress::resumed(shards as u64, "generating files", done as u64);
    for (number, _) in there.iter().enumerate().filter(|(_, is_there)| !**is_there) {
        interrupt.heed()?;
        writer.write_shard(number, &settings.shard(number).bad_input()?).failed()?;
        progress.advance(1);
    }
    progress.finish();
    writer.finish(shards).failed()
}

#[cfg(test)]
mod tests;
