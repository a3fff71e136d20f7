#!/usr/bin/env python3
"""The table of docs/src/results-reckoning.md from runs named METHOD-SEED, in Markdown: answers in percent, the mean over seeds with a 95 %
interval (one run: Wilson's, as it stands in its results). The seeds answer the same questions, and both might have been others: the distance to
an end is the root of the sum of the squares of Student's over the seeds and of the runs' own in the mean.

    docs/results/clutrr/table.py RUNS
"""
import json
import statistics
import sys
from pathlib import Path

METHODS = ["reckoning", "in-context", "in-context-recall", "no-facts", "no-question", "random-facts"]
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}


def accuracies(run):
    """Hops to mean, low and high."""
    with open(run / "results.json") as file:
        tests = json.load(file)
    return {int(hops): found for test in tests for hops, found in test["by_hops"].items()}


def cell(found):
    means = [100 * accuracy["mean"] for accuracy in found]
    mean = statistics.mean(means)
    if len(found) == 1:
        return f"{mean:.1f} [{100 * found[0]['low']:.1f}, {100 * found[0]['high']:.1f}]"
    seeds = STUDENT[len(found)] * statistics.stdev(means) / len(found) ** 0.5
    below, above = (100 * statistics.mean(abs(accuracy["mean"] - accuracy[end]) for accuracy in found) for end in ("low", "high"))
    low, high = mean - (seeds**2 + below**2) ** 0.5, mean + (seeds**2 + above**2) ** 0.5
    return f"{mean:.1f} [{max(low, 0):.1f}, {min(high, 100):.1f}]"


def main():
    runs = Path(sys.argv[1])
    rows = {}
    for method in METHODS:
        found = [accuracies(run) for run in sorted(runs.glob(f"{method}-[0-9]")) if (run / "results.json").exists()]
        if found:
            rows[method] = found
    hops = sorted(next(iter(rows.values()))[0])
    print("| | seeds | " + " | ".join(map(str, hops)) + " |\n" + "|---" * (len(hops) + 2) + "|")
    for method, found in rows.items():
        print(f"| {method} | {len(found)} | " + " | ".join(cell([run[hop] for run in found]) for hop in hops) + " |")


if __name__ == "__main__":
    main()
