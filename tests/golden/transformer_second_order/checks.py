"""Checks of the golden values against implementations that share no code with them."""

import higher
import torch

from inner_optimisers import ADAMW_WEIGHT_DECAY, BETAS, EPSILON, MOMENTUM
from transformer import inner_loss, outer_loss
from unroll import as_leaves, unrolled


class Weights(torch.nn.Module):
    """The dictionary of weights as a module; calling it gives the dictionary."""

    def __init__(self, weights):
        super().__init__()
        self.names = {name.replace(".", "_"): name for name in weights}
        for attribute, name in self.names.items():
            setattr(self, attribute, torch.nn.Parameter(weights[name].clone()))

    def forward(self):
        return {name: getattr(self, attribute) for attribute, name in self.names.items()}


def largest_difference(left, right):
    return max((left[name] - right[name]).abs().max().item() for name in left)


def torch_optimiser(optimiser, parameters):
    """The optimiser of that name as PyTorch ships it, one group a tensor; rates are set per step."""
    groups = [{"params": [parameter], "lr": 0.1} for parameter in parameters]
    if optimiser in ("sgd", "momentum"):
        return torch.optim.SGD(groups, momentum=MOMENTUM if optimiser == "momentum" else 0.0)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optimiser]
    decay = ADAMW_WEIGHT_DECAY if optimiser == "adamw" else 0.0
    return kind(groups, betas=BETAS, eps=EPSILON, weight_decay=decay)


def against_torch_optim(optimiser, inputs, adapted):
    """Largest difference of theta_K from that of ``torch.optim``."""
    # Cloned, for the optimisers of PyTorch write in place.
    weights = as_leaves({name: weight.clone() for name, weight in inputs["weights"].items()})
    stepper = torch_optimiser(optimiser, weights.values())
    for rates in inputs["rates"]:
        for group, rate in zip(stepper.param_groups, rates):
            group["lr"] = rate.item()
        stepper.zero_grad()
        inner_loss(weights, inputs["support"]).backward()
        stepper.step()
    return largest_difference(adapted, weights)


def against_higher(optimiser, inputs, exact):
    """Largest difference of the exact meta-gradient from that of ``higher``.

    Only for SGD and momentum: its Adam adds epsilon before the bias
    correction, where PyTorch adds it after.
    """
    model = Weights(inputs["weights"])
    rates = inputs["rates"].clone().requires_grad_()
    stepper = torch_optimiser(optimiser, model.parameters())
    with higher.innerloop_ctx(model, stepper, copy_initial_weights=False) as (adapted, stepper):
        for step_rates in rates:
            stepper.step(
                inner_loss(adapted(), inputs["support"]), override={"lr": list(step_rates)}
            )
        outer_loss(adapted(), inputs["support"], inputs["query"]).backward()
    theirs = {name: parameter.grad for name, parameter in model().items()} | {"rates": rates.grad}
    return largest_difference(exact, theirs)


def against_finite_differences(inputs, update, exact, generator, step=1e-5):
    """Relative difference of a directional derivative from a fourth-order central difference.

    The direction is random in all initial weights and all rates at once. The
    step must be short enough that hardly any gradient changes its sign on the
    way, for there the first step of Adam jumps.
    """
    data = inputs["weights"] | {"rates": inputs["rates"]}
    direction = {
        name: torch.randn(value.shape, generator=generator, dtype=value.dtype)
        for name, value in data.items()
    }
    length = sum((part**2).sum() for part in direction.values()).sqrt()
    direction = {name: part / length for name, part in direction.items()}

    def outer_loss_at(distance):
        moved = {name: data[name] + distance * direction[name] for name in data}
        rates = moved.pop("rates")
        return unrolled(moved, rates, inputs["support"], inputs["query"], update)[-1]

    difference = (
        8 * (outer_loss_at(step) - outer_loss_at(-step))
        - (outer_loss_at(2 * step) - outer_loss_at(-2 * step))
    ) / (12 * step)
    slope = sum((exact[name] * direction[name]).sum() for name in exact)
    return ((slope - difference) / difference).abs().item()
