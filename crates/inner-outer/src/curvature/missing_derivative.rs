//! Layers that an engine cannot differentiate twice.
//!
//! Neither Burn's autodiff nor `forward_mode` can return an error from within an operation: both report an operation
//! whose derivative they do not know by a panic that names it. Here such panics become errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::Product;
use crate::{Error, Result};
use burn::tensor::backend::Backend;

/// Runs `product` for the engine of the given name; every other panic goes on as it was.
///
/// # Errors
/// [`Error::NotTwiceDifferentiable`] if an operation has no derivative in this engine.
pub(super) fn differentiate<B: Backend>(
    engine: &'static str,
    product: impl FnOnce() -> Product<B>,
) -> Result<Product<B>> {
    catch_unwind(AssertUnwindSafe(product)).map_err(|panic| {
        let Some(operation) = operation_without_derivative(&*panic) else { resume_unwind(panic) };
        let (layer, remedy) = layer_of(&operation);
        Error::NotTwiceDifferentiable {
            operation: format!("{layer} ({operation})"),
            engine,
            remedy,
        }
    })
}

/// The operation that a panic says has no derivative.
fn operation_without_derivative(panic: &(dyn Any + Send)) -> Option<String> {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied())?;
    if let Some(operation) = message.strip_prefix("Can't differentiate ") {
        return Some(operation.trim_end_matches(['.', ' ']).into());
    }
    let quoted = message.strip_prefix("forward-mode: no tangent rule for `")?;
    quoted.split_once('`').map(|(operation, _)| operation.into())
}

/// The layer that uses an operation, and what to use in its place.
fn layer_of(operation: &str) -> (&'static str, &'static str) {
    if operation.starts_with("linear") {
        ("burn::nn::Linear", "use `inner_outer::layers::linear` on the same module")
    } else if operation.starts_with("embedding") {
        ("burn::nn::Embedding", "use `inner_outer::layers::embedding` on the same module")
    } else if operation.contains("pool") {
        (
            "a pooling layer",
            "compose it from `reshape` and `mean_dim`, or choose the engine `ForwardOverReverse`",
        )
    } else if operation.starts_with("interpolate") {
        ("an interpolation", "choose the engine `ForwardOverReverse` or `CentralDifference`")
    } else if operation.starts_with("deform") {
        (
            "burn::nn::conv::DeformConv2d",
            "choose the engine `CentralDifference`, or use a plain convolution",
        )
    } else {
        (
            "a fused layer",
            "compose the layer from plain tensor operations, or choose the engine `CentralDifference`",
        )
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::module::{Module, Param};
    use burn::tensor::Tensor;
    use burn::tensor::module::deform_conv2d;
    use burn::tensor::ops::DeformConvOptions;

    use super::super::{CentralDifference, Curvature, ForwardOverReverse, Nested, Point};
    use super::*;
    use crate::family;
    use crate::problem::{Instance, Problem};
    use crate::tensors::Cotangents;

    #[derive(Module, Debug)]
    struct Kernel<B: Backend> {
        weight: Param<Tensor<B, 4>>,
        offset: Param<Tensor<B, 4>>,
    }

    family!(Kernels => Kernel);

    /// An inner loss through a deformable convolution, or one whose code panics.
    struct Deformed {
        panics: bool,
    }

    impl Problem for Deformed {
        type Outer = Kernels;
        type Inner = Kernels;
        type Task = Kernels;

        fn init<B: Backend>(&self, outer: &Kernel<B>, _task: &Kernel<B>) -> Kernel<B> {
            outer.clone()
        }

        fn inner_loss<B: Backend>(
            &self,
            inner: &Kernel<B>,
            _outer: &Kernel<B>,
            _task: &Kernel<B>,
            _step: usize,
        ) -> Tensor<B, 1> {
            assert!(!self.panics, "a mistake in the user's own code");
            let (weight, offset) = (inner.weight.val(), inner.offset.val());
            let image = Tensor::ones([1, 1, 4, 4], &weight.device()).cumsum(2).cumsum(3);
            let options = DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1);
            deform_conv2d(image, offset, weight, None, None, options).powi_scalar(2).mean()
        }

        fn outer_loss<B: Backend>(
            &self,
            inner: &Kernel<B>,
            outer: &Kernel<B>,
            task: &Kernel<B>,
        ) -> Tensor<B, 1> {
            self.inner_loss(inner, outer, task, 0)
        }
    }

    /// The product along a direction in the weight, or in the offset.
    fn product<C: Curvature>(
        engine: &C,
        problem: &Deformed,
        of_weight: bool,
    ) -> Result<Product<Flex>> {
        let full = |shape: [usize; 4], value: f64| {
            Param::from_tensor(Tensor::full(shape, value, &Default::default()))
        };
        let kernel =
            Kernel::<Flex> { weight: full([1, 1, 2, 2], 0.5), offset: full([1, 8, 3, 3], 0.3) };
        let instance = Instance::new(problem, &kernel, &kernel);
        let (theta, phi) = (instance.start(), instance.phi());
        let moving = [of_weight, !of_weight];
        let point = Point {
            theta: &theta,
            phi: &phi,
            step: 0,
            wanted_theta: &moving,
            wanted_phi: &[false, false],
        };
        engine.product(&instance, point, &Cotangents::from(theta.clone()).keep(&moving))
    }

    fn refused<C: Curvature>(engine: &C, name: &str) {
        for of_weight in [true, false] {
            let refused = product(engine, &Deformed { panics: false }, of_weight).unwrap_err();
            let message = refused.to_string();
            assert!(matches!(refused, Error::NotTwiceDifferentiable { .. }), "{message}");
            for word in ["burn::nn::conv::DeformConv2d (deform", name, "`CentralDifference`"] {
                assert!(message.contains(word), "{message:?} does not say {word:?}");
            }
        }
    }

    #[test]
    fn a_layer_without_second_derivative_is_named_with_the_engine() {
        refused(&Nested, "`Nested`");
        refused(&ForwardOverReverse, "`ForwardOverReverse`");
    }

    #[test]
    fn the_engine_that_the_message_offers_can_do_it() {
        let offered = CentralDifference::default();
        let product = product(&offered, &Deformed { panics: false }, true).unwrap();
        assert!(product.theta.norm() > 0.0 && product.theta.norm().is_finite());
    }

    #[test]
    #[should_panic = "a mistake in the user's own code"]
    fn other_panics_go_on() {
        let _ = product(&ForwardOverReverse, &Deformed { panics: true }, true);
    }
}
