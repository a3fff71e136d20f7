"""The GPT whose meta-gradient is timed, and its tasks.

GPT-2 style: pre-layer-norm, learned positions, tanh-GELU, causal attention, output
head tied to the token embedding. Attention is composed of matrix products and a
softmax because PyTorch's fused attention kernels have no second derivative.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional


@dataclass(frozen=True)
class Size:
    """Sizes of the model and of one batch; the defaults give 3.7 million weights."""

    layers: int = 4
    width: int = 256
    heads: int = 4
    vocabulary: int = 2048
    batch: int = 8
    tokens: int = 128


class Block(nn.Module):
    """Attention and feed-forward layers, each behind a layer norm, on a residual stream."""

    def __init__(self, size):
        super().__init__()
        self.heads = size.heads
        self.attention_norm = nn.LayerNorm(size.width)
        self.attention_input = nn.Linear(size.width, 3 * size.width)
        self.attention_output = nn.Linear(size.width, size.width)
        self.feed_forward_norm = nn.LayerNorm(size.width)
        self.feed_forward_input = nn.Linear(size.width, 4 * size.width)
        self.feed_forward_output = nn.Linear(4 * size.width, size.width)

    def forward(self, x, future):
        batch, tokens, width = x.shape
        heads = self.attention_input(self.attention_norm(x))
        heads = heads.reshape(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) / math.sqrt(width // self.heads) + future
        mixed = (torch.softmax(scores, -1) @ value).transpose(1, 2).reshape(batch, tokens, width)
        x = x + self.attention_output(mixed)
        hidden = self.feed_forward_input(self.feed_forward_norm(x))
        return x + self.feed_forward_output(functional.gelu(hidden, approximate="tanh"))


class Gpt(nn.Module):
    """Called with a batch of token ids [batch, tokens + 1], gives the mean next-token loss."""

    def __init__(self, size):
        super().__init__()
        self.token_embedding = nn.Embedding(size.vocabulary, size.width)
        self.position_embedding = nn.Embedding(size.tokens, size.width)
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.layers))
        self.final_norm = nn.LayerNorm(size.width)
        self.register_buffer("future", torch.full((size.tokens, size.tokens), -1e9).triu(1))
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif "norm" not in name:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, batch):
        tokens, targets = batch[:, :-1], batch[:, 1:]
        x = self.token_embedding(tokens) + self.position_embedding.weight
        for block in self.blocks:
            x = block(x, self.future)
        logits = self.final_norm(x) @ self.token_embedding.weight.T
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def random_tasks(size, tasks):
    """Support and query token ids, each [tasks, batch, tokens + 1]."""
    return torch.randint(size.vocabulary, (2, tasks, size.batch, size.tokens + 1))
