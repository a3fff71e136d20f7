#!/usr/bin/env python3
"""The accuracies of the runs of calfat.sh, and the tables of docs/src/results-fal.md from them.

    docs/results/fal-images/calfat.py collect runs/calfat 10 > docs/results/fal-images/calfat-10-passes.json
    docs/results/fal-images/calfat.py table docs/results/fal-images/calfat-10-passes.json
    docs/results/fal-images/calfat.py course runs/calfat/fashion-mnist-dirichlet-fat-0 ... > docs/results/fal-images/calfat-course.json

`course` gives the looks at each run during its training, by passes: accuracy clean and under PGD-10 within 0.3, in percent of 200 test images.

Tables are in percent with Student's 95 % intervals over three seeds or more; of two each is shown, for they have no interval to speak of, and
one has Wilson's over its images. The last table is of differences to FAT, seed by seed: the runs of a seed are judged on the same images.
"""
import json
import math
import pathlib
import statistics
import sys
import tomllib

import table

METHODS = table.METHODS | {
    "fal-1-continued": "FAL, K = 1, through all images in turn",
    "fat-equal-steps": "FAT, as many steps each",
    "fat-no-momentum": "the same, rate 0.09, no momentum",
    "fat-continued": "the same, through all images in turn",
}
PARTITIONS = {"iid": "equal shares", "dirichlet": "Dirichlet(0.1)"}
PASSES = 150
# The 97.5th percentile of Student's distribution by degrees of freedom.
STUDENT = {2: 4.302653, 3: 3.182446, 4: 2.776445}


def collect(runs, passes):
    """Radius, set, partition, method and seed of every judgement, and its accuracies in percent."""
    found = []
    for radius in ("0.1", "0.3"):
        for path in sorted(pathlib.Path(runs).glob(f"at-{passes}-radius-{radius}/*/results.json")):
            results = json.loads(path.read_text())
            name, seed = path.parent.name.rsplit("-", 1)
            partition = next(partition for partition in PARTITIONS if f"-{partition}-" in name)
            images, method = name.split(f"-{partition}-")
            report = results["report"]
            accuracies = {"clean": report["clean"]["mean"]}
            accuracies |= {robust["attack"].split(",")[0]: robust["accuracy"]["mean"] for robust in report["robust"]}
            found.append({
                "radius": radius, "set": images, "partition": partition, "method": method, "seed": int(seed), "passes": int(passes),
                "images": results["samples"], "warnings": results["warnings"],
                "felled by Square": sum(dict(robust["felled"]).get("Square", 0) for robust in report["robust"]),
                "accuracies": {attack: round(100 * share, 2) for attack, share in accuracies.items()},
            })
    return found


def interval(values, bounds=(0.0, 100.0)):
    if len(values) < 3:
        return ", ".join(f"{value:.1f}" for value in values)
    mean = statistics.fmean(values)
    half = STUDENT[len(values) - 1] * statistics.stdev(values) / math.sqrt(len(values))
    low, high = max(bounds[0], mean - half), min(bounds[1], mean + half)
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def wilson(percent, images):
    square, share = 1.96**2 / images, percent / 100.0
    centre, half = share + square / 2, math.sqrt(square * (share * (1 - share) + square / 4))
    low, high = (100.0 * (centre + side * half) / (1 + square) for side in (-1, 1))
    return f"{percent:.1f} [{low:.1f}, {high:.1f}]"


def print_table(title, columns, rows):
    print(f"\n**{title}**\n\n| | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    for name, cells in rows:
        print(f"| {name} | " + " | ".join(cells) + " |")


def tables(runs):
    groups = {}
    for run in runs:
        groups.setdefault((run["set"], run["partition"], run["radius"]), []).append(run)
    for (images, partition, radius), members in groups.items():
        attacks, images_judged = list(members[0]["accuracies"]), members[0]["images"]
        by_method = {method: {} for method in METHODS}
        passes = {run["method"]: run["passes"] for run in members}
        for run in members:
            by_method[run["method"]][run["seed"]] = run["accuracies"]
        rows, differences = [], []
        for method, seeds in by_method.items():
            if not seeds:
                continue
            each = [[found[attack] for found in seeds.values()] for attack in attacks]
            alone = len(seeds) == 1
            stopped = passes[method] < max(passes.values())
            name = METHODS[method] + (f", {passes[method]} passes" if stopped else "")
            rows.append((name, [wilson(values[0], images_judged) if alone else interval(values) for values in each]))
            common = sorted(seeds.keys() & by_method["fat"].keys())
            if method != "fat" and len(common) > 1:
                change = lambda attack: [seeds[seed][attack] - by_method["fat"][seed][attack] for seed in common]
                differences.append((METHODS[method], [interval(change(attack), (-100.0, 100.0)) for attack in attacks]))
        number = sorted({run["seed"] for run in members})
        title = f"{images}, {PARTITIONS[partition]}, radius {radius}, seeds {number}"
        print_table(title, attacks, rows)
        if differences:
            print_table(f"{title}: against FAT, seed by seed", attacks, differences)
    warned = [run for run in runs if run["warnings"]]
    print(f"\n{len(runs)} judgements, {len(warned)} with a warning of hidden gradients")
    for run in warned:
        print(run["set"], run["partition"], run["radius"], run["method"], run["seed"], run["warnings"])


def course(run):
    """Passes and accuracies of every look at a run."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    settings = tomllib.loads((run / "config.toml").read_text())
    rounds_of_a_pass = settings["rounds"] // PASSES
    looks = [row for row in rows if "attacked accuracy" in row]
    percent = lambda row, kind: round(100 * row[f"{kind} accuracy"], 1)
    return {
        "run": run.name,
        "looks": [[row["step"] // rounds_of_a_pass, percent(row, "clean"), percent(row, "attacked")] for row in looks],
    }


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["collect", runs, passes]:
            entries = ",\n".join(json.dumps(run) for run in collect(runs, passes))
            print(f"[\n{entries}\n]")
        case ["table", file]:
            tables(json.loads(pathlib.Path(file).read_text()))
        case ["course", *runs]:
            entries = ",\n".join(json.dumps(course(pathlib.Path(run))) for run in runs)
            print(f"[\n{entries}\n]")
        case _:
            sys.exit(__doc__)
