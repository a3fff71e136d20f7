//! SlowFast-VGen at a small scale: a video model that learns slowly what worlds are like, and fast, in a Temp-LoRA, what
//! this one is.
//!
//! | to | read |
//! |---|---|
//! | say what an agent does | [`action`] |
//! | make worlds | [`world`] |
//! | generate, write, read and sample episodes | [`generation`], [`clip`] |
//! | measure what was generated | [`metrics`] |

#![deny(missing_docs)]

pub mod action;
pub mod clip;
pub mod commands;
pub mod generation;
pub mod metrics;
pub mod world;
