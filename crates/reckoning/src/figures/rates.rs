//! Learned inner rates as a heat map of adapted tensor by inner step.

use experiment::figure::{FigureError, HeatMap};

use super::{Figure, Group, LearnedRates, counted};

/// Rows at most; where there are more, the tensors of the same kind in all blocks share a row.
const MOST_ROWS: usize = 30;
/// Digits printed of the largest rate.
const DIGITS: i32 = 3;

/// The rates of the group's trained systems, mean over runs; `None` where none were learned.
///
/// # Errors
/// [`FigureError`] if it cannot be drawn.
pub(super) fn learned_rates(group: &Group) -> Result<Option<Figure>, FigureError> {
    let learned = || group.runs.iter().filter_map(|run| run.rates.as_ref());
    let Some(first) = learned().next() else { return Ok(None) };
    let all: Vec<&LearnedRates> = learned().filter(|rates| is_alike(rates, first)).collect();
    let steps = first.values.first().map_or(0, Vec::len);
    let rows = rows(&mean(&all));
    let initial = group.config().inner.rate;
    let scale = Scale::of(rows.iter().flat_map(|row| &row.rates).copied().chain([initial]));

    let title = format!(
        "Learned inner rates of {}{}: {} by {}",
        group.label,
        scale.unit(),
        tensors(first),
        counted(steps, "step")
    );
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let values =
        rows.iter().map(|row| row.rates.iter().map(|rate| scale.scaled(*rate)).collect()).collect();
    let columns: Vec<String> = match steps {
        1 => vec!["every step".into()],
        steps => (1..=steps).map(|step| format!("step {step}")).collect(),
    };
    let map = HeatMap::new(title, names, columns, values)
        .centre(scale.scaled(initial))
        .decimals(scale.decimals)
        .axes("adapted tensor", "inner step");
    let averaged = match rows.len() < first.tensors.len() {
        true => " Rows are means over the transformer blocks.",
        false => "",
    };
    let seeds = if all.len() > 1 {
        format!(" Mean of {}.", counted(all.len(), "run"))
    } else {
        String::new()
    };
    let others = match learned().count() - all.len() {
        0 => String::new(),
        count => format!(" Without {} of other tensors.", counted(count, "run")),
    };
    let caption = format!(
        "Red is above the initial rate of {initial}, blue below it.{averaged}{seeds}{others}"
    );
    let name = format!("learned-rates-{}", file_name(&group.label));
    Ok(Some(Figure { name, svg: map.to_svg()?, caption }))
}

/// One row of the heat map.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    name: String,
    rates: Vec<f64>,
}

/// A row for each tensor, or, where these are too many, for each kind of tensor.
fn rows(rates: &LearnedRates) -> Vec<Row> {
    let tensors = rates.tensors.iter().zip(&rates.values);
    if rates.tensors.len() <= MOST_ROWS {
        return tensors
            .map(|(path, rates)| Row { name: readable(path), rates: rates.clone() })
            .collect();
    }
    let mut kinds: Vec<(String, Vec<&Vec<f64>>)> = Vec::new();
    for (path, rates) in tensors {
        let kind = readable(&without_block(path));
        match kinds.iter_mut().find(|(name, _)| *name == kind) {
            Some((_, members)) => members.push(rates),
            None => kinds.push((kind, vec![rates])),
        }
    }
    kinds.into_iter().map(|(name, members)| Row { name, rates: mean_of(&members) }).collect()
}

/// `blocks.2.attention.input.linear.weight` without the block.
fn without_block(path: &str) -> String {
    match path.strip_prefix("blocks.").and_then(|rest| rest.split_once('.')) {
        Some((_, rest)) => rest.to_owned(),
        None => path.to_owned(),
    }
}

/// A parameter's path as words: `blocks.2.attention_norm.gamma` is `block 3 attention norm gamma`.
fn readable(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').filter(|part| *part != "linear").collect();
    let words = match parts.as_slice() {
        ["blocks", index, rest @ ..] => {
            let number = index
                .parse::<usize>()
                .map_or_else(|_| (*index).to_owned(), |index| (index + 1).to_string());
            format!("block {number} {}", rest.join(" "))
        }
        parts => parts.join(" "),
    };
    words.replace('_', " ")
}

/// Whether both are of the same tensors and steps; systems to start from can be of other shapes under one name.
fn is_alike(rates: &LearnedRates, first: &LearnedRates) -> bool {
    let steps = |rates: &LearnedRates| rates.values.iter().map(Vec::len).collect::<Vec<_>>();
    rates.tensors == first.tensors && steps(rates) == steps(first)
}

/// The mean over runs that are all alike.
fn mean(all: &[&LearnedRates]) -> LearnedRates {
    let of_tensor =
        |tensor: usize| mean_of(&all.iter().map(|rates| &rates.values[tensor]).collect::<Vec<_>>());
    let tensors = all[0].tensors.clone();
    LearnedRates { values: (0..tensors.len()).map(of_tensor).collect(), tensors }
}

fn mean_of(members: &[&Vec<f64>]) -> Vec<f64> {
    let of_step =
        |step: usize| members.iter().map(|rates| rates[step]).sum::<f64>() / members.len() as f64;
    (0..members[0].len()).map(of_step).collect()
}

fn tensors(rates: &LearnedRates) -> String {
    counted(rates.tensors.len(), "tensor")
}

/// How rates are printed: a few digits, and a power of ten in the title where they are very small.
struct Scale {
    power: i32,
    decimals: usize,
}

impl Scale {
    fn of(rates: impl Iterator<Item = f64>) -> Self {
        let largest = rates.map(f64::abs).fold(0.0, f64::max);
        let magnitude = if largest > 0.0 { largest.log10().floor() as i32 } else { 0 };
        let power = if magnitude < -3 { magnitude } else { 0 };
        Self { power, decimals: (DIGITS - 1 - (magnitude - power)).max(0) as usize }
    }

    fn scaled(&self, rate: f64) -> f64 {
        rate * 10_f64.powi(-self.power)
    }

    fn unit(&self) -> String {
        if self.power == 0 { String::new() } else { format!(", in units of 1e{}", self.power) }
    }
}

/// A label as part of a file name.
fn file_name(label: &str) -> String {
    let plain = |letter: char| if letter.is_alphanumeric() || letter == '.' { letter } else { '-' };
    label.chars().map(plain).collect::<String>().trim_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::run::test_run;
    use super::super::{Run, grouped};
    use super::*;

    fn many(blocks: usize) -> LearnedRates {
        let tensors = (0..blocks).flat_map(|block| {
            ["attention_norm.gamma", "attention.input.linear.weight"]
                .map(|kind| format!("blocks.{block}.{kind}"))
        });
        let tensors: Vec<String> = tensors.chain(["final_norm.beta".into()]).collect();
        let values = (0..tensors.len()).map(|row| vec![row as f64, 1.0]).collect();
        LearnedRates { tensors, values }
    }

    #[test]
    fn few_tensors_have_a_row_each_and_many_a_row_a_kind() {
        assert_eq!(rows(&many(2)).len(), 5);
        assert_eq!(rows(&many(2))[3].name, "block 2 attention input weight");
        let rows = rows(&many(20));
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["attention norm gamma", "attention input weight", "final norm beta"]);
        assert_eq!(rows[0].rates, [19.0, 1.0], "the mean of 0, 2 ... 38");
    }

    #[test]
    fn runs_are_averaged() {
        let mut other = test_run("a-2", 2);
        other.rates.as_mut().unwrap().values[0] = vec![0.15, 0.04, 0.06];
        let groups = grouped(vec![test_run("a-1", 1), other]);
        let figure = learned_rates(&groups[0]).unwrap().unwrap();
        assert!(
            figure.svg.contains("0.100") && figure.caption.contains("Mean of 2 runs"),
            "{}",
            figure.svg
        );
        assert!(figure.svg.contains("3 tensors by 3 steps"));
    }

    #[test]
    fn runs_of_other_tensors_are_left_out() {
        let mut smaller = test_run("a-2", 2);
        let rates = smaller.rates.as_mut().unwrap();
        rates.tensors.pop();
        rates.values.pop();
        let mut shorter = test_run("a-3", 3);
        shorter.rates.as_mut().unwrap().values[1].pop();
        let groups = grouped(vec![test_run("a-1", 1), smaller, shorter]);
        let figure = learned_rates(&groups[0]).unwrap().unwrap();
        assert!(figure.caption.ends_with("Without 2 runs of other tensors."), "{}", figure.caption);
        assert!(figure.svg.contains("3 tensors by 3 steps"));
    }

    #[test]
    fn rates_that_were_not_learned_have_no_figure() {
        let run = Run { rates: None, ..test_run("a", 1) };
        assert!(learned_rates(&grouped(vec![run])[0]).unwrap().is_none());
    }

    #[test]
    fn small_rates_are_printed_in_a_unit_of_their_own() {
        let scale = Scale::of([3e-5, -1e-5].into_iter());
        assert_eq!(
            (scale.power, scale.decimals, scale.unit()),
            (-5, 2, ", in units of 1e-5".into())
        );
        assert!((scale.scaled(3e-5) - 3.0).abs() < 1e-12);
        let scale = Scale::of([0.05].into_iter());
        assert_eq!((scale.power, scale.decimals), (0, 4));
        assert_eq!(Scale::of([0.0].into_iter()).decimals, 2);
    }

    #[test]
    fn any_label_is_a_file_name() {
        assert_eq!(file_name("../a b/(2)"), "a-b--2");
    }
}
