"""Seconds that the aggregation rules of Flower's own strategies take, on updates from a file.

The file --folder/updates has --clients updates one after the other, each of as many numbers of single precision. Of every rule the
result goes to --folder/RULE, and a line of JSON with the fastest of --repeats calls to standard output.
"""
import argparse
import json
import pathlib
import time

import numpy
from flwr.server.strategy.aggregate import aggregate, aggregate_bulyan, aggregate_krum, aggregate_median, aggregate_trimmed_avg

arguments = argparse.ArgumentParser()
arguments.add_argument("--folder", type=pathlib.Path)
arguments.add_argument("--share", type=float)
for number in ("clients", "repeats", "krum", "bulyan"):
    arguments.add_argument(f"--{number}", type=int)
given = arguments.parse_args()

updates = numpy.fromfile(given.folder / "updates", dtype="<f4").reshape(given.clients, -1)
results = [([update], 1) for update in updates]  # Bulyan takes from the list that it is given.
kept = given.clients - given.krum
RULES = {
    "mean": lambda: aggregate(results),
    "median": lambda: aggregate_median(results),
    "trimmed-mean": lambda: aggregate_trimmed_avg(results, given.share),
    "krum": lambda: aggregate_krum(results, given.krum, 0),
    "multi-krum": lambda: aggregate_krum(results, given.krum, kept),
    "bulyan": lambda: aggregate_bulyan(list(results), given.bulyan, aggregate_krum, to_keep=0),
}
for name, rule in RULES.items():
    fastest = float("inf")
    for _ in range(given.repeats):
        start = time.perf_counter()
        [found] = rule()
        fastest = min(fastest, time.perf_counter() - start)
    numpy.asarray(found, dtype="<f4").tofile(given.folder / name)
    print(json.dumps({"rule": name, "seconds": fastest}), flush=True)
