//! Which model a memory belongs to.

use burn::module::Module;
use burn::tensor::backend::Backend;
pub use experiment::fingerprint::{Fingerprint, NotAFingerprint};
use inner_outer::named_tensors;

/// Of every parameter of a module, with its path, precision, shape and bits, and of `more`.
pub fn of_module<B: Backend, M: Module<B>>(module: &M, more: &[&[u8]]) -> Fingerprint {
    Fingerprint::of_stream(|add| {
        named_tensors::visit(module, |path, value| {
            let data = value();
            let shape = format!("{:?} {:?}", data.dtype, data.shape.as_slice());
            for part in [path.as_bytes(), shape.as_bytes(), &data.bytes] {
                add(part);
            }
        });
        more.iter().for_each(|part| add(part));
    })
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::tiny;

    #[test]
    fn every_parameter_and_every_part_counts() {
        let of = |seed: u64, more: &[&[u8]]| {
            let moved = tiny::shaken(tiny::transformer(), 1e-6, seed);
            of_module::<Flex, _>(&moved, more)
        };
        assert_eq!(of(1, &[]), of(1, &[]));
        assert_ne!(of(1, &[]), of(2, &[]));
        assert_ne!(of(1, &[b"ab", b"c"]), of(1, &[b"a", b"bc"]));
    }
}
