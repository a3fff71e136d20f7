//! The curvature engines against each other, on a transformer of two layers with learned rates.

mod common;

use burn::backend::Flex;
use burn::tensor::{DType, Device, Tensor, TensorData};
use common::numbers::{Random, assert_close, flat, relative_error};
use common::transformer::{LanguageModel, Sizes, Texts, Transformer};
use inner_outer::hypergradient::MetaGradient;
use inner_outer::tensors::{Tensors, parameter_paths, parameter_shapes};
use inner_outer::{
    Adam, Curvature, FirstOrder, Hypergradient, InnerLoop, InnerOptimizer, Momentum, Nested,
    RateScope, Sgd, Unrolled,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SIZES: Sizes = Sizes { vocabulary: 11, width: 8, heads: 2, layers: 2, context: 6 };

fn transformer(dtype: DType) -> Transformer<Flex> {
    let model = SIZES.init::<Flex>(&Device::<Flex>::default());
    let mut random = Random::new(5, dtype);
    let value = |(path, shape): (String, Vec<usize>)| {
        let noise = random.tensor([shape.iter().product()], 0.5);
        if path.ends_with("gamma") { noise + 1.0 } else { noise }
    };
    Tensors(parameter_shapes(&model).into_iter().map(value).collect()).write(model)
}

fn texts() -> Texts<Flex> {
    let mut random = ChaCha8Rng::seed_from_u64(6);
    let mut tokens = |rows: usize| {
        let ids =
            (0..rows * SIZES.context).map(|_| random.random_range(0..SIZES.vocabulary as i64));
        let data = TensorData::new(ids.collect::<Vec<_>>(), [rows, SIZES.context]);
        Tensor::from_data(data, &Device::<Flex>::default())
    };
    Texts { support: tokens(3), query: tokens(2) }
}

fn gradient<O: InnerOptimizer>(
    method: &impl Hypergradient,
    optimizer: O,
    rate: f64,
    dtype: DType,
) -> MetaGradient<Flex> {
    let (model, task) = (transformer(dtype), texts());
    let inner_loop = InnerLoop { optimizer, steps: 3 };
    let rates =
        inner_loop.rates(&LanguageModel, RateScope::PerTensorPerStep, rate, &model, &task).unwrap();
    let rates = Random::new(7, dtype).scatter(&Tensors::of(&rates), 0.5).write(rates);
    method.meta_gradient(&LanguageModel, &inner_loop, &model, &rates, &task).unwrap()
}

fn agree<O: InnerOptimizer, C: Curvature>(
    name: &str,
    curvature: C,
    exact: &MetaGradient<Flex>,
    (optimizer, rate): (O, f64),
) {
    for (dtype, tolerance) in [(DType::F64, 1e-6), (DType::F32, 1e-3)] {
        let found =
            gradient(&Unrolled { curvature: curvature.clone() }, optimizer.clone(), rate, dtype);
        let label = format!("{name}, {dtype:?}");
        assert_close(
            &format!("{label}, model"),
            &flat(&found.outer),
            &flat(&exact.outer),
            tolerance,
        );
        assert_close(
            &format!("{label}, rates"),
            &flat(&found.rates),
            &flat(&exact.rates),
            tolerance,
        );
    }
}

fn every_engine_agrees<O: InnerOptimizer>(optimizer: O, rate: f64) {
    let exact = gradient(&Unrolled { curvature: Nested }, optimizer.clone(), rate, DType::F64);
    for_each_engine!(|name, engine| agree(name, engine, &exact, (optimizer.clone(), rate)));
}

#[test]
fn engines_agree_for_gradient_descent() {
    every_engine_agrees(Sgd, 0.1);
}

#[test]
fn engines_agree_for_momentum() {
    every_engine_agrees(Momentum::default(), 0.05);
}

#[test]
fn second_order_is_not_first_order() {
    let exact = gradient(&Unrolled { curvature: Nested }, Sgd, 0.1, DType::F64);
    let first = gradient(&FirstOrder, Sgd, 0.1, DType::F64);
    assert_eq!(exact.outer_loss, first.outer_loss);
    assert!(relative_error(&flat(&first.outer), &flat(&exact.outer)) > 0.1);
    assert!(relative_error(&flat(&first.rates), &flat(&exact.rates)) > 0.01);
}

#[test]
fn untouched_embedding_rows_do_not_spoil_adam() {
    let unrolled = Unrolled { curvature: Nested };
    let found = gradient(&unrolled, Adam::default(), 0.01, DType::F64);
    assert!(flat(&found.outer).iter().chain(&flat(&found.rates)).all(|entry| entry.is_finite()));
    let paths = parameter_paths(&transformer(DType::F64));
    assert_eq!(found.outer.0.len(), paths.len());
}
