//! Settings that memory is taken in proportion to.

use super::ExperimentConfig;
use crate::limits::{MOST_INNER_STEPS, MOST_NUMBERS, MOST_SETS, require_at_most};
use crate::model::Size;

/// Stories of a training example.
const MOST_STORIES: usize = 1_000;
/// Knowledge sets of an outer step.
const MOST_BATCH: usize = 100_000;

impl ExperimentConfig {
    /// Checks the settings that memory is taken in proportion to, but for those of the generators and the model, which are checked
    /// where these are made.
    ///
    /// # Errors
    /// A sentence that names the field, its value and what is allowed.
    pub fn check_sizes(&self) -> Result<(), String> {
        let sizes = [
            ("data.stories", self.data.stories, MOST_STORIES),
            ("inner.steps", self.inner.steps, MOST_INNER_STEPS),
            ("outer.batch", self.outer.batch, MOST_BATCH),
            ("evaluation.sets", self.evaluation.sets, MOST_SETS),
            ("evaluation.final_sets", self.evaluation.final_sets, MOST_SETS),
        ];
        sizes
            .into_iter()
            .try_for_each(|(setting, value, most)| require_at_most(setting, value, most))
    }

    /// Checks what the inner steps keep of the model for the way back, which is a gradient each. A model to start from is not known
    /// before it is read, so [`Self::check`] leaves this to training then.
    ///
    /// # Errors
    /// A sentence that names the field and its remedy.
    pub fn check_kept(&self) -> Result<(), String> {
        let walks_back =
            self.method.has_inner_loop() && self.inner.hypergradient.blind_to_rates().is_none();
        let steps = if walks_back { self.inner.steps } else { 0 };
        let adapted = Size::of(&self.model).adapted(self.inner.scope);
        let kept = steps as f64 * adapted;
        match kept <= MOST_NUMBERS {
            true => Ok(()),
            false => Err(format!(
                "inner.steps = {steps} keep a gradient each of {adapted:.1e} adapted parameters, {kept:.1e} numbers; lower inner.steps, or adapt fewer \
                 parameters (inner.scope), for at most {MOST_NUMBERS:.0e}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use inner_outer::HypergradientChoice;

    use crate::config::{ExperimentConfig, Method};

    fn with(set: &[&str]) -> ExperimentConfig {
        let set: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
        experiment::config::load(&ExperimentConfig::default(), None, &set).unwrap()
    }

    /// A batch of 10^18, a width of 10^6, 10^9 layers: none of it may begin.
    #[test]
    fn numbers_beyond_any_machine_are_refused_by_field_value_and_limit() {
        let most = i64::MAX;
        for (field, limit) in [
            ("data.stories", "at most 1000"),
            ("inner.steps", "at most 10000"),
            ("outer.batch", "at most 100000"),
            ("evaluation.sets", "at most 1000000"),
            ("evaluation.final_sets", "at most 1000000"),
            ("model.context", "at most 1000000"),
            ("model.layers", "at most 1000"),
            ("model.vocabulary", "at most 1000000"),
        ] {
            let refused = with(&[format!("{field}={most}").as_str()]).check().unwrap_err();
            assert!(refused.contains(&format!("{field} is {most}")), "{refused}");
            assert!(refused.contains(limit), "{refused}");
        }
        let wide = with(&["model.width=1000000"]).check().unwrap_err();
        assert!(wide.contains("model.width = 1000000") && wide.contains("at most 1e10"), "{wide}");
    }

    #[test]
    fn numbers_that_mean_long_work_alone_are_accepted() {
        let most = i64::MAX;
        for field in [
            "outer.steps",
            "outer.warm_up",
            "outer.sets_a_graph",
            "outer.checkpoint_every",
            "evaluation.every",
            "data.questions",
            "data.split_seed",
            "seed",
        ] {
            with(&[format!("{field}={most}").as_str()]).check().unwrap();
        }
        with(&[format!("data.distractors.up-to={most}").as_str()]).check().unwrap();
    }

    #[test]
    fn what_many_steps_keep_of_a_large_model_is_refused_where_it_is_kept() {
        let large = ["model.width=2048", "model.layers=24", "inner.steps=1000"];
        let mut config = with(&large);
        let refused = config.check().unwrap_err();
        assert!(refused.contains("inner.steps = 1000") && refused.contains("1e11"), "{refused}");
        config.inner.steps = 4;
        config.check().unwrap();
        config = with(&[&large[..], &["inner.fixed_rates=true"]].concat());
        config.inner.hypergradient = HypergradientChoice::Reptile {};
        config.check().unwrap();
        config = ExperimentConfig { method: Method::InContext, ..with(&large) };
        config.check().unwrap();
        config = with(&[&large[..], &["inner.scope.last-layers=1"]].concat());
        config.check().unwrap();
    }

    /// They are those of the system.
    #[test]
    fn a_model_to_start_from_is_not_judged_by_what_the_configuration_says() {
        with(&["start_from=system", "model.width=1000000"]).check().unwrap();
    }
}
