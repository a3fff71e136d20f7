//! Settings of the planning task.

use serde::{Deserialize, Serialize};

use crate::clip::Route;
use crate::diffusion::SamplerConfig;
use crate::evaluation::{
    EvaluationError, Method, NO_MEMORY, check_counts, check_guidance, check_names, names,
};
use crate::size::{MOST, at_most, fits};
use crate::world::WorldSettings;

/// Tasks that there may be: each has a world of its own.
const MOST_TASKS: usize = 100_000;

/// Settings of the planning task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlanningConfig {
    /// Seed of the worlds, the plans and the noise. Worlds are none that clips are generated of.
    pub seed: u64,
    /// Tasks, each in a world of its own.
    pub tasks: usize,
    /// Routes of the tasks, which take turns; they must lead back.
    pub routes: Vec<Route>,
    /// Actions of the way there.
    pub actions_there: usize,
    /// Frames that an action is held for.
    pub frames_per_action: usize,
    /// Frames of a chunk, after each of which there is a way-point.
    pub frames_per_chunk: usize,
    /// The method that others of the same model are compared with.
    pub baseline: String,
    /// The worlds.
    pub world: WorldSettings,
    /// The sampler; `memory_guidance` is that of each method.
    pub sampler: SamplerConfig,
    /// The methods, each with every model.
    pub methods: Vec<Method>,
}

impl Default for PlanningConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            tasks: 32,
            routes: vec![Route::Retrace, Route::TurnAround],
            actions_there: 6,
            frames_per_action: 4,
            frames_per_chunk: 4,
            baseline: NO_MEMORY.to_owned(),
            world: WorldSettings::default(),
            sampler: SamplerConfig::default(),
            methods: vec![
                Method::without_memory(NO_MEMORY, Default::default()),
                Method::with_memory("Temp-LoRA"),
            ],
        }
    }
}

impl PlanningConfig {
    /// Checks what does not depend on a model.
    ///
    /// # Errors
    /// [`EvaluationError`] names the setting.
    pub fn check(&self) -> Result<(), EvaluationError> {
        self.world.validate()?;
        check_counts(&[
            ("tasks", self.tasks),
            ("routes", self.routes.len()),
            ("actions_there", self.actions_there),
            ("frames_per_action", self.frames_per_action),
            ("frames_per_chunk", self.frames_per_chunk),
            ("methods", self.methods.len()),
        ])?;
        at_most(MOST_TASKS, &[("tasks", self.tasks)])?;
        at_most(MOST, &[("actions_there", self.actions_there)])?;
        self.world.check_hold(self.frames_per_action)?;
        // There and back.
        let action = 2.0 * self.frames_per_action as f64 * self.world.frame_bytes();
        fits("actions_there", self.actions_there, action)?;
        if let Some(route) = self.routes.iter().find(|route| !Route::THERE_AND_BACK.contains(route))
        {
            return Err(EvaluationError::Route(*route));
        }
        check_guidance(&self.sampler)?;
        let names = names(&self.methods);
        if !names.contains(&self.baseline) {
            let name = self.baseline.clone();
            return Err(EvaluationError::Baseline { name, methods: names });
        }
        check_names(&names)
    }
}
