//! What the research binaries share around their experiments: everything but the learning.
//!
//! | a binary needs | it takes |
//! |---|---|
//! | arguments, error lines, exit codes | [`cli`], [`interrupt`] |
//! | a configuration from defaults, a file and `--set` | [`config`] |
//! | a folder for a run that can be killed and resumed | [`run_directory`], [`checkpoint`], [`atomic`], [`fingerprint`] |
//! | numbers while it runs | [`metrics`], [`progress`], [`memory`] |
//! | randomness that does not depend on threads | [`seed`] |
//! | results with intervals, figures and a page to read | [`statistics`], [`figure`], [`report`], [`markup`] |
//! | to be measured beside a program in Python | [`peer`] |
//!
//! Nothing here knows of tensors.

#![deny(missing_docs)]

pub mod atomic;
mod backend;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod figure;
pub mod fingerprint;
mod hexadecimal;
pub mod interrupt;
pub mod markup;
pub mod memory;
pub mod metrics;
pub mod peer;
pub mod progress;
pub mod report;
pub mod run_directory;
pub mod seed;
pub mod statistics;
mod tensorboard;
