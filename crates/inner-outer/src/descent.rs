//! Burn's optimisers, for modules on the backend below autodiff.

use std::marker::PhantomData;

use burn::module::AutodiffModule;
use burn::optim::Optimizer;
use burn::record::Recorder;
use burn::tensor::Device;
use burn::tensor::backend::Backend;

use crate::learner_state::{recorder, unread, unwritten};
use crate::tensors::Cotangents;
use crate::{Autodiff, Result};

/// Any of Burn's optimisers, for a module `M` on the backend below autodiff.
pub(crate) trait Descent<M, B: Backend>: Send {
    /// The module after one step.
    fn descend(&mut self, rate: f64, module: M, gradient: &Cotangents<B>) -> M;

    /// The optimiser's state as a Burn record.
    fn save(&self) -> Result<Vec<u8>>;

    /// Takes over the state that [`Self::save`] wrote.
    fn load(&mut self, bytes: Vec<u8>, device: &Device<B>) -> Result<()>;
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

    fn save(&self) -> Result<Vec<u8>> {
        let record = self.optimizer.to_record();
        Recorder::<Autodiff<B>>::record(&recorder(), record, ()).map_err(unwritten)
    }

    fn load(&mut self, bytes: Vec<u8>, device: &Device<B>) -> Result<()> {
        let record = Recorder::<Autodiff<B>>::load(&recorder(), bytes, device).map_err(unread)?;
        self.optimizer = self.optimizer.clone().load_record(record);
        Ok(())
    }
}
