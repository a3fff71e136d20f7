"""Byte vectors of Flower's wire format, from Flower itself.

Run ``python make.py`` (requirements.txt beside it) to write ``vectors.json`` into this folder. Bytes are in base 64.

``npy``: arrays as ``numpy.save`` writes them: ``name``, ``dtype`` of what was saved, ``order`` C or F, ``version`` of the format,
    ``shape``, ``values`` in row-major order as float32, ``file``;

``messages``: messages as Flower's objects:
    ``metadata``: the protobuf; ``message_id``; ``tree``: the protobuf ``ObjectTree``; ``objects``: content by id;
    the records are those of ``make_records`` and ``make_large_records``, or an error;

``requests``: one protobuf of every call of the Fleet API, from the fields in ``tests/flower_golden.rs``;

``identity``: a P-384 key: ``private`` in PEM (PKCS#8), ``public`` in PEM, ``ssh`` in OpenSSH's format; ``timestamp`` and
    ``signature`` over it, made by ``flwr.supercore.primitives.asymmetric.sign_message``.

``python make.py verify PUBLIC_PEM TIMESTAMP SIGNATURE`` (base 64 but for the time) says whether Flower accepts a signature.
"""

import io
import json
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives import serialization
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, MetricRecord, RecordDict
from flwr.app.message.message import make_message
from flwr.app.metadata import Metadata
from flwr.common.serde_utils import metadata_to_proto
from flwr.proto import fleet_pb2, heartbeat_pb2, message_pb2, node_pb2
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.primitives.asymmetric import (
    bytes_to_public_key,
    generate_key_pairs,
    private_key_to_bytes,
    public_key_to_bytes,
    sign_message,
    verify_signature,
)

FOLDER = Path(__file__).parent


def text(data):
    return b64encode(data).decode("ascii")


def make_npy():
    counting = np.arange(24).reshape(2, 3, 4)
    arrays = [
        ("scalar", np.float32(2.5).reshape(()), "C", (1, 0)),
        ("vector", np.array([1.0, -0.0, np.inf, 1e-40], np.float32), "C", (1, 0)),
        ("empty", np.zeros((3, 0), np.float32), "C", (1, 0)),
        ("cube", counting.astype(np.float32) / 7, "C", (1, 0)),
        ("column-major", counting.astype(np.float32) / 7, "F", (1, 0)),
        ("version-2", counting.astype(np.float32), "C", (2, 0)),
        ("version-3", counting.astype(np.float64), "F", (3, 0)),
        ("double", np.array([[0.1, 1e300], [-1e-300, 3.0]]), "C", (1, 0)),
        ("big-endian", np.array([1.5, -2.5], ">f8"), "C", (1, 0)),
        ("truth", np.array([True, False]), "C", (1, 0)),
    ] + [
        (kind, (counting - (0 if kind[0] == "u" else 9)).astype(kind), "C", (1, 0))
        for kind in ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
    ]
    return [npy_entry(*array) for array in arrays]


def npy_entry(name, array, order, version):
    file = io.BytesIO()
    array = np.asarray(array, order=order)
    np.lib.format.write_array(file, array, version=version, allow_pickle=False)
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(array).astype("<f4")
    return {
        "name": name,
        "dtype": str(array.dtype),
        "order": order,
        "version": version[0],
        "shape": list(array.shape),
        "values": text(values.tobytes()),
        "file": text(file.getvalue()),
    }


def make_records():
    weights = np.arange(6, dtype=np.float32).reshape(2, 3) / 3
    return RecordDict(
        {
            "arrays": ArrayRecord(
                {
                    "layer.weight": Array(weights),
                    "layer.bias": Array(np.zeros(3, np.float32)),
                    "same as \"bias\" \N{GREEK SMALL LETTER DELTA}\N{CRAB}": Array(np.zeros(3, np.float32)),
                    "scale": Array(np.array(0.5, np.float32)),
                }
            ),
            "config": ConfigRecord(
                {
                    "server-round": 3,
                    "negative": -(2**62),
                    "large": 2**64 - 1,
                    "lr": 0.1,
                    "robust": True,
                    "loss": "trades \N{GREEK SMALL LETTER BETA}",
                    "secret": b"\x00\xff",
                    "rates": [0.5, 0.25],
                    "steps": [-1, 2],
                    "counts": [1, 2**63],
                    "flags": [True, False],
                    "names": ["a", ""],
                    "keys": [b"", b"\x01"],
                    "nothing": [],
                }
            ),
            "metrics": MetricRecord(
                {
                    "num-examples": 10,
                    "loss": 0.5,
                    "large": 2**63,
                    "losses": [1.0, 0.0],
                    "labels": [-1, 1],
                    "sizes": [2**63, 1],
                }
            ),
        }
    )


def make_large_records():
    """Zeros of more than two chunks, of which the middle one repeats no other: the header shifts them all."""
    return RecordDict({"arrays": ArrayRecord({"zeros": Array(np.zeros(4_000_000, np.float32))})})


def metadata(**changes):
    fields = {
        "run_id": 2**63 + 5,
        "message_id": "",
        "src_node_id": 1,
        "dst_node_id": 2**64 - 3,
        "reply_to_message_id": "",
        "group_id": "4",
        "created_at": 1_700_000_000.25,
        "ttl": 43200.0,
        "message_type": "train",
    }
    return Metadata(**(fields | changes))


def message_entry(message, with_objects=True):
    tree = get_object_tree(message)
    objects = {name: text(part.deflate()) for name, part in get_all_nested_objects(message).items()}
    return {
        "metadata": text(metadata_to_proto(message.metadata).SerializeToString(deterministic=True)),
        "message_id": message.object_id,
        "tree": text(tree.SerializeToString(deterministic=True)),
        "objects": objects if with_objects else {name: None for name in objects},
    }


def make_messages():
    reply = metadata(reply_to_message_id="ab" * 32, src_task_id=7, dst_task_id=2**60, message_type="evaluate")
    return {
        "records": message_entry(make_message(metadata(), make_records())),
        "large": message_entry(make_message(metadata(), make_large_records()), with_objects=False),
        "empty": message_entry(make_message(reply, RecordDict())),
        "error": message_entry(make_message(reply, error=Error(2, "the loss is not finite"))),
    }


def make_requests(messages):
    node = node_pb2.Node(node_id=2**64 - 3)
    object_id = "cd" * 32
    tree = message_pb2.ObjectTree.FromString(b64decode(messages["records"]["tree"]))
    about = message_pb2.Metadata.FromString(b64decode(messages["records"]["metadata"]))
    about.message_id = messages["records"]["message_id"]
    message = message_pb2.Message(metadata=about)
    message.content.SetInParent()
    requests = {
        "register-node": fleet_pb2.RegisterNodeFleetRequest(public_key=b"key"),
        "register-node answer": fleet_pb2.RegisterNodeFleetResponse(node_id=9),
        "activate-node": fleet_pb2.ActivateNodeRequest(public_key=b"key", heartbeat_interval=30),
        "activate-node answer": fleet_pb2.ActivateNodeResponse(node_id=2**64 - 3),
        "deactivate-node": fleet_pb2.DeactivateNodeRequest(node_id=9),
        "unregister-node": fleet_pb2.UnregisterNodeFleetRequest(node_id=9),
        "send-node-heartbeat": heartbeat_pb2.SendNodeHeartbeatRequest(node=node, heartbeat_interval=30),
        "send-node-heartbeat answer": heartbeat_pb2.SendNodeHeartbeatResponse(success=True),
        "pull-messages": fleet_pb2.PullMessagesRequest(node=node),
        "pull-messages answer": fleet_pb2.PullMessagesResponse(
            reconnect=fleet_pb2.Reconnect(reconnect=5), messages_list=[message], message_object_trees=[tree]
        ),
        "push-messages": fleet_pb2.PushMessagesRequest(
            node=node, messages_list=[message], message_object_trees=[tree], clientapp_runtime_list=[1.5]
        ),
        "push-messages answer": fleet_pb2.PushMessagesResponse(
            reconnect=fleet_pb2.Reconnect(reconnect=5),
            results={object_id: 0},
            objects_to_push=[object_id, "ef" * 32],
            session_id="session",
        ),
        "push-object": message_pb2.PushObjectRequest(
            node=node, run_id=2**63, object_id=object_id, object_content=b"ArrayChunk  1\0x", session_id="session"
        ),
        "push-object answer": message_pb2.PushObjectResponse(stored=True),
        "pull-object": message_pb2.PullObjectRequest(node=node, run_id=2**63, object_id=object_id),
        "pull-object answer": message_pb2.PullObjectResponse(
            object_found=True, object_available=True, object_content=b"ArrayChunk  1\0x"
        ),
        "confirm-message-received": message_pb2.ConfirmMessageReceivedRequest(
            node=node, run_id=2**63, message_object_id=object_id
        ),
    }
    return {name: text(request.SerializeToString(deterministic=True)) for name, request in requests.items()}


def make_identity():
    private, public = generate_key_pairs()
    timestamp = "2023-11-14T22:13:20.250000+00:00"
    ssh = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return {
        "private": private_key_to_bytes(private).decode("ascii"),
        "public": public_key_to_bytes(public).decode("ascii"),
        "ssh": ssh.decode("ascii"),
        "timestamp": timestamp,
        "signature": text(sign_message(private, timestamp.encode("ascii"))),
    }


def main():
    messages = make_messages()
    vectors = {
        "npy": make_npy(),
        "messages": messages,
        "requests": make_requests(messages),
        "identity": make_identity(),
    }
    (FOLDER / "vectors.json").write_text(json.dumps(vectors, indent=1) + "\n")


def verify(public, timestamp, signature):
    key = bytes_to_public_key(b64decode(public))
    if not verify_signature(key, timestamp.encode("ascii"), b64decode(signature)):
        sys.exit("the signature does not hold")


if __name__ == "__main__":
    if sys.argv[1:2] == ["verify"]:
        verify(*sys.argv[2:])
    else:
        main()
