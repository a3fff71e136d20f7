"""The inner loop and the meta-gradients that differentiate through it.

``K`` inner steps take ``theta_0`` (the initial weights) to ``theta_K``; step
``k`` moves every tensor by its own rate ``rates[k, tensor]``:

    theta_{k+1} = update(theta_k, gradient of inner_loss at theta_k, rates[k], state_k)

The meta-gradients are derivatives of ``outer_loss(theta_K)``.
"""

import torch

from transformer import inner_loss, outer_loss


def inner_steps(weights, states, rates, support, update, steps, detached_before=0):
    """Take the inner ``steps`` (a range), keeping the graph.

    The gradients of the steps before ``detached_before`` are constants.
    Returns the weights, the optimiser states and the loss before each step.
    """
    losses = []
    for step in steps:
        loss = inner_loss(weights, support)
        gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        if step < detached_before:
            gradients = [gradient.detach() for gradient in gradients]
        moved = [
            update(weight, gradient, rates[step, index], states[index])
            for index, (weight, gradient) in enumerate(zip(weights.values(), gradients))
        ]
        weights = dict(zip(weights, (weight for weight, _ in moved)))
        states = [state for _, state in moved]
        losses.append(loss)
    return weights, states, losses


def as_leaves(weights):
    return {name: weight.detach().requires_grad_() for name, weight in weights.items()}


def detach_state(state):
    """The same optimiser state as constants."""
    if isinstance(state, tuple):
        return tuple(detach_state(part) for part in state)
    return state.detach() if isinstance(state, torch.Tensor) else state


def derivatives(loss, weights, rates):
    """Derivatives of ``loss`` by name, those with respect to the rates as ``rates``."""
    *by_weight, by_rate = torch.autograd.grad(
        loss, [*weights.values(), rates], materialize_grads=True
    )
    return dict(zip(weights, by_weight)) | {"rates": by_rate}


def unrolled(weights, rates, support, query, update, detached_before=0):
    """The meta-gradient through all K steps.

    Exact by default. With ``detached_before = j`` the gradients of steps
    0..j-1 are constants, so that those steps lose their Hessian term but keep
    what else depends on theta (identity, weight decay) and on their rates;
    ``j = K`` is the first-order meta-gradient.
    Returns the derivatives, theta_K, the K + 1 inner losses and the outer loss.
    """
    weights, rates = as_leaves(weights), rates.detach().requires_grad_()
    steps = range(len(rates))
    adapted, _, losses = inner_steps(
        weights, [None] * len(weights), rates, support, update, steps, detached_before
    )
    loss = outer_loss(adapted, support, query)
    losses.append(inner_loss(adapted, support))
    return derivatives(loss, weights, rates), adapted, torch.stack(losses).detach(), loss.detach()


def truncated(weights, rates, support, query, update, last_steps):
    """The meta-gradient through the ``last_steps`` = k last steps only.

    theta_{K-k} and the optimiser state there are constants; what is returned
    as the derivative with respect to theta_0 is that with respect to
    theta_{K-k}. Hence the Jacobian of each of the first K - k steps is
    replaced by the identity (its weight decay included), and the rates of
    those steps get zero.
    """
    rates = rates.detach().requires_grad_()
    boundary = len(rates) - last_steps
    start, states, _ = inner_steps(
        as_leaves(weights), [None] * len(weights), rates, support, update, range(boundary)
    )
    start, states = as_leaves(start), [detach_state(state) for state in states]
    adapted, _, _ = inner_steps(start, states, rates, support, update, range(boundary, len(rates)))
    return derivatives(outer_loss(adapted, support, query), start, rates)
