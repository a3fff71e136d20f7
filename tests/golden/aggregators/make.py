"""Golden values of the server's rules, from Flower, SciPy and NumPy.

Run ``python make.py`` (requirements.txt beside it) to write ``golden.json`` into this folder:

``updates``: for 15 clients ``delta`` [12], ``samples``, ``steps`` and ``loss``; the numbers of a delta are exact in
single precision, and the last three clients lie;

``aggregates``: what becomes of them,
    ``mean-uniform``, ``mean-samples``, ``median``, ``trimmed-mean`` (share 0.2), ``krum``, ``multi-krum`` (10 kept),
    ``bulyan``, each against 3 bad clients where it matters: Flower's ``flwr.server.strategy.aggregate``;
    ``geometric-median``: SciPy's minimiser of the sum of distances;
    ``nova``, ``slack`` (alpha 0.2, top 2), ``clipped`` (the uniform mean of updates clipped to a norm of 2): NumPy, by the
    formulas of the papers;

``start`` [12], ``rounds`` [3, 12] and ``optimizers``: parameters, three aggregated updates, and the parameters after each
    round under FedAvgM, FedAdam, FedYogi and FedAdagrad of Flower's ``flwr.serverapp.strategy``, with the settings in
    ``settings``; ``adagrad`` as it is by default, without a decay of the mean of updates, ``adagrad-first`` with it. Flower begins the mean of squares at 0 and corrects Adam's rate for its start; Reddi et al. (2021) begin at
    tau^2 and correct nothing, so the script begins there and counts rounds from so many that the correction is 1.
"""

import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
from flwr.common import ArrayRecord
from flwr.server.strategy import aggregate as flower
from flwr.serverapp.strategy import FedAdagrad, FedAdam, FedAvg, FedAvgM, FedYogi
from scipy.optimize import minimize

FOLDER = Path(__file__).parent
CLIENTS, BAD, PARAMETERS, ROUNDS = 15, 3, 12, 3
# So many rounds that Adam's correction for its start is 1.
LATE = 10**6
SETTINGS = {"rate": 0.1, "momentum": 0.9, "first": 0.8, "second": 0.95, "floor": 0.01}


def single(values):
    """The values rounded to single precision, as doubles."""
    return np.asarray(values, np.float32).astype(np.float64)


def make_updates(rng):
    deltas = rng.normal(size=PARAMETERS) + 0.5 * rng.normal(size=(CLIENTS, PARAMETERS))
    deltas[-BAD:] *= -20.0
    return {
        "delta": single(deltas),
        "samples": rng.integers(1, 100, CLIENTS),
        "steps": rng.integers(1, 10, CLIENTS),
        "loss": rng.uniform(0.0, 2.0, CLIENTS),
    }


def geometric_median(deltas):
    def total(point):
        return np.linalg.norm(deltas - point, axis=1).sum()

    def gradient(point):
        towards = point - deltas
        return (towards / np.linalg.norm(towards, axis=1, keepdims=True)).sum(axis=0)

    found = minimize(total, np.median(deltas, axis=0), jac=gradient, method="BFGS", options={"gtol": 1e-10})
    assert np.linalg.norm(gradient(found.x)) < 1e-6, found
    return found.x


def nova(updates):
    shares = updates["samples"] / updates["samples"].sum()
    normalised = updates["delta"] / updates["steps"][:, None]
    return (shares * updates["steps"]).sum() * (shares[:, None] * normalised).sum(axis=0)


def slack(updates, alpha, top):
    weights = np.ones(CLIENTS)
    weights[np.argsort(updates["loss"])[:top]] = (1 + alpha) / (1 - alpha)
    return (weights[:, None] * updates["delta"]).sum(axis=0) / weights.sum()


def clipped(deltas, limit):
    norms = np.linalg.norm(deltas, axis=1, keepdims=True)
    return (deltas * np.minimum(1.0, limit / norms)).mean(axis=0)


def make_aggregates(updates):
    def results(weights=None):
        weights = np.ones(CLIENTS, int) if weights is None else weights
        return [([delta], int(weight)) for delta, weight in zip(updates["delta"], weights)]

    bulyan = flower.aggregate_bulyan(results(), BAD, flower.aggregate_krum, to_keep=0)
    return {
        "mean-uniform": flower.aggregate(results())[0],
        "mean-samples": flower.aggregate(results(updates["samples"]))[0],
        "median": flower.aggregate_median(results())[0],
        "trimmed-mean": flower.aggregate_trimmed_avg(results(), 0.2)[0],
        "krum": flower.aggregate_krum(results(), BAD, 0)[0],
        "multi-krum": flower.aggregate_krum(results(), BAD, 10)[0],
        "bulyan": bulyan[0],
        "geometric-median": geometric_median(updates["delta"]),
        "nova": nova(updates),
        "slack": slack(updates, 0.2, 2),
        "clipped": clipped(updates["delta"], 2.0),
    }


def trajectory(strategy, start, rounds):
    """The parameters after each round, if the mean of the clients' parameters is the last ones plus the update."""
    parameters, path = start, []
    for index, update in enumerate(rounds):
        mean = ArrayRecord([parameters + update])
        # `configure_train` would set them; there are no clients to configure here.
        current = ArrayRecord([parameters])
        is_momentum = isinstance(strategy, FedAvgM)
        strategy.current_arrays = current if is_momentum else {k: a.numpy() for k, a in current.items()}
        if index == 0 and not is_momentum:
            strategy.v_t = {k: np.full_like(parameters, SETTINGS["floor"] ** 2) for k in current}
        with patch.object(FedAvg, "aggregate_train", return_value=(mean, None)):
            moved, _ = strategy.aggregate_train(LATE + index, [])
        parameters = moved.to_numpy_ndarrays()[0]
        path.append(parameters)
    return np.stack(path)


def make_optimizers(start, rounds):
    rate, first, second, floor = (SETTINGS[name] for name in ("rate", "first", "second", "floor"))
    adaptive = {"eta": rate, "tau": floor}
    # Flower's FedAdagrad takes no decay of the mean of updates, which is 0 by default, but has the attribute.
    remembering = FedAdagrad(**adaptive)
    remembering.beta_1 = first
    strategies = {
        "momentum": FedAvgM(server_learning_rate=rate, server_momentum=SETTINGS["momentum"]),
        "adam": FedAdam(**adaptive, beta_1=first, beta_2=second),
        "yogi": FedYogi(**adaptive, beta_1=first, beta_2=second),
        "adagrad": FedAdagrad(**adaptive),
        "adagrad-first": remembering,
    }
    return {name: trajectory(strategy, start, rounds) for name, strategy in strategies.items()}


def main():
    rng = np.random.default_rng(2442)
    updates = make_updates(rng)
    start, rounds = single(rng.normal(size=PARAMETERS)), single(rng.normal(size=(ROUNDS, PARAMETERS)))
    golden = {
        "updates": updates,
        "aggregates": make_aggregates(updates),
        "settings": SETTINGS,
        "start": start,
        "rounds": rounds,
        "optimizers": make_optimizers(start, rounds),
    }
    text = json.dumps(golden, default=lambda array: array.tolist(), indent=1)
    (FOLDER / "golden.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
