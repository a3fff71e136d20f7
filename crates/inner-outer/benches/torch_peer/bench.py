"""Time and peak memory of exact second-order meta-gradients in PyTorch.

The setting is a GPT of 3.7 million weights (4 layers, width 256, 4 heads, vocabulary
2048, batches of 8 x 128 tokens, float32, CPU), SGD inner steps with one learned
rate per tensor per step, and a meta-batch of 4 tasks.

    pip install -r requirements.txt
    python bench.py --inner-steps 1 2 4 8 --repeats 3
    python bench.py --check

One JSON line per peer and number of inner steps goes to standard output:

* ``peer``, ``inner_steps``, ``threads``, ``torch`` (its version),
* ``arrangement``: how the tasks are run; where a peer has several, the faster one is reported,
* ``tasks``, ``repeats``,
* ``seconds``: median of ``repeats`` meta-gradients after one to warm up,
* ``baseline_bytes``: resident memory before the first meta-gradient,
* ``peak_bytes``: the largest resident memory of the process (VmHWM), baseline included.

Each measurement runs in a fresh process. Time only on an idle machine: beside other
work on the same cores the same measurement came out up to ten times slower.
``--check`` instead prints how far the meta-gradients of the peers are from each other
on a small model in float64. Linux only. Exit status 3: PyTorch or ``higher`` cannot be
imported; 1: a measurement failed, or ``--check`` found a difference.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

MISSING_LIBRARY = 3
RATE = 0.01
SEED = 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--inner-steps", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument(
        "--peers", nargs="+", default=["torch.func", "higher"], choices=["torch.func", "higher"]
    )
    parser.add_argument("--tasks", type=int, default=4)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--check", action="store_true", help="compare the peers instead of timing them"
    )
    parser.add_argument(
        "--worker", nargs=2, metavar=("PEER", "ARRANGEMENT"), help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    if min(*options.inner_steps, options.tasks, options.threads, options.repeats) < 1:
        parser.error("--inner-steps, --tasks, --threads and --repeats must be at least 1")
    return options


def require_libraries(peers):
    try:
        import torch  # noqa: F401

        if "higher" in peers:
            import higher  # noqa: F401
    except ImportError as error:
        print(
            f"cannot import {error.name}: pip install -r requirements.txt ({error})",
            file=sys.stderr,
        )
        sys.exit(MISSING_LIBRARY)


def memory(source, field):
    """A field of a file under /proc that is given in kilobytes, in bytes."""
    with open(source, encoding="ascii") as lines:
        for line in lines:
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    raise OSError(f"{source} has no field {field}")


def measure(options):
    """Time one arrangement in this process; returns its JSON object."""
    import torch

    from gpt import Gpt, Size, random_tasks
    from peers import PEERS

    # Should memory run out, the kernel is to end this process and no other.
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("1000")
    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)
    size = Size()
    model = Gpt(size)
    support, query = random_tasks(size, options.tasks)
    inner_steps = options.inner_steps[0]
    rates = torch.full((inner_steps, len(list(model.parameters()))), RATE)
    peer, arrangement = options.worker
    meta_gradient = PEERS[peer][arrangement]

    baseline = memory("/proc/self/status", "VmRSS")
    seconds = []
    for _ in range(1 + options.repeats):
        start = time.perf_counter()
        meta_gradient(model, rates, support, query)
        seconds.append(time.perf_counter() - start)
    line = {
        "peer": peer,
        "inner_steps": inner_steps,
        "seconds": statistics.median(seconds[1:]),
        "peak_bytes": memory("/proc/self/status", "VmHWM"),
        "baseline_bytes": baseline,
        "threads": options.threads,
        "torch": torch.__version__,
        "arrangement": arrangement,
        "tasks": options.tasks,
        "repeats": options.repeats,
    }
    return line


def measure_in_fresh_process(options, peer, arrangement, inner_steps):
    """The measurement, or None where the process did not survive it."""
    command = [sys.executable, __file__, "--worker", peer, arrangement]
    command += ["--inner-steps", str(inner_steps), "--tasks", str(options.tasks)]
    command += ["--threads", str(options.threads), "--repeats", str(options.repeats)]
    worker = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if worker.returncode == MISSING_LIBRARY:
        sys.exit(MISSING_LIBRARY)
    if worker.returncode != 0:
        print(
            f"{peer} {arrangement}, {inner_steps} steps: exit status {worker.returncode}",
            file=sys.stderr,
        )
        return None
    result = json.loads(worker.stdout)
    print(f"{peer} {arrangement}, {inner_steps} steps: {result['seconds']:.2f} s", file=sys.stderr)
    return result


def fits(sequential, tasks):
    """Whether the graphs of all tasks together would fit, judged by that of one."""
    needed = (sequential["peak_bytes"] - sequential["baseline_bytes"]) * tasks
    return needed < 0.9 * memory("/proc/meminfo", "MemAvailable")


def best_of(options, peer, inner_steps):
    """The fastest arrangement of ``peer``, or None where none could be run."""
    best = measure_in_fresh_process(options, peer, "sequential", inner_steps)
    if peer == "torch.func" and best is not None:
        if fits(best, options.tasks):
            other = measure_in_fresh_process(options, peer, "vmap", inner_steps)
            best = min(best, other or best, key=lambda result: result["seconds"])
        else:
            print(f"{peer} vmap, {inner_steps} steps: would not fit in memory", file=sys.stderr)
    return best


def check():
    """Print the largest differences between the peers' meta-gradients on a small model."""
    import torch

    from gpt import Gpt, Size, random_tasks
    from peers import PEERS

    torch.manual_seed(SEED)
    torch.set_default_dtype(torch.float64)
    size = Size(layers=2, width=16, heads=2, vocabulary=20, batch=2, tokens=8)
    model = Gpt(size)
    support, query = random_tasks(size, 3)
    rates = torch.rand(2, len(list(model.parameters())))
    reference_by_weight, reference_by_rate = PEERS["torch.func"]["sequential"](
        model, rates, support, query
    )
    worst = 0.0
    for peer, arrangements in PEERS.items():
        for arrangement, meta_gradient in arrangements.items():
            by_weight, by_rate = meta_gradient(model, rates, support, query)
            differences = [by_rate - reference_by_rate]
            differences += [by_weight[name] - part for name, part in reference_by_weight.items()]
            difference = max(part.abs().max().item() for part in differences)
            worst = max(worst, difference)
            print(f"{peer} {arrangement}: {difference:.1e}")
    return worst < 1e-10


def main():
    options = arguments()
    if options.worker:
        require_libraries(options.worker[:1])
        print(json.dumps(measure(options)))
        return 0
    if options.check:
        require_libraries(["higher"])
        return 0 if check() else 1
    complete = True
    for peer in options.peers:
        for inner_steps in options.inner_steps:
            result = best_of(options, peer, inner_steps)
            complete = complete and result is not None
            if result is not None:
                print(json.dumps(result), flush=True)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
