//! The cross entropy, with its derivative stated.

use burn::tensor::backend::Backend;
use burn::tensor::{IndexingUpdateOp, Int, Tensor};

/// The mean over rows of `-log softmax(scores)[target]`: `scores: [rows, classes]`, `targets: [rows]`, gives `[1]`.
///
/// Scores must be finite: rule a class out by a large negative number, for the product of minus infinity with its slope of zero
/// is no number.
///
/// With many classes this is much cheaper than `log_softmax` and `gather`: the scores are read for one exponential, and
/// the graph keeps one tensor of their size.
///
/// # Panics
/// If there are not as many targets as rows, or one is no class.
pub fn cross_entropy<B: Backend>(scores: Tensor<B, 2>, targets: Tensor<B, 1, Int>) -> Tensor<B, 1> {
    let share = (scores.dims()[0] as f64).recip();
    let targets = targets.unsqueeze_dim::<2>(1);
    let at = scores.clone().detach();
    let largest = at.clone().max_dim(1);
    let weights = (at.clone() - largest.clone()).exp();
    let total = weights.clone().sum_dim(1);
    let value = (total.clone().log() + largest - at.gather(1, targets.clone())).mean();
    if !B::ad_enabled(&value.device()) {
        return value;
    }
    // The derivative by the scores is `(softmax(scores) - one at the target) / rows`.
    let minus_share = total.zeros_like() - share;
    let slope = weights * (total.recip() * share);
    let slope = slope.scatter(1, targets, minus_share, IndexingUpdateOp::Add);
    // A line through the value: zero plus its derivative. On the levels of differentiation below, `slope` varies.
    let line = (scores * slope).sum();
    (line.clone() - line.detach()) + value
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::activation::log_softmax;

    use super::super::check::{Loss, assert_close, assert_derivatives, double};
    use super::*;
    use crate::tensors::to_f64;

    const SCORES: [f64; 6] = [0.3, -1.2, 2.0, 800.0, 801.0, 799.5];

    fn targets<B: Backend>() -> Tensor<B, 1, Int> {
        Tensor::from_data([2, 0], &Default::default())
    }

    struct Both;

    impl Loss for Both {
        fn on<B: Backend>(&self, x: Tensor<B, 1>) -> Tensor<B, 1> {
            cross_entropy(x.clone().reshape([2, 3]), targets()) * x.sum().sin()
        }
    }

    #[test]
    fn it_is_the_mean_of_negative_log_probabilities() {
        let scores = double::<Flex, 2>(&SCORES, [2, 3]);
        let rows = log_softmax(scores.clone(), 1).gather(1, targets().unsqueeze_dim(1));
        let expected = to_f64(&rows.mean().neg());
        assert_close(&to_f64(&cross_entropy(scores.clone(), targets())), &expected, 1e-13);
        let lifted = Tensor::<crate::Autodiff<Flex>, 2>::from_inner(scores).require_grad();
        assert_close(&to_f64(&cross_entropy(lifted, targets())), &expected, 1e-13);
    }

    #[test]
    fn a_class_that_is_ruled_out_changes_nothing() {
        fn allowed<B: Backend>() -> Tensor<B, 1, Int> {
            Tensor::from_data([1, 0], &Default::default())
        }
        let scores = [0.3, -1.2, -1e9, 2.0, 0.5, -1e9];
        let scores = double::<Flex, 2>(&scores, [2, 3]);
        let expected = to_f64(&cross_entropy(scores.clone().narrow(1, 0, 2), allowed()));
        let lifted = Tensor::<crate::Autodiff<Flex>, 2>::from_inner(scores).require_grad();
        let loss = cross_entropy(lifted.clone(), allowed());
        assert_close(&to_f64(&loss), &expected, 1e-13);
        let gradient = to_f64(&lifted.grad(&loss.backward()).unwrap());
        assert!(
            gradient.iter().all(|entry| entry.is_finite()) && gradient[2] == 0.0,
            "{gradient:?}"
        );
    }

    #[test]
    fn it_has_two_derivatives() {
        assert_derivatives(&Both, &[0.3, -1.2, 2.0, 0.5, 0.1, -0.4]);
    }
}
