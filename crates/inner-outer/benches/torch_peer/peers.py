"""Exact second-order meta-gradients in PyTorch, by two libraries.

Each peer is a function ``(model, rates, support, query) -> (by_weight, by_rate)``.
With theta_0 the weights of ``model`` and ``rates`` [steps, tensors] one rate per tensor
per step, a task takes the inner steps

    theta_{k+1} = theta_k - rates[k] * gradient of loss(theta_k, support)

and the result holds the derivatives of the mean over the tasks of
loss(theta_K, query) with respect to every initial weight and to ``rates``.
"""

import torch
from torch.func import functional_call, grad, vmap


def meta_loss(model, weights, rates, support, query):
    """The outer loss of one task, in the functional style of ``torch.func``."""

    def loss(weights, batch):
        return functional_call(model, weights, (batch,))

    for step_rates in rates:
        gradients = grad(loss)(weights, support)
        weights = {
            name: weight - rate * gradients[name]
            for (name, weight), rate in zip(weights.items(), step_rates)
        }
    return loss(weights, query)


def detached_weights(model):
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def torch_func_sequential(model, rates, support, query):
    """One task after the other, adding up meta-gradients: only one graph lives at a time."""

    def task_loss(weights, rates, support, query):
        return meta_loss(model, weights, rates, support, query) / len(tasks)

    tasks, weights = list(zip(support, query)), detached_weights(model)
    by_weight = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    by_rate = torch.zeros_like(rates)
    for task in tasks:
        task_by_weight, task_by_rate = grad(task_loss, argnums=(0, 1))(weights, rates, *task)
        for name, part in task_by_weight.items():
            by_weight[name] += part
        by_rate += task_by_rate
    return by_weight, by_rate


def torch_func_vmap(model, rates, support, query):
    """All tasks at once as one more batch axis: the graphs of all tasks live together.

    The meta-gradient of every task is taken inside ``vmap`` and averaged outside.
    The other order, the gradient of the mean of ``vmap``, would need less memory but
    disagrees with every other arrangement (by 2e-2 in ``bench.py --check``, PyTorch 2.15).
    """

    def task_meta_gradient(support, query):
        def task_loss(weights, rates):
            return meta_loss(model, weights, rates, support, query)

        return grad(task_loss, argnums=(0, 1))(weights, rates)

    weights = detached_weights(model)
    by_weight, by_rate = vmap(task_meta_gradient)(support, query)
    return {name: part.mean(0) for name, part in by_weight.items()}, by_rate.mean(0)


def higher_innerloop(model, rates, support, query):
    """``higher.innerloop_ctx``, one task after the other, accumulating in ``.grad``.

    The one accommodation: the learned rates are passed to every step through
    ``override``, with one parameter group a tensor, for ``higher`` has no rate
    per step. Its last release, 0.2.1, runs on the pinned PyTorch unchanged.
    """
    import higher

    rates = rates.detach().requires_grad_()
    model.zero_grad()
    groups = [{"params": [parameter]} for parameter in model.parameters()]
    optimiser = torch.optim.SGD(groups, lr=1.0)
    for task_support, task_query in zip(support, query):
        with higher.innerloop_ctx(model, optimiser, copy_initial_weights=False) as (
            adapted,
            stepper,
        ):
            for step_rates in rates:
                stepper.step(adapted(task_support), override={"lr": list(step_rates)})
            (adapted(task_query) / len(support)).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}, rates.grad


# The arrangements of each peer; the faster one is reported.
PEERS = {
    "torch.func": {"sequential": torch_func_sequential, "vmap": torch_func_vmap},
    "higher": {"sequential": higher_innerloop},
}
