//! Settings of an evaluation.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{EvaluationError, Method, NO_MEMORY, Sweep};
use crate::clip::{Entry, Route, Split};
use crate::diffusion::SamplerConfig;
use crate::metrics::Tolerance;

/// Rows that every table has beside those of the methods.
pub const GROUND_TRUTH: &str = "ground truth";
/// The true frames encoded and decoded: as good as latents can be.
pub const AUTOENCODER: &str = "through the autoencoder";
/// The last given frame again and again.
pub const FROZEN: &str = "copy of the last given frame";

/// Settings of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Seeds of the noise; each episode is generated once for each.
    pub seeds: Vec<u64>,
    /// The split whose episodes are generated.
    pub split: Split,
    /// Routes of these episodes.
    pub routes: Vec<Route>,
    /// Most episodes, spread over those there are.
    pub episodes: usize,
    /// Frames of an episode that are used at most.
    pub most_frames: usize,
    /// Frames of a chunk.
    pub frames_per_chunk: usize,
    /// Share, 0 to 1, of an episode's chunks that are true frames, seen and remembered; what comes after is generated. 0, as in
    /// the paper, gives the first frame alone.
    pub observed: f64,
    /// Poses that count as the same view.
    pub revisit: Tolerance,
    /// Poses so near each other that a frame from one shows the view from the other: such revisits are not outside of the context.
    pub near: Tolerance,
    /// The method that others are compared with.
    pub baseline: String,
    /// Episodes of which frames are shown.
    pub pictures: usize,
    /// Generated chunks whose time and memory are measured; 0 measures none.
    pub cost_chunks: usize,
    /// The sampler; `memory_guidance` is that of each method.
    pub sampler: SamplerConfig,
    /// Temp-LoRAs that come after the methods.
    pub sweep: Sweep,
    /// The methods.
    pub methods: Vec<Method>,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            seeds: vec![0],
            split: Split::Test,
            routes: Route::THERE_AND_BACK.to_vec(),
            episodes: 32,
            most_frames: 129,
            frames_per_chunk: 4,
            observed: 0.5,
            revisit: Tolerance::EXACT,
            near: Tolerance { distance: 0.5, angle: 22.5 },
            baseline: NO_MEMORY.to_owned(),
            pictures: 2,
            cost_chunks: 3,
            sampler: SamplerConfig::default(),
            sweep: Sweep::default(),
            methods: Method::defaults(),
        }
    }
}

impl EvaluationConfig {
    /// Checks what does not depend on a model or on clips.
    ///
    /// # Errors
    /// [`EvaluationError::Setting`], [`EvaluationError::Seed`], [`EvaluationError::EmptySweep`], [`EvaluationError::Name`] and
    /// [`EvaluationError::Baseline`].
    pub fn check(&self) -> Result<(), EvaluationError> {
        let counts = [
            ("seeds", self.seeds.len()),
            ("routes", self.routes.len()),
            ("episodes", self.episodes),
            ("most_frames", self.most_frames),
            ("frames_per_chunk", self.frames_per_chunk),
            ("methods", self.methods.len()),
        ];
        check_counts(&counts)?;
        if let Some(seed) = repeated(&self.seeds) {
            return Err(EvaluationError::Seed(*seed));
        }
        self.sweep.check()?;
        if !(0.0..=1.0).contains(&self.observed) {
            let (setting, range) = ("observed", "a share from 0 to 1");
            return Err(EvaluationError::Setting { setting, found: self.observed, range });
        }
        check_tolerances(&[
            ("revisit.distance", self.revisit.distance),
            ("revisit.angle", self.revisit.angle),
            ("near.distance", self.near.distance),
            ("near.angle", self.near.angle),
        ])?;
        check_guidance(&self.sampler)?;
        let names = names(&self.all_methods());
        if !names.contains(&self.baseline) {
            let name = self.baseline.clone();
            return Err(EvaluationError::Baseline { name, methods: names });
        }
        check_names(
            &[&[GROUND_TRUTH, AUTOENCODER, FROZEN].map(str::to_owned), names.as_slice()].concat(),
        )
    }

    /// The methods, and those of the sweep.
    pub fn all_methods(&self) -> Vec<Method> {
        [self.methods.clone(), self.sweep.methods()].concat()
    }

    /// Frames of an episode that are used.
    pub fn used(&self, frames: usize) -> usize {
        frames.min(self.most_frames)
    }

    /// Frames of those used that are given: the first, and those of the chunks that are observed.
    pub fn given(&self, frames: usize) -> usize {
        let chunks = self.used(frames).saturating_sub(1) / self.frames_per_chunk;
        1 + (self.observed * chunks as f64).floor() as usize * self.frames_per_chunk
    }

    /// The episodes that are generated, as their numbers in the set: as many of each route as of any other, as far as there
    /// are so many, and those spread over the set.
    ///
    /// # Errors
    /// [`EvaluationError::NoEpisodes`].
    pub fn chosen(&self, episodes: &[Entry]) -> Result<Vec<usize>, EvaluationError> {
        let fits = |entry: &Entry| {
            entry.split == self.split && self.given(entry.frames) < self.used(entry.frames)
        };
        let of_route = |route: &Route| -> Vec<usize> {
            let numbered = episodes.iter().enumerate();
            numbered
                .filter(|(_, entry)| entry.route == *route && fits(entry))
                .map(|(number, _)| number)
                .collect()
        };
        let routes: BTreeSet<Route> = self.routes.iter().copied().collect();
        let mut all: Vec<Vec<usize>> = routes.iter().map(of_route).collect();
        // The routes with the fewest episodes first, so that what they lack falls to the others.
        all.sort_by_key(Vec::len);
        let mut chosen = Vec::new();
        for (index, route) in all.iter().enumerate() {
            let missing = self.episodes.saturating_sub(chosen.len());
            let count = route.len().min(missing.div_ceil(all.len() - index));
            chosen.extend((0..count).map(|index| route[index * route.len() / count]));
        }
        chosen.sort_unstable();
        if chosen.is_empty() {
            let routes: Vec<String> = self.routes.iter().map(Route::to_string).collect();
            let (split, routes) = (self.split.to_string(), routes.join(", "));
            return Err(EvaluationError::NoEpisodes { split, routes });
        }
        Ok(chosen)
    }
}

/// Names of methods.
pub(crate) fn names(methods: &[Method]) -> Vec<String> {
    methods.iter().map(|method| method.name.clone()).collect()
}

/// Refuses two rows of one name.
pub(crate) fn check_names(names: &[String]) -> Result<(), EvaluationError> {
    repeated(names).map_or(Ok(()), |name| Err(EvaluationError::Name(name.clone())))
}

/// What comes a second time.
pub(crate) fn repeated<T: PartialEq>(all: &[T]) -> Option<&T> {
    all.iter().enumerate().find(|(index, one)| all[..*index].contains(one)).map(|(_, one)| one)
}

/// Refuses a guidance of all methods: each has its own.
pub(crate) fn check_guidance(sampler: &SamplerConfig) -> Result<(), EvaluationError> {
    let (setting, found) = ("sampler.memory_guidance", sampler.memory_guidance);
    match found == 1.0 {
        true => Ok(()),
        false => {
            let range = "1 here: every method has its own `memory.guidance`";
            Err(EvaluationError::Setting { setting, found, range })
        }
    }
}

/// Refuses tolerances that no two poses could keep, or that say nothing.
fn check_tolerances(tolerances: &[(&'static str, f64)]) -> Result<(), EvaluationError> {
    let range = "a finite number of at least 0";
    match tolerances.iter().find(|(_, found)| !found.is_finite() || *found < 0.0) {
        Some(&(setting, found)) => Err(EvaluationError::Setting { setting, found, range }),
        None => Ok(()),
    }
}

/// Refuses counts of zero.
pub(crate) fn check_counts(counts: &[(&'static str, usize)]) -> Result<(), EvaluationError> {
    match counts.iter().find(|(_, count)| *count == 0) {
        Some((setting, _)) => {
            Err(EvaluationError::Setting { setting, found: 0.0, range: "at least 1" })
        }
        None => Ok(()),
    }
}
