"""Golden robust accuracies of torchattacks on two small classifiers of digits.

Run ``python make.py`` (requirements.txt beside it; about three minutes on one
core) to write, into this folder,

* ``plain.safetensors`` and ``robust.safetensors``: the weights (float32) of an
  MLP trained on clean images and of a CNN trained on PGD images, under the
  names and in the layout of PyTorch;
* ``images.safetensors``: ``images`` [256, 1, 8, 8] (uint8, divide by 16) and
  ``labels`` [256] (uint8) of scikit-learn's digits that neither has seen;
* ``accuracies.json``: for each model its clean accuracy, and a list of
  attacks, each with its name, norm, epsilon, budget and, for every seed from
  0, the share of images that the model gets right both before and after the
  attack.

AutoAttack's own defaults are 100 iterations, those of torchattacks 10, so the
standard ensemble is put together here from its parts.
"""

import json
from pathlib import Path

import torch
import torchattacks
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

FOLDER = Path(__file__).parent
CLASSES = 10
EPOCHS = 60
TEST_IMAGES = 256
TRAINING_EPSILON = 0.15
EPSILONS = {
    "plain": {"Linf": [0.05, 0.15], "L2": [0.4, 0.7]},
    "robust": {"Linf": [0.15, 0.25], "L2": [0.4, 0.7]},
}
# Attacks from random starts are averaged: at the larger epsilons one start more
# or less moves the accuracy by more than a percentage point.
SEEDS = {"PGD": 16, "CW-PGD": 16, "PGD-5": 16, "APGD-CE": 16, "APGD-DLR": 16, "APGD-T": 4, "Square": 16}


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 48)
        self.output = nn.Linear(48, CLASSES)

    def forward(self, images):
        return self.output(torch.relu(self.hidden(images.flatten(1))))


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 12, 3, padding=1)
        self.second = nn.Conv2d(12, 24, 3, stride=2, padding=1)
        self.output = nn.Linear(24 * 16, CLASSES)

    def forward(self, images):
        hidden = torch.relu(self.first(images))
        return self.output(torch.relu(self.second(hidden)).flatten(1))


class Square(torchattacks.Square):
    """Places patches in the last row and column too, as the paper says.

    The upper end of the original's random integers is exclusive. On images of
    28x28 pixels that hardly matters; on 8x8 it keeps the first patches in one
    corner, and the last row, where digits have ink, out of reach.
    """

    def random_int(self, low=0, high=1, shape=(1,)):
        return super().random_int(low, high + 1, shape)


class MarginAscent:
    """Projected ascent of the largest other score less the right one, in steps
    of a quarter of epsilon from a random start: the objective of Carlini and
    Wagner under PGD, as Madry et al. compare it. torchattacks has CW only as a
    search for the smallest change.
    """

    def __init__(self, model, norm, eps, steps):
        self.model, self.norm, self.eps, self.steps = model, norm, eps, steps

    def __call__(self, images, labels):
        change = self.project(self.start(images))
        for _ in range(self.steps):
            perturbed = (images + change).clamp(0, 1).requires_grad_()
            scores = self.model(perturbed)
            own = scores.gather(1, labels[:, None])[:, 0]
            others = scores.scatter(1, labels[:, None], float("-inf")).max(1).values
            (gradient,) = torch.autograd.grad((others - own).sum(), perturbed)
            change = self.project(perturbed.detach() - images + self.eps / 4 * self.unit(gradient))
        return (images + change).clamp(0, 1)

    def start(self, images):
        if self.norm == "Linf":
            return torch.empty_like(images).uniform_(-self.eps, self.eps)
        direction = torch.randn_like(images)
        lengths = torch.rand(len(images), 1, 1, 1) * self.eps
        return direction / direction.flatten(1).norm(dim=1).view(-1, 1, 1, 1) * lengths

    def unit(self, gradient):
        if self.norm == "Linf":
            return gradient.sign()
        return gradient / (gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1) + 1e-10)

    def project(self, change):
        if self.norm == "Linf":
            return change.clamp(-self.eps, self.eps)
        lengths = change.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        return change * (self.eps / (lengths + 1e-10)).clamp(max=1)


def digits():
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.uint8).unsqueeze(1)
    labels = torch.tensor(data.target, dtype=torch.uint8)
    train, test = train_test_split(
        range(len(labels)), test_size=TEST_IMAGES, stratify=labels, random_state=7
    )
    return images[train], labels[train], images[test], labels[test]


def train(model, images, labels, adversarial):
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    attack = torchattacks.PGD(model, eps=TRAINING_EPSILON, alpha=TRAINING_EPSILON / 4, steps=7)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(128):
            inputs = attack(images[batch], labels[batch]) if adversarial else images[batch]
            loss = nn.functional.cross_entropy(model(inputs), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model.eval()


def attacks(model, norm, eps, seed):
    """The attacks by name, each with its budget."""
    common = {"norm": norm, "eps": eps, "seed": seed}
    pgd = torchattacks.PGD if norm == "Linf" else torchattacks.PGDL2
    found = {"PGD": (40, pgd(model, eps=eps, alpha=eps / 4, steps=40, random_start=True))}
    found["CW-PGD"] = (40, MarginAscent(model, norm, eps, 40))
    # Five starts, each on the images that still stand.
    starts = [pgd(model, eps=eps, alpha=eps / 4, steps=10, random_start=True) for _ in range(5)]
    found["PGD-5"] = (10, torchattacks.MultiAttack(starts))
    if norm == "Linf":
        found["FGSM"] = (1, torchattacks.FGSM(model, eps=eps))
    for loss in ["ce", "dlr"]:
        apgd = torchattacks.APGD(model, steps=50, loss=loss, **common)
        found[f"APGD-{loss.upper()}"] = (50, apgd)
    apgdt = torchattacks.APGDT(model, steps=20, n_classes=CLASSES, **common)
    found["APGD-T"] = (20, apgdt)
    fab = torchattacks.FAB(model, steps=30, multi_targeted=True, n_classes=CLASSES, **common)
    found["FAB-T"] = (30, fab)
    found["Square"] = (500, Square(model, n_queries=500, **common))
    return found


def auto_attack(model, norm, eps):
    common = {"norm": norm, "eps": eps, "seed": 0}
    return torchattacks.MultiAttack(
        [
            torchattacks.APGD(model, steps=100, loss="ce", **common),
            torchattacks.APGDT(model, steps=100, n_classes=CLASSES, **common),
            torchattacks.FAB(model, steps=100, multi_targeted=True, n_classes=CLASSES, **common),
            Square(model, n_queries=5000, **common),
        ]
    )


def right(model, images, labels):
    with torch.no_grad():
        return model(images).argmax(1) == labels


def robust_accuracy(model, attack, images, labels, seed):
    torch.manual_seed(seed)
    clean = right(model, images, labels)
    perturbed = attack(images[clean], labels[clean])
    return right(model, perturbed, labels[clean]).sum().item() / len(labels)


def measure(model, epsilons, images, labels):
    rows = []

    def add(name, budget, norm, eps, accuracies):
        row = {"attack": name, "budget": budget, "norm": norm, "epsilon": eps}
        rows.append({**row, "accuracies": accuracies})
        print(rows[-1], flush=True)

    for norm, sizes in epsilons.items():
        for eps in sizes:
            for name, (budget, _) in attacks(model, norm, eps, 0).items():
                accuracies = [
                    robust_accuracy(
                        model, attacks(model, norm, eps, seed)[name][1], images, labels, seed
                    )
                    for seed in range(SEEDS.get(name, 1))
                ]
                add(name, budget, norm, eps, accuracies)
        ensemble = auto_attack(model, norm, sizes[-1])
        accuracy = robust_accuracy(model, ensemble, images, labels, 0)
        add("AutoAttack", 5000, norm, sizes[-1], [accuracy])
    return {
        "clean_accuracy": right(model, images, labels).float().mean().item(),
        "attacks": rows,
    }


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    train_images, train_labels, test_images, test_labels = digits()
    learned = (train_images / 16, train_labels.long())
    models = {
        "plain": train(Mlp(), *learned, adversarial=False),
        "robust": train(Cnn(), *learned, adversarial=True),
    }
    for name, model in models.items():
        save_file(model.state_dict(), FOLDER / f"{name}.safetensors")
    save_file({"images": test_images, "labels": test_labels}, FOLDER / "images.safetensors")
    unseen = (test_images / 16, test_labels.long())
    accuracies = {name: measure(model, EPSILONS[name], *unseen) for name, model in models.items()}
    (FOLDER / "accuracies.json").write_text(json.dumps(accuracies, indent=1) + "\n")


if __name__ == "__main__":
    main()
