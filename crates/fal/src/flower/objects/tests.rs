use proptest::prelude::*;

use super::*;
use crate::flower::messages::{Error, Metadata};
use crate::flower::npy::NpyError;
use crate::flower::record::{Array, Config, Metric, Record, Records, Value};

type Inflated = Result<Records, Error>;

fn inflate(id: &str, contents: &Contents) -> Result<(Metadata, Inflated), ObjectError> {
    super::inflate(id, contents, 1 << 30)
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-1e9..1e9).prop_map(Value::Number),
        any::<i64>().prop_map(Value::Integer),
        any::<u64>().prop_map(Value::Unsigned),
        any::<bool>().prop_map(Value::Boolean),
        any::<String>().prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Bytes),
        prop::collection::vec(-1e9..1e9, 0..3).prop_map(Value::Numbers),
        any::<Vec<i64>>().prop_map(Value::Integers),
        any::<Vec<u64>>().prop_map(Value::UnsignedList),
        any::<Vec<bool>>().prop_map(Value::Booleans),
        any::<Vec<String>>().prop_map(Value::Texts),
        any::<Vec<Vec<u8>>>().prop_map(Value::ByteStrings),
    ]
}

fn any_metric() -> impl Strategy<Value = Metric> {
    prop_oneof![
        (-1e9..1e9).prop_map(Metric::Number),
        any::<i64>().prop_map(Metric::Integer),
        any::<u64>().prop_map(Metric::Unsigned),
        prop::collection::vec(-1e9..1e9, 0..3).prop_map(Metric::Numbers),
        any::<Vec<i64>>().prop_map(Metric::Integers),
        any::<Vec<u64>>().prop_map(Metric::UnsignedList),
    ]
}

fn any_array() -> impl Strategy<Value = Array> {
    prop::collection::vec(-1e9..1e9_f32, 0..5)
        .prop_map(|values| Array::new(vec![values.len(), 1], values).unwrap())
}

fn named<T: std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = indexmap::IndexMap<String, T>> {
    prop::collection::vec((any::<String>(), value), 0..4)
        .prop_map(|entries| entries.into_iter().collect())
}

fn any_records() -> impl Strategy<Value = Records> {
    named(prop_oneof![
        named(any_array()).prop_map(Record::Arrays),
        named(any_value()).prop_map(|settings| Record::Config(Config(settings))),
        named(any_metric()).prop_map(Record::Metrics),
    ])
}

fn metadata() -> Metadata {
    Metadata { run_id: 3, ttl: 60.0, message_type: "train".to_owned(), ..Metadata::default() }
}

fn contents(deflated: &Deflated) -> Contents {
    deflated.objects.clone().into_iter().collect()
}

/// The names of maps are compared in order, which equality of maps does not.
fn in_order(records: &Records) -> String {
    format!("{records:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_taken_apart_can_be_put_together(records in any_records()) {
        let deflated = deflate(&metadata(), Ok(&records));
        let (read, content) = inflate(deflated.message_id(), &contents(&deflated)).unwrap();
        prop_assert_eq!(read, metadata());
        prop_assert_eq!(in_order(&content.unwrap()), in_order(&records));
    }

    #[test]
    fn the_tree_names_every_object_children_first(records in any_records()) {
        let deflated = deflate(&metadata(), Ok(&records));
        let names: Vec<&String> = deflated.objects.keys().collect();
        prop_assert_eq!(ids(&deflated.tree).len(), names.len());
        let mut seen = Vec::new();
        for id in ids(&deflated.tree) {
            let object = Object::from_bytes(&id, &deflated.objects[&id]).unwrap();
            prop_assert!(object.children.iter().all(|child| seen.contains(child)));
            seen.push(id);
        }
    }

    #[test]
    fn a_message_without_one_of_its_objects_is_refused(records in any_records(), which: usize) {
        let deflated = deflate(&metadata(), Ok(&records));
        let mut contents = contents(&deflated);
        let names: Vec<&String> = deflated.objects.keys().collect();
        let lost = names[which % names.len()].clone();
        contents.remove(&lost);
        let refused = inflate(deflated.message_id(), &contents).unwrap_err();
        prop_assert_eq!(refused, ObjectError::Missing { id: lost });
    }

    #[test]
    fn nothing_makes_the_reader_panic(bytes: Vec<u8>, kind in 0..7_usize, text in "[ -~]{0,80}") {
        let kinds = ["Message", "RecordDict", "ArrayRecord", "Array", "ArrayChunk", "ConfigRecord", "x"];
        for body in [bytes, text.into_bytes()] {
            let head = format!("{}  {}\0", kinds[kind], body.len());
            let object = [head.as_bytes(), &body].concat();
            let id = object_id(&object);
            let _ = inflate(&id, &Contents::from([(id.clone(), object)]));
        }
    }
}

#[test]
fn an_error_travels_without_records() {
    let error = Error { code: 2, reason: "out of memory".to_owned() };
    let deflated = deflate(&metadata(), Err(&error));
    assert_eq!((deflated.objects.len(), deflated.tree.children.len()), (1, 0));
    let (_, content) = inflate(deflated.message_id(), &contents(&deflated)).unwrap();
    assert_eq!(content, Err(error));
}

#[test]
fn equal_parts_are_sent_once() {
    let zeros = Array::new(vec![3 * CHUNK_BYTES / 4], vec![0.0; 3 * CHUNK_BYTES / 4]).unwrap();
    let arrays = [("a".to_owned(), zeros.clone()), ("b".to_owned(), zeros)];
    let records: Records = [("arrays".to_owned(), Record::Arrays(arrays.into()))].into();
    let deflated = deflate(&metadata(), Ok(&records));
    // The message, its records, the arrays, one array, and its first, its middle and its last chunk.
    assert_eq!(deflated.objects.len(), 7);
    let (_, content) = inflate(deflated.message_id(), &contents(&deflated)).unwrap();
    assert_eq!(content.unwrap(), records);
}

/// A message whose records are this one object, and that object's children.
fn message_with(object: Object, parts: &[Object]) -> (String, Contents) {
    let message = Object {
        kind: Kind::Message,
        children: vec![object_id(&object.to_bytes())],
        body: b"\x0a\x00".to_vec(),
    };
    let id = object_id(&message.to_bytes());
    let all = parts.iter().chain([&object, &message]);
    (id, all.map(|object| (object_id(&object.to_bytes()), object.to_bytes())).collect())
}

fn object(kind: Kind, children: &[&Object], body: &[u8]) -> Object {
    let children = children.iter().map(|child| object_id(&child.to_bytes())).collect();
    Object { kind, children, body: body.to_vec() }
}

fn named_body(part: &Object) -> Vec<u8> {
    format!("{{\"part\": \"{}\"}}", object_id(&part.to_bytes())).into_bytes()
}

fn refusal_of_array(array: &Object, chunk: &Object) -> ObjectError {
    let arrays = object(Kind::ArrayRecord, &[array], &named_body(array));
    let records = object(Kind::RecordDict, &[&arrays], &named_body(&arrays));
    let (id, contents) = message_with(records, &[arrays, array.clone(), chunk.clone()]);
    inflate(&id, &contents).unwrap_err()
}

/// Objects that are sent once and named a thousand times.
#[test]
fn a_message_that_would_fill_the_memory_is_refused_before_it_is_put_together() {
    let refused_of = |part: &Object, chunk: &Object, most| {
        let id = object_id(&part.to_bytes());
        let names: Vec<String> = (0..1000).map(|name| format!("\"{name}\": \"{id}\"")).collect();
        let names = format!("{{{}}}", names.join(", ")).into_bytes();
        let (records, parts) = match part.kind {
            Kind::Array => {
                let arrays = object(Kind::ArrayRecord, &[part], &names);
                let records = object(Kind::RecordDict, &[&arrays], &named_body(&arrays));
                (records, vec![arrays, part.clone(), chunk.clone()])
            }
            _ => (object(Kind::RecordDict, &[part], &names), vec![part.clone()]),
        };
        let (id, contents) = message_with(records, &parts);
        super::inflate(&id, &contents, most).map(drop)
    };
    let array = Array::new(vec![2000], vec![0.5; 2000]).unwrap();
    let chunk = object(Kind::ArrayChunk, &[], &crate::flower::npy::write(&array));
    let body = |shape: usize, chunks: &str| {
        let body = format!(
            r#"{{"dtype": "float32", "shape": [{shape}], "stype": "numpy.ndarray", "arraychunk_ids": [{chunks}]}}"#
        );
        object(Kind::Array, &[&chunk], body.as_bytes())
    };
    // A kilobyte of a field that nobody knows.
    let settings = [&b"\x7a\xe8\x07"[..], &[0; 1000]].concat();
    let settings = object(Kind::ConfigRecord, &[], &settings);
    let most = 10_000_000;
    let too_large = Err(ObjectError::TooLarge { most });
    assert_eq!(refused_of(&body(2000, "0"), &chunk, most), too_large, "an array of 8 kB");
    assert_eq!(refused_of(&body(2000, "0"), &chunk, 4 * most), Ok(()));
    assert_eq!(refused_of(&body(usize::MAX, "0"), &chunk, most), too_large, "a shape");
    let longer = refused_of(&body(2000, &["0"; 1000].join(", ")), &chunk, most);
    assert!(matches!(longer, Err(ObjectError::Body { .. })), "chunks beyond the shape: {longer:?}");
    assert_eq!(refused_of(&settings, &chunk, most), too_large, "settings of a kilobyte");
    assert_eq!(refused_of(&settings, &chunk, 4 * most), Ok(()));
}

#[test]
fn damaged_objects_are_named() {
    let bytes = object(Kind::ArrayChunk, &[], b"abc").to_bytes();
    let id = object_id(&bytes);
    assert!(matches!(Object::from_bytes(&id, &bytes[1..]), Err(ObjectError::Hash { .. })));
    let read = |bytes: &[u8]| Object::from_bytes(&object_id(bytes), bytes).unwrap_err();
    assert!(matches!(read(b"ArrayChunk  3"), ObjectError::Head { .. }));
    assert!(matches!(read(b"ArrayChunk 3\0abc"), ObjectError::Head { .. }));
    assert!(matches!(read(b"Novelty  3\0abc"), ObjectError::Head { .. }));
    assert!(matches!(read(b"ArrayChunk  many\0abc"), ObjectError::Head { .. }));
    assert!(matches!(read(b"\xff  3\0abc"), ObjectError::Head { .. }));
    let shorter = read(b"ArrayChunk  4\0abc");
    assert!(matches!(shorter, ObjectError::Length { expected: 4, found: 3, .. }));
}

#[test]
fn objects_in_the_wrong_place_are_named() {
    let chunk = object(Kind::ArrayChunk, &[], b"abc");
    let (id, contents) = message_with(chunk.clone(), &[]);
    let expected = "RecordDict";
    assert!(
        matches!(inflate(&id, &contents), Err(ObjectError::Type { expected: e, .. }) if e == expected)
    );
    let records = object(Kind::RecordDict, &[&chunk], &named_body(&chunk));
    let (id, contents) = message_with(records, std::slice::from_ref(&chunk));
    assert!(matches!(inflate(&id, &contents), Err(ObjectError::Type { expected: "a record", .. })));
    let empty = object(Kind::Message, &[], b"\x0a\x00").to_bytes();
    let id = object_id(&empty);
    let refused = inflate(&id, &Contents::from([(id.clone(), empty)]));
    assert!(matches!(refused, Err(ObjectError::Body { .. })), "neither content nor error");
}

#[test]
fn bodies_that_cannot_be_read_are_named() {
    for (kind, body) in [
        (Kind::RecordDict, &b"[]"[..]),
        (Kind::Message, b"\xff"),
        (Kind::Message, b""),
        (Kind::ConfigRecord, b"\xff"),
        (Kind::MetricRecord, b"\x0a\x03\x0a\x01a"),
    ] {
        let part = object(kind, &[], body);
        let (id, contents) = match kind {
            Kind::Message => (
                object_id(&part.to_bytes()),
                [part].map(|part| (object_id(&part.to_bytes()), part.to_bytes())).into(),
            ),
            Kind::RecordDict => message_with(part, &[]),
            _ => {
                let records = object(Kind::RecordDict, &[&part], &named_body(&part));
                message_with(records, &[part])
            }
        };
        assert!(
            matches!(inflate(&id, &contents), Err(ObjectError::Body { .. })),
            "{kind} {body:?}"
        );
    }
}

#[test]
fn arrays_that_cannot_be_used_are_named() {
    let array = Array::new(vec![2], vec![1.0, 2.0]).unwrap();
    let chunk = object(Kind::ArrayChunk, &[], &crate::flower::npy::write(&array));
    let refusal = |shape: &str, stype: &str, chunks: &str| {
        let body = format!(
            r#"{{"dtype": "float32", "shape": {shape}, "stype": "{stype}", "arraychunk_ids": {chunks}}}"#
        );
        refusal_of_array(&object(Kind::Array, &[&chunk], body.as_bytes()), &chunk)
    };
    assert!(matches!(refusal("[3]", "numpy.ndarray", "[0]"), ObjectError::Body { .. }));
    assert!(matches!(refusal("[2]", "numpy.ndarray", "[1]"), ObjectError::Body { .. }));
    assert!(matches!(refusal("[2]", "pickle", "[0]"), ObjectError::Serialisation { .. }));
    let twice = refusal("[2]", "numpy.ndarray", "[0, 0]");
    assert!(matches!(twice, ObjectError::Array { cause: NpyError::Length { .. }, .. }));
}
