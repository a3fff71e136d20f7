"""The space-time transformer of `slowfast train` in PyTorch: the same network, batch, loss and optimiser.

Reads the parameters and a noised batch from a safetensors file that `cargo bench -p slowfast` writes, prints the loss
and the norm of its gradient, so that both sides can be compared, and then the fastest of some training steps and the
largest resident memory, as one JSON object.
"""

import argparse
import json
import math
import resource
import time

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F


def waves(x, width):
    half = width // 2
    frequencies = 10_000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = x[:, None] * frequencies.to(x.dtype)
    return torch.cat([angles.sin(), angles.cos()], 1)


def gelu(x):
    return F.gelu(x, approximate="tanh")


def normalize(x):
    return F.layer_norm(x, x.shape[-1:])


class Transformer(nn.Module):
    """Parameters keep the names of the file, with `_` for `.`; weights are `[in, out]` there."""

    def __init__(self, tensors, heads, patch):
        super().__init__()
        self.words = tensors["words.vectors"]
        self.heads, self.patch = heads, patch
        self.layers = nn.ModuleDict()
        self.tables = nn.ParameterDict()
        for name, value in tensors.items():
            path, kind = name.rsplit(".", 1)
            key = path.replace(".", "_")
            if kind == "weight":
                layer = nn.Linear(*value.shape)
                layer.weight.data = value.T.contiguous()
                layer.bias.data = tensors[path + ".bias"]
                self.layers[key] = layer
            elif kind in ("role", "places", "times"):
                self.tables[kind] = nn.Parameter(value)
        self.depth = len([key for key in self.layers if key.endswith("mixer_modulation_linear")])

    def layer(self, name):
        return self.layers[name]

    def block(self, index, name):
        return self.layers[f"network_Transformer_blocks_{index}_{name}_linear"]

    def attend(self, queries, keys, values, mask=None):
        def split(x):
            return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        mixed = F.scaled_dot_product_attention(split(queries), split(keys), split(values), attn_mask=mask)
        return mixed.transpose(1, 2).flatten(2)

    def self_attention(self, x, index, name):
        mixed = self.attend(*self.block(index, f"mixer_{name}_input")(x).chunk(3, -1))
        return self.block(index, f"mixer_{name}_output")(mixed)

    def forward(self, latents, levels, past, phrases):
        batch, frames, channels, height, width = latents.shape
        patch = self.patch
        rows, columns = height // patch, width // patch
        hidden = self.tables["role"].shape[1]
        level = waves(levels.reshape(-1), hidden)
        level = self.layer("condition_output")(gelu(self.layer("condition_input")(level)))
        condition = gelu(level + self.tables["role"][past.reshape(-1)]).view(batch, frames, 1, hidden)
        length, word = phrases.shape[2], self.words.shape[1]
        words = self.words[phrases] + waves(torch.arange(length).to(latents), word)
        words = words.view(batch * frames, length, word)
        known = (phrases != 0).view(batch * frames, 1, 1, length)

        x = latents.view(batch, frames, channels, rows, patch, columns, patch)
        x = x.permute(0, 1, 3, 5, 2, 4, 6).reshape(batch, frames, rows * columns, -1)
        x = self.layer("network_Transformer_input_linear")(x)
        x = x + self.tables["places"] + self.tables["times"][:frames, None]
        places = rows * columns
        for index in range(self.depth):
            parts = self.block(index, "mixer_modulation")(condition).chunk(6, -1)
            normal = normalize(x) * (1 + parts[1]) + parts[0]
            mixed = self.self_attention(normal.flatten(0, 1), index, "spatial")
            x = x + parts[2] * mixed.view_as(x)
            normal = normalize(x) * (1 + parts[4]) + parts[3]
            mixed = self.self_attention(normal.transpose(1, 2).flatten(0, 1), index, "temporal")
            x = x + parts[5] * mixed.view(batch, places, frames, hidden).transpose(1, 2)
            queries = self.block(index, "mixer_cross_queries")(normalize(x).flatten(0, 1))
            keys, values = self.block(index, "mixer_cross_keys_values")(words).chunk(2, -1)
            mixed = self.attend(queries, keys, values, known)
            x = x + self.block(index, "mixer_cross_output")(mixed).view_as(x)
            shift, scale, gate = self.block(index, "feed_forward_modulation")(condition).chunk(3, -1)
            normal = normalize(x) * (1 + scale) + shift
            forward = self.block(index, "feed_forward_output")(gelu(self.block(index, "feed_forward_input")(normal)))
            x = x + gate * forward
        shift, scale = self.layer("network_Transformer_modulation_linear")(condition).chunk(2, -1)
        x = self.layer("network_Transformer_output_linear")(normalize(x) * (1 + scale) + shift)
        x = x.view(batch, frames, rows, columns, channels, patch, patch)
        return x.permute(0, 1, 4, 2, 5, 3, 6).reshape(latents.shape)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--file", required=True)
    for name in ("heads", "patch", "threads", "repeats"):
        arguments.add_argument(f"--{name}", type=int, required=True)
    arguments = arguments.parse_args()
    torch.set_num_threads(arguments.threads)

    tensors = load_file(arguments.file)
    batch = {name: tensors.pop(f"batch.{name}") for name in ("latents", "levels", "past", "phrases", "target", "weights")}
    inputs = (batch["latents"], batch["levels"], batch["past"].long(), batch["phrases"].long())
    model = Transformer(tensors, arguments.heads, arguments.patch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)

    def step():
        optimizer.zero_grad()
        squares = (model(*inputs) - batch["target"]).square().mean((2, 3, 4))
        loss = (squares * batch["weights"]).sum()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item(), norm.item()

    loss, norm = step()
    seconds = math.inf
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        step()
        seconds = min(seconds, time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"loss": loss, "gradient_norm": norm, "seconds": seconds, "peak_bytes": peak}))


main()
