//! The scenes that a model learned from, so that nobody takes them for unseen ones.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{ClipError, ClipSet};

/// Key of the metadata of what was trained. It stands beside the configuration, which programs that wrote down no scenes read.
const TRAINED_ON: &str = "slowfast_trained_on";

/// Names of scenes, by the generator of their clips.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrainingScenes {
    generators: BTreeMap<String, BTreeSet<String>>,
}

impl TrainingScenes {
    /// The scenes of these episodes.
    ///
    /// # Errors
    /// [`ClipError::NoSuchEpisode`].
    pub fn of(
        clips: &ClipSet,
        episodes: impl IntoIterator<Item = usize>,
    ) -> Result<Self, ClipError> {
        let scene = |episode| clips.entry(episode).map(|entry| entry.scene.clone());
        let scenes = episodes.into_iter().map(scene).collect::<Result<BTreeSet<_>, _>>()?;
        let generator = clips.index().description.generator.clone();
        let generators = (!scenes.is_empty()).then_some((generator, scenes));
        Ok(Self { generators: generators.into_iter().collect() })
    }

    /// Writes the scenes into the metadata of what learned from them.
    pub(crate) fn write(&self, metadata: &mut BTreeMap<String, String>) {
        let scenes = serde_json::to_string(self).expect("names are valid JSON");
        metadata.insert(TRAINED_ON.to_owned(), scenes);
    }

    /// The scenes in the metadata of what was trained; none if they were not written down.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn read(metadata: &BTreeMap<String, String>) -> Result<Option<Self>, String> {
        let scenes = metadata.get(TRAINED_ON).map(|scenes| serde_json::from_str(scenes));
        scenes.transpose().map_err(|error| format!("the scenes it was trained on: {error}"))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.generators.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.generators.values().map(BTreeSet::len).sum()
    }

    /// Adds those of `others`.
    pub fn add(&mut self, others: &Self) {
        for (generator, scenes) in &others.generators {
            self.generators.entry(generator.clone()).or_default().extend(scenes.iter().cloned());
        }
    }

    /// How many of `others` are among these.
    pub fn shared_with(&self, others: &Self) -> usize {
        let shared = |(generator, scenes): (&String, &BTreeSet<String>)| {
            self.generators.get(generator).map_or(0, |own| own.intersection(scenes).count())
        };
        others.generators.iter().map(shared).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inverse_dynamics::tests::clips;

    #[test]
    fn scenes_of_one_name_and_generator_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let clips = clips(folder.path());
        let of = |episodes: &[usize]| TrainingScenes::of(&clips, episodes.to_vec()).unwrap();
        let mut trained = of(&[0, 1]);
        assert_eq!((trained.shared_with(&of(&[1, 2, 3])), trained.count()), (1, 2));
        trained.add(&of(&[1, 3]));
        assert_eq!((trained.shared_with(&of(&[1, 2, 3])), trained.count()), (2, 3));
        let json = serde_json::to_string(&trained).unwrap();
        assert_eq!(serde_json::from_str::<TrainingScenes>(&json).unwrap(), trained);
        let elsewhere = json.replace("rooms\":", "elsewhere\":");
        let elsewhere: TrainingScenes = serde_json::from_str(&elsewhere).unwrap();
        assert_eq!(trained.shared_with(&elsewhere), 0);
        assert!(of(&[]).is_empty() && !trained.is_empty());
    }

    #[test]
    fn scenes_that_were_not_written_down_are_not_taken_for_none() {
        let mut metadata = BTreeMap::new();
        assert_eq!(TrainingScenes::read(&metadata).unwrap(), None);
        let none = TrainingScenes::default();
        none.write(&mut metadata);
        assert_eq!(TrainingScenes::read(&metadata).unwrap(), Some(none));
        metadata.insert(TRAINED_ON.to_owned(), "[]".to_owned());
        assert!(TrainingScenes::read(&metadata).unwrap_err().contains("trained on"));
    }
}
