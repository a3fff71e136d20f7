"""Golden second-order meta-gradients of a tiny transformer, in float64.

Run ``python make.py`` (requirements.txt beside it) to write, into this folder,

* ``settings.json``: sizes, optimiser constants, ``tensors``: the names of the
  weights in the order of the columns of every rate matrix, and
  ``zero_gradient``: the entries whose inner gradient is exactly zero, or zero
  but for rounding;
* ``inputs.safetensors``: the initial weights under their GPT-2 names, ``rates``
  [steps, tensors], ``support`` [3, 6] and ``query`` [2, 6] token ids (int64);
* for each inner optimiser ``<optimiser>.safetensors`` with
  ``inner_losses`` [steps + 1] (at theta_0 .. theta_K), ``outer_loss`` [1],
  ``adapted/<weight>`` (theta_K), and per kind of meta-gradient
  ``<kind>/<weight>`` (d outer loss / d theta_0) and ``<kind>/rates``. Kinds:

  - ``exact``: through everything;
  - ``first_order``: every inner gradient is a constant;
  - ``truncated_2``, ``truncated_1``: through the last 2 or 1 steps, the
    Jacobians of the earlier steps replaced by the identity, so that the rates
    of the earlier steps get zero (see ``unroll.truncated``);
  - ``detached_2/rates``, ``detached_1/rates``: another convention for the same
    truncation, in which only the gradients of the earlier steps are constants,
    so that their rates still learn. Its derivative with respect to theta_0 is
    that of ``truncated_k`` times, for AdamW, the product over the earlier steps
    of (1 - rate * weight decay), tensor by tensor.

The script then prints how far these values are from ``torch.optim``, from
``higher`` and from finite differences. See ``inner_optimisers.square_root`` for
what Adam does where a gradient is exactly zero.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

import transformer
from checks import against_finite_differences, against_higher, against_torch_optim
from inner_optimisers import ADAMW_WEIGHT_DECAY, BETAS, EPSILON, MOMENTUM, OPTIMISERS
from transformer import inner_loss, random_weights
from unroll import as_leaves, truncated, unrolled

FOLDER = Path(__file__).parent
# With this seed the smallest gradient that is not zero is 2e-5. Where it comes
# near Adam's epsilon the meta-gradient loses digits, and comparisons with it.
SEED = 21
INNER_STEPS = 3

# Every token of the vocabulary is an input of the support rows, so that no row
# of the token embedding has a gradient of exactly zero.
SUPPORT = [[0, 1, 2, 3, 4, 9], [5, 6, 7, 8, 9, 2], [10, 3, 0, 7, 1, 5]]
QUERY = [[4, 8, 1, 10, 6, 3], [2, 7, 5, 0, 9, 10]]


def make_inputs(generator):
    rates = torch.rand(
        INNER_STEPS, len(transformer.weight_shapes()), generator=generator, dtype=torch.float64
    )
    return {
        "weights": random_weights(generator),
        "rates": 0.05 + 0.1 * rates,
        "support": torch.tensor(SUPPORT),
        "query": torch.tensor(QUERY),
    }


def entries_without_gradient(inputs):
    """Flat indices of the entries of each weight with a gradient below 1e-12.

    These are the last position embedding, which only feeds a logit that no
    loss reads, and the biases of the attention keys, to which softmax is
    invariant. What rounding leaves of the latter, Adam divides by epsilon: theta_K
    agrees between implementations only to about 1e-10 there, which changes no loss.
    Anything else in this list would make Adam's step ill-conditioned.
    """
    weights = as_leaves(inputs["weights"])
    gradients = torch.autograd.grad(inner_loss(weights, inputs["support"]), list(weights.values()))
    small = {
        name: (gradient.flatten().abs() < 1e-12).nonzero().flatten().tolist()
        for name, gradient in zip(weights, gradients)
    }
    return {name: entries for name, entries in small.items() if entries}


def settings(inputs):
    return {
        "vocabulary": transformer.VOCABULARY,
        "width": transformer.WIDTH,
        "heads": transformer.HEADS,
        "layers": transformer.LAYERS,
        "context": transformer.CONTEXT,
        "layer_norm_epsilon": transformer.LAYER_NORM_EPSILON,
        "inner_steps": INNER_STEPS,
        "momentum": MOMENTUM,
        "adam_betas": BETAS,
        "adam_epsilon": EPSILON,
        "adamw_weight_decay": ADAMW_WEIGHT_DECAY,
        "tensors": list(inputs["weights"]),
        "zero_gradient": entries_without_gradient(inputs),
    }


def golden_values(inputs, update):
    """All values of one optimiser, by the names they are saved under."""
    problem = (*inputs.values(), update)
    exact, adapted, inner_losses, loss = unrolled(*problem)
    values = {"inner_losses": inner_losses, "outer_loss": loss.reshape(1)}
    kinds = {"adapted": adapted, "exact": exact}
    kinds["first_order"] = unrolled(*problem, detached_before=INNER_STEPS)[0]
    for last_steps in range(1, INNER_STEPS):
        kinds[f"truncated_{last_steps}"] = truncated(*problem, last_steps)
        detached = unrolled(*problem, detached_before=INNER_STEPS - last_steps)[0]
        kinds[f"detached_{last_steps}"] = {"rates": detached["rates"]}
    for kind, parts in kinds.items():
        values |= {f"{kind}/{name}": part.detach().contiguous() for name, part in parts.items()}
    return values


def part(values, kind):
    """The values saved as ``<kind>/...``, by the rest of their names."""
    return {
        name.split("/", 1)[1]: value
        for name, value in values.items()
        if name.startswith(f"{kind}/")
    }


def report(optimiser, inputs, values, generator):
    exact, first_order = part(values, "exact"), part(values, "first_order")
    distance = sum(((exact[name] - first_order[name]) ** 2).sum() for name in exact).sqrt()
    length = sum((exact[name] ** 2).sum() for name in exact).sqrt()
    slope = against_finite_differences(inputs, OPTIMISERS[optimiser], exact, generator)
    print(f"{optimiser}: outer loss {values['outer_loss'].item():.6f}")
    print(f"  finite differences, relative  {slope:.1e}")
    print(
        f"  torch.optim, theta_K          {against_torch_optim(optimiser, inputs, part(values, 'adapted')):.1e}"
    )
    if optimiser in ("sgd", "momentum"):
        print(f"  higher, exact meta-gradient   {against_higher(optimiser, inputs, exact):.1e}")
    print(f"  first order is off by         {distance / length:.0%}")


def main():
    generator = torch.Generator().manual_seed(SEED)
    inputs = make_inputs(generator)
    (FOLDER / "settings.json").write_text(json.dumps(settings(inputs), indent=1) + "\n")
    saved = inputs["weights"] | {name: inputs[name] for name in ("rates", "support", "query")}
    save_file(saved, FOLDER / "inputs.safetensors")
    for optimiser, update in OPTIMISERS.items():
        values = golden_values(inputs, update)
        if not all(value.isfinite().all() for value in values.values()):
            raise SystemExit(f"{optimiser}: a value is not finite; choose another seed")
        save_file(values, FOLDER / f"{optimiser}.safetensors")
        report(optimiser, inputs, values, generator)


if __name__ == "__main__":
    main()
