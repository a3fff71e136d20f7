"""A meta-gradient in float64 for others to compare with, on numbers that a formula makes.

The model is small (see ``SIZE``), with 3 tasks and 2 inner steps. With sin taken in radians,

* entry (row, column) of parameter number p, both from 0 and in the layout [inputs, outputs], is
  ``0.1 sin(1 + p + 0.7 row + 1.3 column)``, plus 1 for the scales of layer norms;
  a vector is one row,
* the rate of parameter p at step k is ``0.05 + 0.04 sin(p + 3 k)``,
* token (row, column) of task t is ``(3 t + 5 row + 7 column + column^2) mod vocabulary``,
  with 11 added before the remainder for the query tokens.

One JSON object a peer goes to standard output: ``peer``, ``outer_loss`` (mean over tasks), and for
every parameter in order ``norms`` of the meta-gradient and ``products`` of it with the
parameter itself, then ``rate_gradient``, [steps][parameters].
"""

import json
import sys

import torch

from gpt import Gpt, Size
from peers import PEERS, detached_weights, meta_loss

SIZE = Size(layers=2, width=16, heads=2, vocabulary=20, batch=2, tokens=8)
TASKS, INNER_STEPS = 3, 2


def fill(model):
    """Give every parameter the values of the formula."""
    for p, (name, parameter) in enumerate(model.named_parameters()):
        # PyTorch keeps the weight of a linear layer as [outputs, inputs].
        transposed = parameter.dim() == 2 and "embedding" not in name
        view = parameter.data.T if transposed else torch.atleast_2d(parameter.data)
        row, column = torch.meshgrid(*map(torch.arange, view.shape), indexing="ij")
        values = 0.1 * torch.sin(1.0 + p + 0.7 * row.double() + 1.3 * column.double())
        view.copy_(values + float(name.endswith("norm.weight")))


def tokens(offset):
    """Ids [tasks, batch, tokens + 1]."""
    sides = TASKS, SIZE.batch, SIZE.tokens + 1
    task, row, column = torch.meshgrid(*map(torch.arange, sides), indexing="ij")
    return (3 * task + 5 * row + 7 * column + column**2 + offset) % SIZE.vocabulary


def main():
    torch.set_default_dtype(torch.float64)
    model = Gpt(SIZE)
    fill(model)
    support, query = tokens(0), tokens(11)
    step, p = torch.meshgrid(
        torch.arange(INNER_STEPS), torch.arange(len(list(model.parameters()))), indexing="ij"
    )
    rates = 0.05 + 0.04 * torch.sin(p.double() + 3.0 * step.double())
    weights = detached_weights(model)
    losses = [meta_loss(model, weights, rates, *task) for task in zip(support, query)]
    for peer, arrangements in PEERS.items():
        by_weight, by_rate = arrangements["sequential"](model, rates, support, query)
        report = {
            "peer": peer,
            "outer_loss": torch.stack(losses).mean().item(),
            "norms": [by_weight[name].norm().item() for name in weights],
            "products": [(by_weight[name] * weights[name]).sum().item() for name in weights],
            "rate_gradient": by_rate.tolist(),
        }
        print(json.dumps(report), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
