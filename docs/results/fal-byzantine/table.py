#!/usr/bin/env python3
"""The tables of docs/src/results-fal.md from the runs of table.sh, in Markdown: clean and AutoAttack accuracy in percent, means over the seeds
with half the width of Student's 95 % interval, which with three seeds is wide and may reach beyond 0 and 100.

    docs/results/fal-byzantine/table.py docs/results/fal-byzantine

The folder has accuracies.json and failures.tsv in seed-0, seed-1 and so on. A run without accuracies diverged or failed if failures.tsv says
so; it is missing if nothing is known of it. A mean over the seeds that did not diverge says how many did.
"""
import csv
import json
import math
import sys
from pathlib import Path
from statistics import mean, stdev

AGGREGATORS = ["mean", "clipped-mean", "median", "trimmed-mean", "krum", "multi-krum", "bulyan", "geometric-median"]
BEHAVIOURS = ["sign-flip", "scaled", "gaussian", "label-flip"]
COLUMNS = [("0", "nobody")] + [(share, name) for share in ("0.2", "0.4") for name in BEHAVIOURS]
KINDS = ("clean", "AutoAttack standard")
# The 97.5th percentile of Student's distribution by degrees of freedom.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}

# Weights that are not finite, or scores of finite ones that are not; the third is what runs of an older version say.
DIVERGED = (
    "no client sent a finite update",
    "would not be finite",
    "the model scores an image with",
    "scores a test image with",
)


class Seed:
    def __init__(self, folder):
        with open(folder / "accuracies.json") as file:
            self.accuracies = {group["name"]: dict(group["accuracies"]) for group in json.load(file)["groups"]}
        with open(folder / "failures.tsv") as file:
            rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            self.failures = {run: (code, line) for run, code, line in rows}

    def failure(self, run):
        """What became of a run without accuracies."""
        if run not in self.failures:
            return "missing"
        code, line = self.failures[run]
        return "diverges" if any(sign in line for sign in DIVERGED) else f"fails with exit code {code}"


def interval(values):
    """The mean of shares in percent, and half the width of its interval where there are several."""
    percent = [100 * value for value in values]
    if len(percent) < 2:
        return f"{mean(percent):.0f}"
    half = STUDENT[len(percent) - 1] * stdev(percent) / math.sqrt(len(percent))
    return f"{mean(percent):.0f}±{half:.0f}"


def cell(seeds, share, run):
    if share == "0.4" and run.endswith("bulyan"):
        return "impossible"
    found = [seed.accuracies[run] for seed in seeds if run in seed.accuracies]
    failed = sorted({seed.failure(run) for seed in seeds if run not in seed.accuracies})
    if not found:
        return ", ".join(failed)
    means = " / ".join(interval([accuracies[kind]["mean"] for accuracies in found]) for kind in KINDS)
    return means + (f" ({len(seeds) - len(found)} of {len(seeds)}: {', '.join(failed)})" if failed else "")


def spread(seeds):
    """The greatest distance of two seeds in one cell, and the median over the cells, in points, clean and under attack."""
    for kind in KINDS:
        ranges = []
        for run in set.intersection(*(set(seed.accuracies) for seed in seeds)):
            values = [100 * seed.accuracies[run][kind]["mean"] for seed in seeds]
            ranges.append((max(values) - min(values), run))
        ranges.sort()
        (widest, where), median = ranges[-1], ranges[len(ranges) // 2][0]
        print(f"{kind}: seeds of one cell are at most {widest:.0f} points apart ({where}), {median:.1f} in the median")


def main():
    seeds = [Seed(folder.parent) for folder in sorted(Path(sys.argv[1]).glob("seed-*/accuracies.json"))]
    for training in ("adversarial", "plain"):
        heads = [name if share == "0" else f"{name} {float(share):.0%}" for share, name in COLUMNS]
        print(f"\n{training}, {len(seeds)} seeds\n\n| | " + " | ".join(heads) + " |\n" + "|---" * (len(heads) + 1) + "|")
        for aggregator in AGGREGATORS:
            runs = [(share, f"{training}-{share}-{name}-{aggregator}") for share, name in COLUMNS]
            print(f"| {aggregator} | " + " | ".join(cell(seeds, *run) for run in runs) + " |")
    print()
    if len(seeds) > 1:
        spread(seeds)


if __name__ == "__main__":
    main()
