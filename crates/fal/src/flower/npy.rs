//! NumPy's file format `.npy`, in which Flower sends an array: a header that is the text of a Python dictionary, then the
//! values.
//!
//! Format: NumPy Enhancement Proposal 1. Read are versions 1 to 3, both orders of axes, both orders of bytes, numbers of
//! any common type; written is version 1, row-major, single precision, byte for byte as NumPy 2 writes it.

use super::record::{Array, ShapeError, require_axes, size};

const MAGIC: &[u8] = b"\x93NUMPY";
/// The values begin at a multiple of this.
const ALIGNMENT: usize = 64;
/// NumPy leaves room for the first axis of a file to grow to so many digits.
const GROWING_DIGITS: usize = 21;
/// More than the bytes before the values, of an array of as many axes as there may be.
const LONGEST_HEADER: usize = 1 << 16;
/// Bytes of the widest values.
const WIDEST: usize = 8;

/// Bytes that are no array that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NpyError {
    /// The file ends too early, or goes on after its end.
    #[error("a NumPy array should have {expected} bytes {part}, but has {found}; send it again")]
    Length {
        /// What is too short or too long.
        part: &'static str,
        /// Bytes that are needed.
        expected: usize,
        /// Bytes that there are.
        found: usize,
    },
    /// Another format.
    #[error("an array does not begin as NumPy's format does; save it with `numpy.save`")]
    Magic,
    /// A version of the future.
    #[error("NumPy's format has no version {0} that is known here; save with version 1, 2 or 3")]
    Version(u8),
    /// A header that cannot be understood.
    #[error("the header `{0}` of a NumPy array cannot be read; save it with `numpy.save`")]
    Header(String),
    /// A shape that no array can have.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Values of a type that is no number.
    #[error(
        "an array of type `{0}` cannot be used; send float32, float64, integers or truth values"
    )]
    Type(String),
}

/// How values are stored.
#[derive(Clone, Copy)]
struct Type {
    kind: Kind,
    little_endian: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Boolean,
}

/// `array` as a file of version 1.
pub fn write(array: &Array) -> Vec<u8> {
    let header = header_of(array.shape());
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    // Where nothing is missing NumPy adds a whole line of spaces.
    let padding = ALIGNMENT - unpadded % ALIGNMENT;
    let length = header.len() + padding + 1;
    let mut file = Vec::with_capacity(unpadded + padding + 4 * array.values().len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&[1, 0]);
    let length = u16::try_from(length).expect("64 axes of 20 digits have a short header");
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(header.as_bytes());
    file.extend(std::iter::repeat_n(b' ', padding));
    file.push(b'\n');
    file.extend(array.values().iter().flat_map(|value| value.to_le_bytes()));
    file
}

fn header_of(shape: &[usize]) -> String {
    let lengths: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let (tuple, room) = match lengths.as_slice() {
        [] => ("()".to_owned(), 0),
        [only] => (format!("({only},)"), GROWING_DIGITS - only.len()),
        [first, ..] => (format!("({})", lengths.join(", ")), GROWING_DIGITS - first.len()),
    };
    let spaces = " ".repeat(room);
    format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple}, }}{spaces}")
}

/// The most bytes that a file of so many values can have.
pub(super) fn longest_file(values: usize) -> usize {
    values.saturating_mul(WIDEST).saturating_add(LONGEST_HEADER)
}

/// The array of a `.npy` file, its values rounded to single precision.
///
/// # Errors
/// [`NpyError`] for what is no such file, holds no numbers, or has more than 64 axes.
pub fn read(file: &[u8]) -> Result<Array, NpyError> {
    let (header, values) = split(file)?;
    let header = Header::parse(header)?;
    require_axes(&header.shape)?;
    let unusable = || NpyError::Header(format!("shape {:?}", header.shape));
    let size = size(&header.shape).ok_or_else(unusable)?;
    let expected = size.checked_mul(header.stored.kind.width()).ok_or_else(unusable)?;
    if values.len() != expected {
        return Err(NpyError::Length { part: "of values", expected, found: values.len() });
    }
    let mut numbers = header.stored.numbers(values);
    if header.column_major {
        numbers = to_row_major(&header.shape, &numbers);
    }
    Ok(Array::new(header.shape, numbers)?)
}

/// The header's text, and the bytes of the values.
fn split(file: &[u8]) -> Result<(&str, &[u8]), NpyError> {
    let rest = file.strip_prefix(MAGIC).ok_or(NpyError::Magic)?;
    let short = |part, expected, found| NpyError::Length { part, expected, found };
    let (version, rest) =
        rest.split_first_chunk::<2>().ok_or(short("of version", 2, rest.len()))?;
    let (length, rest) = match version[0] {
        1 => rest
            .split_first_chunk::<2>()
            .map(|(length, rest)| (usize::from(u16::from_le_bytes(*length)), rest)),
        2 | 3 => rest
            .split_first_chunk::<4>()
            .map(|(length, rest)| (u32::from_le_bytes(*length) as usize, rest)),
        other => return Err(NpyError::Version(other)),
    }
    .ok_or(short("of length", 2, rest.len()))?;
    let (header, values) =
        rest.split_at_checked(length).ok_or(short("of header", length, rest.len()))?;
    let text = std::str::from_utf8(header);
    let text = text.map_err(|_| NpyError::Header(String::from_utf8_lossy(header).into_owned()))?;
    Ok((text, values))
}

struct Header {
    stored: Type,
    column_major: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, NpyError> {
        let header = || NpyError::Header(text.trim().to_owned());
        let entry = |name| entry(text, name).ok_or_else(header);
        let descr = entry("descr")?;
        let descr = descr.strip_prefix('\'').ok_or_else(|| NpyError::Type(brief(descr)))?;
        let (descr, _) = descr.split_once('\'').ok_or_else(header)?;
        let order = entry("fortran_order")?;
        let column_major = order.starts_with("True");
        if !column_major && !order.starts_with("False") {
            return Err(header());
        }
        let shape = entry("shape")?.strip_prefix('(').ok_or_else(header)?;
        let (shape, _) = shape.split_once(')').ok_or_else(header)?;
        let lengths = shape.split(',').map(str::trim).filter(|length| !length.is_empty());
        let shape: Result<Vec<usize>, _> = lengths.map(str::parse).collect();
        Ok(Self { stored: Type::parse(descr)?, column_major, shape: shape.map_err(|_| header())? })
    }
}

/// What follows `'name':` in the text of a dictionary.
fn entry<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("'{name}'"))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

/// The beginning of a type that may be long.
fn brief(descr: &str) -> String {
    descr.chars().take(40).collect()
}

impl Type {
    fn parse(descr: &str) -> Result<Self, NpyError> {
        let unusable = || NpyError::Type(brief(descr));
        let (order, kind) = descr.split_at_checked(1).ok_or_else(unusable)?;
        let little_endian = match order {
            "<" | "|" => true,
            ">" => false,
            "=" => cfg!(target_endian = "little"),
            _ => return Err(unusable()),
        };
        let kind = match kind {
            "f4" => Kind::F32,
            "f8" => Kind::F64,
            "i1" => Kind::I8,
            "i2" => Kind::I16,
            "i4" => Kind::I32,
            "i8" => Kind::I64,
            "u1" => Kind::U8,
            "u2" => Kind::U16,
            "u4" => Kind::U32,
            "u8" => Kind::U64,
            "b1" => Kind::Boolean,
            _ => return Err(unusable()),
        };
        Ok(Self { kind, little_endian })
    }

    fn numbers(self, bytes: &[u8]) -> Vec<f32> {
        match self.kind {
            Kind::F32 => self.each(bytes, f32::from_le_bytes),
            Kind::F64 => self.each(bytes, |value| f64::from_le_bytes(value) as f32),
            Kind::I8 => self.each(bytes, |value| f32::from(i8::from_le_bytes(value))),
            Kind::I16 => self.each(bytes, |value| f32::from(i16::from_le_bytes(value))),
            Kind::I32 => self.each(bytes, |value| i32::from_le_bytes(value) as f32),
            Kind::I64 => self.each(bytes, |value| i64::from_le_bytes(value) as f32),
            Kind::U8 => self.each(bytes, |value| f32::from(u8::from_le_bytes(value))),
            Kind::U16 => self.each(bytes, |value| f32::from(u16::from_le_bytes(value))),
            Kind::U32 => self.each(bytes, |value| u32::from_le_bytes(value) as f32),
            Kind::U64 => self.each(bytes, |value| u64::from_le_bytes(value) as f32),
            Kind::Boolean => self.each(bytes, |[value]: [u8; 1]| f32::from(u8::from(value != 0))),
        }
    }

    fn each<const WIDTH: usize>(
        self,
        bytes: &[u8],
        number: impl Fn([u8; WIDTH]) -> f32,
    ) -> Vec<f32> {
        let in_order = |mut value: [u8; WIDTH]| {
            if !self.little_endian {
                value.reverse();
            }
            number(value)
        };
        bytes.as_chunks::<WIDTH>().0.iter().copied().map(in_order).collect()
    }
}

impl Kind {
    /// Bytes of one value.
    fn width(self) -> usize {
        match self {
            Self::I8 | Self::U8 | Self::Boolean => 1,
            Self::I16 | Self::U16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }
}

/// Numbers whose first index runs fastest, put so that the last one does.
fn to_row_major(shape: &[usize], numbers: &[f32]) -> Vec<f32> {
    let mut index = vec![0; shape.len()];
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut ordered = Vec::with_capacity(numbers.len());
    let mut position = 0;
    for _ in 0..numbers.len() {
        ordered.push(numbers[position]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            position += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            position -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    ordered
}

#[cfg(test)]
mod tests;
