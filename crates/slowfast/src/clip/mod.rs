//! Recordings on disk: a folder of shards with an index, from which any window can be read without the rest.
//!
//! # The format, version 1
//!
//! `index.json` says what is there: [`Index`], as JSON. `shard-00000.safetensors` and so on hold the episodes. Episode
//! number `e` of a shard, counted from 0 and written with four digits, is five tensors:
//!
//! | tensor | type and shape | |
//! |---|---|---|
//! | `e.frames` | u8 `[frames, height, width, 3]` | rows from the top; red, green, blue |
//! | `e.actions` | u8 `[frames]` | code of the action that led to each frame; the first is 0, stay |
//! | `e.poses` | i32 `[frames, 3]` | east, north, heading (counter-clockwise from east), in the index's units |
//! | `e.spans` | u32 `[phrases, 2]` | frames that each phrase is about: the first, and one past the last |
//! | `e.words` | u8 `[bytes]` | the phrases in UTF-8, with a line feed after each |
//!
//! The shard's metadata has one key, `slowfast`, with the version, the fingerprint of the settings, and for each episode
//! its scene, split, route and length as JSON: an index can be made again from the shards. Action codes are those of
//! [`Action::code`](crate::action::Action::code). Whole scenes belong to one split. The index has the SHA-256 of every
//! shard; it is written last, and shards are replaced atomically, so a killed generation goes on where it was.

mod episode;
mod error;
mod index;
mod loose;
mod sampler;
mod scenes;
mod set;
mod shard;
mod writer;

pub use episode::{Episode, Phrase, Pose, PoseScale, Recorded, Route, Split};
pub use error::ClipError;
pub(crate) use index::INDEX_FILE;
pub use index::{Description, Entry, Index, ShardEntry, VERSION};
pub use loose::import;
pub use sampler::{Alignment, WindowPlace, WindowSampler};
pub use scenes::TrainingScenes;
pub use set::ClipSet;
pub use writer::ClipWriter;

#[cfg(test)]
pub(crate) use episode::test_episodes;
