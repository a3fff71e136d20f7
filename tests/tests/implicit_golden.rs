//! Implicit and unrolled hypergradients against closed forms, see `golden/implicit/make.py`.

use burn::backend::Flex;
use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Device, Tensor, TensorData};
use inner_outer::hypergradient::{LinearSolver, MetaGradient};
use inner_outer::tensors::to_f64;
use inner_outer::{
    CentralDifference, ConjugateGradient, Curvature, ForwardOverReverse, Hypergradient, Implicit,
    InnerLoop, Nested, Neumann, Nystroem, Problem, Rates, Sgd, Unrolled, family,
};
use nalgebra::{DMatrix, DVector};
use workspace_tests::{Golden, assert_close};

/// A vector, `[elements]`.
#[derive(Module, Debug)]
struct Vector<B: Backend> {
    values: Param<Tensor<B, 1>>,
}

/// The quadratic bilevel problem: matrices `[20, 20]`, vectors `[1, 20]`.
#[derive(Module, Debug)]
struct Matrices<B: Backend> {
    inner_hessian: Tensor<B, 2>,
    inner_cross: Tensor<B, 2>,
    inner_linear: Tensor<B, 2>,
    outer_hessian: Tensor<B, 2>,
    outer_cross: Tensor<B, 2>,
    outer_outer_hessian: Tensor<B, 2>,
    outer_linear: Tensor<B, 2>,
    outer_outer_linear: Tensor<B, 2>,
    start: Tensor<B, 1>,
}

/// A regression of which one coefficient is asked for: `[rows, columns]`, `[rows, 1]`, and a unit vector `[columns]`.
#[derive(Module, Debug)]
struct Regression<B: Backend> {
    features: Tensor<B, 2>,
    targets: Tensor<B, 2>,
    asked: Tensor<B, 1>,
}

family!(Vectors => Vector, MatrixSets => Matrices, Regressions => Regression);

/// `x' A y` for rows `x: [1, n]` and `y: [1, n]`.
fn form<B: Backend>(x: &Tensor<B, 2>, matrix: &Tensor<B, 2>, y: &Tensor<B, 2>) -> Tensor<B, 1> {
    (x.clone().matmul(matrix.clone()) * y.clone()).sum()
}

fn product<B: Backend>(x: &Tensor<B, 2>, y: &Tensor<B, 2>) -> Tensor<B, 1> {
    (x.clone() * y.clone()).sum()
}

struct Quadratic;

impl Problem for Quadratic {
    type Outer = Vectors;
    type Inner = Vectors;
    type Task = MatrixSets;

    fn init<B: Backend>(&self, _outer: &Vector<B>, task: &Matrices<B>) -> Vector<B> {
        Vector { values: Param::from_tensor(task.start.clone()) }
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Vector<B>,
        outer: &Vector<B>,
        task: &Matrices<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        let (z, x) = (inner.values.val().unsqueeze(), outer.values.val().unsqueeze());
        form(&z, &task.inner_hessian, &z) * 0.5
            + form(&x, &task.inner_cross, &z)
            + product(&task.inner_linear, &z)
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Vector<B>,
        outer: &Vector<B>,
        task: &Matrices<B>,
    ) -> Tensor<B, 1> {
        let (z, x) = (inner.values.val().unsqueeze(), outer.values.val().unsqueeze());
        form(&z, &task.outer_hessian, &z) * 0.5
            + form(&x, &task.outer_cross, &z)
            + form(&x, &task.outer_outer_hessian, &x) * 0.5
            + product(&task.outer_linear, &z)
            + product(&task.outer_outer_linear, &x)
    }
}

struct Ridge;

impl Problem for Ridge {
    type Outer = Vectors;
    type Inner = Vectors;
    type Task = Regressions;

    fn init<B: Backend>(&self, _outer: &Vector<B>, task: &Regression<B>) -> Vector<B> {
        Vector { values: Param::from_tensor(task.asked.zeros_like()) }
    }

    fn inner_loss<B: Backend>(
        &self,
        inner: &Vector<B>,
        outer: &Vector<B>,
        task: &Regression<B>,
        _step: usize,
    ) -> Tensor<B, 1> {
        let w = inner.values.val();
        let residual =
            task.features.clone().matmul(w.clone().unsqueeze_dim(1)) - task.targets.clone();
        (residual.powi_scalar(2).mean() + outer.values.val() * w.powi_scalar(2).sum()) * 0.5
    }

    fn outer_loss<B: Backend>(
        &self,
        inner: &Vector<B>,
        _outer: &Vector<B>,
        task: &Regression<B>,
    ) -> Tensor<B, 1> {
        (inner.values.val() * task.asked.clone()).sum()
    }
}

fn tensor<const D: usize>(values: Vec<f64>, shape: [usize; D]) -> Tensor<Flex, D> {
    Tensor::from_data(TensorData::new(values, shape), (&Device::<Flex>::default(), DType::F64))
}

fn vector(values: Vec<f64>) -> Vector<Flex> {
    let elements = values.len();
    Vector { values: Param::from_tensor(tensor(values, [elements])) }
}

fn rate(value: f64) -> Rates<Flex> {
    Rates { tensors: vec![Param::from_tensor(tensor(vec![value], [1, 1]))] }
}

fn gradient(found: &MetaGradient<Flex>) -> Vec<f64> {
    found.outer.0.iter().flatten().flat_map(to_f64).collect()
}

fn quadratic() -> (Golden, Vector<Flex>, Matrices<Flex>) {
    let golden = Golden::open("implicit/quadratic.safetensors").unwrap();
    let values = |name: &str| golden.values(name).unwrap();
    let matrix = |name: &str| tensor(values(name), [20, 20]);
    let row = |name: &str| tensor(values(name), [1, 20]);
    let task = Matrices {
        inner_hessian: matrix("inner_hessian"),
        inner_cross: matrix("inner_cross"),
        inner_linear: row("inner_linear"),
        outer_hessian: matrix("outer_hessian"),
        outer_cross: matrix("outer_cross"),
        outer_outer_hessian: matrix("outer_outer_hessian"),
        outer_linear: row("outer_linear"),
        outer_outer_linear: row("outer_outer_linear"),
        start: tensor(values("inner_start"), [20]),
    };
    let point = vector(values("outer_point"));
    (golden, point, task)
}

fn at_the_minimum<S: LinearSolver, C: Curvature>(solver: S, curvature: C) -> MetaGradient<Flex> {
    let (_, point, task) = quadratic();
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 400 };
    Implicit { solver, curvature }
        .meta_gradient(&Quadratic, &inner_loop, &point, &rate(1.0), &task)
        .unwrap()
}

#[test]
fn quadratic_by_conjugate_gradients_and_neumann_series() {
    let golden = quadratic().0;
    let expected = golden.values("hypergradient").unwrap();
    let conjugate = ConjugateGradient { iterations: 60, ..ConjugateGradient::default() };
    let found = at_the_minimum(conjugate, ForwardOverReverse);
    assert_close("value", &[found.outer_loss], &golden.values("outer_value").unwrap(), 1e-10);
    assert_close("z*", &found.adapted.to_f64(), &golden.values("solution").unwrap(), 1e-10);
    assert_close("conjugate gradient", &gradient(&found), &expected, 1e-8);
    assert_close("nested", &gradient(&at_the_minimum(conjugate, Nested)), &expected, 1e-8);
    let difference = at_the_minimum(conjugate, CentralDifference::default());
    assert_close("central difference", &gradient(&difference), &expected, 1e-6);
    let neumann = Neumann { terms: 300, step: 1.0 };
    assert_close(
        "Neumann",
        &gradient(&at_the_minimum(neumann, ForwardOverReverse)),
        &expected,
        1e-8,
    );
}

/// With a sketch of full rank Nystroem solves the damped system, which has a closed form of its own.
#[test]
fn quadratic_by_nystroem() {
    let golden = quadratic().0;
    let matrix = |name: &str| DMatrix::from_row_slice(20, 20, &golden.values(name).unwrap());
    let vector = |name: &str| DVector::from_vec(golden.values(name).unwrap());
    let (z, x) = (vector("solution"), vector("outer_point"));
    let of_z = matrix("outer_hessian") * &z
        + matrix("outer_cross").transpose() * &x
        + vector("outer_linear");
    let of_x = matrix("outer_cross") * &z
        + matrix("outer_outer_hessian") * &x
        + vector("outer_outer_linear");
    let damping = 1e-2;
    let damped = matrix("inner_hessian") + DMatrix::identity(20, 20) * damping;
    let solution = damped.lu().solve(&of_z).expect("the damped matrix is positive definite");
    let expected = of_x - matrix("inner_cross") * solution;
    let found = at_the_minimum(Nystroem { rank: 20, damping, seed: 1 }, ForwardOverReverse);
    assert_close("Nystroem", &gradient(&found), expected.as_slice(), 1e-6);
}

/// Unrolling agrees with the closed recursion after every number of steps, and comes closer to the implicit
/// gradient by a factor of `1 - mu / L = 0.9` a step.
#[test]
fn quadratic_unrolled() {
    let (golden, point, task) = quadratic();
    let limit = golden.values("hypergradient").unwrap();
    let expected = golden.values("unrolled").unwrap();
    let (steps, _) = golden.integers("unrolled_steps").unwrap();
    let distance = |gradient: &[f64]| {
        gradient.iter().zip(&limit).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
    };
    let mut far = Vec::new();
    for (row, &steps) in expected.chunks(20).zip(&steps) {
        let inner_loop = InnerLoop { optimizer: Sgd, steps: steps as usize };
        let unrolled = Unrolled { curvature: ForwardOverReverse };
        let found =
            unrolled.meta_gradient(&Quadratic, &inner_loop, &point, &rate(1.0), &task).unwrap();
        assert_close(&format!("{steps} steps"), &gradient(&found), row, 1e-10);
        far.push((steps, distance(&gradient(&found))));
    }
    for pair in far.windows(2) {
        let [(fewer, far), (more, near)] = [pair[0], pair[1]];
        // The derivative of the iterate is a sum of `K` powers, so a factor of `K` may come on top of the rate.
        let bound = 0.9_f64.powi((more - fewer) as i32) * (more + 1) as f64 / (fewer + 1) as f64;
        assert!(near <= 1.5 * bound * far, "from {fewer} to {more} steps: {far:.2e} to {near:.2e}");
    }
}

#[test]
fn ridge_penalty() {
    let golden = Golden::open("implicit/ridge.safetensors").unwrap();
    let values = |name: &str| golden.values(name).unwrap();
    let jacobian = values("jacobian");
    let inner_loop = InnerLoop { optimizer: Sgd, steps: 300 };
    for (coefficient, expected) in jacobian.iter().enumerate() {
        let mut asked = vec![0.0; 3];
        asked[coefficient] = 1.0;
        let task = Regression {
            features: tensor(values("features"), [10, 3]),
            targets: tensor(values("targets"), [10, 1]),
            asked: tensor(asked, [3]),
        };
        let penalty = vector(values("penalty"));
        let implicit = Implicit::<ConjugateGradient>::default();
        let found =
            implicit.meta_gradient(&Ridge, &inner_loop, &penalty, &rate(0.1), &task).unwrap();
        assert_close("implicit", &gradient(&found), &[*expected], 1e-8);
        assert_close("solution", &found.adapted.to_f64(), &values("solution"), 1e-10);
        let unrolled = Unrolled { curvature: Nested };
        let found =
            unrolled.meta_gradient(&Ridge, &inner_loop, &penalty, &rate(0.1), &task).unwrap();
        assert_close("unrolled", &gradient(&found), &[*expected], 1e-8);
    }
}
