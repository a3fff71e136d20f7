"""Federated adversarial training in PyTorch, the peer of `fal bench`: the same networks, batches and gradient passes.

A client starts from the server's network with fresh momentum; each of its local steps perturbs a batch by PGD-10 in
the Linf ball and descends the cross entropy there. The server adds the mean of the clients' changes. During the
ascent no gradient of the weights is computed. With several processes each takes its share of the clients.

Prints one JSON object. `--check` prints the change of one client on the numbers that `check.rs` states instead.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import time

import numpy
import torch
from torch import nn

RADIUS, STEP, ASCENT_STEPS, RATE, MOMENTUM = 0.1, 0.025, 10, 0.05, 0.9


class Block(nn.Module):
    """Two convolutions of 3x3 around which the input goes."""

    def __init__(self, channels, wide, stride):
        super().__init__()
        self.first = nn.Conv2d(channels, wide, 3, stride, 1, bias=False)
        self.first_norm = nn.GroupNorm(8, wide)
        self.second = nn.Conv2d(wide, wide, 3, 1, 1, bias=False)
        self.second_norm = nn.GroupNorm(8, wide)
        self.shortcut = nn.Identity()
        if stride != 1 or channels != wide:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, wide, 1, stride, bias=False), nn.GroupNorm(8, wide))

    def forward(self, x):
        inner = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(inner)) + self.shortcut(x))


def network(kind):
    if kind == "resnet":
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, 1, 1, bias=False),
            nn.GroupNorm(8, 16),
            nn.ReLU(),
            Block(16, 16, 1),
            Block(16, 32, 2),
            Block(32, 64, 2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, 10),
        )
    if kind == "lenet":
        return nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2),
            nn.Tanh(),
            nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.Tanh(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(400, 120),
            nn.Tanh(),
            nn.Linear(120, 84),
            nn.Tanh(),
            nn.Linear(84, 10),
        )
    if kind == "mlp":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 10)
        )
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(1568, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )


def perturb(model, images, labels, change):
    """Signed ascent in the ball and the range of pixels."""
    lower, upper = (-images).clamp(min=-RADIUS), (1 - images).clamp(max=RADIUS)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for _ in range(ASCENT_STEPS):
        change.requires_grad_(True)
        loss = nn.functional.cross_entropy(model(images + change), labels)
        (gradient,) = torch.autograd.grad(loss, change)
        change = torch.clamp(change.detach() + STEP * gradient.sign(), lower, upper)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return images + change


def local_steps(model, batches):
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    for images, labels, start in batches:
        perturbed = perturb(model, images, labels, start)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(perturbed), labels).backward()
        optimizer.step()


def random_batches(options):
    for _ in range(options.steps):
        images = torch.rand(options.batch, 1, 28, 28)
        start = (torch.rand_like(images) * 2 - 1) * RADIUS
        start = start.clamp(min=-images, max=1 - images)
        yield images, torch.randint(0, 10, (options.batch,)), start


def serve(options, shared, changes, share, begin, end):
    """A process of its own for some of the clients, round after round."""
    torch.set_num_threads(options.threads)
    model = network(options.network)
    batches = [list(random_batches(options)) for _ in share]
    while True:
        begin.wait()
        for client, of_client in zip(share, batches):
            nn.utils.vector_to_parameters(shared.clone(), model.parameters())
            local_steps(model, of_client)
            changes[client] = nn.utils.parameters_to_vector(model.parameters()).detach() - shared
        end.wait()


def measure(options):
    shared = nn.utils.parameters_to_vector(network(options.network).parameters()).detach().clone()
    changes = torch.zeros(options.clients, len(shared))
    seconds = []
    if options.processes == 1:
        torch.set_num_threads(options.threads)
        model = network(options.network)
        batches = [list(random_batches(options)) for _ in range(options.clients)]

        def work():
            for client, of_client in enumerate(batches):
                nn.utils.vector_to_parameters(shared.clone(), model.parameters())
                local_steps(model, of_client)
                changes[client] = nn.utils.parameters_to_vector(model.parameters()).detach() - shared

        workers = []
    else:
        shared.share_memory_()
        changes.share_memory_()
        context = multiprocessing.get_context("fork")
        begin, end = (context.Barrier(options.processes + 1) for _ in range(2))
        shares = [range(first, options.clients, options.processes) for first in range(options.processes)]
        workers = [
            context.Process(target=serve, args=(options, shared, changes, share, begin, end), daemon=True)
            for share in shares
        ]
        for worker in workers:
            worker.start()

        def work():
            begin.wait()
            end.wait()

    # The first is to warm up.
    for _ in range(options.repeats + 1):
        start = time.perf_counter()
        work()
        shared += changes.mean(0)
        seconds.append(time.perf_counter() - start)
    for worker in workers:
        worker.terminate()
        worker.join()
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # The largest of the others, as many times.
    kibibytes += len(workers) * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"seconds": min(seconds[1:]), "peak_bytes": 1024 * kibibytes}


def wave(count, shape, offset, step):
    """`sin(offset + step i)` for `i` below `count`."""
    values = numpy.sin(offset + step * numpy.arange(count, dtype=numpy.float64))
    return torch.from_numpy(values.astype(numpy.float32)).reshape(shape)


def check(kind):
    model = network(kind)
    with torch.no_grad():
        for index, parameter in enumerate(model.parameters()):
            # Linear layers are stored as [inputs, outputs] on the other side.
            shape = list(parameter.shape)
            values = 0.1 * wave(parameter.numel(), shape[::-1] if len(shape) == 2 else shape, index, 0.7)
            parameter.copy_(values.T if len(shape) == 2 else values)
    samples = 32
    images = 0.5 + 0.5 * wave(samples * 784, (samples, 1, 28, 28), 0.0, 0.37)
    start = RADIUS * wave(samples * 784, (samples, 1, 28, 28), 1.0, 1.3)
    start = start.clamp(min=-images, max=1 - images)
    labels = torch.arange(samples) % 10
    before = [parameter.detach().clone() for parameter in model.parameters()]
    local_steps(model, [(images, labels, start)] * 2)
    changes = [after.detach() - earlier for after, earlier in zip(model.parameters(), before)]
    flat = [(change.T if change.dim() == 2 else change).flatten() for change in changes]
    return {"update": torch.cat(flat).tolist()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", choices=["mlp", "cnn", "lenet", "resnet"], required=True)
    for name in ["clients", "batch", "steps", "repeats", "processes", "threads"]:
        parser.add_argument(f"--{name}", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(0)
    json.dump(check(options.network) if options.check else measure(options), sys.stdout)
    print()


if __name__ == "__main__":
    main()
