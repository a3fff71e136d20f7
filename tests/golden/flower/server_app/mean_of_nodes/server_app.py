"""Averages what the nodes send, and writes what came of it. Starts at zero, or at the safetensors file ``weights``.

The weights that it ends with are written to the safetensors file ``trained`` where one is named. The result is JSON: ``arrays`` by
name with ``shape``, ``dtype``, ``least`` and ``greatest`` value, and the mean metrics of the nodes by round, ``train`` and
``evaluate``, and what Flower logged meanwhile, ``log``. It is written to the path ``result`` of the run's configuration.
"""

import json
import logging
import os
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    start = read_safetensors(config["weights"]) if config["weights"] else zeros(config["large-values"])
    log = Log()
    logging.getLogger("flwr").addHandler(log)
    nodes = config["min-nodes"]
    strategy = FedAvg(min_train_nodes=nodes, min_evaluate_nodes=nodes, min_available_nodes=nodes)
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord({name: Array(values) for name, values in start.items()}),
        num_rounds=config["num-server-rounds"],
        train_config=ConfigRecord({"lr": 0.5}),
    )
    final = {name: array.numpy() for name, array in result.arrays.items()}
    arrays = {name: describe(array) for name, array in final.items()}
    if config["trained"]:
        write(Path(config["trained"]), safetensors(final))
    by_round = {
        "train": result.train_metrics_clientapp,
        "evaluate": result.evaluate_metrics_clientapp,
    }
    metrics = {
        kind: {str(number): dict(record) for number, record in records.items()}
        for kind, records in by_round.items()
    }
    write(Path(config["result"]), json.dumps({"arrays": arrays, "log": log.lines} | metrics).encode())


def zeros(large):
    shapes = {"weight": (3, 2), "bias": (4,), "scale": (), "large": (large,)}
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


def read_safetensors(path):
    """The single-precision tensors of a file: the length of a JSON header, the header, the bytes of all tensors."""
    content = Path(path).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    values = np.frombuffer(content, np.uint8, offset=8 + length)
    return {
        name: values[slice(*entry["data_offsets"])].view(np.float32).reshape(entry["shape"]).copy()
        for name, entry in header.items()
    }


def safetensors(arrays):
    """What `read_safetensors` reads."""
    header, end = {}, 0
    for name, array in arrays.items():
        begin, end = end, end + 4 * array.size
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    values = [np.ascontiguousarray(array, "<f4").tobytes() for array in arrays.values()]
    return b"".join([len(text).to_bytes(8, "little"), text, *values])


class Log(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def describe(array):
    return {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "least": float(array.min()),
        "greatest": float(array.max()),
    }


def write(path, content):
    """Writes the file whole or not at all, for somebody waits for it."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(content)
    os.replace(unfinished, path)
