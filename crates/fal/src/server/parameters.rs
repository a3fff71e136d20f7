//! A model's parameters as one vector, and back.

use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use inner_outer::tensors::Tensors;

use super::ServerError;
use super::update::require_length;

/// All float parameters of `module` one after the other, in visiting order, in single precision.
pub fn flatten<B: Backend, M: Module<B>>(module: &M) -> Vec<f32> {
    flatten_tensors(&Tensors::of(module))
}

/// All values of a list of tensors one after the other, in single precision.
pub fn flatten_tensors<B: Backend>(tensors: &Tensors<B>) -> Vec<f32> {
    let values = tensors.0.iter().flat_map(|tensor| {
        tensor.to_data().convert::<f32>().into_vec::<f32>().expect("data was just converted to f32")
    });
    values.collect()
}

/// `values` cut into tensors of the lengths, precisions and devices of `like`.
///
/// # Errors
/// [`ServerError::Length`] if there are not as many values as in `like`.
pub fn unflatten_tensors<B: Backend>(
    values: &[f32],
    like: &Tensors<B>,
) -> Result<Tensors<B>, ServerError> {
    require_length(|| "the vector of parameters".into(), like.elements(), values.len())?;
    let mut rest = values;
    let cut = |like: &Tensor<B, 1>| {
        let [length] = like.dims();
        let (part, after) = rest.split_at(length);
        rest = after;
        let data = TensorData::new(part.to_vec(), [length]);
        Tensor::from_data(data, (&like.device(), like.dtype()))
    };
    Ok(Tensors(like.0.iter().map(cut).collect()))
}

/// `module` with these parameters; ids stay.
///
/// # Errors
/// [`ServerError::Length`] if the module has another number of parameters.
pub fn unflatten<B: Backend, M: Module<B>>(module: M, values: &[f32]) -> Result<M, ServerError> {
    Ok(unflatten_tensors(values, &Tensors::of(&module))?.write(module))
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::DType;
    use experiment::seed::Seed;

    use super::*;
    use crate::data::ImageShape;
    use crate::network::{Network, NetworkChoice};

    fn network(number: u64) -> Network<Flex> {
        let shape = ImageShape { channels: 1, height: 2, width: 2 };
        let choice = NetworkChoice::Mlp { hidden: vec![3] };
        Network::new(&choice, shape, 2, &Seed::new(number), &Default::default()).unwrap()
    }

    #[test]
    fn parameters_come_back_as_they_went() {
        let (one, other) = (network(1), network(2));
        let values = flatten(&one);
        assert_eq!(values.len(), 4 * 3 + 3 + 3 * 2 + 2);
        let written = unflatten(other, &values).unwrap();
        assert_eq!(flatten(&written), values);
        let short = unflatten(one, &values[1..]);
        assert!(matches!(short, Err(ServerError::Length { expected: 23, found: 22, .. })));
    }

    #[test]
    fn tensors_keep_their_precision() {
        let tensors = Tensors(vec![
            Tensor::<Flex, 1>::from_data([1.0, 2.0], (&Default::default(), DType::F64)),
            Tensor::<Flex, 1>::from_data([3.0], &Default::default()),
        ]);
        let back = unflatten_tensors(&[4.0, 5.0, 6.0], &tensors).unwrap();
        assert_eq!(back.to_f64(), [4.0, 5.0, 6.0]);
        assert_eq!(back.0[0].dtype(), DType::F64);
        assert_eq!(flatten_tensors(&tensors), [1.0, 2.0, 3.0]);
    }
}
