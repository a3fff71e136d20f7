//! Checks of settings that several types have.

use burn::tensor::DType;
use burn::tensor::backend::Backend;

use crate::tensors::Tensors;
use crate::{Error, Result};

/// Refuses a setting that is not a finite number above 0.
pub(crate) fn require_positive(setting: &'static str, value: f64) -> Result<()> {
    match value.is_finite() && value > 0.0 {
        true => Ok(()),
        false => Err(Error::OutOfRange { setting, value, range: "a finite number above 0" }),
    }
}

/// Refuses a setting that is not at least 0 and below 1.
pub(crate) fn require_share(setting: &'static str, value: f64) -> Result<()> {
    match (0.0..1.0).contains(&value) {
        true => Ok(()),
        false => Err(Error::OutOfRange { setting, value, range: "at least 0 and below 1" }),
    }
}

/// Refuses a setting that is not a finite number of at least 0.
pub(crate) fn require_not_negative(setting: &'static str, value: f64) -> Result<()> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(Error::OutOfRange { setting, value, range: "a finite number of at least 0" }),
    }
}

/// Refuses a count of zero.
pub(crate) fn require_some(setting: &'static str, count: usize) -> Result<()> {
    match count {
        0 => Err(Error::OutOfRange { setting, value: 0.0, range: "at least 1" }),
        _ => Ok(()),
    }
}

/// Refuses a number of equal blocks that some tensor cannot be cut into.
pub(crate) fn require_even_rows<B: Backend>(
    setting: &'static str,
    rows: usize,
    theta: &Tensors<B>,
) -> Result<()> {
    let mut sizes = theta.0.iter().map(|tensor| tensor.dims()[0]);
    match sizes.find(|elements| rows == 0 || !elements.is_multiple_of(rows)) {
        Some(elements) => Err(Error::UnevenRows { setting, rows, elements }),
        None => Ok(()),
    }
}

/// Refuses adapted tensors in half precision, whose range the squares that `rule` takes leave (F16), or which rounds what is
/// added to their mean away (BF16).
pub(crate) fn refuse_half_precision<B: Backend>(
    rule: &'static str,
    theta: &Tensors<B>,
) -> Result<()> {
    let mut precisions = theta.0.iter().map(|tensor| tensor.dtype());
    match precisions.find(|precision| matches!(precision, DType::F16 | DType::BF16)) {
        Some(precision) => Err(Error::HalfPrecision { rule, precision: format!("{precision:?}") }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::Tensor;

    use super::*;
    use crate::{
        Adam, Clipped, InnerOptimizer, L2Ball, LinfBall, Momentum, NormalizedAscent, Projected,
        RuleChoice, Sgd, SignedAscent,
    };

    #[test]
    fn rules_that_square_are_refused_in_half_precision() {
        let theta =
            |precision| Tensors::<Flex>(vec![Tensor::zeros([2], (&Default::default(), precision))]);
        fn check(rule: impl InnerOptimizer, theta: &Tensors<Flex>, name: Option<&str>) {
            match (rule.check(theta), name) {
                (Err(Error::HalfPrecision { rule, precision }), Some(name)) => {
                    assert_eq!((rule, precision), (name, format!("{:?}", theta.0[0].dtype())));
                }
                (checked, name) => assert!(checked.is_ok() && name.is_none(), "{checked:?}"),
            }
        }
        for (precision, is_half) in
            [(DType::F16, true), (DType::BF16, true), (DType::F32, false), (DType::F64, false)]
        {
            let theta = theta(precision);
            let named = |name| is_half.then_some(name);
            check(Adam::default(), &theta, named("Adam"));
            check(RuleChoice::Adamw, &theta, named("Adam"));
            check(Clipped { rule: Sgd, limit: 1.0 }, &theta, named("Clipped"));
            check(NormalizedAscent { rows: 1 }, &theta, named("NormalizedAscent"));
            let ball = L2Ball { radius: 1.0, rows: 1 };
            check(Projected { rule: Sgd, onto: ball }, &theta, named("L2Ball"));
            check(Sgd, &theta, None);
            check(Momentum::default(), &theta, None);
            check(Projected { rule: SignedAscent, onto: LinfBall { radius: 1.0 } }, &theta, None);
        }
    }
}
