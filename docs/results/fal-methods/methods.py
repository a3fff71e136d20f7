#!/usr/bin/env python3
"""The accuracies of the runs of methods.sh, and the tables of docs/src/results-fal.md from them.

    docs/results/fal-methods/methods.py collect runs/methods > docs/results/fal-methods/accuracies.json
    docs/results/fal-methods/methods.py table docs/results/fal-methods/accuracies.json

Tables as those of docs/results/fal-images/calfat.py.
"""
import json
import pathlib
import sys
import tomllib

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "fal-images"))
import calfat

calfat.METHODS = {
    "plain": "plain FedAvg",
    "fat": "FAT",
    "fat-uniform": "FAT, uniform mean",
    "trades": "TRADES",
    "mart": "MART",
    "calfat": "CalFAT",
    "fedprox": "FedProx",
    "scaffold": "SCAFFOLD",
    "fednova": "FedNova",
    "sfat": "SFAT",
    "fedavgm": "FedAvgM",
    "fedadagrad": "FedAdagrad",
    "fedadam": "FedAdam",
    "fedyogi": "FedYogi",
}
calfat.PARTITIONS = {
    "dirichlet": "Dirichlet(0.1)",
    "shards": "two shards each",
    "own-classes": "92 % of one's own classes",
    "quantity": "unequal shares of all classes",
}


def collect(runs):
    """Partition, method and seed of every run, and its accuracies in percent."""
    found = []
    for path in sorted(pathlib.Path(runs).glob("*/results.json")):
        results = json.loads(path.read_text())
        settings = tomllib.loads((path.parent / "config.toml").read_text())
        name, seed = path.parent.name.rsplit("-", 1)
        partition = next(partition for partition in calfat.PARTITIONS if name.startswith(f"{partition}-"))
        report = results["report"]
        accuracies = {"clean": report["clean"]["mean"]}
        accuracies |= {robust["attack"].split(",")[0]: robust["accuracy"]["mean"] for robust in report["robust"]}
        found.append({
            "radius": str(settings["evaluation"]["radius"]), "set": "digits", "partition": partition,
            "method": name.removeprefix(f"{partition}-"), "seed": int(seed), "passes": settings["rounds"],
            "images": results["samples"], "warnings": results["warnings"],
            "accuracies": {attack: round(100 * share, 2) for attack, share in accuracies.items()},
        })
    return found


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["collect", runs]:
            entries = ",\n".join(json.dumps(run) for run in collect(runs))
            print(f"[\n{entries}\n]")
        case ["table", file]:
            calfat.tables(json.loads(pathlib.Path(file).read_text()))
        case _:
            sys.exit(__doc__)
