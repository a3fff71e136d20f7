//! RECKONING as a bi-level problem (Chen et al. 2023, section 3).
//!
//! The inner loop writes the facts into a copy of the language model, a few steps of gradient descent on their
//! causal language-modelling loss; the outer loop trains the model, and the inner rates, so that the copy answers
//! the question without seeing the facts:
//!
//! $$\theta_{k+1} = \theta_k - \alpha_k \nabla L_\mathrm{CLM}(\theta_k; \text{facts}), \qquad
//!   \min_{\theta_0, \alpha} L_\mathrm{CE}(\theta_K; \text{question}, \text{answer}).$$

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use inner_outer::{Problem, Selection};
use serde::{Deserialize, Serialize};

use crate::model::{Gpt2, Gpt2Family};
use crate::task::{Task, TaskFamily};

/// Which parameters the facts are written into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InnerScope {
    /// All of them, as in the paper.
    #[default]
    All,
    /// The last transformer blocks, with the final norm and the head.
    LastLayers(usize),
    /// The low-rank adapters.
    Lora,
}

/// The problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Reckoning {
    /// Which parameters the facts are written into.
    pub scope: InnerScope,
    /// Transformer blocks of the model.
    pub layers: usize,
    /// Weight of the facts' own loss after the last inner step in the outer loss; the paper has none.
    pub retention: f64,
}

impl Problem for Reckoning {
    type Outer = Gpt2Family;
    type Inner = Gpt2Family;
    type Task = TaskFamily;

    fn adapted(&self) -> Selection {
        match self.scope {
            InnerScope::All => Selection::by(|path| !path.split('.').any(|name| name == "lora")),
            InnerScope::Lora => Selection::Named("lora".into()),
            InnerScope::LastLayers(count) => {
                let blocks = Selection::last("blocks", count, self.layers);
                let top = Selection::below(["final_norm", "head"]);
                Selection::by(move |path| blocks.contains(path) || top.contains(path))
            }
        }
    }

    fn init<B: Backend>(&self, model: &Gpt2<B>, task: &Task<B>) -> Gpt2<B> {
        model.of_each(task.copies)
    }

    fn inner_loss<B: Backend>(
        &self,
        model: &Gpt2<B>,
        _outer: &Gpt2<B>,
        task: &Task<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        let facts = task.facts.as_ref().expect("a task whose inner loop takes steps has facts");
        facts.loss(model)
    }

    fn outer_loss<B: Backend>(
        &self,
        model: &Gpt2<B>,
        _outer: &Gpt2<B>,
        task: &Task<B>,
    ) -> Tensor<B, 1> {
        let answer = task.questions.loss(model);
        let loss = match &task.facts {
            Some(facts) if self.retention != 0.0 => answer + facts.loss(model) * self.retention,
            _ => answer,
        };
        loss * task.share
    }
}
