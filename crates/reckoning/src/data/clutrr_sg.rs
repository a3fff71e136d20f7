//! CLUTRR-SG: records of relations between letters, one question each.
//!
//! The file writes `["K C", "uncle"]` for "K is the uncle of C", the opposite of CLUTRR's direction; in our wording this
//! is `C uncle K .`, and the question about (K, Z) is `Z ? K .`. The direction matters because the file does
//! not keep to it: in about a third of the published records a fact, or the question, is written the other way round
//! than its proof in words reads it. Where there is such a proof it decides, so that facts and answers agree; the
//! file's own wording (`surface: None`) keeps them as they are.

use serde::Deserialize;

use super::clutrr_proof::{Edge, relation_word, shortest_path};
use super::json_records::{Located, records};
use super::sg_proof::{Chain, Step, read_chain};
use super::words::distinct;
use super::{DataError, Fact, KnowledgeSet, LoadOptions, Question, Surface};

const EXPECTED: &str = "a CLUTRR-SG record with `facts` as [\"A B\", relation] and `questions` as [text, \"A B\", answer]";

#[derive(Deserialize)]
struct Record {
    #[serde(default, alias = "id")]
    guid: Option<String>,
    facts: Vec<(String, String)>,
    questions: Vec<(String, String, String)>,
    #[serde(default)]
    proofs: Vec<String>,
}

/// Reads the records of `text`; `file` is for messages.
pub(super) fn read(
    file: &str,
    text: &str,
    options: &LoadOptions,
) -> Result<Vec<KnowledgeSet>, DataError> {
    let records = records::<Record>(file, text, EXPECTED)?;
    let read = |found: Located<Record>| {
        let line = found.line;
        let set = Reading::new(file, found)?.knowledge_set(options.surface)?;
        options.with_names(file, line, set)
    };
    records.into_iter().map(read).collect()
}

/// A record with its people numbered. Edges are as the file writes them: `from` is the `relation` of `to`.
struct Reading<'a> {
    file: &'a str,
    line: usize,
    id: String,
    people: Vec<String>,
    edges: Vec<Edge>,
    questions: Vec<Asked>,
}

struct Asked {
    text: String,
    ends: (usize, usize),
    answer: String,
    proof: Vec<String>,
}

/// A question whose facts have a settled direction.
struct Settled {
    /// The file's edges from the first person of the question on, as the file asks it.
    path: Vec<usize>,
    /// For each edge of the path, whether the file wrote it the other way round.
    is_reversed: Vec<bool>,
    /// (person, relative) in our direction: the answer is what `relative` is to `person`.
    asked: (usize, usize),
}

impl<'a> Reading<'a> {
    fn new(file: &'a str, found: Located<Record>) -> Result<Self, DataError> {
        let Located { line, id, record } = found;
        let wrong = |expected: &str, found: &str| DataError::malformed(file, line, expected, found);
        let pair = |text: &str| {
            pair_of_people(text).ok_or_else(|| wrong("two people such as \"K C\"", text))
        };
        let word = |text: &str| {
            relation_word(text).ok_or_else(|| wrong("a relation such as \"uncle\"", text))
        };
        let pairs: Vec<[String; 2]> =
            record.facts.iter().map(|(people, _)| pair(people)).collect::<Result<_, _>>()?;
        let people = distinct(pairs.iter().flatten().map(String::as_str));
        let number = |name: &str| people.iter().position(|person| person == name);
        let mut edges = Vec::with_capacity(pairs.len());
        for ([from, to], (_, relation)) in pairs.iter().zip(&record.facts) {
            let (Some(from), Some(to)) = (number(from), number(to)) else { continue };
            edges.push(Edge { from, relation: word(relation)?, to });
        }
        let single = record.questions.len() == 1;
        let mut questions = Vec::with_capacity(record.questions.len());
        for (at, (text, ends, answer)) in record.questions.into_iter().enumerate() {
            let [from, to] = pair(&ends)?;
            let (Some(from), Some(to)) = (number(&from), number(&to)) else {
                return Err(wrong("a question about people of the facts", &ends));
            };
            let proof = if single {
                record.proofs.clone()
            } else {
                record.proofs.get(at).cloned().into_iter().collect()
            };
            questions.push(Asked { text, ends: (from, to), answer: word(&answer)?, proof });
        }
        let id = record.guid.unwrap_or_else(|| id.to_string());
        Ok(Self { file, line, id, people, edges, questions })
    }

    fn knowledge_set(self, surface: Option<Surface>) -> Result<KnowledgeSet, DataError> {
        match surface {
            Some(surface) => self.in_our_words(surface),
            None => self.in_the_words_of_the_file(),
        }
    }

    fn in_our_words(self, surface: Surface) -> Result<KnowledgeSet, DataError> {
        let settled: Vec<Settled> =
            self.questions.iter().map(|asked| self.settle(asked)).collect::<Result<_, _>>()?;
        let reversed = self.reversed_edges(&settled)?;
        let name = |person: usize| self.people[person].as_str();
        let fact = |(edge, is_reversed): (&Edge, bool)| {
            let (person, relative) =
                if is_reversed { (edge.from, edge.to) } else { (edge.to, edge.from) };
            Fact { text: surface.kinship_fact(name(person), &edge.relation, name(relative)) }
        };
        let facts = self.edges.iter().zip(reversed).map(fact).collect();
        let question = |(asked, settled): (&Asked, &Settled)| {
            let (person, relative) = settled.asked;
            let mut relevant = settled.path.clone();
            if person != asked.ends.0 {
                relevant.reverse();
            }
            let text = surface.kinship_question(name(person), name(relative));
            Question { text, answer: asked.answer.clone(), hops: relevant.len(), relevant }
        };
        let questions = self.questions.iter().zip(&settled).map(question).collect();
        Ok(KnowledgeSet { id: self.id, facts, questions, entities: self.people })
    }

    fn in_the_words_of_the_file(self) -> Result<KnowledgeSet, DataError> {
        let fact = |edge: &Edge| {
            let (from, to) = (&self.people[edge.from], &self.people[edge.to]);
            Fact { text: Surface::Compact.kinship_fact(from, &edge.relation, to) }
        };
        let facts = self.edges.iter().map(fact).collect();
        let question = |asked: &Asked| {
            let proved = self.settle(asked).map(|settled| settled.path);
            let relevant = proved.or_else(|_| self.connection(asked))?;
            Ok(Question {
                text: asked.text.clone(),
                answer: asked.answer.clone(),
                hops: relevant.len(),
                relevant,
            })
        };
        let questions =
            self.questions.iter().map(question).collect::<Result<Vec<_>, DataError>>()?;
        Ok(KnowledgeSet { id: self.id, facts, questions, entities: self.people })
    }

    /// For each edge, whether the proofs read it the other way round than the file writes it.
    fn reversed_edges(&self, settled: &[Settled]) -> Result<Vec<bool>, DataError> {
        let mut reversed: Vec<Option<bool>> = vec![None; self.edges.len()];
        for settled in settled {
            for (&edge, &is_reversed) in settled.path.iter().zip(&settled.is_reversed) {
                if *reversed[edge].get_or_insert(is_reversed) != is_reversed {
                    let fact = &self.edges[edge];
                    let found = format!("{} between the same people both ways", fact.relation);
                    return Err(self.malformed("proofs that agree on the facts", &found));
                }
            }
        }
        Ok(reversed.into_iter().map(|direction| direction.unwrap_or(false)).collect())
    }

    /// The shortest way along the facts between the people of a question.
    fn connection(&self, asked: &Asked) -> Result<Vec<usize>, DataError> {
        let expected = "facts that connect the people of the question";
        shortest_path(&self.edges, asked.ends).ok_or_else(|| self.malformed(expected, &asked.text))
    }

    fn settle(&self, asked: &Asked) -> Result<Settled, DataError> {
        let (first, second) = asked.ends;
        let Some(chain) = read_chain(&asked.proof) else {
            let path = self.connection(asked)?;
            let is_reversed = vec![false; path.len()];
            return Ok(Settled { path, is_reversed, asked: (second, first) });
        };
        let is_of_answer = chain.relation == asked.answer;
        let found = if is_of_answer { self.follow(&chain, asked.ends) } else { None };
        found.ok_or_else(|| {
            let expected = "a proof that leads along the facts to the answer; to read the record without it, keep the words of the file \
                            (data.source.options.surface = \"as-in-file\", or --original-words)";
            self.malformed(expected, &asked.proof.join(" "))
        })
    }

    /// Lays the chain along the facts from one person of the question to the other, whichever way it fits.
    fn follow(&self, chain: &Chain, (first, second): (usize, usize)) -> Option<Settled> {
        let lay = |subject: usize, object: usize| {
            let mut path = Vec::new();
            self.lay(&chain.steps, subject, object, &mut path).then_some(path)
        };
        let (subject, object, path) = match lay(first, second) {
            Some(path) => (first, second, path),
            None => (second, first, lay(second, first)?),
        };
        let mut person = subject;
        let mut is_reversed = Vec::with_capacity(path.len());
        for (&edge, step) in path.iter().zip(&chain.steps) {
            let Edge { from, to, .. } = self.edges[edge];
            is_reversed.push((from == person) != step.is_forward);
            person = if from == person { to } else { from };
        }
        let mut settled = Settled { path, is_reversed, asked: (object, subject) };
        if subject != first {
            settled.path.reverse();
            settled.is_reversed.reverse();
        }
        Some(settled)
    }

    /// Extends `path` from `person` by edges with the relations of `steps` so that it ends at `goal`.
    fn lay(&self, steps: &[Step], person: usize, goal: usize, path: &mut Vec<usize>) -> bool {
        let Some((step, rest)) = steps.split_first() else { return person == goal };
        for (at, edge) in self.edges.iter().enumerate() {
            let touches = edge.from == person || edge.to == person;
            if touches && edge.relation == step.relation && !path.contains(&at) {
                path.push(at);
                if self.lay(rest, if edge.from == person { edge.to } else { edge.from }, goal, path)
                {
                    return true;
                }
                path.pop();
            }
        }
        false
    }

    fn malformed(&self, expected: &str, found: &str) -> DataError {
        DataError::malformed(self.file, self.line, expected, found)
    }
}

/// `"K C"` or `"person 6 person 3"`, each person as one word.
fn pair_of_people(text: &str) -> Option<[String; 2]> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        ["person", first, "person", second] => {
            Some([format!("person-{first}"), format!("person-{second}")])
        }
        [first, second] => Some([first.to_owned(), second.to_owned()]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::detect::EntityNames;
    use crate::data::kinship_rules::{Relation, derivable};
    use crate::data::test_data::published;
    use crate::data::{Kind, Split, load, words};

    const RECORD: &str = r#"{"guid": "1", "facts": [["K C", "uncle"], ["C Z", "son"]],
        "questions": [["How is K related to Z ?", "K Z", "brother"]],
        "proofs": ["since person 6 is a uncle to person 3 , and person 3 is a son of person 20 , then person 6 is a brother to person 20 ."]}"#;

    fn read_text(text: &str, surface: Option<Surface>) -> Result<KnowledgeSet, DataError> {
        read("sg", text, &LoadOptions { surface, ..LoadOptions::default() })
            .map(|mut sets| sets.remove(0))
    }

    fn told(set: &KnowledgeSet) -> String {
        let proof: Vec<&str> =
            set.questions[0].relevant.iter().map(|&fact| set.facts[fact].text.as_str()).collect();
        format!("{} {} {}", proof.join(" "), set.questions[0].text, set.questions[0].answer)
    }

    #[test]
    fn directions_are_those_of_the_proof() {
        let expected = "Z son C . C uncle K . Z ? K . brother";
        let fact_reversed = RECORD.replace("C Z", "Z C");
        let question_reversed = RECORD.replace("\"K Z\"", "\"Z K\"");
        for record in [RECORD, &fact_reversed, &question_reversed] {
            assert_eq!(told(&read_text(record, Some(Surface::Compact)).unwrap()), expected);
        }
    }

    #[test]
    fn the_words_of_the_file_are_kept_as_they_are() {
        let expected = "K uncle C . Z son C . How is K related to Z ? brother";
        assert_eq!(told(&read_text(&RECORD.replace("C Z", "Z C"), None).unwrap()), expected);
    }

    #[test]
    fn without_a_proof_the_record_is_read_as_written() {
        let unproved = RECORD.replace("then", "so");
        assert_eq!(
            told(&read_text(&unproved, Some(Surface::Compact)).unwrap()),
            "Z son C . C uncle K . Z ? K . brother"
        );
    }

    #[test]
    fn a_proof_that_does_not_fit_matters_only_to_our_words() {
        let unfit = RECORD.replace("a uncle to", "a aunt to");
        assert!(read_text(&unfit, Some(Surface::Compact)).is_err());
        let kept = "K uncle C . C son Z . How is K related to Z ? brother";
        assert_eq!(told(&read_text(&unfit, None).unwrap()), kept);
    }

    #[test]
    fn several_questions_must_agree_on_the_facts() {
        let question = r#"["How is K related to Z ?", "K Z", "daughter"]"#;
        let facts = r#"[["K C", "sister"], ["C Z", "daughter"]]"#;
        let forward = "since A is sister of B , and B is daughter of C , then A is daughter of C .";
        let backward = forward.replace("A is sister of B", "B is sister of A");
        let record = |first: &str, second: &str| {
            format!(
                r#"{{"facts": {facts}, "questions": [{question}, {question}], "proofs": ["{first}", "{second}"]}}"#
            )
        };
        let set = read_text(&record(&backward, &backward), Some(Surface::Compact)).unwrap();
        assert_eq!(told(&set), "Z daughter C . K sister C . Z ? K . daughter");
        let error = read_text(&record(forward, &backward), Some(Surface::Compact)).unwrap_err();
        assert!(error.to_string().contains("proofs that agree"), "{error}");
    }

    #[test]
    fn numbered_people_become_letters_and_distractors_stay_out_of_the_proof() {
        let numbered = RECORD
            .replace("\"K C\"", "\"person 6 person 3\"")
            .replace("\"C Z\"", "\"person 3 person 20\"")
            .replace("\"K Z\"", "\"person 6 person 20\"")
            .replace("\"facts\": [", "\"facts\": [[\"person 6 person 9\", \"aunt\"], ");
        let set = read_text(&numbered, Some(Surface::Compact)).unwrap();
        assert_eq!((set.facts.len(), set.questions[0].relevant.as_slice()), (3, [2, 1].as_slice()));
        assert!(set.entities.iter().all(|name| name.len() == 1));
        let original = LoadOptions { names: EntityNames::Original, ..LoadOptions::default() };
        assert_eq!(
            read("sg", &numbered, &original).unwrap()[0].facts[1].text,
            "person-3 uncle person-6 ."
        );
    }

    #[test]
    fn malformed_records_are_refused_by_line() {
        for (from, to, expected) in [
            ("\"K C\"", "\"K\"", "two people"),
            ("\"uncle\"", "\"?\"", "a relation"),
            ("\"brother\"]", "\"\"]", "a relation"),
            ("\"K Z\"", "\"K Q\"", "people of the facts"),
            ("\"brother\"]", "\"sister\"]", "a proof that leads"),
            ("\"uncle\"]", "\"aunt\"]", "a proof that leads"),
            ("\"questions\"", "\"question\"", "`questions`"),
        ] {
            let bad = format!("{RECORD}\n{}", RECORD.replace(from, to));
            let error = read("sg", &bad, &LoadOptions::default()).unwrap_err().to_string();
            assert!(
                error.starts_with("sg, line 4: expected ") && error.contains(expected),
                "{to}: {error}"
            );
        }
        let apart = RECORD.replace("then", "so").replace("\"C Z\"", "\"D Z\"");
        let error = read_text(&apart, Some(Surface::Compact)).unwrap_err().to_string();
        assert!(error.contains("facts that connect"), "{error}");
    }

    #[test]
    fn the_published_records_agree_with_our_rules_once_their_directions_are_settled() {
        let Some(path) = published("clutrr/sg_2hop_dev.jsonl") else { return };
        let dataset = load(&path, &LoadOptions::default()).unwrap();
        assert_eq!(
            (dataset.kind, dataset.splits[&Split::Validation].len()),
            (Kind::ClutrrSg, 10_971)
        );
        let original =
            load(&path, &LoadOptions { surface: None, ..LoadOptions::default() }).unwrap();
        let (mut follows, mut as_written) = (0, 0);
        for (set, raw) in dataset.knowledge_sets().zip(original.knowledge_sets()) {
            let relation =
                |fact: &usize| words(&set.facts[*fact].text).nth(1).and_then(Relation::from_name);
            let chain: Option<Vec<Relation>> =
                set.questions[0].relevant.iter().map(relation).collect();
            let derived = derivable(&chain.unwrap());
            follows +=
                usize::from(derived.iter().any(|found| found.name() == set.questions[0].answer));
            // The file's "K uncle C ." is our "C uncle K ."; an unsettled record has a fact or the question reversed.
            let turned = |text: &str| -> Vec<String> {
                let words: Vec<&str> = words(text).collect();
                vec![words[2].to_owned(), words[1].to_owned(), words[0].to_owned()]
            };
            let same =
                |(ours, theirs): (&Fact, &Fact)| words(&ours.text).take(3).eq(turned(&theirs.text));
            let ends = turned(&set.questions[0].text);
            let is_as_written = set.facts.iter().zip(&raw.facts).all(same)
                && raw.questions[0].text == format!("How is {} related to {} ?", ends[0], ends[2]);
            as_written += usize::from(is_as_written);
        }
        assert_eq!((follows, as_written), (10_971, 7_232));
    }
}
