//! Hessian-vector products by forward over reverse, against nested reverse mode where Burn supports
//! that, and against central differences of gradients everywhere. All in f64.

#[path = "../examples/hvp_speed/gpt.rs"]
mod gpt;
#[path = "../examples/hvp_speed/towers.rs"]
mod towers;

use burn::backend::{Autodiff, Flex};
use burn::module::{Module, ModuleMapper, Param};
use burn::nn::conv::Conv2dConfig;
use burn::nn::pool::{AdaptiveAvgPool2dConfig, MaxPool2dConfig};
use burn::nn::{EmbeddingConfig, Gelu, LinearConfig};
use burn::tensor::activation::{log_softmax, relu, softmax};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, FloatDType, Int, Tensor, TensorData};
use forward_mode::{Dual, dual, primal, tangent};

type Vector = Tensor<Flex, 1>;

/// A loss of a flat vector of parameters, on any backend.
trait Loss {
    /// How many parameters there are.
    const PARAMETERS: usize;

    fn loss<B: Backend>(&self, parameters: Tensor<B, 1>) -> Tensor<B, 1>;

    fn gradient<B: AutodiffBackend>(
        &self,
        at: Tensor<B::InnerBackend, 1>,
    ) -> Tensor<B::InnerBackend, 1> {
        let parameters = Tensor::<B, 1>::from_inner(at).require_grad();
        let mut gradients = self.loss(parameters.clone()).backward();
        parameters.grad_remove(&mut gradients).expect("the loss depends on its parameters")
    }

    fn forward_over_reverse(&self, at: Vector, direction: Vector) -> (Vector, Vector) {
        let gradient = self.gradient::<Autodiff<Dual<Flex>>>(dual(at, direction));
        let product = tangent(gradient.clone()).expect("the gradient is not constant");
        (primal(gradient), product)
    }

    fn reverse_over_reverse(&self, at: Vector, direction: Vector) -> Vector {
        let at = Tensor::<Autodiff<Flex>, 1>::from_inner(at).require_grad();
        let gradient = self.gradient::<Autodiff<Autodiff<Flex>>>(at.clone());
        let component = (gradient * Tensor::from_inner(direction)).sum();
        at.grad(&component.backward()).expect("the gradient is not constant")
    }
}

/// How nested reverse mode fares with a loss.
#[derive(PartialEq)]
enum Nested {
    Exact,
    /// It panics, or differentiates an approximation.
    Fails,
}

/// Checks the gradient against the loss, and the product against the gradient.
fn assert_exact<L: Loss>(loss: L, nested: Nested) {
    let (at, direction) = point::<L>();
    let slope = (loss.gradient::<Autodiff<Flex>>(at.clone()) * direction.clone()).sum();
    let differences = difference(|step| loss.loss(at.clone() + direction.clone() * step));
    assert_close(slope, differences, 1e-7);
    assert_exact_product(loss, nested);
}

/// Checks the product against the gradient.
fn assert_exact_product<L: Loss>(loss: L, nested: Nested) {
    let (at, direction) = point::<L>();
    let gradient = |at| loss.gradient::<Autodiff<Flex>>(at);
    let (first, product) = loss.forward_over_reverse(at.clone(), direction.clone());
    assert_close(first, gradient(at.clone()), 1e-12);
    if nested == Nested::Exact {
        let nested = loss.reverse_over_reverse(at.clone(), direction.clone());
        assert_close(product.clone(), nested, 1e-11);
    }
    let differences = difference(|step| gradient(at.clone() + direction.clone() * step));
    assert_close(product, differences, 1e-7);
}

/// A random point and a random direction.
fn point<L: Loss>() -> (Vector, Vector) {
    let mut samples = Samples(7);
    (samples.vector(L::PARAMETERS), samples.vector(L::PARAMETERS))
}

/// The derivative at 0, by fourth-order central differences.
fn difference(f: impl Fn(f64) -> Vector) -> Vector {
    const STEP: f64 = 1e-4;
    let near = f(STEP) - f(-STEP);
    let far = f(2.0 * STEP) - f(-2.0 * STEP);
    (near * 8.0 - far) / (12.0 * STEP)
}

fn assert_close(actual: Vector, expected: Vector, tolerance: f64) {
    let norm = |x: Vector| x.powi_scalar(2).sum().sqrt().into_data().convert::<f64>();
    let norm = |x: Vector| norm(x).to_vec::<f64>().unwrap()[0];
    let error = norm(actual - expected.clone()) / norm(expected);
    assert!(error < tolerance, "relative error {error:e}, tolerated {tolerance:e}");
}

/// A small generator, the same in every run.
struct Samples(u64);

impl Samples {
    /// Uniform in (-1, 1).
    fn numbers(&mut self, count: usize) -> Vec<f64> {
        let mut number = || {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (self.0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        };
        (0..count).map(|_| number()).collect()
    }

    fn vector(&mut self, count: usize) -> Vector {
        Tensor::from_data(self.numbers(count).as_slice(), (&Default::default(), DType::F64))
    }
}

/// Inputs of a loss, the same on every backend.
fn data<B: Backend, const D: usize>(shape: [usize; D], device: &B::Device) -> Tensor<B, D> {
    let numbers = Samples(3).numbers(shape.iter().product());
    Tensor::from_data(TensorData::new(numbers, shape), (device, DType::F64))
}

/// Reads tensors off a flat vector, one after the other.
struct Reader<B: Backend> {
    flat: Tensor<B, 1>,
    position: usize,
}

impl<B: Backend> Reader<B> {
    fn new(flat: Tensor<B, 1>) -> Self {
        Self { flat, position: 0 }
    }

    fn next<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<B, D> {
        let length = shape.iter().product();
        let part = self.flat.clone().narrow(0, self.position, length);
        self.position += length;
        part.reshape(shape)
    }

    fn param<const D: usize>(&mut self, shape: [usize; D]) -> Param<Tensor<B, D>> {
        Param::initialized(Default::default(), self.next(shape))
    }
}

/// Two layers of tanh units and a squared error.
struct Perceptron;

impl Loss for Perceptron {
    const PARAMETERS: usize = 3 * 5 + 5 + 5 * 2 + 2;

    fn loss<B: Backend>(&self, parameters: Tensor<B, 1>) -> Tensor<B, 1> {
        let inputs: Tensor<B, 2> = data([7, 3], &parameters.device());
        let targets = data([7, 2], &parameters.device());
        let mut reader = Reader::new(parameters);
        let hidden = (inputs.matmul(reader.next([3, 5])) + reader.next([1, 5])).tanh();
        let outputs = hidden.matmul(reader.next([5, 2])) + reader.next([1, 2]);
        (outputs - targets).powi_scalar(2).mean()
    }
}

#[test]
fn perceptron() {
    assert_exact(Perceptron, Nested::Exact);
}

/// Rows of a table are selected, weighted by a softmax and classified; all that changes shape.
struct Selection;

impl Loss for Selection {
    const PARAMETERS: usize = 6 * 4 + 4 * 4;

    fn loss<B: Backend>(&self, parameters: Tensor<B, 1>) -> Tensor<B, 1> {
        let device = parameters.device();
        let mut reader = Reader::new(parameters);
        let (table, weights) = (reader.next([6, 4]), reader.next([4, 4]));
        let rows = table.select(0, Tensor::from_ints([5, 0, 5, 2, 1], &device));
        let mixed = softmax(rows.clone().matmul(rows.clone().transpose()), 1).matmul(rows);
        let scores = log_softmax(mixed.matmul(weights).flip([0]), 1);
        let classes: Tensor<B, 2, Int> = Tensor::from_ints([[0], [3], [1], [1], [2]], &device);
        let chosen = scores.clone().gather(1, classes);
        -chosen.mean() + scores.sort(1).narrow(1, 0, 2).powf_scalar(2.0).sum() * 0.1
    }
}

#[test]
fn selection_softmax_and_gather() {
    assert_exact(Selection, Nested::Exact);
}

/// Convolution, pooling and Burn's own layers, whose gradients nested reverse mode cannot
/// differentiate.
struct ImageAndWord;

impl Loss for ImageAndWord {
    const PARAMETERS: usize = 3 * 2 * 9 + 3 + 12 * 5 + 5 + 4 * 5;

    fn loss<B: Backend>(&self, parameters: Tensor<B, 1>) -> Tensor<B, 1> {
        let device = parameters.device();
        let mut reader = Reader::new(parameters);

        let mut convolution = Conv2dConfig::new([2, 3], [3, 3]).init(&device);
        convolution.weight = reader.param([3, 2, 3, 3]);
        convolution.bias = Some(reader.param([3]));
        let images = convolution.forward(data([2, 2, 8, 8], &device));
        let pooled = MaxPool2dConfig::new([2, 2]).with_strides([1, 1]).init().forward(relu(images));
        let pooled: Tensor<B, 4> = AdaptiveAvgPool2dConfig::new([2, 2]).init().forward(pooled);

        let mut linear = LinearConfig::new(12, 5).init(&device);
        linear.weight = reader.param([12, 5]);
        linear.bias = Some(reader.param([5]));
        let features = linear.forward(pooled.reshape([2, 12]));

        let mut embedding = EmbeddingConfig::new(4, 5).init(&device);
        embedding.weight = reader.param([4, 5]);
        let words = embedding.forward(Tensor::from_ints([[3, 1], [1, 0]], &device));
        let sentence: Tensor<B, 2> = words.mean_dim(1).squeeze_dim(1);
        log_softmax(features * sentence, 1).powi_scalar(2).mean()
    }
}

#[test]
fn convolution_pooling_linear_and_embedding() {
    assert_exact(ImageAndWord, Nested::Fails);
}

/// Activations with their own backward functions; under nested reverse mode that of GELU is an
/// approximation.
struct Activations;

impl Loss for Activations {
    const PARAMETERS: usize = 12;

    fn loss<B: Backend>(&self, parameters: Tensor<B, 1>) -> Tensor<B, 1> {
        use burn::tensor::activation::{leaky_relu, log_sigmoid, sigmoid, silu};
        let x = parameters * 3.0;
        let smooth = Gelu::new().forward(x.clone()) + silu(x.clone()) * log_sigmoid(x.clone());
        let kinked = leaky_relu(x.clone(), 0.1) * relu(x.clone());
        ((smooth + kinked) * sigmoid(x)).powi_scalar(2).sum()
    }
}

#[test]
fn activations() {
    assert_exact(Activations, Nested::Fails);
}

/// A factor through which the reverse pass does not go, but the gradient still depends on.
struct Detached;

impl Loss for Detached {
    const PARAMETERS: usize = 4;

    fn loss<B: Backend>(&self, parameters: Tensor<B, 1>) -> Tensor<B, 1> {
        (parameters.clone().detach().exp() * parameters.sin()).sum()
    }
}

#[test]
fn a_detached_factor_is_part_of_the_gradient_field() {
    assert_exact_product(Detached, Nested::Exact);
}

#[test]
fn transformer() {
    struct Double;
    impl ModuleMapper<Flex> for Double {
        fn map_float<const D: usize>(
            &mut self,
            param: Param<Tensor<Flex, D>>,
        ) -> Param<Tensor<Flex, D>> {
            param.map(|value| value.cast(FloatDType::F64))
        }
    }
    struct Move<'a> {
        by: &'a Vector,
        offset: usize,
    }
    impl ModuleMapper<Flex> for Move<'_> {
        fn map_float<const D: usize>(
            &mut self,
            param: Param<Tensor<Flex, D>>,
        ) -> Param<Tensor<Flex, D>> {
            param.map(|value| {
                let length = value.shape().num_elements();
                let part = self.by.clone().narrow(0, self.offset, length);
                self.offset += length;
                let part = part.reshape(value.shape());
                value + part
            })
        }
    }

    let device = Default::default();
    let sizes = gpt::Sizes { layers: 2, width: 8, heads: 2, vocabulary: 11, context: 5 };
    let model = gpt::Gpt::<Flex>::init(sizes, &device).map(&mut Double);
    let tokens = Tensor::from_ints([[1, 5, 10, 5, 0, 3], [7, 7, 2, 9, 4, 8]], &device);
    let direction = Samples(5).vector(model.num_params());

    let (gradient, product) = towers::forward_over_reverse(&model, &tokens, &direction);
    assert_close(gradient, towers::gradient(&model, &tokens), 1e-11);
    assert_close(product.clone(), towers::reverse_over_reverse(&model, &tokens, &direction), 1e-10);
    let moved = |step: f64| {
        let by = direction.clone() * step;
        let moved = model.clone().map(&mut Move { by: &by, offset: 0 });
        towers::gradient(&moved, &tokens)
    };
    assert_close(product, difference(moved), 1e-7);
}
