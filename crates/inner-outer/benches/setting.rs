//! What is timed: one exact second-order meta-gradient of a meta-batch, as in `torch_peer/peers.py`.

use burn::backend::Flex;
use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Int, Tensor};
use clap::ValueEnum;
use inner_outer::{
    CentralDifference, Curvature, ForwardOverReverse, InnerLoop, MetaBatch, Nested, Problem,
    RateScope, Rates, Result, Sgd, Threads, Unrolled, family, meta_batch,
};

use crate::gpt::{Gpt, Gpts, Size};

/// How curvature products are computed.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Engine {
    Nested,
    ForwardOverReverse,
    CentralDifference,
}

/// Rows of token ids, each `[batch, tokens + 1]`.
#[derive(Module, Debug)]
pub struct Rows<B: Backend> {
    /// To adapt on.
    pub support: Tensor<B, 2, Int>,
    /// To be judged on.
    pub query: Tensor<B, 2, Int>,
}

family!(pub TaskRows => Rows);

/// The outer loop learns the initial weights and one rate for each tensor at each step.
struct Remember;

impl Problem for Remember {
    type Outer = Gpts;
    type Inner = Gpts;
    type Task = TaskRows;

    fn init<B: Backend>(&self, outer: &Gpt<B>, _: &Rows<B>) -> Gpt<B> {
        outer.clone()
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Gpt<B>,
        _: &Gpt<B>,
        rows: &Rows<B>,
        _: usize,
    ) -> Tensor<B, 1> {
        inner.loss(rows.support.clone())
    }

    fn outer_loss<B: Backend>(&self, inner: &Gpt<B>, _: &Gpt<B>, rows: &Rows<B>) -> Tensor<B, 1> {
        inner.loss(rows.query.clone())
    }
}

/// A model, its inner rates and the tasks of one meta-batch.
pub struct Setting {
    pub gpt: Gpt<Flex>,
    pub rates: Rates<Flex>,
    pub tasks: Vec<Rows<Flex>>,
    inner_loop: InnerLoop<Sgd>,
}

impl Setting {
    /// A random model, uniformly random tokens, every rate 0.01.
    pub fn random(size: Size, tasks: u16, inner_steps: usize) -> Result<Self> {
        let device = Default::default();
        Flex::seed(&device, 0);
        let tokens = || {
            let uniform = Distribution::Uniform(0.0, size.vocabulary as f64);
            Tensor::random([size.batch, size.tokens + 1], uniform, &device)
        };
        let tasks = (0..tasks).map(|_| Rows { support: tokens(), query: tokens() }).collect();
        Self::new(Gpt::new(size, &device), tasks, inner_steps)
    }

    /// A given model on given tasks, every rate 0.01.
    pub fn new(gpt: Gpt<Flex>, tasks: Vec<Rows<Flex>>, inner_steps: usize) -> Result<Self> {
        let inner_loop = InnerLoop { optimizer: Sgd, steps: inner_steps };
        let scope = RateScope::PerTensorPerStep;
        let rates = inner_loop.rates(&Remember, scope, 0.01, &gpt, &tasks[0])?;
        Ok(Self { gpt, rates, tasks, inner_loop })
    }

    /// The meta-gradient with respect to the weights and the rates, the mean over tasks.
    pub fn meta_gradient(&self, engine: Engine, threads: Threads) -> Result<MetaBatch<Flex>> {
        match engine {
            Engine::Nested => self.by(Nested, threads),
            Engine::ForwardOverReverse => self.by(ForwardOverReverse, threads),
            Engine::CentralDifference => self.by(CentralDifference::default(), threads),
        }
    }

    fn by<C: Curvature>(&self, curvature: C, threads: Threads) -> Result<MetaBatch<Flex>> {
        let Self { gpt, rates, tasks, inner_loop } = self;
        meta_batch(&Unrolled { curvature }, &Remember, inner_loop, gpt, rates, tasks, threads)
    }
}
