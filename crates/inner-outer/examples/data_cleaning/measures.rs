//! How well cleaning worked.

use burn::backend::Flex;
use burn::nn::Linear;
use inner_outer::layers;
use inner_outer::tensors::to_f64;

use crate::samples::Labelled;

/// Percentage of samples that the classifier gets right.
pub fn accuracy(classifier: &Linear<Flex>, samples: &Labelled<Flex>) -> f64 {
    let scores = layers::linear(classifier, samples.x.clone());
    let right = scores.argmax(1).equal(samples.labels.clone().argmax(1));
    100.0 * to_f64(&right.float().mean())[0]
}

/// Harmonic mean of precision and recall.
pub fn f1(found: &[bool], wrong: &[bool]) -> f64 {
    let hits = found.iter().zip(wrong).filter(|(found, wrong)| **found && **wrong).count();
    let count = |list: &[bool]| list.iter().filter(|&&entry| entry).count();
    2.0 * hits as f64 / (count(found) + count(wrong)) as f64
}
