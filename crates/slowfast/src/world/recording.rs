//! From a plan to an episode: what is seen, where from, and what was said.

use experiment::seed::Seed;

use super::World;
use super::route::Plan;
use crate::action::Action;
use crate::clip::{Episode, Phrase};

impl World {
    /// Carries out a plan. The first frame is the start; then each action is held for its frames and described by one
    /// of its wordings, as the seed chooses.
    pub fn record(&self, plan: &Plan, seed: &Seed) -> Episode {
        let mut rng = seed.child("words").rng();
        let mut pose = plan.start;
        let mut episode = Episode {
            height: self.size,
            width: self.size,
            frames: self.render(pose),
            actions: vec![Action::STAY],
            poses: vec![pose],
            phrases: Vec::new(),
        };
        for action in &plan.actions {
            let first = episode.len();
            for _ in 0..plan.frames_per_action {
                pose = self.step(pose, *action).pose;
                episode.frames.extend(self.render(pose));
                episode.actions.push(*action);
                episode.poses.push(pose);
            }
            let text = action.describe(&mut rng);
            episode.phrases.push(Phrase { first, end: episode.len(), text });
        }
        episode
    }
}

#[cfg(test)]
mod tests {
    use super::super::WorldSettings;
    use super::*;
    use crate::clip::Route;

    #[test]
    fn an_episode_tells_what_happened_between_its_frames() {
        let settings = WorldSettings { size: 8, ..WorldSettings::default() };
        let world = World::new(&settings, &Seed::new(1)).unwrap();
        let plan = Route::Explore.plan(&world, 10, 0, 4, &Seed::new(1)).unwrap();
        let episode = world.record(&plan, &Seed::new(1));
        assert_eq!(episode.actions[0], Action::STAY);
        for frame in 1..episode.len() {
            let step = world.step(episode.poses[frame - 1], episode.actions[frame]);
            assert_eq!(step.pose, episode.poses[frame]);
            assert_eq!(episode.frame(frame), world.render(step.pose));
        }
        for (index, phrase) in episode.phrases.iter().enumerate() {
            assert_eq!((phrase.first, phrase.end), (1 + 4 * index, 5 + 4 * index));
            let done = &episode.actions[phrase.first..phrase.end];
            assert!(done.iter().all(|action| action.wordings().contains(&phrase.text)));
        }
    }
}
