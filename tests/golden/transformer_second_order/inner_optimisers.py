"""The inner optimisers, one weight tensor at a time, in differentiable form.

Each is a function ``(weight, gradient, rate, state) -> (weight, state)``;
``state`` is ``None`` before the first step.
"""

import torch

MOMENTUM = 0.9
BETAS = (0.9, 0.999)
EPSILON = 1e-8
ADAMW_WEIGHT_DECAY = 0.01


def sgd(weight, gradient, rate, state):
    return weight - rate * gradient, None


def momentum(weight, gradient, rate, state):
    """m = 0.9 m + g;  w = w - rate m"""
    velocity = gradient if state is None else MOMENTUM * state + gradient
    return weight - rate * velocity, velocity


def square_root(x):
    """sqrt(x), whose derivative is taken to be zero where x is exactly zero.

    The derivative of sqrt at zero is infinite, and infinity times the zero
    derivative of g^2 is NaN. An entry whose gradient has been zero in every
    step (the last position embedding never gets one) hits that. With this
    guard the first step, rate * g / (|g| + epsilon), has at such an entry the
    derivative rate / epsilon, which is the true one.
    """
    positive = x > 0
    return torch.where(positive, torch.sqrt(torch.where(positive, x, 1.0)), 0.0)


def adam(weight, gradient, rate, state):
    """Adam without weight decay, bias-corrected, epsilon outside the root."""
    beta_1, beta_2 = BETAS
    first, second, step = (0.0, 0.0, 0) if state is None else state
    step += 1
    first = beta_1 * first + (1 - beta_1) * gradient
    second = beta_2 * second + (1 - beta_2) * gradient**2
    unbiased_first = first / (1 - beta_1**step)
    unbiased_second = second / (1 - beta_2**step)
    change = unbiased_first / (square_root(unbiased_second) + EPSILON)
    return weight - rate * change, (first, second, step)


def adamw(weight, gradient, rate, state):
    """Adam after the decoupled decay w = w - rate 0.01 w."""
    return adam(weight - rate * ADAMW_WEIGHT_DECAY * weight, gradient, rate, state)


OPTIMISERS = {"sgd": sgd, "momentum": momentum, "adam": adam, "adamw": adamw}
