//! CLUTRR's tables (CSV), crowd-sourced or templated: facts from the edges of the story's graph or from its sentences.

use csv::{ReaderBuilder, StringRecord};

use super::clutrr_proof::{Edge, is_walk, person_name, proof_leaves, relation_word, shortest_path};
use super::clutrr_story::story_facts;
use super::python_literal::Literal;
use super::{DataError, Fact, KnowledgeSet, LoadOptions, Question, Surface};
use crate::fingerprint::Fingerprint;

const REQUIRED: [&str; 5] = ["query", "target", "story_edges", "edge_types", "genders"];
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// Whether `text` starts with the header of a CLUTRR table.
pub(super) fn is_table(text: &str) -> bool {
    delimiter(text).is_some()
}

/// The delimiter with which the first line of `text` has the required columns.
fn delimiter(text: &str) -> Option<u8> {
    let first_line = text.lines().find(|line| !line.trim().is_empty())?;
    DELIMITERS.into_iter().find(|delimiter| {
        let columns: Vec<String> =
            first_line.split(char::from(*delimiter)).map(column_name).collect();
        REQUIRED.iter().all(|required| columns.iter().any(|column| column == required))
    })
}

fn column_name(header: &str) -> String {
    header.trim().trim_matches('"').trim().to_lowercase()
}

/// What a table tells.
#[derive(Debug, PartialEq)]
pub(super) struct Table {
    pub(super) sets: Vec<KnowledgeSet>,
    /// Edges without a relation that our wording leaves out.
    pub(super) untold: usize,
}

/// Reads a table; `file` is for messages.
pub(super) fn read(file: &str, text: &str, options: &LoadOptions) -> Result<Table, DataError> {
    let Some(delimiter) = delimiter(text) else {
        let found = text.lines().next().unwrap_or_default();
        return Err(DataError::malformed(
            file,
            1,
            format!("a header with the columns {REQUIRED:?}"),
            found,
        ));
    };
    let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| unreadable(file, text, &error))?;
    let columns: Vec<String> = headers.iter().map(column_name).collect();
    let mut table = Table { sets: Vec::new(), untold: 0 };
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(file, text, &error))?;
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let row = Row {
            file,
            line: line_of(record.position(), text),
            columns: &columns,
            record: &record,
        };
        let (set, untold) = row.knowledge_set(options.surface)?;
        table.sets.push(options.with_names(file, row.line, set)?);
        table.untold += untold;
    }
    Ok(table)
}

/// The line a record starts on, past the blank lines before it.
fn line_of(position: Option<&csv::Position>, text: &str) -> usize {
    let Some(position) = position else { return 0 };
    let rest = text.get(position.byte() as usize..).unwrap_or_default();
    let blank = &rest[..rest.len() - rest.trim_start_matches(['\r', '\n']).len()];
    position.line() as usize + blank.matches('\n').count()
}

fn unreadable(file: &str, text: &str, error: &csv::Error) -> DataError {
    let line = line_of(error.position(), text);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let expected = format!("{expected_len} cells as in the header");
            DataError::malformed(file, line, expected, format!("{len} cells"))
        }
        _ => DataError::malformed(file, line, "a row of a table", error),
    }
}

struct Row<'a> {
    file: &'a str,
    line: usize,
    columns: &'a [String],
    record: &'a StringRecord,
}

impl Row<'_> {
    /// The set, and how many edges it does not tell.
    fn knowledge_set(&self, surface: Option<Surface>) -> Result<(KnowledgeSet, usize), DataError> {
        let people = self.people()?;
        let (edges, untyped) = self.edges(people.len())?;
        let ends = self.ends(&people)?;
        let hops =
            self.cell("task_name").and_then(|task| task.rsplit('.').next()?.trim().parse().ok());
        let proof = self.proof(&people, &edges, ends, hops)?;
        let answer = self.answer()?;
        let (facts, relevant) = match (surface, self.cell("story")) {
            (Some(surface), _) => {
                let text = |edge: &Edge| {
                    surface.kinship_fact(&people[edge.from], &edge.relation, &people[edge.to])
                };
                (edges.iter().map(|edge| Fact { text: text(edge) }).collect(), proof.clone())
            }
            (None, Some(story)) => {
                let told = proof.iter().map(|&edge| &edges[edge]);
                story_facts(story, self.cell("clean_story"), &people, told)
            }
            (None, None) => {
                return Err(self.malformed("a column `story` with the words of the file", "none"));
            }
        };
        let asked =
            surface.unwrap_or(Surface::Sentence).kinship_question(&people[ends.0], &people[ends.1]);
        let original = self.cell("text_query").filter(|_| surface.is_none()).map(without_brackets);
        let question = Question {
            text: original.unwrap_or(asked),
            answer,
            relevant,
            hops: hops.unwrap_or(proof.len()),
        };
        let id = self.cell("id").map_or_else(|| self.fingerprint().to_string(), str::to_owned);
        let untold = if surface.is_some() { untyped } else { 0 };
        Ok((KnowledgeSet { id, facts, questions: vec![question], entities: people }, untold))
    }

    /// What the cells alone say: an identifier wherever the file lies.
    fn fingerprint(&self) -> Fingerprint {
        let cells: Vec<&[u8]> = self.record.iter().map(str::as_bytes).collect();
        Fingerprint::of_parts(&cells)
    }

    /// A cell with something in it.
    fn cell(&self, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|name| name == column)?;
        self.record.get(at).map(str::trim).filter(|cell| !cell.is_empty())
    }

    fn malformed(&self, expected: impl Into<String>, found: impl std::fmt::Display) -> DataError {
        DataError::malformed(self.file, self.line, expected, found)
    }

    /// The Python literal of a column; `Ok(None)` where the cell is empty or there is no such column.
    fn literal(&self, column: &str) -> Result<Option<Literal>, DataError> {
        let Some(cell) = self.cell(column) else { return Ok(None) };
        let parsed = Literal::parse(cell);
        parsed
            .map(Some)
            .map_err(|expected| self.malformed(format!("`{column}` to have {expected}"), cell))
    }

    /// A column that holds a sequence, each element read by `read`.
    fn sequence<T>(
        &self,
        column: &str,
        expected: &str,
        read: impl Fn(&Literal) -> Option<T>,
    ) -> Result<Vec<T>, DataError> {
        let literal = self.literal(column)?;
        let elements: Option<Vec<T>> = literal
            .as_ref()
            .and_then(Literal::sequence)
            .and_then(|elements| elements.iter().map(read).collect());
        let found = self.cell(column).unwrap_or_default();
        elements.ok_or_else(|| self.malformed(format!("`{column}` to be {expected}"), found))
    }

    /// Names of the people by their number, from `Jason:male,Lisa:female`.
    fn people(&self) -> Result<Vec<String>, DataError> {
        let cell = self.cell("genders").unwrap_or_default();
        let name = |part: &str| person_name(part.split_once(':').map_or(part, |(name, _)| name));
        let people: Vec<String> = cell.split(',').map(name).collect();
        if people.iter().any(String::is_empty) {
            return Err(self.malformed("`genders` to list people as NAME:GENDER,NAME:GENDER", cell));
        }
        Ok(people)
    }

    /// The edges with a relation, and how many have none.
    ///
    /// In rows with distractors `edge_types` gives the relations of the chain alone, whose edges come first; those of the
    /// distractors are told by the words of the story only.
    fn edges(&self, people: usize) -> Result<(Vec<Edge>, usize), DataError> {
        let pairs =
            self.sequence("story_edges", "a list of pairs of numbers", |pair| {
                match pair.sequence()? {
                    [from, to] => Some((from.index()?, to.index()?)),
                    _ => None,
                }
            })?;
        let relations = self.sequence("edge_types", "a list of relations", |relation| {
            relation_word(relation.text()?)
        })?;
        if pairs.len() < relations.len() || relations.is_empty() {
            let found = format!("{} and {}", pairs.len(), relations.len());
            let expected = "at least as many `story_edges` as `edge_types`, and at least one";
            return Err(self.malformed(expected, found));
        }
        if let Some((from, to)) = pairs.iter().find(|(from, to)| *from.max(to) >= people) {
            let expected =
                format!("`story_edges` between the {people} people of `genders`, numbered from 0");
            return Err(self.malformed(expected, format!("({from}, {to})")));
        }
        let untyped = pairs.len() - relations.len();
        let edge = |((from, to), relation)| Edge { from, relation, to };
        Ok((pairs.into_iter().zip(relations).map(edge).collect(), untyped))
    }

    /// Numbers of the two people asked about.
    fn ends(&self, people: &[String]) -> Result<(usize, usize), DataError> {
        if self.cell("query_edge").is_some() {
            let ends = self.sequence("query_edge", "a pair of numbers", Literal::index)?;
            return match ends[..] {
                [from, to] if from.max(to) < people.len() => Ok((from, to)),
                _ => Err(self.malformed(
                    format!(
                        "`query_edge` to be a pair of people, numbered from 0 to below {}",
                        people.len()
                    ),
                    format!("{ends:?}"),
                )),
            };
        }
        let number_of = |name: &Literal| {
            let name = person_name(name.text()?);
            people.iter().position(|person| *person == name)
        };
        let ends = self.sequence("query", "a pair of names from `genders`", number_of)?;
        match ends[..] {
            [from, to] => Ok((from, to)),
            _ => Err(self.malformed(
                "`query` to be a pair of names",
                self.cell("query").unwrap_or_default(),
            )),
        }
    }

    /// The relation asked for; some versions of the data number it in `target` and name it in `target_text`.
    fn answer(&self) -> Result<String, DataError> {
        let cell = self.cell("target").unwrap_or_default();
        let is_number = cell.parse::<u32>().is_ok();
        let word = if is_number { self.cell("target_text").unwrap_or_default() } else { cell };
        relation_word(word)
            .ok_or_else(|| self.malformed("`target` to be a relation such as `aunt`", cell))
    }

    /// The edges that lead from one end to the other, in order.
    ///
    /// That is all of them where they make one walk, as in every row without distractors; else the leaves of
    /// `proof_state`; else, without that column, the shortest path.
    fn proof(
        &self,
        people: &[String],
        edges: &[Edge],
        ends: (usize, usize),
        hops: Option<usize>,
    ) -> Result<Vec<usize>, DataError> {
        if is_walk(edges, ends) && hops.is_none_or(|hops| hops == edges.len()) {
            return Ok((0..edges.len()).collect());
        }
        match self.literal("proof_state")? {
            Some(state) => proof_leaves(&state, people, edges, ends).ok_or_else(|| {
                let found = self.cell("proof_state").unwrap_or_default();
                self.malformed("`proof_state` to derive the query from `story_edges`", found)
            }),
            None => shortest_path(edges, ends).ok_or_else(|| {
                self.malformed("`story_edges` that connect the people of the query", "no path")
            }),
        }
    }
}

/// `[Ann]` without the brackets, spaces in order.
fn without_brackets(text: &str) -> String {
    text.replace(['[', ']'], "").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::test_data::{CLUTRR_HEAD as HEADER, CLUTRR_ROW as ROW};
    use super::*;
    use crate::data::detect::EntityNames;
    use crate::data::kinship_rules::{Relation, derivable};
    use crate::data::test_data::published;
    use crate::data::{Dataset, Kind, Split, load};

    fn options(surface: Option<Surface>) -> LoadOptions {
        LoadOptions { surface, names: EntityNames::Original, seed: 0 }
    }

    fn read_text(text: &str) -> Result<Vec<KnowledgeSet>, DataError> {
        Ok(read("table.csv", text, &options(Some(Surface::Compact)))?.sets)
    }

    fn texts(set: &KnowledgeSet) -> Vec<&str> {
        set.facts.iter().map(|fact| fact.text.as_str()).collect()
    }

    #[test]
    fn edges_become_facts() {
        let sets = read_text(&format!("{HEADER}\n{ROW}\n")).unwrap();
        assert_eq!(texts(&sets[0]), ["Ann brother Bob .", "Bob daughter Cas ."]);
        let asked = &sets[0].questions[0];
        assert_eq!((asked.text.as_str(), asked.answer.as_str()), ("Ann ? Cas .", "niece"));
        assert_eq!((asked.relevant.as_slice(), asked.hops), ([0, 1].as_slice(), 2));
        assert_eq!((sets[0].id.as_str(), sets[0].entities.len()), ("7", 3));
    }

    #[test]
    fn the_words_of_the_file_can_be_kept() {
        let sets = read("table.csv", &format!("{HEADER}\n{ROW}\n"), &options(None)).unwrap().sets;
        assert_eq!(texts(&sets[0]), ["Bob is here.", "Ann is his sister.", "Cas is Bob's child."]);
        assert_eq!(sets[0].questions[0].text, "How is Ann related to Cas ?");
        assert_eq!(sets[0].questions[0].relevant, [0, 1, 2]);
    }

    #[test]
    fn people_become_random_letters() {
        let letters =
            LoadOptions { names: EntityNames::Letters, ..options(Some(Surface::Compact)) };
        let named = |seed| {
            let sets =
                read("table.csv", &format!("{HEADER}\n{ROW}\n"), &LoadOptions { seed, ..letters })
                    .unwrap()
                    .sets;
            sets[0].entities.clone()
        };
        assert!(named(1).iter().all(|name| name.len() == 1));
        assert_eq!(named(1), named(1));
        assert_ne!(named(1), named(2));
    }

    #[test]
    fn other_dialects_of_the_table_read_the_same() {
        let expected = read_text(&format!("{HEADER}\n{ROW}\n")).unwrap();
        let windows = format!("\r\n{HEADER}\r\n\r\n{ROW}\r\n\r\n");
        assert_eq!(read_text(&windows).unwrap(), expected);
        let quoted =
            format!("{HEADER}\n{ROW}\n").replace("('Ann', 'Cas')", "[\"\"Ann\"\", \"\"Cas\"\"]");
        assert_eq!(read_text(&quoted).unwrap(), expected);
        let numbered = "Target_Text;genders; QUERY ;target;edge_types;story_edges;more;id\n\
                        niece;Ann:female,Bob:male,Cas:female;('Ann','Cas');3;['brother','daughter'];((0,1),(1,2));x;7";
        assert_eq!(read_text(numbered).unwrap(), expected);
    }

    #[test]
    fn distractors_are_told_from_the_proof() {
        let proof =
            "[{('Ann', 'niece', 'Cas'): [('Ann', 'brother', 'Bob'), ('Bob', 'daughter', 'Cas')]}]";
        let noisy = ROW
            .replace("[(0, 1), (1, 2)]", "[(1, 0), (0, 1), (1, 2)]")
            .replace("['brother', ", "['sister', 'brother', ");
        let with_proof = noisy.replace("task_1.2,,", &format!("task_2.2,\"{proof}\","));
        for row in [with_proof, noisy] {
            let sets = read_text(&format!("{HEADER}\n{row}\n")).unwrap();
            assert_eq!(sets[0].facts.len(), 3);
            assert!(sets[0].questions[0].relevant.len() == 2, "{:?}", sets[0]);
        }
    }

    #[test]
    fn a_name_of_two_words_is_one_wherever_it_stands() {
        let proof = "[{('Mary Ann', 'niece', 'Cas'): [('Mary Ann', 'brother', 'Bob'), ('Bob', 'daughter', 'Cas')]}]";
        let row = ROW
            .replace("Ann", "Mary Ann")
            .replace("\"(0, 2)\"", "")
            .replace("[(0, 1), (1, 2)]", "[(1, 0), (0, 1), (1, 2)]")
            .replace("['brother', ", "['sister', 'brother', ")
            .replace("task_1.2,,", &format!("task_2.2,\"{proof}\","));
        let sets = read_text(&format!("{HEADER}\n{row}\n")).unwrap();
        assert_eq!(texts(&sets[0])[1], "Mary-Ann brother Bob .");
        assert_eq!(sets[0].questions[0].text, "Mary-Ann ? Cas .");
        assert_eq!(sets[0].questions[0].relevant, [1, 2]);
    }

    /// As in the published files with noise: the edges of the distractor follow the chain and have no type.
    #[test]
    fn distractors_whose_relations_are_not_given_are_counted_and_kept_in_the_words_of_the_file() {
        let noisy = ROW
            .replace("[(0, 1), (1, 2)]", "[(0, 1), (1, 2), (1, 3), (3, 2)]")
            .replace("Cas:female", "Cas:female,Dan:male")
            .replace("task_1.2", "task_2.2")
            .replace("child.", "child. [Dan] is [Bob]'s son.");
        let text = format!("{HEADER}\n{noisy}\n{ROW}\n");
        let ours = read("table.csv", &text, &options(Some(Surface::Compact))).unwrap();
        assert_eq!(ours.untold, 2);
        assert_eq!(texts(&ours.sets[0]), ["Ann brother Bob .", "Bob daughter Cas ."]);
        let header = HEADER.replace("proof_state", "proof_state,clean_story");
        let clean = "\"[Bob] is here. [Ann] is his sister. [Cas] is [Bob]'s child.\"";
        let text = text.replace(HEADER, &header).replace(".2,,", &format!(".2,,{clean},"));
        let theirs = read("table.csv", &text, &options(None)).unwrap();
        assert_eq!((theirs.untold, theirs.sets[0].facts.len()), (0, 4));
        assert_eq!(theirs.sets[0].questions[0].relevant, [0, 1, 2]);
    }

    #[test]
    fn every_malformed_row_is_refused_by_line() {
        for (from, to, expected) in [
            ("('Ann', 'Cas')\"", "('Ann', 'Cas'\"", ""),
            ("(0, 2)\"", "(0, 3)\"", "`query_edge`"),
            ("(0, 2)\"", "(0)\"", "`query_edge`"),
            ("\"(0, 2)\"", "", "`query`"),
            ("[(0, 1), (1, 2)]", "[(0, 1), (1, 2", "`story_edges`"),
            ("[(0, 1), (1, 2)]", "[(0, 1), 2]", "`story_edges`"),
            ("[(0, 1), (1, 2)]", "[(0, 1), (1, 5)]", "`story_edges`"),
            ("[(0, 1), (1, 2)]", "[(0, 1)]", "as many"),
            ("['brother', 'daughter']", "[]", "as many"),
            ("[(0, 1), (1, 2)]", "", "`story_edges`"),
            ("['brother', ", "['', ", "`edge_types`"),
            ("['brother', ", "[3, ", "`edge_types`"),
            ("Ann:female,", ":female,", "`genders`"),
            ("neice", "", "`target`"),
            ("neice", "4", "`target`"),
            ("task_1.2,,", "task_1.2,,,", "10 cells"),
            ("[(0, 1), (1, 2)]", "[(0, 1), (0, 1)]", "connect"),
        ] {
            let query_is_needed = expected == "`query`" || expected.is_empty();
            let mut bad = ROW.replace(from, to);
            if query_is_needed {
                bad = bad.replace("\"(0, 2)\"", "").replace("('Ann', 'Cas')", "('Ann', 'Eve')");
            }
            let error = read_text(&format!("{HEADER}\n{ROW}\n\n{bad}\n")).unwrap_err().to_string();
            assert!(error.starts_with("table.csv, line 4: expected "), "{from} to {to}: {error}");
            assert!(error.contains(expected), "{from} to {to}: {error}");
        }
    }

    #[test]
    fn missing_words_headers_and_letters_are_reported() {
        let without_story = format!("{HEADER}\n{ROW}\n").replacen("story\n", "other\n", 1);
        let error = read("t", &without_story, &options(None)).unwrap_err();
        assert!(error.to_string().contains("`story`"), "{error}");
        assert!(read_text("id,story\n1,2\n").unwrap_err().to_string().contains("header"));
        let crowd: Vec<String> = (0..27).map(|person| format!("P{person}:male")).collect();
        let row = ROW.replace("Ann:female,Bob:male,Cas:female", &crowd.join(","));
        let letters =
            LoadOptions { names: EntityNames::Letters, ..options(Some(Surface::Compact)) };
        let error = read("t", &format!("{HEADER}\n{row}\n"), &letters).unwrap_err();
        assert!(error.to_string().contains("27 people"), "{error}");
    }

    /// Answers that follow from the proof by our rules, and all questions.
    fn derived(dataset: &Dataset) -> (usize, usize) {
        let follows = |set: &&KnowledgeSet| {
            let relation = |fact: &usize| Relation::from_name(texts(set)[*fact].split(' ').nth(1)?);
            let chain: Option<Vec<Relation>> =
                set.questions[0].relevant.iter().map(relation).collect();
            let answers = derivable(&chain.unwrap_or_default());
            answers.iter().any(|answer| answer.name() == set.questions[0].answer)
        };
        (dataset.knowledge_sets().filter(follows).count(), dataset.knowledge_sets().count())
    }

    #[test]
    fn the_published_tables_are_read_and_agree_with_our_rules() {
        let tables = [
            ("clutrr/emnlp_k2-3.zip", 10_094, 11_240),
            ("clutrr/templated_k2-3.zip", 2_685, 9_891),
        ];
        for (file, train, all) in tables {
            let Some(path) = published(file) else { return };
            let dataset = load(&path, &LoadOptions::default()).unwrap();
            assert_eq!((dataset.kind, dataset.splits[&Split::Train].len()), (Kind::Clutrr, train));
            assert_eq!(derived(&dataset), (all, all));
            for (split, sets) in &dataset.splits {
                let hops = |set: &KnowledgeSet| set.questions[0].hops;
                if let Split::TestAtHops(expected) = split {
                    assert!(
                        sets.iter()
                            .all(|set| hops(set) == *expected && set.facts.len() == *expected)
                    );
                }
            }
            assert!(dataset.skipped[0].contains("config.json"), "{:?}", dataset.skipped);
            let original =
                load(&path, &LoadOptions { surface: None, ..LoadOptions::default() }).unwrap();
            assert!(original.knowledge_sets().all(|set| !set.questions[0].relevant.is_empty()));
        }
    }
}
