"""Golden robust accuracies of the authors' AutoAttack on the classifiers of make.py.

Run ``python autoattack.py`` (requirements.txt beside it; some minutes on one
core). It reads the weights and images that make.py wrote and writes
``autoattack.json``, in the form of ``accuracies.json``: the standard version,
and each of its parts alone with a smaller budget, as they come but for
Square's random integers, which include their upper end as in ``fal``.
"""

import json
import logging

import torch
from make import CLASSES, EPSILONS, FOLDER, Cnn, Mlp, right
from pyautoattack import AutoAttack
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
from pyautoattack.fab_pt import FABAttack_PT
from pyautoattack.square import SquareAttack
from safetensors.torch import load_file

# The budget and the seeds of each part alone.
PARTS = {
    "APGD-CE": (50, 16),
    "APGD-DLR": (50, 16),
    "APGD-T": (20, 16),
    "FAB-T": (30, 1),
    "Square": (500, 16),
}


def part(name, model, norm, eps, seed):
    budget, _ = PARTS[name]
    common = {"norm": norm, "eps": eps, "seed": seed, "device": "cpu"}
    ascent = {"n_iter": budget, "logger": logging.getLogger(name), **common}
    if name == "APGD-T":
        return APGDAttack_targeted(model, n_target_classes=CLASSES - 1, **ascent)
    if name == "FAB-T":
        return FABAttack_PT(model, n_iter=budget, targeted=True, **common)
    if name == "Square":
        return reach_the_last_row(SquareAttack(model, n_queries=budget, **common))
    return APGDAttack(model, loss=name.removeprefix("APGD-").lower(), **ascent)


def reach_the_last_row(square):
    """As in make.py: upper ends of random integers are exclusive, and keep patches
    of images of 8x8 away from the last row."""
    draw = square.random_int
    square.random_int = lambda low=0, high=1, shape=(1,): draw(low, high + 1, list(shape))
    return square


def accuracy_of_part(name, model, norm, eps, seed, images, labels):
    clean = right(model, images, labels)
    perturbed = part(name, model, norm, eps, seed).perturb(images[clean], labels[clean])
    return right(model, perturbed, labels[clean]).sum().item() / len(labels)


def accuracy_of_standard(model, norm, eps, images, labels):
    standard = AutoAttack(model, norm=norm, eps=eps, seed=0, version="standard")
    reach_the_last_row(standard.square)
    found = standard.run_standard_evaluation(images, labels, batch_size=len(images))
    perturbed = found[0] if isinstance(found, tuple) else found
    return right(model, perturbed, labels).float().mean().item()


def rows(model, images, labels, norm, eps):
    def row(name, budget, accuracies):
        setting = {"attack": name, "budget": budget, "norm": norm, "epsilon": eps}
        return {**setting, "accuracies": accuracies}

    for name, (budget, seeds) in PARTS.items():
        yield row(name, budget, [
            accuracy_of_part(name, model, norm, eps, seed, images, labels) for seed in range(seeds)
        ])
    yield row("AutoAttack", 5000, [accuracy_of_standard(model, norm, eps, images, labels)])


def main():
    torch.set_num_threads(1)
    data = load_file(FOLDER / "images.safetensors")
    images, labels = data["images"] / 16, data["labels"].long()
    found = {}
    for name, model in {"plain": Mlp(), "robust": Cnn()}.items():
        model.load_state_dict(load_file(FOLDER / f"{name}.safetensors"))
        model.eval()
        clean = right(model, images, labels).float().mean().item()
        attacks = []
        for norm, sizes in EPSILONS[name].items():
            for row in rows(model, images, labels, norm, sizes[-1]):
                print(name, row, flush=True)
                attacks.append(row)
        found[name] = {"clean_accuracy": clean, "attacks": attacks}
    (FOLDER / "autoattack.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
