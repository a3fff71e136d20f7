//! Linear layers and embeddings.

use burn::nn::{Embedding, Linear};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use burn_flex::FlexTensor;
use products::{Matrix, sums_of_products};

use super::by_hand::{Pullback, by_hand, contiguous, dims, tensor};
use super::vectors::vectorised;
use crate::copies::{divided, on_rows};

/// `x W + b`: `[rows, in]` to `[rows, out]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn linear<B: Backend>(layer: &Linear<B>, x: Tensor<B, 2>) -> Tensor<B, 2> {
    affine(x, layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val()))
}

/// `x W + b` for `x: [rows, in]`, `weight: [in, out]`, `bias: [out]`.
///
/// `weight` and `bias` may be those of several copies of the layer, `[copies in, out]` and `[copies out]`
/// ([`copies`](crate::copies)). Without a bias a weight for a multiple of the inputs is taken for copies.
///
/// # Panics
/// If the shapes do not fit.
pub fn affine<B: Backend>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
) -> Tensor<B, 2> {
    let ([rows, inputs], [weight_rows, outputs]) = (x.dims(), weight.dims());
    let copies = weight_rows.checked_div(inputs).unwrap_or(1).max(1);
    assert_eq!(
        weight_rows,
        copies * inputs,
        "a weight of {weight_rows} rows is not that of whole copies of {inputs} inputs"
    );
    if let Some(bias) = &bias {
        let (found, expected) = (bias.dims()[0], copies * outputs);
        assert_eq!(found, expected, "the bias has {found} elements, the weight {expected} outputs");
    }
    if copies == 1 {
        return match bias {
            Some(bias) => product_and_bias(x, weight, bias.unsqueeze()),
            None => matrix_product(x, weight),
        };
    }
    let product = divided(x, copies).matmul(divided(weight, copies)).reshape([rows, outputs]);
    match bias {
        Some(bias) => product + on_rows(bias, rows, copies),
        None => product,
    }
}

/// `x W` for `x: [rows, in]`, `weight: [in, out]`.
fn matrix_product<B: Backend>(x: Tensor<B, 2>, weight: Tensor<B, 2>) -> Tensor<B, 2> {
    let value =
        |[x, weight]: &[FlexTensor; 2]| multiplied(Matrix::of(x, &[]), Matrix::of(weight, &[]));
    let by_hand = by_hand(
        [x, weight],
        |arguments| value(&arguments),
        |arguments| {
            let value = value(&arguments);
            let pull = move |gradient, asked| pull_product(&arguments, &gradient, asked);
            (value, Pullback::new(pull))
        },
    );
    by_hand.unwrap_or_else(|[x, weight]| x.matmul(weight))
}

/// `x W + b` for `x: [rows, in]`, `weight: [in, out]`, `bias: [1, out]`.
fn product_and_bias<B: Backend>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Tensor<B, 2>,
) -> Tensor<B, 2> {
    let value = |[x, weight, bias]: &[FlexTensor; 3]| {
        let mut sum = multiplied(Matrix::of(x, &[]), Matrix::of(weight, &[]));
        let bias = contiguous(bias.clone());
        add_to_rows(sum.storage_mut(), bias.storage());
        sum
    };
    let by_hand = by_hand(
        [x, weight, bias],
        |arguments| value(&arguments),
        |arguments| {
            let value = value(&arguments);
            let [x, weight, _] = arguments;
            let factors = [x, weight];
            let pull = move |gradient: FlexTensor, [for_x, for_weight, for_bias]: [bool; 3]| {
                let gradient = contiguous(gradient);
                let of_bias = for_bias.then(|| sum_of_rows(&gradient));
                let [of_x, of_weight] = pull_product(&factors, &gradient, [for_x, for_weight]);
                [of_x, of_weight, of_bias]
            };
            (value, Pullback::new(pull))
        },
    );
    by_hand.unwrap_or_else(|[x, weight, bias]| x.matmul(weight) + bias)
}

fn multiplied(a: Matrix, b: Matrix) -> FlexTensor {
    let dims = [a.place.rows, b.place.columns];
    tensor(sums_of_products([1, dims[0], dims[1]], |_| [(a, b)]), dims)
}

/// The gradients of the factors of `x W`: `g W^T` and `x^T g`.
fn pull_product(
    [x, weight]: &[FlexTensor; 2],
    gradient: &FlexTensor,
    [for_x, for_weight]: [bool; 2],
) -> [Option<FlexTensor>; 2] {
    let [x, weight, gradient] = [x, weight, gradient].map(|tensor| Matrix::of(tensor, &[]));
    let of_x = for_x.then(|| multiplied(gradient, weight.transposed()));
    let of_weight = for_weight.then(|| multiplied(x.transposed(), gradient));
    [of_x, of_weight]
}

vectorised! {
    fn add_to_rows(rows: &mut [f32], bias: &[f32]) {
        for row in rows.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
        }
    }
}

fn sum_of_rows(rows: &FlexTensor) -> FlexTensor {
    let width = dims(rows)[1];
    let mut sum = vec![0.0; width];
    add_rows(&mut sum, rows.storage());
    tensor(sum, [1, width])
}

vectorised! {
    fn add_rows(sum: &mut [f32], rows: &[f32]) {
        for row in rows.chunks_exact(sum.len()) {
            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
    }
}

/// [`linear`] as `N` tensors of as many columns each: `[rows, in]` to `N` times `[rows, out / N]`.
///
/// These are `N` products and not one that is cut: the gradient of a cut is as long as what it was cut from, once for each cut.
///
/// # Panics
/// If the shapes do not fit.
pub fn linear_parts<B: Backend, const N: usize>(
    layer: &Linear<B>,
    x: Tensor<B, 2>,
) -> [Tensor<B, 2>; N] {
    affine_parts(x, layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val()))
}

/// [`affine`] as `N` tensors of as many columns each, like [`linear_parts`].
pub(crate) fn affine_parts<B: Backend, const N: usize>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
) -> [Tensor<B, 2>; N] {
    let outputs = weight.dims()[1];
    assert!(outputs.is_multiple_of(N), "{outputs} outputs cannot be divided into {N} parts");
    let width = outputs / N;
    std::array::from_fn(|part| {
        let bias = bias.clone().map(|bias| {
            let copies = bias.dims()[0] / outputs;
            let part = bias.reshape([copies, outputs]).narrow(1, part * width, width);
            part.reshape([copies * width])
        });
        affine(x.clone(), weight.clone().narrow(1, part * width, width), bias)
    })
}

/// Rows of the embedding table: `[tokens]` to `[tokens, width]`.
///
/// # Panics
/// If a token has no row.
pub fn embedding<B: Backend>(layer: &Embedding<B>, tokens: Tensor<B, 1, Int>) -> Tensor<B, 2> {
    layer.weight.val().select(0, tokens)
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::nn::{EmbeddingConfig, LinearConfig};
    use burn::tensor::DType;

    use super::super::check::{assert_close, draws};
    use super::*;
    use crate::tensors::to_f64;

    #[test]
    fn linear_is_that_of_burn() {
        let mut draw = draws::<Flex, 2>();
        for bias in [false, true] {
            let layer = LinearConfig::new(3, 2).with_bias(bias).init::<Flex>(&Default::default());
            let x = draw([4, 3]);
            assert_close(&to_f64(&linear(&layer, x.clone())), &to_f64(&layer.forward(x)), 1e-6);
        }
    }

    /// A weight cut from a wider one, as those of [`affine_parts`] are, and a gradient that does not lie row by row.
    #[test]
    fn single_precision_has_the_gradient_of_the_composition() {
        type B = crate::Autodiff<Flex>;
        let mut draw = draws::<B, 2>();
        let inputs = [draw([5, 3]), draw([3, 8]), draw([1, 4])].map(Tensor::require_grad);
        let weights = draw([4, 5]);
        for with_bias in [false, true] {
            let outcome = |precision| {
                let [x, weight, bias] = inputs.clone().map(|input| input.cast(precision));
                let bias = with_bias.then(|| bias.reshape([4]));
                let y = affine(x, weight.narrow(1, 2, 4), bias);
                let gradients =
                    (y.clone().transpose() * weights.clone().cast(precision)).sum().backward();
                let gradient =
                    |input: &Tensor<B, 2>| input.grad(&gradients).map(|gradient| to_f64(&gradient));
                (to_f64(&y), inputs.each_ref().map(gradient))
            };
            let (single, double) = (outcome(DType::F32), outcome(DType::F64));
            assert_close(&single.0, &double.0, 1e-5);
            for (single, double) in single.1.iter().zip(&double.1) {
                assert_eq!(single.is_some(), double.is_some());
                assert_close(
                    &single.clone().unwrap_or_default(),
                    &double.clone().unwrap_or_default(),
                    1e-5,
                );
            }
        }
    }

    /// Burn flips by negative strides, which a gradient that goes back through a flip has, too.
    #[test]
    fn what_is_flipped_is_multiplied() {
        type B = crate::Autodiff<Flex>;
        let mut draw = draws::<B, 2>();
        let (x, weight, factors) = (draw([4, 3]).require_grad(), draw([3, 2]), draw([4, 2]));
        let value_and_gradient = |product: fn(Tensor<B, 2>, Tensor<B, 2>) -> Tensor<B, 2>| {
            let y = product(x.clone().flip([0]), weight.clone().flip([1])).flip([1]);
            let gradients = (y.clone() * factors.clone()).sum().backward();
            [to_f64(&y), to_f64(&x.grad(&gradients).expect("x is a leaf"))]
        };
        let found = value_and_gradient(|x, weight| affine(x, weight, None));
        let expected = value_and_gradient(Tensor::matmul);
        (0..2).for_each(|part| assert_close(&found[part], &expected[part], 1e-5));
    }

    #[test]
    fn no_rows_are_no_rows() {
        let zeros = |shape| Tensor::<Flex, 2>::zeros(shape, &Default::default());
        assert_eq!(affine(zeros([0, 3]), zeros([3, 2]), None).dims(), [0, 2]);
    }

    #[test]
    fn copies_meet_their_own_rows() {
        let mut draw = draws::<Flex, 2>();
        let (weights, biases) = ([draw([3, 2]), draw([3, 2])], [draw([1, 2]), draw([1, 2])]);
        let x = draw([4, 3]);
        let each = [0, 1].map(|copy| {
            let rows = x.clone().narrow(0, 2 * copy, 2);
            affine(rows, weights[copy].clone(), Some(biases[copy].clone().reshape([2])))
        });
        let expected = to_f64(&Tensor::cat(each.to_vec(), 0));
        let bias = Tensor::cat(biases.to_vec(), 0).reshape([4]);
        let found = affine(x, Tensor::cat(weights.to_vec(), 0), Some(bias));
        assert_close(&to_f64(&found), &expected, 1e-6);
    }

    #[test]
    fn parts_are_columns() {
        let mut draw = draws::<Flex, 2>();
        for copies in [1, 2] {
            let (weight, bias) = (draw([3 * copies, 4]), draw([1, 4 * copies]).reshape([-1]));
            let x = draw([4, 3]);
            let whole = affine(x.clone(), weight.clone(), Some(bias.clone()));
            let parts: [_; 2] = affine_parts(x, weight, Some(bias));
            assert_close(&to_f64(&Tensor::cat(parts.to_vec(), 1)), &to_f64(&whole), 1e-6);
        }
    }

    #[test]
    #[should_panic(expected = "3 outputs cannot be divided into 2 parts")]
    fn parts_are_equally_wide() {
        let zeros = |shape| Tensor::<Flex, 2>::zeros(shape, &Default::default());
        let _: [_; 2] = affine_parts(zeros([4, 3]), zeros([3, 3]), None);
    }

    #[test]
    #[should_panic(expected = "the bias has 2 elements, the weight 4 outputs")]
    fn a_weight_of_other_inputs_is_not_taken_for_copies() {
        let zeros = |shape| Tensor::<Flex, 2>::zeros(shape, &Default::default());
        affine(zeros([4, 3]), zeros([6, 2]), Some(Tensor::zeros([2], &Default::default())));
    }

    #[test]
    fn embedding_is_that_of_burn() {
        let device = Default::default();
        let layer = EmbeddingConfig::new(5, 3).init::<Flex>(&device);
        let tokens = Tensor::<Flex, 1, Int>::from_data([4, 0, 4], &device);
        let expected = layer.forward(tokens.clone().unsqueeze());
        assert_close(&to_f64(&embedding(&layer, tokens)), &to_f64(&expected), 0.0);
    }
}
