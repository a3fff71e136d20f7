//! Which system a memory belongs to.

use burn::tensor::TensorData;
use burn::tensor::backend::Backend;
pub use experiment::fingerprint::{Fingerprint, NotAFingerprint};
use inner_outer::{Rates, named_tensors};

use crate::model::Gpt2;

/// Of every parameter of a model and every inner rate, with its path, precision, shape and bits.
pub fn of_parameters<B: Backend>(model: &Gpt2<B>, rates: &Rates<B>) -> Fingerprint {
    Fingerprint::of_stream(|add| {
        let mut see = |role: &str, path: &str, value: TensorData| {
            let TensorData { bytes, shape, dtype } = &value;
            add(role.as_bytes());
            add(path.as_bytes());
            add(format!("{dtype:?} {:?}", shape.as_slice()).as_bytes());
            add(bytes);
        };
        named_tensors::visit(model, |path, value| see("model", path, value()));
        named_tensors::visit(rates, |path, value| see("rates", path, value()));
    })
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::module::Param;

    use super::*;
    use crate::test_systems::{model, rates};

    #[test]
    fn one_bit_of_a_parameter_or_a_rate_changes_it() {
        let (base, learned) = (model(0), rates(&model(0)));
        let original = of_parameters::<Flex>(&base, &learned);
        assert_eq!(of_parameters(&base.clone(), &learned.clone()), original);
        assert_ne!(of_parameters(&model(1), &learned), original);
        let mut other = learned.clone();
        let negated = other.tensors[3].val().neg();
        other.tensors[3] = Param::from_tensor(negated);
        assert_ne!(of_parameters(&base, &other), original);
    }
}
