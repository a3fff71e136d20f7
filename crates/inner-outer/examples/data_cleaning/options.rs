//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// How the meta-gradient is computed.
#[derive(Clone, Copy, ValueEnum)]
pub enum Method {
    /// Differentiates all inner steps.
    Unrolled,
    /// Differentiates the minimum that the inner steps approach.
    Implicit,
}

/// Finds wrong labels by bi-level learning.
#[derive(Parser)]
pub struct Options {
    pub method: Method,
    /// Few outer steps; fails unless cleaning helps.
    #[arg(long)]
    pub short: bool,
    /// Folder with `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`; random clouds without it.
    #[arg(long)]
    pub mnist: Option<PathBuf>,
    /// Decides which samples there are, and which labels are wrong.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}
