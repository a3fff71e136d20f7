//! Run time and memory: seconds over questions with the break-even, and peak memory over inner steps.

use experiment::figure::{Axis, FigureError, LineChart, Series};

use super::{Figure, counted};
use crate::commands::bench::{Benchmark, BreakEven, MemoryUse, Seconds, Setting};

/// The figures that a benchmark has data for.
///
/// # Errors
/// [`FigureError`] where a figure has data but cannot be drawn.
pub fn benchmark_figures(benchmark: &Benchmark) -> Result<Vec<Figure>, FigureError> {
    Ok([break_even(benchmark)?, memory(benchmark)?].into_iter().flatten().collect())
}

/// Seconds over questions, a line for each reader, a dot where it begins to pay to encode.
fn break_even(benchmark: &Benchmark) -> Result<Option<Figure>, FigureError> {
    let Benchmark { setting, seconds, break_even, .. } = benchmark;
    if seconds.is_empty() {
        return Ok(None);
    }
    let title = format!("Seconds to read {} and answer", texts(setting));
    let questions = Axis::counts("questions on the same facts");
    let chart = LineChart::new(title, questions, Axis::linear("seconds").including(0.0));
    let line = |reader: &str| {
        let points = seconds.iter().filter(|point| point.reader == reader);
        let points = points.map(|point| (point.questions as f64, point.seconds));
        Series::new(reader, points.collect::<Vec<_>>())
    };
    let mut chart = readers(seconds).into_iter().map(line).fold(chart, LineChart::series);
    let dots: Vec<(f64, f64)> =
        break_even.iter().filter_map(|crossing| dot(seconds, crossing)).collect();
    if !dots.is_empty() {
        // A value that is not finite between two dots keeps them from being joined by a line.
        let apart = dots.into_iter().flat_map(|(x, y)| [(x, y), (x, f64::NAN)]);
        chart = chart.series(Series::new("break-even", apart));
    }
    let verdicts: Vec<String> = break_even.iter().map(BreakEven::verdict).collect();
    let caption = format!(
        "Median of {} on one random model. {}.",
        counted(setting.repeats, "measurement"),
        verdicts.join("; ")
    );
    Ok(Some(Figure { name: "break-even".into(), svg: chart.to_svg()?, caption }))
}

/// `8 facts of 127 tokens`.
fn texts(setting: &Setting) -> String {
    format!("{} of {}", counted(setting.facts, "fact"), counted(setting.fact_tokens, "token"))
}

fn readers(seconds: &[Seconds]) -> Vec<&str> {
    let mut readers: Vec<&str> = Vec::new();
    for Seconds { reader, .. } in seconds {
        if !readers.contains(&reader.as_str()) {
            readers.push(reader);
        }
    }
    readers
}

/// The point of a crossing between the first and the last number of questions: on the reader's own curve.
fn dot(seconds: &[Seconds], crossing: &BreakEven) -> Option<(f64, f64)> {
    let x = crossing.crossing?;
    let curve: Vec<(f64, f64)> = seconds
        .iter()
        .filter(|point| point.reader == crossing.reader)
        .map(|point| (point.questions as f64, point.seconds))
        .collect();
    let ((left, low), (right, high)) = curve
        .iter()
        .zip(&curve[1.min(curve.len())..])
        .find(|((left, _), (right, _))| (*left..=*right).contains(&x))?;
    Some((x, low + (high - low) * (x - left) / (right - left)))
}

/// Peak memory over inner steps, a line for each hypergradient.
fn memory(benchmark: &Benchmark) -> Result<Option<Figure>, FigureError> {
    let Benchmark { setting, memory, .. } = benchmark;
    if memory.is_empty() {
        return Ok(None);
    }
    let mut kinds: Vec<&str> = memory.iter().map(|used| used.hypergradient.as_str()).collect();
    kinds.dedup();
    let line = |kind: &str| {
        let points = memory.iter().filter(|used| used.hypergradient == kind);
        let points = points.map(|used| (used.inner_steps as f64, used.peak_mebibytes()));
        Series::new(kind, points.collect::<Vec<_>>())
    };
    let title = format!("Peak memory of one meta-step ({})", texts(setting));
    let peak = Axis::linear("peak resident memory, MiB").including(0.0);
    let chart = LineChart::new(title, Axis::counts("inner steps"), peak);
    let chart = kinds.into_iter().map(line).fold(chart, LineChart::series);
    let before = memory.iter().map(MemoryUse::before_mebibytes).fold(0.0, f64::max);
    let caption = format!(
        "One knowledge set, outer optimiser included; each point is a process of its own, as the operating system counts \
         it. Program, model and data are up to {before:.0} MiB of it."
    );
    Ok(Some(Figure { name: "memory".into(), svg: chart.to_svg()?, caption }))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::ModelConfig;

    /// A reader that costs 2 s and one that costs 1 s a question.
    pub(crate) fn benchmark() -> Benchmark {
        let at = |reader: &str, questions, seconds| Seconds {
            reader: reader.into(),
            questions,
            seconds,
        };
        let used = |kind: &str, inner_steps, mebibytes: u64| MemoryUse {
            hypergradient: kind.into(),
            inner_steps,
            before_bytes: 10 << 20,
            peak_bytes: mebibytes << 20,
            seconds: 0.5,
        };
        let even = |crossing| BreakEven {
            reader: "reckoning".into(),
            rival: "in context".into(),
            crossing,
        };
        Benchmark {
            setting: Setting {
                facts: 2,
                fact_tokens: 9,
                question_tokens: 3,
                repeats: 1,
                model: ModelConfig::default(),
                device: Default::default(),
            },
            seconds: vec![
                at("reckoning", 1, 2.0),
                at("in context", 1, 1.0),
                at("reckoning", 4, 2.0),
                at("in context", 4, 4.0),
            ],
            break_even: vec![even(Some(2.0)), even(Some(40.0)), even(None)],
            memory: vec![
                used("unrolled", 1, 20),
                used("unrolled", 2, 30),
                used("first-order", 1, 15),
            ],
        }
    }

    #[test]
    fn each_part_is_a_figure_and_an_absent_one_is_none() {
        let whole = benchmark();
        let names = |benchmark: &Benchmark| -> Vec<String> {
            benchmark_figures(benchmark).unwrap().into_iter().map(|figure| figure.name).collect()
        };
        assert_eq!(names(&whole), ["break-even", "memory"]);
        assert_eq!(names(&Benchmark { memory: Vec::new(), ..whole.clone() }), ["break-even"]);
        assert_eq!(names(&Benchmark { seconds: Vec::new(), ..whole }), ["memory"]);
    }

    #[test]
    fn crossings_within_the_measurements_are_dots() {
        let Benchmark { seconds, break_even, .. } = benchmark();
        let dots: Vec<_> = break_even.iter().map(|crossing| dot(&seconds, crossing)).collect();
        assert_eq!(dots, [Some((2.0, 2.0)), None, None]);
        let figure = &benchmark_figures(&benchmark()).unwrap()[0];
        assert!(figure.svg.contains("break-even"), "{}", figure.svg);
        assert!(figure.caption.contains("from 41 questions on"), "{}", figure.caption);
        let without = Benchmark { break_even: Vec::new(), ..benchmark() };
        assert!(!benchmark_figures(&without).unwrap()[0].svg.contains("break-even"));
    }

    #[test]
    fn memory_is_a_line_for_each_hypergradient() {
        let figure = &benchmark_figures(&benchmark()).unwrap()[1];
        assert!(figure.svg.contains("unrolled") && figure.svg.contains("first-order"));
        assert!(figure.caption.contains("10 MiB"), "{}", figure.caption);
    }
}
