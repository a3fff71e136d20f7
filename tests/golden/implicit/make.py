"""Golden values of implicit differentiation, in float64, from closed forms.

Run ``python make.py`` (requirements.txt beside it) to write, into this folder,

``ridge.safetensors``: the ridge regression of JAXopt's tests,

    w*(l) = argmin_w  1/(2n) |X w - y|^2 + l/2 |w|^2,

on ``make_regression(10, 3, random_state=0)`` with l = 5: ``features`` [10, 3],
``targets`` [10], ``penalty`` [1] (l), ``solution`` [3] (w*) and ``jacobian`` [3]
(d w* / d l);

``quadratic.safetensors``: a quadratic bilevel problem built like the simulated one of
benchmark_bilevel (inner spectrum from mu = 0.1 to L = 1, cross terms of size
0.1), with the inner variable z [20] and the outer variable x [20]:

    inner g(z, x) = 1/2 z'A z + x'C z + a'z
    outer f(z, x) = 1/2 z'F z + x'D z + 1/2 x'G x + f'z + d'x

``inner_hessian`` A, ``inner_cross`` C [outer, inner], ``inner_linear`` a,
``outer_hessian`` F, ``outer_cross`` D [outer, inner], ``outer_outer_hessian`` G,
``outer_linear`` f, ``outer_outer_linear`` d, the point ``outer_point`` x and the start
``inner_start`` z_0, and of these: ``solution`` z*(x), ``outer_value`` [1]
h(x) = f(z*(x), x), ``adjoint`` v and ``hypergradient`` dh/dx [20].
``unrolled`` [6, 20] are the derivatives of f(z_K, x) with respect to x after
K = 0, 10, 20, 40, 80, 160 (``unrolled_steps``) gradient steps of rate 1/L from
z_0: their distance from the hypergradient shrinks like (1 - mu/L)^K.

The script prints how far the closed forms are from scikit-learn and from finite differences.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge

FOLDER = Path(__file__).parent
SEED = 2442
PENALTY = 5.0
DIMENSION = 20
STRONG_CONVEXITY, SMOOTHNESS, CROSS = 0.1, 1.0, 0.1
UNROLLED_STEPS = [0, 10, 20, 40, 80, 160]


def central_difference(function, point, step=1e-5):
    """Jacobian of ``function`` at the vector ``point``, one column a coordinate."""
    columns = [
        (function(point + step * axis) - function(point - step * axis)) / (2 * step)
        for axis in np.eye(len(point))
    ]
    return np.stack(columns, axis=-1)


def relative_difference(value, reference):
    return np.linalg.norm(value - reference) / np.linalg.norm(reference)


def ridge_solution(features, targets, penalty):
    rows, columns = features.shape
    system = features.T @ features + rows * penalty * np.eye(columns)
    return system, np.linalg.solve(system, features.T @ targets)


def ridge():
    """(X'X + n l I) w* = X'y, hence (X'X + n l I) dw*/dl = -n w*."""
    features, targets = make_regression(10, 3, random_state=0)
    system, solution = ridge_solution(features, targets, PENALTY)
    jacobian = np.linalg.solve(system, -len(targets) * solution)

    numeric = central_difference(
        lambda penalty: ridge_solution(features, targets, penalty[0])[1], np.array([PENALTY])
    )[:, 0]
    peer = Ridge(alpha=len(targets) * PENALTY, fit_intercept=False).fit(features, targets).coef_
    print(f"ridge: scikit-learn {relative_difference(solution, peer):.1e}")
    print(f"ridge: finite differences {relative_difference(jacobian, numeric):.1e}")
    return {
        "features": features,
        "targets": targets,
        "penalty": np.array([PENALTY]),
        "solution": solution,
        "jacobian": jacobian,
    }


def symmetric(generator, smallest, largest):
    """A random symmetric matrix with logarithmically spaced eigenvalues."""
    basis, _ = np.linalg.qr(generator.standard_normal((DIMENSION, DIMENSION)))
    matrix = basis * np.geomspace(smallest, largest, DIMENSION) @ basis.T
    return (matrix + matrix.T) / 2


def cross(generator):
    """A random matrix with singular values from a tenth of ``CROSS`` up to it."""
    left, _ = np.linalg.qr(generator.standard_normal((DIMENSION, DIMENSION)))
    right, _ = np.linalg.qr(generator.standard_normal((DIMENSION, DIMENSION)))
    return left * np.geomspace(CROSS / 10, CROSS, DIMENSION) @ right.T


def quadratic_problem(generator):
    def vector():
        return generator.standard_normal(DIMENSION)

    return {
        "inner_hessian": symmetric(generator, STRONG_CONVEXITY, SMOOTHNESS),
        "inner_cross": cross(generator),
        "inner_linear": vector(),
        "outer_hessian": symmetric(generator, STRONG_CONVEXITY, SMOOTHNESS),
        "outer_cross": cross(generator),
        "outer_outer_hessian": symmetric(generator, STRONG_CONVEXITY, SMOOTHNESS),
        "outer_linear": vector(),
        "outer_outer_linear": vector(),
        "outer_point": vector(),
        "inner_start": vector(),
    }


def inner_gradient(problem, z, x):
    return problem["inner_hessian"] @ z + problem["inner_cross"].T @ x + problem["inner_linear"]


def inner_solution(problem, x):
    """z* = -A^-1 (a + C'x)."""
    return np.linalg.solve(problem["inner_hessian"], -inner_gradient(problem, 0 * x, x))


def outer_value(problem, z, x):
    return (
        z @ problem["outer_hessian"] @ z / 2
        + x @ problem["outer_cross"] @ z
        + x @ problem["outer_outer_hessian"] @ x / 2
        + problem["outer_linear"] @ z
        + problem["outer_outer_linear"] @ x
    )


def outer_gradients(problem, z, x):
    """Partial derivatives of f with respect to z and to x."""
    by_z = problem["outer_hessian"] @ z + problem["outer_cross"].T @ x + problem["outer_linear"]
    by_x = problem["outer_cross"] @ z + problem["outer_outer_hessian"] @ x
    return by_z, by_x + problem["outer_outer_linear"]


def hypergradient(problem, x):
    """dh/dx = f_x + C v with A v = -f_z, all at z*; returns v and dh/dx."""
    by_z, by_x = outer_gradients(problem, inner_solution(problem, x), x)
    adjoint = np.linalg.solve(problem["inner_hessian"], -by_z)
    return adjoint, by_x + problem["inner_cross"] @ adjoint


def inner_iterate(problem, x, steps):
    """z_K, by K gradient steps of rate 1/L."""
    z = problem["inner_start"]
    for _ in range(steps):
        z = z - inner_gradient(problem, z, x) / SMOOTHNESS
    return z


def unrolled_hypergradient(problem, x, steps):
    """d f(z_K, x) / dx, where dz_K/dx follows J = (I - A/L) J - C'/L from J = 0."""
    jacobian = np.zeros((DIMENSION, DIMENSION))
    for _ in range(steps):
        change = problem["inner_hessian"] @ jacobian + problem["inner_cross"].T
        jacobian = jacobian - change / SMOOTHNESS
    by_z, by_x = outer_gradients(problem, inner_iterate(problem, x, steps), x)
    return by_x + jacobian.T @ by_z


def quadratic():
    problem = quadratic_problem(np.random.default_rng(SEED))
    x = problem["outer_point"]
    adjoint, gradient = hypergradient(problem, x)
    unrolled = np.stack([unrolled_hypergradient(problem, x, steps) for steps in UNROLLED_STEPS])

    numeric = central_difference(
        lambda point: outer_value(problem, inner_solution(problem, point), point), x
    )
    numeric_unrolled = central_difference(
        lambda point: outer_value(problem, inner_iterate(problem, point, 20), point), x
    )
    print(f"quadratic: finite differences {relative_difference(gradient, numeric):.1e}")
    print(
        f"unrolled 20 steps: finite differences {relative_difference(unrolled[2], numeric_unrolled):.1e}"
    )
    for steps, value in zip(UNROLLED_STEPS, unrolled):
        print(f"unrolled {steps} steps: off by {relative_difference(value, gradient):.1e}")
    solution = inner_solution(problem, x)
    return problem | {
        "solution": solution,
        "outer_value": np.array([outer_value(problem, solution, x)]),
        "adjoint": adjoint,
        "hypergradient": gradient,
        "unrolled_steps": np.array(UNROLLED_STEPS),
        "unrolled": unrolled,
    }


def main():
    for name, values in {"ridge": ridge(), "quadratic": quadratic()}.items():
        contiguous = {key: np.ascontiguousarray(value) for key, value in values.items()}
        save_file(contiguous, FOLDER / f"{name}.safetensors")


if __name__ == "__main__":
    main()
