//! Where an episode can begin.

use experiment::seed::Seed;

use super::{PlayConfig, ServeError};
use crate::action::Action;
use crate::clip::{ClipSet, Episode, Split};
use crate::world::{World, WorldSettings};

/// First frames by number.
#[derive(Clone, Debug)]
pub enum Starts {
    /// Those of the test episodes of a folder of clips.
    Clips {
        /// The clips.
        clips: ClipSet,
        /// Numbers of the test episodes.
        episodes: Vec<usize>,
    },
    /// A view in the built-in world whose seed is the number.
    Worlds(WorldSettings),
}

impl Starts {
    /// The test episodes of `clips`, for a model of frames of this size (rows, columns).
    ///
    /// # Errors
    /// [`ServeError::Clips`] if there are none, or they are of another size.
    pub fn in_clips(clips: ClipSet, expected: [usize; 2]) -> Result<Self, ServeError> {
        let description = &clips.index().description;
        let found = [description.height, description.width];
        let episodes: Vec<usize> = clips.episodes_of(Split::Test).collect();
        match found == expected && !episodes.is_empty() {
            true => Ok(Self::Clips { clips, episodes }),
            false => Err(ServeError::Clips { episodes: episodes.len(), found, expected }),
        }
    }

    /// Built-in worlds, for a model of frames of this size (rows, columns).
    ///
    /// # Errors
    /// [`ServeError::NotSquare`], [`ServeError::World`].
    pub fn in_worlds(config: &PlayConfig, [height, width]: [usize; 2]) -> Result<Self, ServeError> {
        if height != width {
            return Err(ServeError::NotSquare { height, width });
        }
        let settings = WorldSettings { size: height, ..config.world.clone() };
        settings.validate()?;
        Ok(Self::Worlds(settings))
    }

    /// Number of starts; `None` where every number is one.
    pub fn count(&self) -> Option<usize> {
        match self {
            Self::Clips { episodes, .. } => Some(episodes.len()),
            Self::Worlds(_) => None,
        }
    }

    /// The first frame of a number, as an episode of one frame.
    ///
    /// # Errors
    /// [`ServeError::NoSuchStart`], and those of reading the clips.
    pub fn first_frame(&self, number: u64) -> Result<Episode, ServeError> {
        match self {
            Self::Clips { clips, episodes } => {
                let last = episodes.len() - 1;
                let place = usize::try_from(number).ok().and_then(|place| episodes.get(place));
                let episode = place.ok_or(ServeError::NoSuchStart { asked: number, last })?;
                Ok(clips.window(*episode, 0..1)?)
            }
            Self::Worlds(settings) => {
                let seed = Seed::new(number);
                let world = World::new(settings, &seed)?;
                let pose = world.random_pose(&mut seed.child("start").rng());
                Ok(Episode {
                    height: world.size(),
                    width: world.size(),
                    frames: world.render(pose),
                    actions: vec![Action::STAY],
                    poses: vec![pose],
                    phrases: Vec::new(),
                })
            }
        }
    }
}
