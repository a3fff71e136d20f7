//! From objects to records.

use std::collections::HashMap;

use indexmap::IndexMap;
use prost::Message as _;
use serde::Deserialize;

use super::{Kind, Object, ObjectError, record};
use crate::flower::messages::{Error, Message, Metadata};
use crate::flower::npy;
use crate::flower::record::{Array, Arrays, Record, Records};

/// Objects by their id.
pub type Contents = HashMap<String, Vec<u8>>;

/// The message `id` from its objects: who sent it to whom, and its records or why there are none.
///
/// # Errors
/// [`ObjectError`] for objects that are missing, damaged, or of a type that their place does not allow.
pub fn inflate(
    id: &str,
    contents: &Contents,
) -> Result<(Metadata, Result<Records, Error>), ObjectError> {
    let store = Store(contents);
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

struct Store<'a>(&'a Contents);

impl Store<'_> {
    fn get(&self, id: &str) -> Result<Object, ObjectError> {
        let bytes = self.0.get(id).ok_or_else(|| ObjectError::Missing { id: id.to_owned() })?;
        Object::from_bytes(id, bytes)
    }

    fn of_kind(&self, id: &str, kind: Kind) -> Result<Object, ObjectError> {
        let object = self.get(id)?;
        if object.kind == kind { Ok(object) } else { Err(misplaced(id, &object, kind.name())) }
    }

    fn records(&self, id: &str) -> Result<Records, ObjectError> {
        let object = self.of_kind(id, Kind::RecordDict)?;
        let names = named_children(id, &object)?;
        names.into_iter().map(|(name, child)| Ok((name, self.record(&child)?))).collect()
    }

    fn record(&self, id: &str) -> Result<Record, ObjectError> {
        let object = self.get(id)?;
        let unreadable = |cause| ObjectError::Body { id: id.to_owned(), cause };
        match object.kind {
            Kind::ArrayRecord => self.arrays(id, &object).map(Record::Arrays),
            Kind::ConfigRecord => {
                record::config_from_bytes(&object.body).map(Record::Config).map_err(unreadable)
            }
            Kind::MetricRecord => {
                record::metrics_from_bytes(&object.body).map(Record::Metrics).map_err(unreadable)
            }
            _ => Err(misplaced(id, &object, "a record")),
        }
    }

    fn arrays(&self, id: &str, object: &Object) -> Result<Arrays, ObjectError> {
        let names = named_children(id, object)?;
        names.into_iter().map(|(name, child)| Ok((name, self.array(&child)?))).collect()
    }

    fn array(&self, id: &str) -> Result<Array, ObjectError> {
        let object = self.of_kind(id, Kind::Array)?;
        let body: ArrayBody = from_json(id, &object.body)?;
        if body.stype != "numpy.ndarray" {
            return Err(ObjectError::Serialisation { id: id.to_owned(), found: body.stype });
        }
        let mut file = Vec::new();
        for position in body.arraychunk_ids {
            let chunk = object.children.get(position).ok_or_else(|| ObjectError::Body {
                id: id.to_owned(),
                cause: format!("it has no chunk {position}"),
            })?;
            file.append(&mut self.of_kind(chunk, Kind::ArrayChunk)?.body);
        }
        let array =
            npy::read(&file).map_err(|cause| ObjectError::Array { id: id.to_owned(), cause })?;
        if array.shape() != body.shape {
            let cause = format!("its shape is {:?} and {:?}", body.shape, array.shape());
            return Err(ObjectError::Body { id: id.to_owned(), cause });
        }
        Ok(array)
    }
}

/// The ids of the children by the names that the body gives them.
fn named_children(id: &str, object: &Object) -> Result<IndexMap<String, String>, ObjectError> {
    from_json(id, &object.body)
}

fn from_json<'a, T: Deserialize<'a>>(id: &str, body: &'a [u8]) -> Result<T, ObjectError> {
    serde_json::from_slice(body)
        .map_err(|cause| ObjectError::Body { id: id.to_owned(), cause: cause.to_string() })
}

fn misplaced(id: &str, object: &Object, expected: &'static str) -> ObjectError {
    ObjectError::Type { id: id.to_owned(), found: object.kind.to_string(), expected }
}
