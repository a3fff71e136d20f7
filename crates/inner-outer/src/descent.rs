//! Burn's optimisers, for modules on the backend below autodiff.

use std::any::type_name;
use std::marker::PhantomData;

use burn::module::AutodiffModule;
use burn::optim::Optimizer;
use burn::record::Recorder;
use burn::tensor::Device;
use burn::tensor::backend::Backend;

use crate::learner_state::{StoredOptimizer, decoded, recorder, unread, unwritten};
use crate::tensors::Cotangents;
use crate::{Autodiff, Result};

/// Any of Burn's optimisers, for a module `M` on the backend below autodiff.
pub(crate) trait Descent<M, B: Backend>: Send {
    /// The module after one step.
    fn descend(&mut self, rate: f64, module: M, gradient: &Cotangents<B>) -> M;

    /// The optimiser's state.
    fn save(&self) -> Result<StoredOptimizer>;

    /// Takes over the state that [`Self::save`] wrote, of the same optimiser.
    fn load(&mut self, stored: StoredOptimizer, device: &Device<B>) -> Result<()>;
}

/// An optimiser of the lifted module `M`.
pub(crate) struct Lifted<Opt, M> {
    optimizer: Opt,
    module: PhantomData<fn() -> M>,
}

impl<Opt, M> Lifted<Opt, M> {
    pub fn new(optimizer: Opt) -> Self {
        Self { optimizer, module: PhantomData }
    }
}

impl<Opt, M, B> Descent<M::InnerModule, B> for Lifted<Opt, M>
where
    B: Backend,
    M: AutodiffModule<Autodiff<B>>,
    Opt: Optimizer<M, Autodiff<B>>,
{
    fn descend(
        &mut self,
        rate: f64,
        module: M::InnerModule,
        gradient: &Cotangents<B>,
    ) -> M::InnerModule {
        let module = M::from_inner(module);
        let gradients = gradient.gradients(&module);
        self.optimizer.step(rate, module, gradients).valid()
    }

    fn save(&self) -> Result<StoredOptimizer> {
        let record = self.optimizer.to_record();
        let record = Recorder::<Autodiff<B>>::record(&recorder(), record, ()).map_err(unwritten)?;
        Ok(StoredOptimizer { optimizer: rule::<Opt>().to_owned(), record })
    }

    fn load(&mut self, stored: StoredOptimizer, device: &Device<B>) -> Result<()> {
        let (found, needed) = (stored.optimizer, rule::<Opt>());
        if found != needed {
            return Err(unread(format!("it is of the optimiser {found}, not of {needed}")));
        }
        let record = decoded(stored.record, |bytes| {
            Recorder::<Autodiff<B>>::load(&recorder(), bytes, device)
        })?;
        self.optimizer = self.optimizer.clone().load_record(record);
        Ok(())
    }
}

/// The name of an optimiser's rule, whatever module and backend it is for: of `OptimizerAdaptor<AdamW, M, B>` that of
/// `AdamW`.
fn rule<Opt>() -> &'static str {
    let whole = type_name::<Opt>();
    let Some((outer, parameters)) = whole.split_once('<') else { return whole };
    match outer.ends_with("OptimizerAdaptor") {
        true => parameters.split([',', '<', '>']).next().unwrap_or(outer),
        false => outer,
    }
}
