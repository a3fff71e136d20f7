//! From objects to records.

use std::cell::Cell;
use std::collections::HashMap;

use indexmap::IndexMap;
use prost::Message as _;
use serde::Deserialize;

use super::{Kind, Object, ObjectError, record};
use crate::flower::messages::{Error, Message, Metadata};
use crate::flower::npy;
use crate::flower::record::{Array, Arrays, Record, Records, size};

/// Objects by their id.
pub type Contents = HashMap<String, Vec<u8>>;

/// How many bytes of memory a byte of settings or names may take: a setting of a few bytes becomes a text and a value.
const GROWTH: usize = 16;

/// The message `id` from its objects: who sent it to whom, and its records or why there are none.
///
/// Equal parts are sent once and may be named many times, so a small message can be made of more than any memory holds:
/// it may take `most` bytes, which are its objects, as often as they are named, and what is made of them.
///
/// # Errors
/// [`ObjectError`] for objects that are missing, damaged, or of a type that their place does not allow, and for a message
/// that takes more than `most` bytes.
pub fn inflate(
    id: &str,
    contents: &Contents,
    most: usize,
) -> Result<(Metadata, Result<Records, Error>), ObjectError> {
    let store = Store { contents, most, left: Cell::new(most) };
    let object = store.of_kind(id, Kind::Message)?;
    let unreadable = |cause: String| ObjectError::Body { id: id.to_owned(), cause };
    let message = Message::decode(object.body.as_slice());
    let message = message.map_err(|cause| unreadable(cause.to_string()))?;
    let metadata = message.metadata.ok_or_else(|| unreadable("it has no metadata".to_owned()))?;
    let content = match (message.error, object.children.as_slice()) {
        (Some(error), _) => Err(error),
        (None, [records]) => Ok(store.records(records)?),
        (None, children) => {
            return Err(unreadable(format!("it has {} contents", children.len())));
        }
    };
    Ok((metadata, content))
}

#[derive(Deserialize)]
struct ArrayBody {
    shape: Vec<usize>,
    stype: String,
    arraychunk_ids: Vec<usize>,
}

struct Store<'a> {
    contents: &'a Contents,
    /// Bytes that the whole message may take.
    most: usize,
    /// How many of them are left.
    left: Cell<usize>,
}

impl Store<'_> {
    /// Takes `bytes` of those that are left, before they are allocated; `None` is more than can be counted.
    fn take(&self, bytes: Option<usize>) -> Result<(), ObjectError> {
        let left = bytes.and_then(|bytes| self.left.get().checked_sub(bytes));
        self.left.set(left.ok_or(ObjectError::TooLarge { most: self.most })?);
        Ok(())
    }

    fn take_grown(&self, body: &[u8]) -> Result<(), ObjectError> {
        self.take(body.len().checked_mul(GROWTH))
    }

    fn get(&self, id: &str) -> Result<Object, ObjectError> {
        let missing = || ObjectError::Missing { id: id.to_owned() };
        let bytes = self.contents.get(id).ok_or_else(missing)?;
        self.take(Some(bytes.len()))?;
        Object::from_bytes(id, bytes)
    }

    fn of_kind(&self, id: &str, kind: Kind) -> Result<Object, ObjectError> {
        let object = self.get(id)?;
        if object.kind == kind { Ok(object) } else { Err(misplaced(id, &object, kind.name())) }
    }

    fn records(&self, id: &str) -> Result<Records, ObjectError> {
        let object = self.of_kind(id, Kind::RecordDict)?;
        let names = self.named_children(id, &object)?;
        names.into_iter().map(|(name, child)| Ok((name, self.record(&child)?))).collect()
    }

    fn record(&self, id: &str) -> Result<Record, ObjectError> {
        let object = self.get(id)?;
        let unreadable = |cause| ObjectError::Body { id: id.to_owned(), cause };
        match object.kind {
            Kind::ArrayRecord => self.arrays(id, &object).map(Record::Arrays),
            Kind::ConfigRecord => {
                self.take_grown(&object.body)?;
                record::config_from_bytes(&object.body).map(Record::Config).map_err(unreadable)
            }
            Kind::MetricRecord => {
                self.take_grown(&object.body)?;
                record::metrics_from_bytes(&object.body).map(Record::Metrics).map_err(unreadable)
            }
            _ => Err(misplaced(id, &object, "a record")),
        }
    }

    fn arrays(&self, id: &str, object: &Object) -> Result<Arrays, ObjectError> {
        let names = self.named_children(id, object)?;
        names.into_iter().map(|(name, child)| Ok((name, self.array(&child)?))).collect()
    }

    fn array(&self, id: &str) -> Result<Array, ObjectError> {
        let object = self.of_kind(id, Kind::Array)?;
        let body: ArrayBody = self.json(id, &object.body)?;
        if body.stype != "numpy.ndarray" {
            return Err(ObjectError::Serialisation { id: id.to_owned(), found: body.stype });
        }
        let values = size(&body.shape).ok_or(ObjectError::TooLarge { most: self.most })?;
        self.take(values.checked_mul(size_of::<f32>()))?;
        let longest = npy::longest_file(values);
        let file = self.file(id, &object, &body.arraychunk_ids, longest)?;
        let array =
            npy::read(&file).map_err(|cause| ObjectError::Array { id: id.to_owned(), cause })?;
        if array.shape() != body.shape {
            let cause = format!("its shape is {:?} and {:?}", body.shape, array.shape());
            return Err(ObjectError::Body { id: id.to_owned(), cause });
        }
        Ok(array)
    }

    /// The file that the chunks at `positions` among the children of an array make, of at most `longest` bytes.
    fn file(
        &self,
        id: &str,
        object: &Object,
        positions: &[usize],
        longest: usize,
    ) -> Result<Vec<u8>, ObjectError> {
        let unreadable = |cause: String| ObjectError::Body { id: id.to_owned(), cause };
        let mut file = Vec::new();
        for position in positions {
            let chunk = object.children.get(*position);
            let chunk = chunk.ok_or_else(|| unreadable(format!("it has no chunk {position}")))?;
            let mut piece = self.of_kind(chunk, Kind::ArrayChunk)?.body;
            if piece.len() > longest - file.len() {
                let cause = format!("its chunks have more than the {longest} bytes of its shape");
                return Err(unreadable(cause));
            }
            file.append(&mut piece);
        }
        Ok(file)
    }

    /// The ids of the children by the names that the body gives them.
    fn named_children(
        &self,
        id: &str,
        object: &Object,
    ) -> Result<IndexMap<String, String>, ObjectError> {
        self.json(id, &object.body)
    }

    fn json<'a, T: Deserialize<'a>>(&self, id: &str, body: &'a [u8]) -> Result<T, ObjectError> {
        self.take_grown(body)?;
        serde_json::from_slice(body)
            .map_err(|cause| ObjectError::Body { id: id.to_owned(), cause: cause.to_string() })
    }
}

fn misplaced(id: &str, object: &Object, expected: &'static str) -> ObjectError {
    ObjectError::Type { id: id.to_owned(), found: object.kind.to_string(), expected }
}
