//! From records to objects.

use indexmap::{IndexMap, IndexSet};
use prost::Message as _;
use serde::Serialize;

use super::{CHUNK_BYTES, Kind, Object, json, object_id, record};
use crate::flower::messages::{Error, Message, Metadata, ObjectTree};
use crate::flower::npy;
use crate::flower::record::{Array, Arrays, Record, Records};

/// A message as objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Deflated {
    /// The message and what it is made of.
    pub tree: ObjectTree,
    /// The bytes of every object by its id, children before their parents.
    pub objects: IndexMap<String, Vec<u8>>,
}

impl Deflated {
    /// The message's id.
    pub fn message_id(&self) -> &str {
        &self.tree.object_id
    }
}

/// The objects of a message that carries `content`: records, or why there are none.
///
/// The metadata's own id is left out, as it follows from the result.
pub fn deflate(metadata: &Metadata, content: Result<&Records, &Error>) -> Deflated {
    let mut objects = Objects::default();
    let metadata = Metadata { message_id: String::new(), ..metadata.clone() };
    let (children, error) = match content {
        Ok(records) => (vec![objects.records(records)], None),
        Err(error) => (Vec::new(), Some(error.clone())),
    };
    let message = Message { metadata: Some(metadata), content: None, error };
    let tree = objects.put(Kind::Message, children, message.encode_to_vec());
    Deflated { tree, objects: objects.0 }
}

/// What `json.dumps` is given for an `Array`, in its order.
#[derive(Serialize)]
struct ArrayBody<'a> {
    dtype: &'a str,
    shape: &'a [usize],
    stype: &'a str,
    arraychunk_ids: Vec<usize>,
}

#[derive(Default)]
struct Objects(IndexMap<String, Vec<u8>>);

impl Objects {
    fn put(&mut self, kind: Kind, children: Vec<ObjectTree>, body: Vec<u8>) -> ObjectTree {
        let mut seen = IndexSet::new();
        let is_new = |child: &ObjectTree| seen.insert(child.object_id.clone());
        let children: Vec<ObjectTree> = children.into_iter().filter(is_new).collect();
        let bytes = Object { kind, children: seen.into_iter().collect(), body }.to_bytes();
        let object_id = object_id(&bytes);
        self.0.insert(object_id.clone(), bytes);
        ObjectTree { object_id, children }
    }

    fn records(&mut self, records: &Records) -> ObjectTree {
        let parts = records.iter().map(|(name, record)| (name.as_str(), self.record(record)));
        let parts: Vec<_> = parts.collect();
        self.put_named(Kind::RecordDict, parts)
    }

    fn record(&mut self, record: &Record) -> ObjectTree {
        match record {
            Record::Arrays(arrays) => self.arrays(arrays),
            Record::Config(config) => {
                self.put(Kind::ConfigRecord, Vec::new(), record::config_to_bytes(config))
            }
            Record::Metrics(metrics) => {
                self.put(Kind::MetricRecord, Vec::new(), record::metrics_to_bytes(metrics))
            }
        }
    }

    fn arrays(&mut self, arrays: &Arrays) -> ObjectTree {
        let parts = arrays.iter().map(|(name, array)| (name.as_str(), self.array(array)));
        let parts: Vec<_> = parts.collect();
        self.put_named(Kind::ArrayRecord, parts)
    }

    fn array(&mut self, array: &Array) -> ObjectTree {
        let file = npy::write(array);
        let chunks = file.chunks(CHUNK_BYTES);
        let chunks = chunks.map(|chunk| self.put(Kind::ArrayChunk, Vec::new(), chunk.to_vec()));
        let chunks: Vec<ObjectTree> = chunks.collect();
        let mut distinct = IndexSet::new();
        let positions = chunks.iter().map(|chunk| distinct.insert_full(&chunk.object_id).0);
        let body = ArrayBody {
            dtype: "float32",
            arraychunk_ids: positions.collect(),
            shape: array.shape(),
            stype: "numpy.ndarray",
        };
        let body = to_json(&body);
        self.put(Kind::Array, chunks, body)
    }

    fn put_named(&mut self, kind: Kind, parts: Vec<(&str, ObjectTree)>) -> ObjectTree {
        let names: IndexMap<&str, &str> =
            parts.iter().map(|(name, part)| (*name, part.object_id.as_str())).collect();
        let body = to_json(&names);
        self.put(kind, parts.into_iter().map(|(_, part)| part).collect(), body)
    }
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    json::to_bytes(value).expect("texts and integers in memory are always JSON")
}
