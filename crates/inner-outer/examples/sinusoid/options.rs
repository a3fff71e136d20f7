//! The command line.

use clap::{Parser, ValueEnum};

/// How the meta-gradient is computed.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Method {
    /// Exact second order.
    Maml,
    /// MAML with the inner gradients taken as constants.
    FirstOrder,
    /// MAML with a learned rate for each weight (Li et al. 2017).
    MetaSgd,
    /// Towards the adapted weights (Nichol et al. 2018); wants several inner steps.
    Reptile,
}

/// Sinusoid regression by MAML and its relatives.
#[derive(Parser)]
pub struct Options {
    pub method: Method,
    /// 500 meta-steps; fails unless they lower the error on unseen waves.
    #[arg(long)]
    pub short: bool,
    #[arg(long, default_value_t = 70_000)]
    pub meta_steps: usize,
    #[arg(long, default_value_t = 1)]
    pub inner_steps: usize,
    /// The inner rate, for `meta-sgd` the initial one. The paper's is 0.01, cbfinn/maml's default 0.001.
    #[arg(long, default_value_t = 0.001)]
    pub inner_rate: f64,
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}
