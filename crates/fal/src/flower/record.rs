//! What messages carry: arrays, settings, metrics.

use indexmap::IndexMap;

/// An array of single-precision numbers, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// Arrays by name, in the order in which they were sent. A model's weights are one such record.
pub type Arrays = IndexMap<String, Array>;

/// Metrics by name, in the order in which they were sent.
pub type Metrics = IndexMap<String, Metric>;

/// One record of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Arrays.
    Arrays(Arrays),
    /// Settings.
    Config(Config),
    /// Metrics.
    Metrics(Metrics),
}

/// The records of a message by name, in the order in which they were sent.
pub type Records = IndexMap<String, Record>;

/// NumPy's own limit.
const MOST_AXES: usize = 64;

/// A shape that no array can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Values that do not fill it.
    #[error(
        "{values} values do not fill an array of shape {shape:?}; give as many as the product of its lengths"
    )]
    Values {
        /// Lengths of the axes.
        shape: Vec<usize>,
        /// Values that there are.
        values: usize,
    },
    /// More axes than NumPy has.
    #[error("an array has {0} axes, but NumPy knows at most 64; join some of them")]
    Axes(usize),
}

impl Array {
    /// `values` in row-major order as an array of `shape`, which is empty for a single number.
    ///
    /// # Errors
    /// [`ShapeError`] if there are more or fewer than the product of the lengths, or more than 64 axes.
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Result<Self, ShapeError> {
        require_axes(&shape)?;
        match size(&shape) {
            Some(size) if size == values.len() => Ok(Self { shape, values }),
            _ => Err(ShapeError::Values { shape, values: values.len() }),
        }
    }

    /// Lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values in row-major order.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values in row-major order, to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

pub(super) fn require_axes(shape: &[usize]) -> Result<(), ShapeError> {
    if shape.len() <= MOST_AXES { Ok(()) } else { Err(ShapeError::Axes(shape.len())) }
}

/// The product of the lengths; `None` if no memory could hold it.
pub(super) fn size(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |size, length| size.checked_mul(*length))
}

/// A metric.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// A number.
    Number(f64),
    /// An integer.
    Integer(i64),
    /// An integer that is sent without a sign.
    Unsigned(u64),
    /// Numbers.
    Numbers(Vec<f64>),
    /// Integers.
    Integers(Vec<i64>),
    /// Integers that are sent without a sign.
    UnsignedList(Vec<u64>),
}

impl From<f64> for Metric {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<u64> for Metric {
    /// As Flower sends it: with a sign wherever that is possible.
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Unsigned(value), Self::Integer)
    }
}

/// A setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// An integer.
    Integer(i64),
    /// An integer that is sent without a sign.
    Unsigned(u64),
    /// A truth value.
    Boolean(bool),
    /// A text.
    Text(String),
    /// A byte string.
    Bytes(Vec<u8>),
    /// Numbers.
    Numbers(Vec<f64>),
    /// Integers.
    Integers(Vec<i64>),
    /// Integers that are sent without a sign.
    UnsignedList(Vec<u64>),
    /// Truth values.
    Booleans(Vec<bool>),
    /// Texts.
    Texts(Vec<String>),
    /// Byte strings.
    ByteStrings(Vec<Vec<u8>>),
}

/// Settings by name, in the order in which they were sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config(pub IndexMap<String, Value>);

/// A setting of another type than the one that is needed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "the setting `{name}` is {found:?}, but {needed} is needed; correct it in the ServerApp's config"
)]
pub struct WrongType {
    /// The setting.
    pub name: String,
    /// What it is.
    pub found: Value,
    /// What is needed, such as "an integer".
    pub needed: &'static str,
}

impl Config {
    /// The integer `name`, or `None` where there is no such setting.
    ///
    /// # Errors
    /// [`WrongType`] if it is no integer, or one that does not fit.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, WrongType> {
        self.get(name, "an integer", |value| match value {
            Value::Integer(integer) => Some(*integer),
            Value::Unsigned(integer) => i64::try_from(*integer).ok(),
            _ => None,
        })
    }

    /// The number `name`, which may be an integer, or `None` where there is no such setting.
    ///
    /// # Errors
    /// [`WrongType`] if it is no number.
    pub fn number(&self, name: &str) -> Result<Option<f64>, WrongType> {
        self.get(name, "a number", |value| match value {
            Value::Number(number) => Some(*number),
            Value::Integer(integer) => Some(*integer as f64),
            Value::Unsigned(integer) => Some(*integer as f64),
            _ => None,
        })
    }

    /// The truth value `name`, or `None` where there is no such setting.
    ///
    /// # Errors
    /// [`WrongType`] if it is no truth value.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, WrongType> {
        self.get(name, "a truth value", |value| match value {
            Value::Boolean(boolean) => Some(*boolean),
            _ => None,
        })
    }

    /// The text `name`, or `None` where there is no such setting.
    ///
    /// # Errors
    /// [`WrongType`] if it is no text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, WrongType> {
        self.get(name, "a text", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    fn get<'a, T>(
        &'a self,
        name: &str,
        needed: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, WrongType> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let wrong = || WrongType { name: name.to_owned(), found: value.clone(), needed };
        read(value).map(Some).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fill_their_shape() {
        assert_eq!(Array::new(vec![], vec![1.0]).unwrap().shape(), [0_usize; 0]);
        assert_eq!(Array::new(vec![2, 0], vec![]).unwrap().values(), [0.0_f32; 0]);
        assert_eq!(Array::new(vec![2, 1], vec![1.0, 2.0]).unwrap().values(), [1.0, 2.0]);
        let refused = Array::new(vec![2, 2], vec![1.0]).unwrap_err();
        assert_eq!(refused, ShapeError::Values { shape: vec![2, 2], values: 1 });
        assert_eq!(Array::new(vec![1; 64], vec![1.0]).unwrap().shape().len(), 64);
        assert_eq!(Array::new(vec![1; 65], vec![1.0]), Err(ShapeError::Axes(65)));
        assert!(Array::new(vec![usize::MAX, 2], vec![]).is_err(), "the product overflows");
    }

    #[test]
    fn settings_are_read_by_type() {
        let settings = [
            ("round", Value::Integer(3)),
            ("large", Value::Unsigned(u64::MAX)),
            ("rate", Value::Number(0.5)),
            ("robust", Value::Boolean(true)),
            ("loss", Value::Text("trades".to_owned())),
        ];
        let config = Config(settings.map(|(name, value)| (name.to_owned(), value)).into());
        assert_eq!(config.integer("round"), Ok(Some(3)));
        assert_eq!(config.number("round"), Ok(Some(3.0)));
        assert_eq!(config.number("large"), Ok(Some(u64::MAX as f64)));
        assert_eq!(config.number("rate"), Ok(Some(0.5)));
        assert_eq!(config.boolean("robust"), Ok(Some(true)));
        assert_eq!(config.text("loss"), Ok(Some("trades")));
        assert_eq!(config.integer("absent"), Ok(None));
        for message in [
            config.integer("rate").unwrap_err().to_string(),
            config.integer("large").unwrap_err().to_string(),
            config.number("loss").unwrap_err().to_string(),
            config.boolean("round").unwrap_err().to_string(),
            config.text("robust").unwrap_err().to_string(),
        ] {
            assert!(message.contains("is needed; correct it"), "{message}");
        }
    }

    #[test]
    fn counts_have_a_sign_wherever_possible() {
        assert_eq!(Metric::from(7_u64), Metric::Integer(7));
        assert_eq!(Metric::from(u64::MAX), Metric::Unsigned(u64::MAX));
    }
}
