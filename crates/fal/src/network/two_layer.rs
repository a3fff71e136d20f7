//! The network of the convergence theorem.

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor, TensorData};
use experiment::seed::Seed;
use inner_outer::layers::relu;
use inner_outer::tensors::to_f64;
use rand::RngExt;
use rand_distr::{Distribution, Normal};

use super::NetworkError;

/// `F_U(x) = sum_r a_r relu(<u_r, x> + b_r)`: two layers of which only the first, `U`, is learned.
///
/// `a`, `b` and the start `U(0)` are no parameters, so no optimiser and no server can touch them; they come back from the
/// seed.
#[derive(Module, Debug)]
pub struct TwoLayer<B: Backend> {
    /// `U`, `[dimension, width]`; a column is the `u_r` of a neuron.
    pub weight: Param<Tensor<B, 2>>,
    /// `a`, `[width]`, each `width^(-1/3)` or its negative.
    pub output: Tensor<B, 1>,
    /// `b`, `[width]`.
    pub bias: Tensor<B, 1>,
    /// `U(0)`, `[dimension, width]`.
    pub initial: Tensor<B, 2>,
}

impl<B: Backend> TwoLayer<B> {
    /// `width` neurons (`m`) for points of `dimension` coordinates (`d`): entries of `U(0)` and `b` are normal with
    /// variance `1/m`, those of `a` are `m^(-1/3)` with a random sign.
    ///
    /// # Errors
    /// [`NetworkError::Zero`] if there are no neurons or no coordinates.
    pub fn new(
        width: usize,
        dimension: usize,
        seed: &Seed,
        device: &Device<B>,
    ) -> Result<Self, NetworkError> {
        for (setting, value) in [("width", width), ("dimension", dimension)] {
            if value == 0 {
                return Err(NetworkError::Zero { setting });
            }
        }
        let normal = Normal::new(0.0, 1.0 / (width as f64).sqrt())
            .expect("the deviation is finite: there is at least one neuron");
        let draw = |name, count| -> Vec<f64> {
            normal.sample_iter(seed.child(name).rng()).take(count).collect()
        };
        let mut signs = seed.child("output").rng();
        let size = (width as f64).powf(-1.0 / 3.0);
        let output: Vec<f64> =
            (0..width).map(|_| if signs.random::<bool>() { size } else { -size }).collect();
        let vector = |values| Tensor::from_data(TensorData::new(values, [width]), device);
        let first = TensorData::new(draw("weight", dimension * width), [dimension, width]);
        let initial = Tensor::<B, 2>::from_data(first, device);
        Ok(Self {
            weight: Param::from_tensor(initial.clone()),
            output: vector(output),
            bias: vector(draw("bias", width)),
            initial,
        })
    }

    /// `F_U(x)`: points `[batch, dimension]` to `[batch]`.
    pub fn forward(&self, points: Tensor<B, 2>) -> Tensor<B, 1> {
        let inputs = points.matmul(self.weight.val()) + self.bias.clone().unsqueeze();
        self.sum_up(relu(inputs))
    }

    /// The pseudo-network `G_U(x) = sum_r a_r <u_r - u_r(0), x> 1{<u_r(0), x> + b_r >= 0}`: the change of `F` to first
    /// order at the start. Points `[batch, dimension]` to `[batch]`.
    pub fn pseudo(&self, points: Tensor<B, 2>) -> Tensor<B, 1> {
        let at_start = points.clone().matmul(self.initial.clone()) + self.bias.clone().unsqueeze();
        let active = at_start.greater_equal_elem(0.0).float();
        let change = self.weight.val() - self.initial.clone();
        self.sum_up(points.matmul(change) * active)
    }

    /// The farthest that a neuron is from where it began: `max_r |u_r - u_r(0)|`.
    pub fn drift(&self) -> f64 {
        let change = self.weight.val() - self.initial.clone();
        let lengths = change.powi_scalar(2).sum_dim(0).sqrt();
        to_f64(&lengths.max())[0]
    }

    /// The farthest that the pseudo-network is from the network on `points`, `[batch, dimension]`: `max_x |F(x) - G(x)|`.
    pub fn pseudo_gap(&self, points: Tensor<B, 2>) -> f64 {
        let gap = self.forward(points.clone()) - self.pseudo(points);
        to_f64(&gap.abs().max())[0]
    }

    /// `sum_r a_r values_r`: `[batch, width]` to `[batch]`.
    fn sum_up(&self, values: Tensor<B, 2>) -> Tensor<B, 1> {
        values.matmul(self.output.clone().unsqueeze_dim(1)).squeeze_dim(1)
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};
    use burn::module::AutodiffModule;
    use inner_outer::tensors::Tensors;

    use super::*;
    use crate::data::SphereSet;

    type Learning = Autodiff<Flex>;

    fn network(width: usize) -> TwoLayer<Flex> {
        TwoLayer::new(width, 5, &Seed::new(8), &Default::default()).unwrap()
    }

    fn points() -> SphereSet {
        SphereSet::separable(12, 5, 0.3, &Seed::new(2)).unwrap()
    }

    fn all(set: &SphereSet) -> Vec<usize> {
        (0..set.len()).collect()
    }

    /// One step of gradient descent on the squared loss, so long that outputs change by the order of one.
    fn after_a_step(network: TwoLayer<Flex>) -> TwoLayer<Flex> {
        let set = points();
        let (x, y) = set.batch::<Learning>(&all(&set), &Default::default());
        let rate = (network.output.dims()[0] as f64).powf(-1.0 / 3.0);
        let lifted: TwoLayer<Learning> = AutodiffModule::from_inner(network.clone());
        let lifted = TwoLayer { weight: lifted.weight.set_require_grad(true), ..lifted };
        let loss = (lifted.forward(x) - y).powi_scalar(2).mean();
        let gradient = lifted.weight.grad(&loss.backward()).unwrap();
        let moved = network.weight.val() - gradient * rate;
        TwoLayer { weight: Param::initialized(network.weight.id, moved), ..network }
    }

    #[test]
    fn the_start_is_that_of_the_theorem() {
        let width = 4096;
        let network = network(width);
        let moments = |values: Vec<f64>| {
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n)
        };
        for values in [to_f64(&network.weight.val()), to_f64(&network.bias)] {
            let (mean, variance) = moments(values);
            assert!(mean.abs() < 2e-3, "{mean}");
            assert!((variance * width as f64 - 1.0).abs() < 0.1, "{variance}");
        }
        let output = to_f64(&network.output);
        assert!(output.iter().all(|a| (a.abs() - 1.0 / 16.0).abs() < 1e-6));
        assert!((1900..2200).contains(&output.iter().filter(|a| **a > 0.0).count()));
        assert_eq!(network.drift(), 0.0);
        // Only `U` is learned.
        assert_eq!(network.num_params(), 5 * width);
        let same = TwoLayer::<Flex>::new(width, 5, &Seed::new(8), &Default::default()).unwrap();
        assert_eq!(to_f64(&same.bias), to_f64(&network.bias));
    }

    #[test]
    fn a_network_of_nothing_is_refused() {
        let make = |width, dimension| {
            TwoLayer::<Flex>::new(width, dimension, &Seed::new(0), &Default::default()).map(|_| ())
        };
        assert_eq!(make(0, 3), Err(NetworkError::Zero { setting: "width" }));
        assert_eq!(make(3, 0), Err(NetworkError::Zero { setting: "dimension" }));
    }

    #[test]
    fn the_output_is_the_sum_of_the_paper() {
        let (network, set) = (network(7), points());
        let (x, _) = set.batch::<Flex>(&[4], &Default::default());
        let (u, a, b) =
            (to_f64(&network.weight.val()), to_f64(&network.output), to_f64(&network.bias));
        let neuron = |r: usize| {
            let inner = (0..5).map(|i| u[i * 7 + r] * set.point(4)[i]).sum::<f64>() + b[r];
            a[r] * inner.max(0.0)
        };
        let expected: f64 = (0..7).map(neuron).sum();
        assert!((to_f64(&network.forward(x))[0] - expected).abs() < 1e-6);
    }

    /// `G_U(x) = <grad F_{U(0)}(x), U - U(0)>`.
    #[test]
    fn the_pseudo_network_is_the_first_order_change() {
        let (start, set) = (network(64), points());
        let moved = after_a_step(start.clone());
        let (x, _) = set.batch::<Learning>(&[3], &Default::default());
        let lifted: TwoLayer<Learning> = AutodiffModule::from_inner(start.clone());
        let lifted = TwoLayer { weight: lifted.weight.set_require_grad(true), ..lifted };
        let gradient = lifted.weight.grad(&lifted.forward(x.clone()).backward()).unwrap();
        let change = moved.weight.val() - start.weight.val();
        let expected = to_f64(&(gradient * change).sum())[0];
        let found = to_f64(&moved.pseudo(x.inner()))[0];
        assert!((found - expected).abs() < 1e-5 * expected.abs().max(0.1), "{found} {expected}");
    }

    #[test]
    fn wide_networks_stay_near_their_start() {
        let (x, _) = points().batch::<Flex>(&all(&points()), &Default::default());
        let measure = |width| {
            let moved = after_a_step(network(width));
            (moved.drift(), moved.pseudo_gap(x.clone()))
        };
        let (narrow, wide) = (measure(64), measure(16_384));
        // By m^(-2/3) and, for the outputs at the start, m^(-1/3).
        assert!(wide.0 < 0.1 * narrow.0, "{wide:?} {narrow:?}");
        assert!(wide.1 < 0.5 * narrow.1, "{wide:?} {narrow:?}");
    }

    #[test]
    fn a_step_leaves_the_frozen_parts_as_they_were() {
        let (start, moved) = (network(16), after_a_step(network(16)));
        assert_ne!(Tensors::of(&moved).to_f64(), Tensors::of(&start).to_f64());
        assert_eq!(to_f64(&moved.output), to_f64(&start.output));
        assert_eq!(to_f64(&moved.bias), to_f64(&start.bias));
        assert_eq!(to_f64(&moved.initial), to_f64(&start.initial));
    }
}
