//! Settings and metrics between their own types and protobuf.

use prost::Message;

use crate::flower::messages::{
    BoolList, BytesList, ConfigItem, ConfigRecord, ConfigValue, DoubleList, MetricItem,
    MetricRecord, MetricValue, SintList, StringList, UintList, config_value, metric_value,
};
use crate::flower::record::{Config, Metric, Metrics, Value};

/// The body of a `MetricRecord`.
pub fn metrics_to_bytes(metrics: &Metrics) -> Vec<u8> {
    let item = |(key, metric): (&String, &Metric)| MetricItem {
        key: key.clone(),
        value: Some(MetricValue { value: Some(metric_to_wire(metric.clone())) }),
    };
    MetricRecord { items: metrics.iter().map(item).collect() }.encode_to_vec()
}

/// The metrics in the body of a `MetricRecord`, or why there are none.
pub fn metrics_from_bytes(body: &[u8]) -> Result<Metrics, String> {
    let record = MetricRecord::decode(body).map_err(|error| error.to_string())?;
    let metric = |item: MetricItem| match item.value.and_then(|value| value.value) {
        Some(value) => Ok((item.key, metric_from_wire(value))),
        None => Err(without_value(&item.key)),
    };
    record.items.into_iter().map(metric).collect()
}

/// The body of a `ConfigRecord`.
pub fn config_to_bytes(config: &Config) -> Vec<u8> {
    let item = |(key, value): (&String, &Value)| ConfigItem {
        key: key.clone(),
        value: Some(ConfigValue { value: Some(setting_to_wire(value.clone())) }),
    };
    ConfigRecord { items: config.0.iter().map(item).collect() }.encode_to_vec()
}

/// The settings in the body of a `ConfigRecord`, or why there are none.
pub fn config_from_bytes(body: &[u8]) -> Result<Config, String> {
    let record = ConfigRecord::decode(body).map_err(|error| error.to_string())?;
    let setting = |item: ConfigItem| match item.value.and_then(|value| value.value) {
        Some(value) => Ok((item.key, setting_from_wire(value))),
        None => Err(without_value(&item.key)),
    };
    record.items.into_iter().map(setting).collect::<Result<_, _>>().map(Config)
}

fn without_value(key: &str) -> String {
    format!("`{key}` has no value of a known type")
}

fn metric_to_wire(metric: Metric) -> metric_value::Value {
    use metric_value::Value as Wire;
    match metric {
        Metric::Number(value) => Wire::Double(value),
        Metric::Integer(value) => Wire::Sint64(value),
        Metric::Unsigned(value) => Wire::Uint64(value),
        Metric::Numbers(vals) => Wire::DoubleList(DoubleList { vals }),
        Metric::Integers(vals) => Wire::SintList(SintList { vals }),
        Metric::UnsignedList(vals) => Wire::UintList(UintList { vals }),
    }
}

fn metric_from_wire(value: metric_value::Value) -> Metric {
    use metric_value::Value as Wire;
    match value {
        Wire::Double(value) => Metric::Number(value),
        Wire::Sint64(value) => Metric::Integer(value),
        Wire::Uint64(value) => Metric::Unsigned(value),
        Wire::DoubleList(list) => Metric::Numbers(list.vals),
        Wire::SintList(list) => Metric::Integers(list.vals),
        Wire::UintList(list) => Metric::UnsignedList(list.vals),
    }
}

fn setting_to_wire(value: Value) -> config_value::Value {
    use config_value::Value as Wire;
    match value {
        Value::Number(value) => Wire::Double(value),
        Value::Integer(value) => Wire::Sint64(value),
        Value::Unsigned(value) => Wire::Uint64(value),
        Value::Boolean(value) => Wire::Bool(value),
        Value::Text(value) => Wire::String(value),
        Value::Bytes(value) => Wire::Bytes(value),
        Value::Numbers(vals) => Wire::DoubleList(DoubleList { vals }),
        Value::Integers(vals) => Wire::SintList(SintList { vals }),
        Value::UnsignedList(vals) => Wire::UintList(UintList { vals }),
        Value::Booleans(vals) => Wire::BoolList(BoolList { vals }),
        Value::Texts(vals) => Wire::StringList(StringList { vals }),
        Value::ByteStrings(vals) => Wire::BytesList(BytesList { vals }),
    }
}

fn setting_from_wire(value: config_value::Value) -> Value {
    use config_value::Value as Wire;
    match value {
        Wire::Double(value) => Value::Number(value),
        Wire::Sint64(value) => Value::Integer(value),
        Wire::Uint64(value) => Value::Unsigned(value),
        Wire::Bool(value) => Value::Boolean(value),
        Wire::String(value) => Value::Text(value),
        Wire::Bytes(value) => Value::Bytes(value),
        Wire::DoubleList(list) => Value::Numbers(list.vals),
        Wire::SintList(list) => Value::Integers(list.vals),
        Wire::UintList(list) => Value::UnsignedList(list.vals),
        Wire::BoolList(list) => Value::Booleans(list.vals),
        Wire::StringList(list) => Value::Texts(list.vals),
        Wire::BytesList(list) => Value::ByteStrings(list.vals),
    }
}
