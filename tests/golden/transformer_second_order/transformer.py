"""A GPT-2 style transformer as a pure function of a dictionary of weights.

Names and layouts are those of Hugging Face's GPT-2: a dense weight is stored
[inputs, outputs] and applied as ``x @ weight + bias``. The output head is not
tied to the token embedding. Everything is composed of operations that PyTorch
can differentiate twice.
"""

import math

import torch

VOCABULARY, WIDTH, HEADS, LAYERS, CONTEXT = 11, 8, 2, 2, 6
LAYER_NORM_EPSILON = 1e-5


def weight_shapes():
    """Name and shape of every weight, in the order used by the rate matrices."""
    shapes = {"wte.weight": (VOCABULARY, WIDTH), "wpe.weight": (CONTEXT, WIDTH)}
    for layer in range(LAYERS):
        for name, inputs, outputs in [
            ("ln_1", None, WIDTH),
            ("attn.c_attn", WIDTH, 3 * WIDTH),
            ("attn.c_proj", WIDTH, WIDTH),
            ("ln_2", None, WIDTH),
            ("mlp.c_fc", WIDTH, 4 * WIDTH),
            ("mlp.c_proj", 4 * WIDTH, WIDTH),
        ]:
            weight = (outputs,) if inputs is None else (inputs, outputs)
            shapes[f"h.{layer}.{name}.weight"] = weight
            shapes[f"h.{layer}.{name}.bias"] = (outputs,)
    shapes["ln_f.weight"] = shapes["ln_f.bias"] = (WIDTH,)
    shapes["lm_head.weight"] = (VOCABULARY, WIDTH)
    return shapes


def random_weights(generator):
    """Normal weights of deviation 0.3; layer-norm scales scatter around one.

    No weight is left at a special value (zero bias, unit scale), so that a
    misplaced or forgotten one changes every number.
    """
    weights = {}
    for name, shape in weight_shapes().items():
        weights[name] = 0.3 * torch.randn(shape, generator=generator, dtype=torch.float64)
        if ".ln_" in f".{name}" and name.endswith("weight"):
            weights[name] += 1.0
    return weights


def gelu(x):
    """The tanh form of GELU, as in GPT-2."""
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def layer_norm(x, weights, name):
    """Layer norm over the last axis, with the biased variance."""
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred**2).mean(-1, keepdim=True)
    normalised = centred / torch.sqrt(variance + LAYER_NORM_EPSILON)
    return normalised * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def dense(x, weights, name):
    return x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]


def attention(x, weights, name):
    """Causal self-attention on [batch, tokens, width]."""
    batch, tokens, width = x.shape
    heads = dense(x, weights, f"{name}.c_attn").reshape(batch, tokens, 3, HEADS, width // HEADS)
    query, key, value = heads.permute(2, 0, 3, 1, 4)
    scores = query @ key.transpose(-1, -2) / math.sqrt(width // HEADS)
    future = torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
    mixed = torch.softmax(scores.masked_fill(future, -torch.inf), -1) @ value
    return dense(mixed.transpose(1, 2).reshape(batch, tokens, width), weights, f"{name}.c_proj")


def logits(weights, tokens):
    """Logits [batch, tokens, vocabulary] of token ids [batch, tokens]."""
    x = weights["wte.weight"][tokens] + weights["wpe.weight"][: tokens.shape[1]]
    for layer in range(LAYERS):
        block = f"h.{layer}"
        x = x + attention(layer_norm(x, weights, f"{block}.ln_1"), weights, f"{block}.attn")
        hidden = gelu(dense(layer_norm(x, weights, f"{block}.ln_2"), weights, f"{block}.mlp.c_fc"))
        x = x + dense(hidden, weights, f"{block}.mlp.c_proj")
    return layer_norm(x, weights, "ln_f") @ weights["lm_head.weight"].T


def cross_entropy(scores, targets):
    return -torch.log_softmax(scores, -1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)


def inner_loss(weights, support):
    """Next-token loss: the mean over rows of the mean over tokens."""
    losses = cross_entropy(logits(weights, support)[:, :-1], support[:, 1:])
    return losses.mean(1).mean()


def outer_loss(weights, support, query):
    """Loss of the last token of the query rows plus 0.1 times the inner loss."""
    answer = cross_entropy(logits(weights, query)[:, -2], query[:, -1])
    return answer.mean() + 0.1 * inner_loss(weights, support)
