//! Layer normalisation.

use burn::module::Param;
use burn::nn::LayerNorm;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::copies::on_rows;

/// `(x - mean) / sqrt(variance + epsilon) * gamma + beta` over each row: `[rows, width]` to the same shape.
///
/// `gamma` and `beta` may be those of several copies of the layer, `[copies width]`
/// ([`copies`](crate::copies)).
///
/// # Panics
/// If the shapes do not fit.
pub fn layer_norm<B: Backend>(layer: &LayerNorm<B>, x: Tensor<B, 2>) -> Tensor<B, 2> {
    let [rows, width] = x.dims();
    let scales = layer.gamma.dims()[0];
    let copies = scales / width;
    assert!(
        copies > 0 && scales == copies * width,
        "{scales} scales are not those of whole copies of a layer of width {width}"
    );
    if copies == 1 {
        return layer.forward(x);
    }
    let mut plain = layer.clone();
    let ones = Tensor::ones([width], (&x.device(), x.dtype()));
    (plain.gamma, plain.beta) = (Param::initialized(layer.gamma.id, ones), None);
    let scaled = plain.forward(x) * on_rows(layer.gamma.val(), rows, copies);
    match &layer.beta {
        Some(beta) => scaled + on_rows(beta.val(), rows, copies),
        None => scaled,
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::nn::LayerNormConfig;
    use burn::tensor::Distribution;

    use super::*;
    use crate::layers::check::assert_close;
    use crate::tensors::to_f64;

    #[test]
    fn copies_normalise_their_own_rows() {
        let device = Default::default();
        let draw = |rows| Tensor::<Flex, 2>::random([rows, 3], Distribution::Default, &device);
        let layer = || {
            let mut layer = LayerNormConfig::new(3).init::<Flex>(&device);
            let draw = || Param::from_tensor(draw(1).reshape([3]));
            (layer.gamma, layer.beta) = (draw(), Some(draw()));
            layer
        };
        let ([first, second], x) = ([layer(), layer()], draw(4));
        let mut both = first.clone();
        let cat = |a: &Param<Tensor<Flex, 1>>, b: &Param<Tensor<Flex, 1>>| {
            Param::from_tensor(Tensor::cat(vec![a.val(), b.val()], 0))
        };
        both.gamma = cat(&first.gamma, &second.gamma);
        both.beta = Some(cat(first.beta.as_ref().unwrap(), second.beta.as_ref().unwrap()));
        let each = [(first, 0), (second, 2)]
            .map(|(layer, row)| layer_norm(&layer, x.clone().narrow(0, row, 2)));
        let expected = to_f64(&Tensor::cat(each.to_vec(), 0));
        assert_close(&to_f64(&layer_norm(&both, x)), &expected, 1e-6);
    }
}
