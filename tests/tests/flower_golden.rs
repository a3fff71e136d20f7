//! Bytes on the wire against those of Flower 1.41, see `golden/flower/make.py`.

use std::collections::HashMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fal::flower::LARGEST_REQUEST;
use fal::flower::identity::Identity;
use fal::flower::messages::{
    ActivateNodeRequest, ActivateNodeResponse, ConfirmMessageReceivedRequest,
    DeactivateNodeRequest, Error, Message, Metadata, Node, ObjectTree, PullMessagesRequest,
    PullMessagesResponse, PullObjectRequest, PullObjectResponse, PushMessagesRequest,
    PushMessagesResponse, PushObjectRequest, PushObjectResponse, RecordDict, RegisterNodeRequest,
    RegisterNodeResponse, SendNodeHeartbeatRequest, SendNodeHeartbeatResponse,
    UnregisterNodeRequest,
};
use fal::flower::npy;
use fal::flower::objects::{deflate, inflate};
use fal::flower::record::{Array, Arrays, Config, Metric, Metrics, Record, Records, Value};
use prost::Message as _;
use serde::Deserialize;
use workspace_tests::golden_text;

#[derive(Deserialize)]
struct Golden {
    npy: Vec<NpyVector>,
    messages: HashMap<String, MessageVector>,
    requests: HashMap<String, String>,
    identity: IdentityVector,
}

#[derive(Deserialize)]
struct NpyVector {
    name: String,
    dtype: String,
    order: String,
    version: u8,
    shape: Vec<usize>,
    values: String,
    file: String,
}

#[derive(Deserialize)]
struct MessageVector {
    metadata: String,
    message_id: String,
    tree: String,
    objects: HashMap<String, Option<String>>,
}

#[derive(Deserialize)]
struct IdentityVector {
    private: String,
    public: String,
    ssh: String,
    timestamp: String,
    signature: String,
}

fn golden() -> Golden {
    serde_json::from_str(&golden_text("flower/vectors.json").unwrap()).unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

fn named<T, const N: usize>(entries: [(&str, T); N]) -> indexmap::IndexMap<String, T> {
    entries.into_iter().map(|(name, entry)| (name.to_owned(), entry)).collect()
}

fn array(shape: &[usize], values: &[f32]) -> Array {
    Array::new(shape.to_vec(), values.to_vec()).unwrap()
}

/// `make_records` of the script.
fn records() -> Records {
    let thirds: Vec<f32> = (0..6_u8).map(|number| f32::from(number) / 3.0).collect();
    let arrays: Arrays = named([
        ("layer.weight", array(&[2, 3], &thirds)),
        ("layer.bias", array(&[3], &[0.0; 3])),
        ("same as \"bias\" \u{3b4}\u{1f980}", array(&[3], &[0.0; 3])),
        ("scale", array(&[], &[0.5])),
    ]);
    let config = named([
        ("server-round", Value::Integer(3)),
        ("negative", Value::Integer(-(1 << 62))),
        ("large", Value::Unsigned(u64::MAX)),
        ("lr", Value::Number(0.1)),
        ("robust", Value::Boolean(true)),
        ("loss", Value::Text("trades \u{3b2}".to_owned())),
        ("secret", Value::Bytes(vec![0, 255])),
        ("rates", Value::Numbers(vec![0.5, 0.25])),
        ("steps", Value::Integers(vec![-1, 2])),
        ("counts", Value::UnsignedList(vec![1, 1 << 63])),
        ("flags", Value::Booleans(vec![true, false])),
        ("names", Value::Texts(vec!["a".to_owned(), String::new()])),
        ("keys", Value::ByteStrings(vec![vec![], vec![1]])),
        // Python cannot say of what nothing is a list, and takes its first type.
        ("nothing", Value::Booleans(vec![])),
    ]);
    let metrics: Metrics = named([
        ("num-examples", Metric::Integer(10)),
        ("loss", Metric::Number(0.5)),
        ("large", Metric::Unsigned(1 << 63)),
        ("losses", Metric::Numbers(vec![1.0, 0.0])),
        ("labels", Metric::Integers(vec![-1, 1])),
        ("sizes", Metric::UnsignedList(vec![1 << 63, 1])),
    ]);
    named([
        ("arrays", Record::Arrays(arrays)),
        ("config", Record::Config(Config(config))),
        ("metrics", Record::Metrics(metrics)),
    ])
}

/// `make_large_records` of the script.
fn large_records() -> Records {
    let zeros = array(&[4_000_000], &vec![0.0; 4_000_000]);
    named([("arrays", Record::Arrays(named([("zeros", zeros)])))])
}

#[test]
fn arrays_are_read_as_numpy_wrote_them() {
    for vector in golden().npy {
        let read = npy::read(&bytes(&vector.file)).unwrap();
        assert_eq!(read.shape(), vector.shape, "{}", vector.name);
        let found: Vec<u8> = read.values().iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(found, bytes(&vector.values), "{}", vector.name);
    }
}

#[test]
fn arrays_are_written_as_numpy_writes_them() {
    let mut written = 0;
    for vector in golden().npy {
        if (vector.dtype.as_str(), vector.order.as_str(), vector.version) == ("float32", "C", 1) {
            let file = bytes(&vector.file);
            assert_eq!(npy::write(&npy::read(&file).unwrap()), file, "{}", vector.name);
            written += 1;
        }
    }
    assert!(written >= 4);
}

#[test]
fn messages_are_the_same_objects() {
    let error = Error { code: 2, reason: "the loss is not finite".to_owned() };
    let contents = [
        ("records", Ok(records())),
        ("large", Ok(large_records())),
        ("empty", Ok(Records::new())),
        ("error", Err(error)),
    ];
    let golden = golden().messages;
    for (name, content) in contents {
        let vector = &golden[name];
        let metadata = Metadata::decode(bytes(&vector.metadata).as_slice()).unwrap();
        assert_eq!(metadata.encode_to_vec(), bytes(&vector.metadata), "{name}");
        let deflated = deflate(&metadata, content.as_ref());
        for (id, expected) in &vector.objects {
            let found = deflated.objects.get(id);
            let found = found.unwrap_or_else(|| panic!("{name}: object {id} is missing"));
            if let Some(expected) = expected {
                assert_eq!(found, &bytes(expected), "{name} {id}");
            }
        }
        assert_eq!(deflated.objects.len(), vector.objects.len(), "{name}");
        assert_eq!(deflated.message_id(), vector.message_id, "{name}");
        assert_eq!(deflated.tree.encode_to_vec(), bytes(&vector.tree), "{name}");
    }
}

#[test]
fn messages_of_flower_are_read() {
    let golden = golden().messages;
    for (name, expected) in [("records", records()), ("empty", Records::new())] {
        let vector = &golden[name];
        let contents = vector.objects.iter();
        let contents = contents.map(|(id, object)| (id.clone(), bytes(object.as_ref().unwrap())));
        let (metadata, content) =
            inflate(&vector.message_id, &contents.collect(), LARGEST_REQUEST).unwrap();
        assert_eq!(metadata.encode_to_vec(), bytes(&vector.metadata));
        // The texts also show the order, which equality of maps leaves out.
        assert_eq!(format!("{:?}", content.unwrap()), format!("{expected:?}"));
    }
}

#[test]
fn requests_are_the_same_bytes() {
    let golden = golden();
    let vector = &golden.messages["records"];
    let node = Some(Node { node_id: u64::MAX - 2 });
    let public_key = b"key".to_vec();
    let metadata = Metadata {
        message_id: vector.message_id.clone(),
        ..Metadata::decode(bytes(&vector.metadata).as_slice()).unwrap()
    };
    let message = Message { metadata: Some(metadata), content: Some(RecordDict {}), error: None };
    let tree = ObjectTree::decode(bytes(&vector.tree).as_slice()).unwrap();
    let (run_id, object_id) = (1 << 63, "cd".repeat(32));
    let encoded = [
        ("register-node", RegisterNodeRequest { public_key: public_key.clone() }.encode_to_vec()),
        (
            "activate-node",
            ActivateNodeRequest { public_key, heartbeat_interval: 30.0 }.encode_to_vec(),
        ),
        ("deactivate-node", DeactivateNodeRequest { node_id: 9 }.encode_to_vec()),
        ("unregister-node", UnregisterNodeRequest { node_id: 9 }.encode_to_vec()),
        (
            "send-node-heartbeat",
            SendNodeHeartbeatRequest { node, heartbeat_interval: 30.0 }.encode_to_vec(),
        ),
        ("pull-messages", PullMessagesRequest { node }.encode_to_vec()),
        (
            "push-messages",
            PushMessagesRequest {
                node,
                messages_list: vec![message.clone()],
                message_object_trees: vec![tree.clone()],
                clientapp_runtime_list: vec![1.5],
            }
            .encode_to_vec(),
        ),
        (
            "push-object",
            PushObjectRequest {
                node,
                run_id,
                object_id: object_id.clone(),
                object_content: b"ArrayChunk  1\0x".to_vec(),
                session_id: "session".to_owned(),
            }
            .encode_to_vec(),
        ),
        (
            "pull-object",
            PullObjectRequest { node, run_id, object_id: object_id.clone() }.encode_to_vec(),
        ),
        (
            "confirm-message-received",
            ConfirmMessageReceivedRequest { node, run_id, message_object_id: object_id.clone() }
                .encode_to_vec(),
        ),
    ];
    for (name, found) in encoded {
        assert_eq!(found, bytes(&golden.requests[name]), "{name}");
    }
    assert_eq!(
        answer::<PullMessagesResponse>(&golden, "pull-messages"),
        PullMessagesResponse { messages_list: vec![message], message_object_trees: vec![tree] }
    );
    assert_eq!(
        answer::<PushMessagesResponse>(&golden, "push-messages"),
        PushMessagesResponse {
            objects_to_push: vec![object_id, "ef".repeat(32)],
            session_id: "session".to_owned(),
        }
    );
}

#[test]
fn answers_are_read() {
    let golden = golden();
    let registered: RegisterNodeResponse = answer(&golden, "register-node");
    assert_eq!(registered.node_id, 9);
    let activated: ActivateNodeResponse = answer(&golden, "activate-node");
    assert_eq!(activated.node_id, u64::MAX - 2);
    assert!(answer::<SendNodeHeartbeatResponse>(&golden, "send-node-heartbeat").success);
    assert!(answer::<PushObjectResponse>(&golden, "push-object").stored);
    let expected = PullObjectResponse {
        object_found: true,
        object_available: true,
        object_content: b"ArrayChunk  1\0x".to_vec(),
    };
    assert_eq!(answer::<PullObjectResponse>(&golden, "pull-object"), expected);
}

fn answer<M: prost::Message + Default>(golden: &Golden, name: &str) -> M {
    M::decode(bytes(&golden.requests[&format!("{name} answer")]).as_slice()).unwrap()
}

#[test]
fn keys_of_flower_are_read_and_shown_alike() {
    let golden = golden().identity;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.pem");
    std::fs::write(&path, &golden.private).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let identity = Identity::load(&path).unwrap();
    assert_eq!(identity.public_pem(), golden.public);
    let ssh = identity.public_ssh();
    assert_eq!(ssh.split(' ').take(2).collect::<Vec<_>>().join(" "), golden.ssh);
    assert!(identity.verifies(&golden.timestamp, &golden.signature), "a signature of Flower holds");
    assert!(!identity.verifies("2023-11-14T22:13:21+00:00", &golden.signature));
}

/// Flower accepts what is signed here. Skipped where there is no Flower.
#[test]
fn flower_accepts_signatures() {
    let Some(python) = workspace_tests::python_with("flwr", "1.41.0") else { return };
    let signed = Identity::generate().unwrap().sign_now().unwrap();
    let verify = |timestamp: &str| {
        Command::new(&python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/flower/make.py"))
            .args(["verify", &signed.public_key, timestamp, &signed.signature])
            .output()
            .unwrap()
    };
    let verdict = verify(&signed.timestamp);
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stderr));
    assert!(!verify("2023-11-14T22:13:21Z").status.success());
}
