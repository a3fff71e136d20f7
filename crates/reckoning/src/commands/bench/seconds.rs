//! Seconds over questions, and where it begins to pay to have encoded the facts.

use std::time::Instant;

use burn::tensor::backend::Backend;
use experiment::cli::{Failure, OrFailure};

use super::results::{BreakEven, Seconds};
use super::{Arguments, Workload};
use crate::LearningError;
use crate::config::ExperimentConfig;

const UNCACHED: &str = "in context";
const CACHED: &str = "in context, cached";

fn reckoning(steps: usize) -> String {
    format!("reckoning, {steps} inner step{}", if steps == 1 { "" } else { "s" })
}

/// The median seconds of every reader at every number of questions, after one round that does not count.
pub(super) fn measure<B: Backend>(
    workload: &Workload<B>,
    arguments: &Arguments,
    config: &ExperimentConfig,
) -> Result<Vec<Seconds>, Failure> {
    let mut measured = Vec::new();
    let mut record = |reader: String, questions: usize, work: &dyn Fn() -> Result<(), Failure>| {
        work()?;
        let mut seconds = Vec::new();
        for _ in 0..arguments.repeats {
            let start = Instant::now();
            work()?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        measured.push(Seconds { reader, questions, seconds: seconds[seconds.len() / 2] });
        Ok::<(), Failure>(())
    };
    for &questions in &arguments.questions {
        for &steps in &arguments.inner_steps {
            let settings = super::memory::with_steps(config, steps).settings(None);
            let work = || {
                let answers = workload.reckoning(&settings, config.inner.rate, questions);
                answers.map(drop).map_err(LearningError::from).failed()
            };
            record(reckoning(steps), questions, &work)?;
        }
        let cached = || {
            workload.in_context_cached(questions);
            Ok(())
        };
        let uncached = || {
            workload.in_context(questions);
            Ok(())
        };
        record(UNCACHED.into(), questions, &uncached)?;
        record(CACHED.into(), questions, &cached)?;
    }
    Ok(measured)
}

/// Every inner loop against both ways to read in context.
pub(super) fn break_evens(arguments: &Arguments, measured: &[Seconds]) -> Vec<BreakEven> {
    let pairs = arguments
        .inner_steps
        .iter()
        .flat_map(|steps| [UNCACHED, CACHED].map(|rival| (reckoning(*steps), rival)));
    pairs.filter_map(|(reader, rival)| break_even(measured, reader, rival)).collect()
}

/// `None` where either was not measured.
fn break_even(measured: &[Seconds], reader: String, rival: &str) -> Option<BreakEven> {
    let crossing = crossing(line(measured, &reader)?, line(measured, rival)?);
    Some(BreakEven { reader, rival: rival.to_owned(), crossing })
}

/// A reader's seconds as a function of questions.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    intercept: f64,
    slope: f64,
}

/// The line through the first and the last measurement of a reader.
fn line(measured: &[Seconds], reader: &str) -> Option<Line> {
    let points: Vec<&Seconds> = measured.iter().filter(|point| point.reader == reader).collect();
    let (first, last) = (points.first()?, points.last()?);
    let slope = match last.questions - first.questions {
        0 => 0.0,
        span => (last.seconds - first.seconds) / span as f64,
    };
    Some(Line { intercept: first.seconds - slope * first.questions as f64, slope })
}

/// Where the first line comes to lie below the second one for good; 0 where it lies below from the first question on, and `None`
/// where it does not stay there.
fn crossing(ours: Line, rival: Line) -> Option<f64> {
    let (head_start, gain) = (ours.intercept - rival.intercept, rival.slope - ours.slope);
    match head_start < gain {
        true => (gain >= 0.0).then_some(0.0),
        false => (gain > 0.0).then(|| head_start / gain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(questions: usize, seconds: f64) -> Seconds {
        Seconds { reader: "r".into(), questions, seconds }
    }

    #[test]
    fn break_even_is_where_the_lines_cross() {
        let line = |intercept, slope| Line { intercept, slope };
        assert_eq!(crossing(line(10.0, 1.0), line(1.0, 4.0)), Some(3.0));
        assert_eq!(crossing(line(1.0, 1.0), line(2.0, 1.0)), Some(0.0), "always faster");
        assert_eq!(crossing(line(10.0, 4.0), line(1.0, 4.0)), None);
        assert_eq!(crossing(line(10.0, 5.0), line(1.0, 4.0)), None);
        assert_eq!(crossing(line(0.0, 2.0), line(10.0, 1.0)), None, "faster at first alone");
    }

    #[test]
    fn the_line_goes_through_first_and_last() {
        let measured = [at(1, 3.0), at(2, 9.0), at(5, 11.0)];
        assert_eq!(line(&measured, "r"), Some(Line { intercept: 1.0, slope: 2.0 }));
        assert_eq!(line(&measured[..1], "r"), Some(Line { intercept: 3.0, slope: 0.0 }));
        assert_eq!(line(&measured, "other"), None);
    }
}
