//! What an experiment's types cannot rule out: values out of range, and settings that contradict each other or do nothing.

use inner_outer::HypergradientChoice;

use super::{DataConfig, ExperimentConfig, Method, Recall, Source};
use crate::InnerScope;
use crate::limits::LARGEST;
use crate::model::ModelConfig;

impl DataConfig {
    /// Checks the share that is held out.
    ///
    /// # Errors
    /// A sentence that says what is allowed.
    pub fn check_held_out(&self) -> Result<(), String> {
        match (0.0..1.0).contains(&self.held_out) {
            true => Ok(()),
            false => {
                let share = self.held_out;
                Err(format!("data.held_out = {share} is no share; give 0 up to below 1"))
            }
        }
    }
}

impl ExperimentConfig {
    /// Checks that the model has what the inner loop adapts. A model to start from is not known before it is read, so
    /// [`Self::check`] leaves this to training then.
    ///
    /// # Errors
    /// A sentence that names the field and its remedy.
    pub fn check_scope(&self) -> Result<(), String> {
        let layers = self.model.layers;
        match self.inner.scope {
            InnerScope::Lora if self.model.lora.is_none() => Err(
                "inner.scope = \"lora\" needs adapters; set model.lora.rank and model.lora.alpha"
                    .into(),
            ),
            InnerScope::LastLayers(count) if !(1..=layers).contains(&count) => Err(format!(
                "inner.scope = last-layers {count}, but the model has {layers} layers; give 1 to {layers}"
            )),
            _ => Ok(()),
        }
    }

    /// Checks what types cannot.
    ///
    /// # Errors
    /// A sentence that names the field and its remedy.
    pub fn check(&self) -> Result<(), String> {
        let positive = [
            ("data.stories", self.data.stories),
            ("outer.batch", self.outer.batch),
            ("outer.sets_a_graph", self.outer.sets_a_graph),
            ("outer.checkpoint_every", self.outer.checkpoint_every),
            ("evaluation.every", self.evaluation.every),
            ("evaluation.sets", self.evaluation.sets),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(format!("{name} is 0; it must be at least 1"));
        }
        self.check_sizes()?;
        if self.method.has_inner_loop() && self.inner.steps == 0 {
            return Err("inner.steps is 0, so no fact is read; set it to at least 1, or choose method = \"no-facts\"".into());
        }
        if self.start_from.is_none() {
            self.check_model()?;
            self.check_scope()?;
            self.check_kept()?;
        }
        if self.method == Method::RandomFacts && self.outer.batch < 2 {
            return Err("method = \"random-facts\" swaps facts within a batch; set outer.batch to at least 2".into());
        }
        if self.objective.shifted_positions && self.method.has_inner_loop() {
            return Err("objective.shifted_positions is for methods that read facts in context; facts of an inner loop are rows of their own, so leave it out".into());
        }
        if self.data.balance_answers
            && (self.data.distractors.is_none() || !matches!(self.data.source, Source::File { .. }))
        {
            return Err("data.balance_answers needs a file and data.distractors, so that a training example has one question; leave it out or set both".into());
        }
        if self.data.stories > 1
            && (!self.data.rename || matches!(self.data.source, Source::Rules(_)))
        {
            return Err("data.stories tells several stories at once, each of people with letters of their own; set data.rename = true and take data about people, or leave it out".into());
        }
        self.check_idle()?;
        self.check_hypergradient()?;
        let rates = [
            ("inner.rate", self.inner.rate),
            ("outer.rates_rate", self.outer.rates_rate),
            ("outer.weight_decay", self.outer.weight_decay),
            ("objective.retention", self.objective.retention),
            ("objective.recall.weight", self.objective.recall.weight()),
        ];
        if let Some((name, value)) =
            rates.iter().find(|(_, value)| !(0.0..=LARGEST).contains(value))
        {
            return Err(format!("{name} = {value:?}; it must be a number from 0 to {LARGEST}"));
        }
        if matches!(self.objective.recall, Recall::Sum { weight: 0.0 }) {
            return Err("objective.recall.weight is 0, so the system would not learn where an answer ends; set it above 0, or objective.recall.kind = \"none\"".into());
        }
        self.data.check_held_out()?;
        let (rate, clip) = (self.outer.rate, self.outer.clip);
        if !(rate > 0.0 && rate <= LARGEST) {
            return Err(format!(
                "outer.rate = {rate:?}; it must be a number above 0 and at most {LARGEST}"
            ));
        }
        match clip > 0.0 {
            true => Ok(()),
            false => Err(format!("outer.clip = {clip}; it must be a number above 0")),
        }
    }

    /// Checks the shape of the model as far as it is known: where the vocabulary is that of the data, it comes with these.
    fn check_model(&self) -> Result<(), String> {
        let vocabulary = self.model.vocabulary.max(1);
        ModelConfig { vocabulary, ..self.model.clone() }.check()
    }

    /// Settings that something else in the configuration leaves without effect.
    fn check_idle(&self) -> Result<(), String> {
        let Self { data, objective, method, .. } = self;
        let is_file = matches!(data.source, Source::File { .. });
        let is_idle = [
            (
                !is_file && !data.train_hops.is_empty(),
                "data.train_hops chooses questions of a file; for a generator set data.source.hops",
            ),
            (
                data.questions > 0 && data.distractors.is_some(),
                "data.questions has no effect beside data.distractors, which makes a set of each question; leave one of them out",
            ),
            (
                !method.has_inner_loop() && objective.numbered_facts,
                "objective.numbered_facts is for the facts of an inner loop, which the method does not have; leave it out",
            ),
            (
                !method.has_inner_loop() && !objective.facts.is_mean(),
                "objective.facts is for the inner loss, which the method does not have; leave it out",
            ),
        ];
        match is_idle.iter().find(|(is_idle, _)| *is_idle) {
            Some((_, refusal)) => Err((*refusal).to_owned()),
            None => Ok(()),
        }
    }

    /// Whether the hypergradient can reach what is to be learned.
    fn check_hypergradient(&self) -> Result<(), String> {
        let hypergradient = &self.inner.hypergradient;
        let blind = hypergradient.blind_to_rates();
        if !self.method.has_inner_loop() {
            return match blind {
                Some(name) => Err(format!(
                    "inner.hypergradient.kind = \"{name}\" says nothing where the method has no inner loop; leave it out"
                )),
                None => Ok(()),
            };
        }
        if matches!(hypergradient, HypergradientChoice::Envelope {}) {
            return Err("inner.hypergradient.kind = \"envelope\" stops at the adapted model, through which alone facts reach the answer, so nothing could be learned; choose \"unrolled\", \"truncated\", \"first-order\" or \"reptile\"".into());
        }
        if matches!(hypergradient, HypergradientChoice::Implicit { .. }) {
            return Err("inner.hypergradient.kind = \"implicit\" differentiates a minimum, which does not depend on the weights that the inner loop starts from, and these are what is learned; choose \"unrolled\", \"truncated\", \"first-order\" or \"reptile\"".into());
        }
        match blind {
            Some(name) if !self.inner.fixed_rates => Err(format!(
                "inner.hypergradient.kind = \"{name}\" gives inner rates no gradient, so they cannot be learned; set inner.fixed_rates = true, or choose \"unrolled\", \"truncated\" or \"first-order\""
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FactLoss;
    use crate::data::Distractors;

    #[test]
    fn hypergradients_that_cannot_learn_rates_need_fixed_ones() {
        let mut config = ExperimentConfig::default();
        config.inner.hypergradient = HypergradientChoice::Reptile {};
        let refusal = config.check().unwrap_err();
        assert!(refusal.contains("reptile") && refusal.contains("inner.fixed_rates = true"));
        config.inner.fixed_rates = true;
        config.check().unwrap();
        config.inner.fixed_rates = false;
        for choice in [HypergradientChoice::FirstOrder {}, HypergradientChoice::default()] {
            config.inner.hypergradient = choice;
            config.check().unwrap();
        }
    }

    #[test]
    fn hypergradients_that_could_learn_nothing_are_refused() {
        let mut config = ExperimentConfig::default();
        config.inner.fixed_rates = true;
        let implicit = HypergradientChoice::Implicit {
            solver: Default::default(),
            curvature: Default::default(),
        };
        for choice in [HypergradientChoice::Envelope {}, implicit] {
            config.inner.hypergradient = choice;
            assert!(config.check().unwrap_err().contains("choose"));
        }
        // Without an inner loop the difference of start and end is zero.
        for method in [Method::InContext, Method::NoFacts, Method::Language] {
            config.method = method;
            config.inner.hypergradient = HypergradientChoice::Reptile {};
            assert!(config.check().unwrap_err().contains("no inner loop"), "{method:?}");
            config.inner.hypergradient = HypergradientChoice::default();
            config.check().unwrap();
        }
    }

    /// Why the defaults with a `change` are refused.
    fn refused(change: fn(&mut ExperimentConfig)) -> String {
        let mut config = ExperimentConfig::default();
        change(&mut config);
        config.check().unwrap_err()
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        assert!(refused(|config| config.outer.rate = f64::INFINITY).contains("outer.rate"));
        assert!(refused(|config| config.outer.weight_decay = -3.0).contains("weight_decay"));
        let recall = refused(|config| config.objective.recall = Recall::Sum { weight: f64::NAN });
        assert!(recall.contains("objective.recall.weight"));
    }

    /// Single precision has nothing beyond 3e38, where the first step would end in a weight that is none.
    #[test]
    fn rates_and_weights_beyond_single_precision_are_refused_with_what_is_allowed() {
        let changes: [fn(&mut ExperimentConfig); 6] = [
            |config| config.inner.rate = 1e39,
            |config| config.outer.rate = 1e39,
            |config| config.outer.rates_rate = 1e39,
            |config| config.outer.weight_decay = 1e39,
            |config| config.objective.retention = 1e39,
            |config| config.objective.recall = Recall::Sum { weight: 1e39 },
        ];
        for change in changes {
            let refusal = refused(change);
            assert!(refusal.contains("1000000"), "{refusal}");
        }
        assert!(refused(|config| config.outer.clip = f64::NAN).contains("outer.clip = NaN"));
    }

    #[test]
    fn the_shape_of_a_model_is_looked_at_before_the_data() {
        assert!(refused(|config| config.model.heads = 3).contains("model.heads = 3"));
        let mut config = ExperimentConfig::default();
        config.model.heads = 3;
        config.start_from = Some("system".into());
        config.check().unwrap();
    }

    fn to_file(config: &mut ExperimentConfig) {
        config.data.source = config.data.source.at("sets.jsonl".into());
    }

    #[test]
    fn settings_without_effect_are_refused() {
        assert!(refused(|config| config.data.train_hops = vec![2]).contains("data.source.hops"));
        let questions = refused(|config| {
            config.data.questions = 1;
            config.data.distractors = Some(Distractors::All);
        });
        assert!(questions.contains("data.questions"));
        let numbered = refused(|config| {
            config.method = Method::InContext;
            config.objective.numbered_facts = true;
        });
        assert!(numbered.contains("objective.numbered_facts"));
        let facts = refused(|config| {
            config.method = Method::NoFacts;
            config.objective.facts = FactLoss::Sum;
        });
        assert!(facts.contains("objective.facts"));

        let mut config = ExperimentConfig::default();
        to_file(&mut config);
        config.data.train_hops = vec![2, 3];
        config.data.questions = 1;
        config.objective.numbered_facts = true;
        config.check().unwrap();
        // The results on CLUTRR take a method without facts from the configuration of RECKONING.
        config = ExperimentConfig { method: Method::NoFacts, ..ExperimentConfig::default() };
        config.objective.retention = 0.1;
        config.check().unwrap();
    }

    #[test]
    fn recall_that_counts_nothing_is_refused() {
        let mut config = ExperimentConfig::default();
        config.objective.recall = Recall::Sum { weight: 0.0 };
        assert!(config.check().unwrap_err().contains("objective.recall.weight"));
        config.objective.recall = Recall::Sum { weight: 0.5 };
        config.check().unwrap();
    }

    #[test]
    fn contradictions_are_named() {
        let mut config = ExperimentConfig::default();
        config.inner.scope = InnerScope::Lora;
        assert!(config.check().unwrap_err().contains("model.lora"));
        let mut config = ExperimentConfig::default();
        config.inner.steps = 0;
        assert!(config.check().unwrap_err().contains("inner.steps"));
        config.method = Method::NoFacts;
        config.check().unwrap();
    }
}
