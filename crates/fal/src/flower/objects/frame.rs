//! The bytes of one object.

use std::fmt;
use std::str::FromStr;

use experiment::fingerprint::sha256;

use super::ObjectError;

/// Types of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request or a reply.
    Message,
    /// The records of a message.
    RecordDict,
    /// Arrays by name.
    ArrayRecord,
    /// An array.
    Array,
    /// A piece of an array.
    ArrayChunk,
    /// Settings.
    ConfigRecord,
    /// Metrics.
    MetricRecord,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Message,
        Self::RecordDict,
        Self::ArrayRecord,
        Self::Array,
        Self::ArrayChunk,
        Self::ConfigRecord,
        Self::MetricRecord,
    ];

    /// As it is written in a head.
    pub fn name(self) -> &'static str {
        match self {
            Self::Message => "Message",
            Self::RecordDict => "RecordDict",
            Self::ArrayRecord => "ArrayRecord",
            Self::Array => "Array",
            Self::ArrayChunk => "ArrayChunk",
            Self::ConfigRecord => "ConfigRecord",
            Self::MetricRecord => "MetricRecord",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(())
    }
}

/// An object taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its type.
    pub kind: Kind,
    /// Ids of its parts, each once.
    pub children: Vec<String>,
    /// What it holds.
    pub body: Vec<u8>,
}

impl Object {
    /// Head, zero byte and body.
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = format!("{} {} {}\0", self.kind, self.children.join(","), self.body.len());
        [head.as_bytes(), &self.body].concat()
    }

    /// Takes the object `id` apart, after a look at its hash.
    ///
    /// # Errors
    /// [`ObjectError::Hash`], [`ObjectError::Head`] or [`ObjectError::Length`].
    pub fn from_bytes(id: &str, bytes: &[u8]) -> Result<Self, ObjectError> {
        let found = object_id(bytes);
        if found != id {
            return Err(ObjectError::Hash { id: id.to_owned(), found });
        }
        let head = || ObjectError::Head { id: id.to_owned() };
        let end = bytes.iter().position(|byte| *byte == 0).ok_or_else(head)?;
        let text = std::str::from_utf8(&bytes[..end]).map_err(|_| head())?;
        let body = &bytes[end + 1..];
        let [kind, children, length] =
            <[&str; 3]>::try_from(text.split(' ').collect::<Vec<_>>()).map_err(|_| head())?;
        let expected: usize = length.parse().map_err(|_| head())?;
        if body.len() != expected {
            return Err(ObjectError::Length { id: id.to_owned(), expected, found: body.len() });
        }
        let children = children.split(',').filter(|child| !child.is_empty());
        Ok(Self {
            kind: kind.parse().map_err(|()| head())?,
            children: children.map(str::to_owned).collect(),
            body: body.to_vec(),
        })
    }
}

/// The name of an object: the SHA-256 of its bytes, in hexadecimal digits.
pub fn object_id(bytes: &[u8]) -> String {
    sha256(bytes)
}
