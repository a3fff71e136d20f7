#!/usr/bin/env python3
"""The tables of docs/src/results-fal.md from the runs of table.sh, in Markdown: accuracies in percent with intervals over seeds.

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
    "calfat-scaled": "CalFAT, adversary on scaled scores",
    "sfat": "SFAT",
}
SETTINGS = {
    "mnist-iid": "MNIST, equal shares",
    "mnist-dirichlet": "MNIST, Dirichlet(0.1)",
    "fmnist-iid": "Fashion-MNIST, equal shares",
    "fmnist-dirichlet": "Fashion-MNIST, Dirichlet(0.1)",
}


def cell(accuracy):
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * accuracy[key] for key in ("mean", "low", "high")))


def main():
    with open(sys.argv[1]) as file:
        accuracies = {group["name"]: group["accuracies"] for group in json.load(file)["groups"]}
    for setting, title in SETTINGS.items():
        attacks = [name for name, _ in accuracies[f"{setting}-plain"]]
        print(f"\n{title}\n\n| | " + " | ".join(attacks) + " |\n" + "|---" * (len(attacks) + 1) + "|")
        for method, name in METHODS.items():
            if f"{setting}-{method}" not in accuracies:
                continue
            print(f"| {name} | " + " | ".join(cell(found) for _, found in accuracies[f"{setting}-{method}"]) + " |")


if __name__ == "__main__":
    main()
