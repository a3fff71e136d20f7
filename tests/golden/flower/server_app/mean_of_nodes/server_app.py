"""Starts at zero, averages what the nodes send, and writes what came of it.

The result is JSON: ``arrays`` by name with ``shape``, ``dtype``, ``least`` and ``greatest`` value, and the mean metrics of
the nodes by round, ``train`` and ``evaluate``, and what Flower logged meanwhile, ``log``. It is written to the path ``result`` of the run's configuration.
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
    shapes = {"weight": (3, 2), "bias": (4,), "scale": (), "large": (config["large-values"],)}
    zeros = {name: Array(np.zeros(shape, np.float32)) for name, shape in shapes.items()}
    log = Log()
    logging.getLogger("flwr").addHandler(log)
    nodes = config["min-nodes"]
    strategy = FedAvg(min_train_nodes=nodes, min_evaluate_nodes=nodes, min_available_nodes=nodes)
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(zeros),
        num_rounds=config["num-server-rounds"],
        train_config=ConfigRecord({"lr": 0.5}),
    )
    arrays = {name: describe(array.numpy()) for name, array in result.arrays.items()}
    by_round = {
        "train": result.train_metrics_clientapp,
        "evaluate": result.evaluate_metrics_clientapp,
    }
    metrics = {
        kind: {str(number): dict(record) for number, record in records.items()}
        for kind, records in by_round.items()
    }
    write(Path(config["result"]), json.dumps({"arrays": arrays, "log": log.lines} | metrics))


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


def write(path, text):
    """Writes the file whole or not at all, for somebody waits for it."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text)
    os.replace(unfinished, path)
