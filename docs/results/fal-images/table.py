#!/usr/bin/env python3
"""The tables of docs/src/results-fal.md from the runs of table.sh or calfat.sh, in Markdown: accuracies in percent with
intervals over seeds. Lines without a run are left out.

    docs/results/fal-images/table.py docs/results/fal-images/accuracies.json
"""
import json
import sys

METHODS = {
    "plain": "plain FedAvg",
    "fat": "FAT",
    "fal-1-steps": "FAL, K = 1",
    "fal-2-steps": "FAL, K = 2",
    "fal-5-steps": "FAL, K = 5",
    "calfat": "CalFAT",
    "sfat": "SFAT",
}
SETTINGS = {
    "mnist-iid": "MNIST, equal shares",
    "mnist-dirichlet": "MNIST, Dirichlet(0.1)",
    "fmnist-iid": "Fashion-MNIST, equal shares",
    "fmnist-dirichlet": "Fashion-MNIST, Dirichlet(0.1)",
    "fashion-mnist-iid": "Fashion-MNIST, equal shares",
    "fashion-mnist-dirichlet": "Fashion-MNIST, Dirichlet(0.1)",
}


def cell(accuracy):
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * accuracy[key] for key in ("mean", "low", "high")))


def main():
    with open(sys.argv[1]) as file:
        accuracies = {group["name"]: group["accuracies"] for group in json.load(file)["groups"]}
    for setting, title in SETTINGS.items():
        found = {method: accuracies.get(f"{setting}-{method}") for method in METHODS}
        found = {method: row for method, row in found.items() if row}
        if not found:
            continue
        attacks = [name for name, _ in next(iter(found.values()))]
        print(f"\n{title}\n\n| | " + " | ".join(attacks) + " |\n" + "|---" * (len(attacks) + 1) + "|")
        for method, row in found.items():
            print(f"| {METHODS[method]} | " + " | ".join(cell(accuracy) for _, accuracy in row) + " |")


if __name__ == "__main__":
    main()
