#!/usr/bin/env python3
"""The tables of docs/src/results.md from the runs of table.sh, in Markdown: clean and AutoAttack accuracy in percent.

    cd docs/results/fal-byzantine
    ./table.py accuracies.json failures.tsv

A run without accuracies diverged or failed if failures.tsv says so; it is missing if nothing is known of it.
"""
import csv
import json
import sys

AGGREGATORS = ["mean", "clipped-mean", "median", "trimmed-mean", "krum", "multi-krum", "bulyan", "geometric-median"]
BEHAVIOURS = ["sign-flip", "scaled", "gaussian", "label-flip"]
COLUMNS = [("0", "nobody")] + [(share, name) for share in ("0.2", "0.4") for name in BEHAVIOURS]


# Weights that are not finite, or scores of finite ones that are not.
DIVERGED = ("no client sent a finite update", "the model scores an image with")


def cell(accuracies, failures, share, run):
    if share == "0.4" and run.endswith("bulyan"):
        return "impossible"
    if run in failures:
        code, line = failures[run]
        return "diverges" if any(sign in line for sign in DIVERGED) else f"fails with exit code {code}"
    if run not in accuracies:
        return "missing"
    found = dict(accuracies[run])
    return " / ".join(f"{100 * found[name]['mean']:.0f}" for name in ("clean", "AutoAttack standard"))


def main():
    with open(sys.argv[1]) as file:
        accuracies = {group["name"]: group["accuracies"] for group in json.load(file)["groups"]}
    with open(sys.argv[2]) as file:
        failures = {run: (code, line) for run, code, line in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
    for training in ("adversarial", "plain"):
        heads = [name if share == "0" else f"{name} {float(share):.0%}" for share, name in COLUMNS]
        print(f"\n{training}\n\n| | " + " | ".join(heads) + " |\n" + "|---" * (len(heads) + 1) + "|")
        for aggregator in AGGREGATORS:
            runs = [(share, f"{training}-{share}-{name}-{aggregator}") for share, name in COLUMNS]
            print(f"| {aggregator} | " + " | ".join(cell(accuracies, failures, *run) for run in runs) + " |")


if __name__ == "__main__":
    main()
