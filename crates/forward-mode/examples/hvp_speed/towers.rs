//! Gradient and Hessian-vector product of a model's loss, by each tower of backends. Parameters,
//! directions and derivatives are flat vectors in the order of the module's visit.

use burn::backend::{Autodiff, Flex};
use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Int, Tensor};
use forward_mode::{Dual, dual, primal, tangent};

use crate::gpt::Gpt;

type Reverse = Autodiff<Flex>;
type ReverseOverReverse = Autodiff<Reverse>;
type ForwardOverReverse = Autodiff<Dual<Flex>>;

/// The gradient of the loss.
pub fn gradient(model: &Gpt<Flex>, tokens: &Tensor<Flex, 2, Int>) -> Tensor<Flex, 1> {
    gradient_of(&lift_tracked::<Reverse>(model.clone()), Tensor::from_inner(tokens.clone()))
}

/// The Hessian-vector product, as the gradient of the gradient's component along `direction`.
pub fn reverse_over_reverse(
    model: &Gpt<Flex>,
    tokens: &Tensor<Flex, 2, Int>,
    direction: &Tensor<Flex, 1>,
) -> Tensor<Flex, 1> {
    let outer = lift_tracked::<Reverse>(model.clone());
    let inner = lift_tracked::<ReverseOverReverse>(outer.clone());
    let tokens = Tensor::from_inner(Tensor::from_inner(tokens.clone()));
    let gradient = gradient_of(&inner, tokens);
    let component = (gradient * Tensor::from_inner(direction.clone())).sum();
    collect(&outer, component.backward())
}

/// The gradient and the Hessian-vector product, as primal and tangent of one reverse pass.
pub fn forward_over_reverse(
    model: &Gpt<Flex>,
    tokens: &Tensor<Flex, 2, Int>,
    direction: &Tensor<Flex, 1>,
) -> (Tensor<Flex, 1>, Tensor<Flex, 1>) {
    let constant: Gpt<Dual<Flex>> = AutodiffModule::from_inner(model.clone());
    let varying = constant.map(&mut Vary { direction: direction.clone(), offset: 0 });
    let model = lift_tracked::<ForwardOverReverse>(varying);
    let gradient = gradient_of(&model, Tensor::from_inner(Tensor::from_inner(tokens.clone())));
    let product = tangent(gradient.clone()).unwrap_or_else(|| direction.zeros_like());
    (primal(gradient), product)
}

fn gradient_of<B: AutodiffBackend>(
    model: &Gpt<B>,
    tokens: Tensor<B, 2, Int>,
) -> Tensor<B::InnerBackend, 1> {
    collect(model, model.loss(tokens).backward())
}

/// Lifts a model one backend up the tower, every parameter tracked: clones of parameters do not
/// remember that they were.
fn lift_tracked<B: AutodiffBackend>(model: Gpt<B::InnerBackend>) -> Gpt<B> {
    struct Track;
    impl<B: AutodiffBackend> ModuleMapper<B> for Track {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            param.map(Tensor::require_grad)
        }
    }
    <Gpt<B> as AutodiffModule<B>>::from_inner(model).map(&mut Track)
}

/// Makes every parameter vary along its part of a flat direction.
struct Vary {
    direction: Tensor<Flex, 1>,
    offset: usize,
}

impl ModuleMapper<Dual<Flex>> for Vary {
    fn map_float<const D: usize>(
        &mut self,
        param: Param<Tensor<Dual<Flex>, D>>,
    ) -> Param<Tensor<Dual<Flex>, D>> {
        param.map(|value| {
            let value = primal(value);
            let length = value.shape().num_elements();
            let part = self.direction.clone().narrow(0, self.offset, length);
            self.offset += length;
            let part = part.reshape(value.shape());
            dual(value, part)
        })
    }
}

fn collect<B: AutodiffBackend>(
    model: &Gpt<B>,
    mut gradients: B::Gradients,
) -> Tensor<B::InnerBackend, 1> {
    struct Flatten<'a, B: AutodiffBackend> {
        gradients: &'a mut B::Gradients,
        parts: Vec<Tensor<B::InnerBackend, 1>>,
    }
    impl<B: AutodiffBackend> ModuleVisitor<B> for Flatten<'_, B> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let value = param.val();
            let gradient = value.grad_remove(self.gradients);
            let gradient = gradient.unwrap_or_else(|| value.inner().zeros_like());
            self.parts.push(gradient.flatten(0, D - 1));
        }
    }
    let mut flatten = Flatten::<B> { gradients: &mut gradients, parts: Vec::new() };
    model.visit(&mut flatten);
    Tensor::cat(flatten.parts, 0)
}
