//! Whether both sides compute the same: outer loss and meta-gradient on the numbers of `torch_peer/reference.py`,
//! in double precision.

use std::iter::Enumerate;
use std::slice::Iter;

use anyhow::{Result, ensure};
use burn::backend::Flex;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Int, Tensor, TensorData};
use inner_outer::Threads;
use inner_outer::tensors::{Cotangents, Tensors, parameter_paths, to_f64};
use serde::Deserialize;

use crate::gpt::{Gpt, Size};
use crate::setting::{Engine, Rows, Setting};

/// The largest relative difference that counts as equal, for the exact engines.
const TOLERANCE: f64 = 1e-12;

/// What `torch_peer/reference.py` prints.
#[derive(Deserialize)]
pub struct Reference {
    peer: String,
    outer_loss: f64,
    norms: Vec<f64>,
    products: Vec<f64>,
    rate_gradient: Vec<Vec<f64>>,
}

/// Compares every exact engine with every peer.
pub fn check(references: &[Reference], engines: &[Engine]) -> Result<()> {
    ensure!(!references.is_empty(), "no peer answered, so there is nothing to compare with");
    let is_exact = |engine: &Engine| *engine != Engine::CentralDifference;
    ensure!(
        engines.iter().any(is_exact),
        "name an exact engine, for only those are held to a tolerance"
    );
    let setting = setting()?;
    let mut worst = 0.0_f64;
    for &engine in engines {
        let batch = setting.meta_gradient(engine, Threads::new(1))?;
        let parts = per_parameter(&batch.outer, &Tensors::of(&setting.gpt));
        let rates = batch.rates.or_zeros(&Tensors::of(&setting.rates)).0;
        for reference in references {
            let theirs = [reference.norms.len(), reference.products.len()];
            ensure!(
                theirs == [parts.len(); 2],
                "a peer measured {theirs:?} parameters, not {}",
                parts.len()
            );
            let theirs: Vec<usize> = reference.rate_gradient.iter().map(Vec::len).collect();
            ensure!(
                theirs == [rates.len(); 2],
                "a peer has rates of {theirs:?} parameters, not {}",
                rates.len()
            );
            // Our rates are one `[steps]` tensor a parameter.
            let of_rates = rates.iter().enumerate().flat_map(|(p, ours)| {
                to_f64(ours)
                    .into_iter()
                    .zip(reference.rate_gradient.iter().map(move |step| step[p]))
            });
            let differences = [
                relative_difference([(batch.outer_loss, reference.outer_loss)]),
                relative_difference(
                    parts.iter().map(|part| part.0).zip(reference.norms.iter().copied()),
                ),
                relative_difference(
                    parts.iter().map(|part| part.1).zip(reference.products.iter().copied()),
                ),
                relative_difference(of_rates),
            ];
            let [loss, norms, products, of_rates] = differences;
            println!(
                "{engine} and {}, relative differences: outer loss {loss:.1e}",
                reference.peer
            );
            println!(
                "    gradient norms {norms:.1e}, products {products:.1e}, rates {of_rates:.1e}"
            );
            if is_exact(&engine) {
                worst = differences.into_iter().fold(worst, larger);
            }
        }
    }
    ensure!(
        worst < TOLERANCE,
        "an exact engine is {worst:.1e} from a peer, more than {TOLERANCE:.0e}"
    );
    Ok(())
}

/// The small model with 3 tasks and 2 inner steps, filled by the formulae that `reference.py` states.
fn setting() -> Result<Setting> {
    let gpt = Gpt::<Flex>::new(Size::SMALL, &Default::default());
    let paths = parameter_paths(&gpt);
    let gpt = gpt.map(&mut Fill(paths.iter().enumerate()));
    let tasks = (0..3).map(|task| Rows { support: tokens(task, 0), query: tokens(task, 11) });
    let mut setting = Setting::new(gpt, tasks.collect(), 2)?;
    for (p, rates) in setting.rates.tensors.iter_mut().enumerate() {
        let rate = |k: usize| 0.05 + 0.04 * ((p + 3 * k) as f64).sin();
        *rates = Param::from_tensor(double([rate(0), rate(1)].to_vec(), [2, 1]));
    }
    Ok(setting)
}

/// Writes the formula's values into every parameter.
struct Fill<'a>(Enumerate<Iter<'a, String>>);

impl ModuleMapper<Flex> for Fill<'_> {
    fn map_float<const D: usize>(
        &mut self,
        parameter: Param<Tensor<Flex, D>>,
    ) -> Param<Tensor<Flex, D>> {
        let (p, path) = self.0.next().expect("one path for each parameter");
        let offset = if path.ends_with("norm.gamma") { 1.0 } else { 0.0 };
        let sides = parameter.dims();
        let columns = sides[D - 1];
        let value = |index: usize| {
            let (row, column) = ((index / columns) as f64, (index % columns) as f64);
            offset + 0.1 * (1.0 + p as f64 + 0.7 * row + 1.3 * column).sin()
        };
        let values = (0..sides.iter().product()).map(value).collect();
        Param::initialized(parameter.id, double(values, sides))
    }
}

/// Token ids `[batch, tokens + 1]` of one task.
fn tokens(task: usize, offset: usize) -> Tensor<Flex, 2, Int> {
    let Size { batch, tokens, vocabulary, .. } = Size::SMALL;
    let id = |row: usize, column: usize| {
        ((3 * task + 5 * row + 7 * column + column * column + offset) % vocabulary) as i64
    };
    let ids = (0..batch).flat_map(|row| (0..=tokens).map(move |column| id(row, column))).collect();
    Tensor::from_data(TensorData::new(ids, [batch, tokens + 1]), &Default::default())
}

fn double<const D: usize>(values: Vec<f64>, sides: [usize; D]) -> Tensor<Flex, D> {
    Tensor::from_data(TensorData::new(values, sides), (&Default::default(), DType::F64))
}

/// Norm of each parameter's gradient, and its product with the parameter.
fn per_parameter(gradient: &Cotangents<Flex>, weights: &Tensors<Flex>) -> Vec<(f64, f64)> {
    let measure = |(gradient, weight): (Tensor<Flex, 1>, &Tensor<Flex, 1>)| {
        let dot =
            |a: &Tensor<Flex, 1>, b: &Tensor<Flex, 1>| to_f64(&(a.clone() * b.clone()).sum())[0];
        (dot(&gradient, &gradient).sqrt(), dot(&gradient, weight))
    };
    gradient.or_zeros(weights).0.into_iter().zip(&weights.0).map(measure).collect()
}

/// Largest absolute difference over the largest absolute value of the second side.
fn relative_difference(pairs: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    let largest = |(difference, size): (f64, f64), (ours, theirs): (f64, f64)| {
        (larger(difference, (ours - theirs).abs()), larger(size, theirs.abs()))
    };
    let (difference, size) = pairs.into_iter().fold((0.0, 0.0), largest);
    difference / size
}

/// The larger number, or whichever is none: `f64::max` would leave it out.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}
