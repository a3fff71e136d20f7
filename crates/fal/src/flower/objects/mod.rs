//! Objects: the form in which Flower moves the contents of messages.
//!
//! A message is a tree, `Message > RecordDict > ArrayRecord > Array > ArrayChunk` with `ConfigRecord` and `MetricRecord`
//! beside `ArrayRecord`. Every node of the tree is an object of its own, named by the SHA-256 of its bytes, so that equal
//! parts, such as the weights for all nodes of a round, are stored and sent once.
//!
//! An object is a head, `<type> <children, by commas> <length of the body>`, a zero byte and the body:
//!
//! | object | children | body |
//! |---|---|---|
//! | `Message` | its `RecordDict`, unless it is an error | protobuf `Message` without content and id |
//! | `RecordDict` | records | JSON: name to id |
//! | `ArrayRecord` | arrays | JSON: name to id |
//! | `Array` | chunks | JSON: type, shape, positions of the chunks among the children |
//! | `ArrayChunk` | | up to 5 MiB of a `.npy` file |
//! | `ConfigRecord`, `MetricRecord` | | protobuf |

mod deflate;
mod error;
mod frame;
mod inflate;
mod json;
mod record;

pub use deflate::{Deflated, deflate};
pub use error::ObjectError;
pub use frame::{Kind, Object, object_id};
pub use inflate::{Contents, inflate};

use super::messages::ObjectTree;

/// Largest body of an `ArrayChunk`, in bytes.
pub const CHUNK_BYTES: usize = 5 * 1024 * 1024;

/// The ids of a tree, each once, children before their parents.
pub fn ids(tree: &ObjectTree) -> Vec<String> {
    fn visit(tree: &ObjectTree, found: &mut indexmap::IndexSet<String>) {
        tree.children.iter().for_each(|child| visit(child, found));
        found.insert(tree.object_id.clone());
    }
    let mut found = indexmap::IndexSet::new();
    visit(tree, &mut found);
    found.into_iter().collect()
}

#[cfg(test)]
mod tests;
