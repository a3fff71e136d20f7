//! Scores over all questions, by hops and by number of distractors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use experiment::statistics::{
    Interval, grouped_mean_interval, grouped_proportion_interval, grouped_ratio_interval,
};
use serde::{Deserialize, Serialize};

use crate::config::{DataConfig, EvaluationConfig, Method, Source};
use crate::evaluate::{SEEN, UNSEEN};
use crate::fingerprint::Fingerprint;
use crate::history::Part;
use crate::score::LenientRecall;

/// Scores of a group of questions, each with its 95 % interval over theories: questions on one are alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Exact match of the generated answer ([`grouped_proportion_interval`]).
    pub exact_match: Interval,
    /// The right answer is the most likely of the test set's answers ([`grouped_proportion_interval`]).
    pub likeliest_label: Interval,
    /// Strict F1 of the recalled facts, mean over questions ([`grouped_mean_interval`]), for systems that recall.
    pub recall_f1: Option<Interval>,
    /// The official lenient share, a ratio of sums over questions ([`grouped_ratio_interval`]), for systems that recall.
    pub recall_lenient: Option<Interval>,
}

/// Scores over all questions, and over those that have something in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Breakdown {
    /// Over all questions.
    pub overall: Scores,
    /// By length of the reasoning.
    pub by_hops: BTreeMap<usize, Scores>,
    /// By number of facts that the question does not need.
    pub by_distractors: BTreeMap<usize, Scores>,
    /// Over the questions that training says and asks, too; `None` without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Scores>,
    /// Over the others, where there are questions of both kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Scores>,
}

/// Scores of one test set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestScores {
    /// Name of the test set.
    pub name: String,
    /// How much of it was asked, and why.
    pub part: Part,
    /// The scores.
    pub scores: Breakdown,
}

/// What a system scored in an examination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// Each test set.
    pub tests: Vec<TestScores>,
    /// All questions of all test sets, where there are several.
    pub together: Option<Breakdown>,
}

/// Which questions of the data are asked, and with how many facts beside those that they need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Distractors, wording, division.
    pub data: DataConfig,
    /// Hops and number of sets.
    pub evaluation: EvaluationConfig,
}

/// What was examined, and what it scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Folder of the system.
    pub system: PathBuf,
    /// The system itself.
    pub base: Fingerprint,
    /// What it reads.
    pub method: Method,
    /// Where the questions come from.
    pub data: Source,
    /// What of them is asked, and how. Older versions did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// Answers kept while searching.
    pub beams: usize,
    /// How answers of different length compare, [`crate::answer::BeamSearch::length_penalty`]. Older versions did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_penalty: Option<f64>,
    /// What of the data was left out, and how far it is known which questions were trained on. Older versions did not write it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The scores.
    pub scores: Examination,
}

/// What one question earned.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    /// What the question is about, as [`crate::data::KnowledgeSet::theory`].
    pub(super) theory: String,
    pub(super) hops: usize,
    pub(super) distractors: usize,
    pub(super) exact: bool,
    pub(super) likeliest: bool,
    /// Strict F1 and the official counts, where the system recalls facts.
    pub(super) recall: Option<(f64, LenientRecall)>,
    /// The data that is trained on says and asks the same.
    pub(super) seen: bool,
}

impl Examination {
    /// The scores over all questions; `None` without test sets.
    pub fn all(&self) -> Option<&Breakdown> {
        self.together.as_ref().or(self.tests.first().map(|test| &test.scores))
    }
}

impl Breakdown {
    /// `None` without marks.
    pub(super) fn of(marks: &[Mark]) -> Option<Self> {
        let by = |key: fn(&Mark) -> usize| {
            let mut groups: BTreeMap<usize, Vec<&Mark>> = BTreeMap::new();
            marks.iter().for_each(|mark| groups.entry(key(mark)).or_default().push(mark));
            let scores = |(key, group): (usize, Vec<&Mark>)| Some((key, Scores::of(&group)?));
            groups.into_iter().filter_map(scores).collect()
        };
        let (seen, unseen): (Vec<_>, Vec<_>) = marks.iter().partition(|mark| mark.seen);
        let seen = Scores::of(&seen);
        Some(Self {
            overall: Scores::of(&marks.iter().collect::<Vec<_>>())?,
            by_hops: by(|mark| mark.hops),
            by_distractors: by(|mark| mark.distractors),
            unseen: seen.as_ref().and_then(|_| Scores::of(&unseen)),
            seen,
        })
    }

    /// The parts by what they have in common, where there is more than one of a kind.
    pub fn parts(&self) -> Vec<(String, &Scores)> {
        let mut parts = Vec::new();
        for (what, scores) in [("hops", &self.by_hops), ("distractors", &self.by_distractors)] {
            if scores.len() > 1 {
                parts.extend(scores.iter().map(|(key, scores)| (format!("{key} {what}"), scores)));
            }
        }
        for (name, scores) in [(SEEN, &self.seen), (UNSEEN, &self.unseen)] {
            parts.extend(scores.iter().map(|scores| (name.to_owned(), scores)));
        }
        parts
    }
}

impl Scores {
    fn of(marks: &[&Mark]) -> Option<Self> {
        let share = |right: fn(&Mark) -> bool| {
            grouped_proportion_interval(marks.iter().map(|mark| (&mark.theory, right(mark)))).ok()
        };
        let recalls = marks.iter().filter_map(|mark| Some((&mark.theory, mark.recall.as_ref()?)));
        let strict = recalls.clone().map(|(theory, (f1, _))| (theory, *f1));
        let lenient = recalls
            .map(|(theory, (_, recall))| (theory, (recall.hits as f64, recall.chunks as f64)));
        let share_of = |interval: Interval| interval.within(0.0..=1.0);
        Some(Self {
            exact_match: share(|mark| mark.exact)?,
            likeliest_label: share(|mark| mark.likeliest)?,
            recall_f1: grouped_mean_interval(strict).ok().map(share_of),
            recall_lenient: grouped_ratio_interval(lenient).ok().map(share_of),
        })
    }
}

/// Three questions of one test set, of which two were answered.
#[cfg(test)]
pub(crate) fn test_evaluation(recalls: bool) -> Evaluation {
    let mark = |hops, distractors, exact, f1, hits| Mark {
        theory: format!("{hops} {distractors}"),
        hops,
        distractors,
        exact,
        likeliest: true,
        recall: recalls.then_some((f1, LenientRecall { hits, chunks: 2 })),
        seen: distractors == 0,
    };
    let marks = [mark(2, 0, true, 1.0, 2), mark(2, 4, false, 0.5, 1), mark(3, 4, true, 0.0, 0)];
    let scores = Breakdown::of(&marks).expect("there are marks");
    let tests = vec![TestScores { name: "test".into(), part: Part::HeldOut, scores }];
    Evaluation {
        system: "runs/some/system".into(),
        base: Fingerprint::of_parts(&[]),
        method: Method::Reckoning,
        data: Source::Kinship(Default::default()),
        asked: Some(Asked { data: Default::default(), evaluation: Default::default() }),
        beams: 5,
        length_penalty: Some(1.0),
        remarks: vec!["something is left out".into()],
        scores: Examination { tests, together: None },
    }
}

#[cfg(test)]
mod tests {
    use experiment::statistics::proportion_interval;

    use super::*;

    fn mark(hops: usize, distractors: usize, exact: bool, recall: (f64, usize, usize)) -> Mark {
        let (f1, hits, chunks) = recall;
        let recall = Some((f1, LenientRecall { hits, chunks }));
        let theory = format!("{hops} {distractors}");
        Mark { theory, hops, distractors, exact, likeliest: !exact, recall, seen: false }
    }

    #[test]
    fn every_question_counts_overall_and_in_its_groups() {
        let marks = [
            mark(2, 0, true, (1.0, 2, 2)),
            mark(2, 4, false, (0.5, 1, 2)),
            mark(3, 4, true, (0.0, 0, 4)),
        ];
        let Breakdown { overall, by_hops, by_distractors, .. } = Breakdown::of(&marks).unwrap();
        assert_eq!(overall.exact_match, proportion_interval(2, 3).unwrap());
        assert_eq!(overall.likeliest_label, proportion_interval(1, 3).unwrap());
        assert_eq!(overall.recall_f1.unwrap().mean, 0.5);
        assert_eq!(overall.recall_lenient.unwrap().mean, 3.0 / 8.0);
        assert_eq!(overall.recall_f1.unwrap().low, 0.0, "no share is below 0");
        assert_eq!(by_hops[&2].exact_match, proportion_interval(1, 2).unwrap());
        assert_eq!(by_hops[&2].recall_lenient.unwrap().mean, 0.75);
        assert_eq!(by_distractors[&4].recall_f1.unwrap().mean, 0.25);
        assert_eq!((by_hops.len(), by_distractors.len()), (2, 2));
        assert!(Breakdown::of(&[]).is_none());
    }

    /// Twice the questions on the same theories tell nothing new.
    #[test]
    fn questions_on_one_theory_count_as_one_where_they_agree() {
        let once = [
            mark(1, 0, true, (1.0, 2, 2)),
            mark(1, 1, false, (0.5, 1, 2)),
            mark(1, 2, true, (0.0, 0, 4)),
        ];
        let (once, twice) = (once.to_vec(), [once.to_vec(), once.to_vec()].concat());
        let [once, twice] = [once, twice].map(|marks| Breakdown::of(&marks).unwrap().overall);
        assert_eq!((once.exact_match.n, twice.exact_match.n), (3, 6));
        assert!(twice.exact_match.low <= once.exact_match.low);
        assert_eq!(once.recall_f1, twice.recall_f1);
        assert_eq!(
            once.recall_lenient.map(|interval| interval.low),
            twice.recall_lenient.map(|interval| interval.low)
        );
    }

    #[test]
    fn systems_that_recall_nothing_have_no_recall() {
        let mark = Mark { recall: None, ..mark(1, 0, true, (0.0, 0, 0)) };
        let scores = Breakdown::of(&[mark]).unwrap().overall;
        assert!(scores.recall_f1.is_none() && scores.recall_lenient.is_none());
    }

    #[test]
    fn evaluations_come_back_from_json() {
        for evaluation in [test_evaluation(true), test_evaluation(false)] {
            let json = serde_json::to_string(&evaluation).unwrap();
            assert_eq!(serde_json::from_str::<Evaluation>(&json).unwrap(), evaluation);
        }
    }

    #[test]
    fn scores_that_were_written_without_remarks_are_read() {
        let mut json = serde_json::to_value(test_evaluation(true)).unwrap();
        json.as_object_mut().unwrap().remove("remarks").expect("remarks are written");
        let read: Evaluation = serde_json::from_value(json).unwrap();
        assert!(read.remarks.is_empty());
        assert!(!serde_json::to_string(&read).unwrap().contains("remarks"));
    }
}
