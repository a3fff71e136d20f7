//! Records of settings and of metrics.
//!
//! Arrays have no message of their own: they travel as objects alone.

/// Numbers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DoubleList {
    /// In their order.
    #[prost(double, repeated, tag = "1")]
    pub vals: Vec<f64>,
}

/// Integers.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct SintList {
    /// In their order.
    #[prost(sint64, repeated, tag = "1")]
    pub vals: Vec<i64>,
}

/// Integers that may be above the largest signed one.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct UintList {
    /// In their order.
    #[prost(uint64, repeated, tag = "1")]
    pub vals: Vec<u64>,
}

/// Truth values.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct BoolList {
    /// In their order.
    #[prost(bool, repeated, tag = "1")]
    pub vals: Vec<bool>,
}

/// Texts.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct StringList {
    /// In their order.
    #[prost(string, repeated, tag = "1")]
    pub vals: Vec<String>,
}

/// Byte strings.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct BytesList {
    /// In their order.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub vals: Vec<Vec<u8>>,
}

/// What a node measured.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MetricRecord {
    /// In their order.
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<MetricItem>,
}

/// A name and its value. In Flower: `MetricRecord.Item`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MetricItem {
    /// The name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(message, optional, tag = "2")]
    pub value: Option<MetricValue>,
}

/// One of several types of values. In Flower: `MetricRecordValue`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MetricValue {
    /// Always there in what Flower sends.
    #[prost(oneof = "metric_value::Value", tags = "1, 2, 3, 21, 22, 23")]
    pub value: Option<metric_value::Value>,
}

/// The types of [`MetricValue`].
pub mod metric_value {
    use super::{DoubleList, SintList, UintList};

    /// One value.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Value {
        /// A number.
        #[prost(double, tag = "1")]
        Double(f64),
        /// An integer.
        #[prost(sint64, tag = "2")]
        Sint64(i64),
        /// An integer above the largest signed one.
        #[prost(uint64, tag = "3")]
        Uint64(u64),
        /// Numbers.
        #[prost(message, tag = "21")]
        DoubleList(DoubleList),
        /// Integers.
        #[prost(message, tag = "22")]
        SintList(SintList),
        /// Integers of which some are above the largest signed one.
        #[prost(message, tag = "23")]
        UintList(UintList),
    }
}

/// What a node is told.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConfigRecord {
    /// In their order.
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<ConfigItem>,
}

/// A name and its value. In Flower: `ConfigRecord.Item`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConfigItem {
    /// The name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(message, optional, tag = "2")]
    pub value: Option<ConfigValue>,
}

/// One of several types of values. In Flower: `ConfigRecordValue`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConfigValue {
    /// Always there in what Flower sends.
    #[prost(oneof = "config_value::Value", tags = "1, 2, 3, 4, 5, 6, 21, 22, 23, 24, 25, 26")]
    pub value: Option<config_value::Value>,
}

/// The types of [`ConfigValue`].
pub mod config_value {
    use super::{BoolList, BytesList, DoubleList, SintList, StringList, UintList};

    /// One value.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Value {
        /// A number.
        #[prost(double, tag = "1")]
        Double(f64),
        /// An integer.
        #[prost(sint64, tag = "2")]
        Sint64(i64),
        /// An integer above the largest signed one.
        #[prost(uint64, tag = "3")]
        Uint64(u64),
        /// A truth value.
        #[prost(bool, tag = "4")]
        Bool(bool),
        /// A text.
        #[prost(string, tag = "5")]
        String(String),
        /// A byte string.
        #[prost(bytes = "vec", tag = "6")]
        Bytes(Vec<u8>),
        /// Numbers.
        #[prost(message, tag = "21")]
        DoubleList(DoubleList),
        /// Integers.
        #[prost(message, tag = "22")]
        SintList(SintList),
        /// Integers of which some are above the largest signed one.
        #[prost(message, tag = "23")]
        UintList(UintList),
        /// Truth values.
        #[prost(message, tag = "24")]
        BoolList(BoolList),
        /// Texts.
        #[prost(message, tag = "25")]
        StringList(StringList),
        /// Byte strings.
        #[prost(message, tag = "26")]
        BytesList(BytesList),
    }
}
