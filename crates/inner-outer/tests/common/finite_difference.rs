//! The meta-loss by its definition, and its derivatives by differences of fourth order.

use burn::backend::{Autodiff, Flex};
use burn::tensor::{Tensor, TensorData};
use inner_outer::hypergradient::MetaGradient;
use inner_outer::inner::Iterate;
use inner_outer::tensors::{Tensors, gradients, to_f64};
use inner_outer::{
    Hypergradient, InnerLoop, InnerOptimizer, Instance, On, Problem, RateScope, Rates, Roles,
};

use super::numbers::{Random, assert_close, entries};

/// A problem at a point, in double precision.
pub struct Case<P: Problem, O> {
    pub problem: P,
    pub inner_loop: InnerLoop<O>,
    pub outer: On<P::Outer, Flex>,
    pub rates: Rates<Flex>,
    pub task: On<P::Task, Flex>,
}

impl<P: Problem, O: InnerOptimizer> Case<P, O> {
    /// Inner rates near `rate`, no two alike.
    pub fn new(
        problem: P,
        inner_loop: InnerLoop<O>,
        (scope, rate): (RateScope, f64),
        outer: On<P::Outer, Flex>,
        task: On<P::Task, Flex>,
    ) -> Self {
        let rates =
            inner_loop.rates(&problem, scope, rate, &outer, &task).expect("something is adapted");
        let scattered = Random::doubles(7).scatter(&Tensors::of(&rates), 0.2);
        let rates = scattered.write(rates);
        Self { problem, inner_loop, outer, rates, task }
    }

    /// The hypergradient by `method`.
    pub fn gradient(&self, method: &impl Hypergradient) -> inner_outer::Result<MetaGradient<Flex>> {
        method.meta_gradient(&self.problem, &self.inner_loop, &self.outer, &self.rates, &self.task)
    }

    /// `sum_k F_k(theta_k) + F_K(theta_K)`, step by step.
    pub fn meta_loss(&self, outer: &On<P::Outer, Flex>, rates: &Rates<Flex>) -> f64 {
        let instance = Instance::new(&self.problem, outer, &self.task);
        let adapted = Roles::of(&instance).expect("something is adapted").adapted;
        let (base, phi) = (instance.start(), instance.phi());
        let lifted = instance.lift::<Autodiff<Flex>>();
        let InnerLoop { optimizer, steps } = &self.inner_loop;
        let theta = base.select(&adapted);
        let mut at = Iterate { state: optimizer.state(&theta), theta, steps_taken: 0 };
        let mut meta_loss = 0.0;
        for step in 0..*steps {
            let theta = base.replace(&adapted, &at.theta);
            let here = instance.trajectory_loss(&theta, &phi, step);
            meta_loss += here.map_or(0.0, |loss| to_f64(&loss)[0]);
            let leaves = at.theta.track();
            let loss =
                lifted.inner_loss(&base.lift().replace(&adapted, &leaves), &phi.lift(), step);
            let [gradient] = gradients(loss, [&leaves]);
            let gradient = gradient.or_zeros(&at.theta);
            at = optimizer.step(step, &rates.at(step, gradient.len()), at, &gradient);
        }
        meta_loss + to_f64(&instance.outer_loss(&base.replace(&adapted, &at.theta), &phi))[0]
    }

    /// The derivatives of the meta-loss with respect to every entry of the outer module and of the rates.
    pub fn differences(&self) -> [Vec<Vec<f64>>; 2] {
        let outer =
            |phi: &Tensors<Flex>| self.meta_loss(&phi.write(self.outer.clone()), &self.rates);
        let rates =
            |values: &Tensors<Flex>| self.meta_loss(&self.outer, &values.write(self.rates.clone()));
        [
            differences(&Tensors::of(&self.outer), outer),
            differences(&Tensors::of(&self.rates), rates),
        ]
    }

    /// Checks value and derivatives of `method` against the definition, to a relative error of 1e-6 in every tensor.
    #[track_caller]
    pub fn check(&self, label: &str, method: &impl Hypergradient) {
        let found = self.gradient(method).unwrap_or_else(|error| panic!("{label}: {error}"));
        let loss = self.meta_loss(&self.outer, &self.rates);
        assert_close(&format!("{label}, outer loss"), &[found.outer_loss], &[loss], 1e-12);
        let expected = self.differences();
        let scale = |lists: &[Vec<f64>]| lists.iter().flatten().map(|x| x * x).sum::<f64>().sqrt();
        for (what, found, expected) in
            [("outer", &found.outer, &expected[0]), ("rates", &found.rates, &expected[1])]
        {
            let all = scale(expected);
            let found = entries(found, expected.iter().map(Vec::len));
            for (tensor, (found, expected)) in found.iter().zip(expected).enumerate() {
                let label = format!("{label}, {what} tensor {tensor}");
                let size = scale(std::slice::from_ref(expected));
                if size == 0.0 {
                    let largest = found.iter().fold(0.0, |most: f64, entry| most.max(entry.abs()));
                    assert!(largest <= 1e-9 * all, "{label}: {largest:e} instead of zero");
                    continue;
                }
                // Below this size a difference holds nothing but rounding.
                let tolerance = 1e-6 * f64::max(1.0, 1e-3 * all / size);
                assert_close(&label, found, expected, tolerance);
            }
        }
    }
}

/// `(8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12h` for every entry.
fn differences(at: &Tensors<Flex>, loss: impl Fn(&Tensors<Flex>) -> f64) -> Vec<Vec<f64>> {
    let step = 1e-4;
    let derivative = |tensor: usize, entry: usize| {
        let moved = |shift: f64| {
            let mut moved = at.clone();
            let old = &moved.0[tensor];
            let mut values = to_f64(old);
            values[entry] += shift;
            let data = TensorData::new(values, old.shape());
            moved.0[tensor] = Tensor::from_data(data, (&old.device(), old.dtype()));
            loss(&moved)
        };
        let (near, far) = (moved(step) - moved(-step), moved(2.0 * step) - moved(-2.0 * step));
        (8.0 * near - far) / (12.0 * step)
    };
    let sizes = at.0.iter().map(|tensor| tensor.dims()[0]).enumerate();
    sizes.map(|(tensor, size)| (0..size).map(|entry| derivative(tensor, entry)).collect()).collect()
}
