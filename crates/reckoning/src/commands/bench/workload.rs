//! Random facts and questions, read by a random model in three ways.

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::config::SystemSettings;
use crate::model::{Gpt2, ModelConfig};
use crate::task::{Rows, Sequence, Task};

/// How much text there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) facts: usize,
    pub(super) fact_tokens: usize,
    pub(super) question_tokens: usize,
}

/// What is read, and who reads it.
pub(super) struct Workload<B: Backend> {
    pub(super) model: Gpt2<B>,
    /// The facts as rows of an inner loop, and one question.
    pub(super) task: Task<B>,
    /// `[1, facts * fact tokens]`.
    context: Tensor<B, 2, Int>,
    /// `[1, question tokens]`.
    question: Tensor<B, 2, Int>,
}

impl<B: Backend> Workload<B> {
    pub(super) fn new(
        sizes: Sizes,
        shape: &ModelConfig,
        random: &mut ChaCha8Rng,
        device: &Device<B>,
    ) -> Self {
        let Sizes { facts, fact_tokens, question_tokens } = sizes;
        let mut draw = |count: usize| -> Vec<u32> {
            (0..count).map(|_| random.random_range(0..shape.vocabulary as u32)).collect()
        };
        let rows: Vec<Vec<u32>> = (0..facts).map(|_| draw(fact_tokens)).collect();
        let question = draw(question_tokens);
        let weight = 1.0 / (facts * fact_tokens) as f32;
        let sequences: Vec<Sequence> = rows
            .iter()
            .map(|tokens| Sequence { tokens: tokens.clone(), weights: vec![weight; tokens.len()] })
            .collect();
        let tensor = |tokens: &[u32]| {
            let data: Vec<i32> = tokens.iter().map(|&token| token as i32).collect();
            Tensor::from_data(TensorData::new(data, [1, tokens.len()]), device)
        };
        let asked = Sequence { tokens: question.clone(), weights: vec![1.0; question_tokens] };
        Self {
            task: Task::of_one(
                Some(Rows::new(&sequences, 0, device)),
                Rows::new(&[asked], 0, device),
            ),
            context: tensor(&rows.concat()),
            question: tensor(&question),
            model: Gpt2::new(shape, random, device),
        }
    }

    /// The inner loop once, then all questions as one batch. Answers, `[questions]`.
    pub(super) fn reckoning(
        &self,
        settings: &SystemSettings,
        rate: f64,
        questions: usize,
    ) -> inner_outer::Result<Vec<i64>> {
        let (problem, inner_loop) =
            (settings.problem(self.model.blocks.len()), settings.inner_loop());
        let scope = settings.inner.rate_scope;
        let rates = inner_loop.rates(&problem, scope, rate, &self.model, &self.task)?;
        let adapted = inner_loop.adapt(&problem, &self.model, &rates, &self.task)?.inner;
        let asked = self.question.clone().repeat_dim(0, questions);
        Ok(answers(&adapted, adapted.hidden(asked), questions))
    }

    /// Facts and question as one sequence, for every question anew.
    pub(super) fn in_context(&self, questions: usize) -> Vec<i64> {
        let sequence = Tensor::cat(vec![self.context.clone(), self.question.clone()], 1);
        let answer = |_| answers(&self.model, self.model.hidden(sequence.clone()), 1);
        (0..questions).flat_map(answer).collect()
    }

    /// The facts once, their keys and values kept; then all questions as one batch.
    pub(super) fn in_context_cached(&self, questions: usize) -> Vec<i64> {
        let mut cache = self.model.cache();
        self.model.hidden_after(self.context.clone(), &mut cache);
        let mut cache = cache.repeat(questions);
        let asked = self.question.clone().repeat_dim(0, questions);
        answers(&self.model, self.model.hidden_after(asked, &mut cache), questions)
    }
}

/// The most likely next token after the last of each of `rows` sequences; read, so that it has been computed.
fn answers<B: Backend>(model: &Gpt2<B>, hidden: Tensor<B, 2>, rows: usize) -> Vec<i64> {
    let [all, width] = hidden.dims();
    let last =
        hidden.reshape([rows, all / rows, width]).slice([0..rows, all / rows - 1..all / rows]);
    let best: Tensor<B, 2, Int> = model.logits(last.reshape([rows, width])).argmax(1);
    best.into_data().iter::<i64>().collect()
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use rand::SeedableRng;

    use super::*;
    use crate::config::ExperimentConfig;

    #[test]
    fn a_cache_changes_no_answer_and_every_question_has_one() {
        let shape = ModelConfig {
            vocabulary: 20,
            context: 32,
            width: 16,
            heads: 2,
            ..ModelConfig::default()
        };
        let sizes = Sizes { facts: 3, fact_tokens: 6, question_tokens: 4 };
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let workload = Workload::<Flex>::new(sizes, &shape, &mut random, &Default::default());
        let answers = workload.in_context(3);
        assert_eq!(answers.len(), 3);
        assert_eq!(workload.in_context_cached(3), answers);
        let settings = ExperimentConfig::default().settings(None);
        assert_eq!(workload.reckoning(&settings, 0.05, 3).unwrap().len(), 3);
    }
}
