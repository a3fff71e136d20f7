//! The running statistics of batch normalisation, which Burn shows among a module's parameters.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::tensors::{Tensors, parameter_paths};
use crate::{Autodiff, Family, On};

/// The path of a `chosen` parameter of `module` that is a running statistic, if there is one.
pub(crate) fn running_statistic<F: Family, B: Backend>(
    module: &On<F, B>,
    chosen: &[bool],
) -> Option<String> {
    let mut named = Normalisations { inside: Vec::new(), found: Vec::new() };
    module.visit(&mut named);
    let asked: Vec<_> = named.found.iter().zip(chosen).map(|(a, b)| *a && *b).collect();
    if !asked.contains(&true) {
        return None;
    }
    let shared = shared_by_clones::<F, B>(module);
    let place = asked.iter().zip(shared).position(|(asked, shared)| *asked && shared)?;
    Some(parameter_paths::<B, _>(module).swap_remove(place))
}

/// For each parameter: do clones of the module share its value? Those of an ordinary parameter do not; so a module that has only
/// its name from Burn's is known by this.
fn shared_by_clones<F: Family, B: Backend>(module: &On<F, B>) -> Vec<bool> {
    // Lifted, it shares nothing with the module that was given.
    let lifted = F::lift::<Autodiff<B>>(module.clone()).map(&mut Mark(false));
    let _marked = lifted.clone().map(&mut Mark(true));
    Tensors::<Autodiff<B>>::of(&lifted).tracked()
}

/// For each parameter: is it a field of a `BatchNorm`?
struct Normalisations {
    inside: Vec<bool>,
    found: Vec<bool>,
}

impl<B: Backend> ModuleVisitor<B> for Normalisations {
    fn enter_module(&mut self, _name: &str, container: &str) {
        self.inside.push(container == "Struct:BatchNorm");
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.inside.pop();
    }

    fn visit_float<const D: usize>(&mut self, _parameter: &Param<Tensor<B, D>>) {
        self.found.push(self.inside.last() == Some(&true));
    }
}

/// Makes every parameter a leaf, or none.
struct Mark(bool);

impl<B: Backend> ModuleMapper<Autodiff<B>> for Mark {
    fn map_float<const D: usize>(
        &mut self,
        parameter: Param<Tensor<Autodiff<B>, D>>,
    ) -> Param<Tensor<Autodiff<B>, D>> {
        let value = Tensor::from_inner(parameter.val().inner());
        Param::initialized(parameter.id, value.set_require_grad(self.0))
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::nn::{BatchNormConfig, LinearConfig};

    use super::*;
    use crate::family;
    use crate::tensors::to_f64;

    type Burns<B> = burn::nn::BatchNorm<B>;

    #[derive(Module, Debug)]
    struct Network<B: Backend> {
        layers: Vec<burn::nn::Linear<B>>,
        norms: Vec<Burns<B>>,
    }

    /// A layer that has only its name, and names of its fields, from Burn's.
    #[derive(Module, Debug)]
    struct BatchNorm<B: Backend> {
        gamma: Param<Tensor<B, 1>>,
        running_mean: Param<Tensor<B, 1>>,
    }

    family!(Networks => Network, OwnLayers => BatchNorm);

    fn network() -> Network<Flex> {
        let device = Default::default();
        let norm = || BatchNormConfig::new(2).init(&device);
        Network { layers: vec![LinearConfig::new(2, 2).init(&device)], norms: vec![norm(), norm()] }
    }

    #[test]
    fn running_statistics_are_found_where_they_are_chosen() {
        let network = network();
        let paths = parameter_paths(&network);
        let found = |is_chosen: fn(&str) -> bool| {
            let chosen: Vec<_> = paths.iter().map(|path| is_chosen(path)).collect();
            running_statistic::<Networks, Flex>(&network, &chosen)
        };
        assert_eq!(found(|_| true).as_deref(), Some("norms.0.running_mean"));
        let second = found(|path| path.starts_with("norms.1") && !path.ends_with("mean"));
        assert_eq!(second.as_deref(), Some("norms.1.running_var"));
        assert_eq!(found(|path| !path.contains("running")), None);
        // Looking changes nothing.
        assert_eq!(to_f64(&network.norms[0].running_mean.value()), [0.0; 2]);
        assert_eq!(to_f64(&network.norms[0].running_var.value()), [1.0; 2]);
    }

    #[test]
    fn other_layers_of_that_name_are_let_be() {
        let ones = || Param::from_tensor(Tensor::<Flex, 1>::ones([2], &Default::default()));
        let own = BatchNorm { gamma: ones(), running_mean: ones() };
        assert_eq!(running_statistic::<OwnLayers, Flex>(&own, &[true, true]), None);
    }
}
