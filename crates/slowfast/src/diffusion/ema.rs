//! The running mean of a module's parameters, which denoises better than any of its moments.

use burn::module::Module;
use burn::tensor::backend::Backend;
use inner_outer::named_tensors::{self, NamedTensors, Precision, with_values};
use inner_outer::tensors::Tensors;

/// An exponential moving average of parameters.
#[derive(Clone, Debug)]
pub struct Ema<M> {
    module: M,
    decay: f64,
}

impl<M> Ema<M> {
    /// The average that starts at `module`; `decay`, in `[0, 1)`, is the share of it that each update keeps, less in the
    /// first updates, when the average would hang on the start for long.
    pub fn new(module: M, decay: f64) -> Self {
        Self { module, decay }
    }

    /// The averaged module.
    pub fn module(&self) -> &M {
        &self.module
    }

    /// Takes `module` into the average, as update number `update` from 0.
    pub fn update<B: Backend>(&mut self, module: &M, update: usize)
    where
        M: Module<B>,
    {
        let count = update as f64;
        let keep = self.decay.min((1.0 + count) / (10.0 + count));
        let (mean, now) = (Tensors::of(&self.module), Tensors::of(module));
        let pairs = mean.0.into_iter().zip(now.0);
        let moved = pairs.map(|(mean, now)| mean * keep + now * (1.0 - keep)).collect();
        self.module = Tensors(moved).write(self.module.clone());
    }

    /// The parameters as a safetensors file.
    ///
    /// # Errors
    /// [`inner_outer::Error::State`] for a precision that such files do not have.
    pub fn state<B: Backend>(&self) -> inner_outer::Result<Vec<u8>>
    where
        M: Module<B>,
    {
        named_tensors::write(&named_tensors::parameters(&self.module))
    }

    /// The average with the parameters that [`Self::state`] wrote.
    ///
    /// # Errors
    /// If the bytes are no such file, or that of another module.
    pub fn with_state<B: Backend>(self, state: &[u8]) -> inner_outer::Result<Self>
    where
        M: Module<B>,
    {
        let mut file = NamedTensors::read(state.to_vec())?;
        let value = |path: &str, shape: &[usize]| file.take(path, shape).map(Some);
        let module = with_values(self.module, Precision::OfParameter, value)?;
        file.finish()?;
        Ok(Self { module, ..self })
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::module::Param;
    use burn::nn::{Linear, LinearConfig};

    use super::*;

    fn layer(value: f64) -> Linear<Flex> {
        let weight = burn::tensor::Tensor::full([1, 1], value, &Default::default());
        Linear { weight: Param::from_tensor(weight), bias: None }
    }

    fn value(ema: &Ema<Linear<Flex>>) -> f64 {
        Tensors::of(ema.module()).to_f64()[0]
    }

    #[test]
    fn early_updates_move_far_and_later_ones_by_the_decay() {
        let mut ema = Ema::new(layer(0.0), 0.5);
        ema.update(&layer(1.0), 0);
        assert!((value(&ema) - 0.9).abs() < 1e-6);
        ema.update(&layer(0.0), 1000);
        assert!((value(&ema) - 0.45).abs() < 1e-6);
    }

    #[test]
    fn the_state_comes_back_and_that_of_others_does_not() {
        let ema = Ema::new(layer(0.3), 0.5);
        let state = ema.state::<Flex>().unwrap();
        let read = Ema::new(layer(0.0), 0.5).with_state::<Flex>(&state).unwrap();
        assert_eq!(value(&read), value(&ema));
        let other = LinearConfig::new(2, 1).init::<Flex>(&Default::default());
        assert!(Ema::new(other, 0.5).with_state::<Flex>(&state).is_err());
    }
}
