//! What was measured.

use experiment::cli::Device;
use serde::{Deserialize, Serialize};

use crate::model::ModelConfig;

const MEBIBYTE: f64 = (1 << 20) as f64;

/// What a benchmark found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Benchmark {
    /// What was measured.
    pub setting: Setting,
    /// Seconds over questions, in the order of the questions.
    pub seconds: Vec<Seconds>,
    /// From when on it pays to encode.
    pub break_even: Vec<BreakEven>,
    /// Memory over inner steps.
    pub memory: Vec<MemoryUse>,
}

/// The texts and the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Facts in the set.
    pub facts: usize,
    /// Tokens of a fact.
    pub fact_tokens: usize,
    /// Tokens of a question.
    pub question_tokens: usize,
    /// Measurements that a median of seconds is of.
    pub repeats: usize,
    /// Shape of the model.
    pub model: ModelConfig,
    /// Where it was measured.
    pub device: Device,
}

/// Seconds to answer a number of questions on one set of facts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Who answered.
    pub reader: String,
    /// Questions on the one set of facts.
    pub questions: usize,
    /// Median seconds, reading the facts included.
    pub seconds: f64,
}

/// From how many questions one reader is faster than another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BreakEven {
    /// Who encodes the facts.
    pub reader: String,
    /// Who reads them in context.
    pub rival: String,
    /// Where the lines through the first and the last measurement of each cross, in questions; `None` where a question
    /// costs the first one as much or more. Below 1, it is faster from the first question on.
    pub crossing: Option<f64>,
}

/// What one meta-step of one knowledge set, in a process of its own, needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// Kind of hypergradient, as in the configuration.
    pub hypergradient: String,
    /// Inner steps.
    pub inner_steps: usize,
    /// Resident bytes before the step: program, model and data.
    pub before_bytes: u64,
    /// Most resident bytes that the process ever had.
    pub peak_bytes: u64,
    /// Seconds of the step, the first of its process.
    pub seconds: f64,
}

impl Benchmark {
    /// What a terminal shows.
    pub(super) fn lines(&self) -> Vec<String> {
        let seconds = self.seconds.iter().map(|Seconds { reader, questions, seconds }| {
            format!("{reader:<28} {questions:>3} questions {seconds:>9.4} s")
        });
        let memory = self.memory.iter().map(|used| {
            let MemoryUse { hypergradient, inner_steps, seconds, .. } = used;
            let (peak, before) = (used.peak_mebibytes(), used.before_mebibytes());
            format!(
                "{hypergradient:<28} K = {inner_steps:<6} {peak:>7.0} MiB at the peak, {before:.0} before, {seconds:.2} s"
            )
        });
        seconds.chain(self.break_even.iter().map(BreakEven::verdict)).chain(memory).collect()
    }
}

impl MemoryUse {
    /// The peak in MiB.
    pub fn peak_mebibytes(&self) -> f64 {
        self.peak_bytes as f64 / MEBIBYTE
    }

    /// What was there before the step, in MiB.
    pub fn before_mebibytes(&self) -> f64 {
        self.before_bytes as f64 / MEBIBYTE
    }
}

impl BreakEven {
    /// The smallest number of questions at which the reader is faster.
    pub fn questions(&self) -> Option<u64> {
        self.crossing.map(|crossing| (crossing.floor() as u64 + 1).max(1))
    }

    /// The verdict as a sentence.
    pub fn verdict(&self) -> String {
        let Self { reader, rival, .. } = self;
        match self.questions() {
            Some(1) => format!("{reader} is faster than {rival} from the first question on"),
            Some(questions) => {
                format!("{reader} is faster than {rival} from {questions} questions on")
            }
            None => format!("{reader} never overtakes {rival}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_count_whole_questions() {
        let of = |crossing| BreakEven { reader: "a".into(), rival: "b".into(), crossing };
        assert_eq!(of(Some(3.0)).questions(), Some(4), "at three they are even");
        assert_eq!(of(Some(3.2)).questions(), Some(4));
        assert_eq!(of(Some(-2.0)).questions(), Some(1));
        assert_eq!(of(Some(2.5)).verdict(), "a is faster than b from 3 questions on");
        assert!(of(Some(0.5)).verdict().ends_with("from the first question on"));
        assert!(of(None).verdict().contains("never"));
    }
}
