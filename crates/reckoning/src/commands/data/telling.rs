//! One knowledge set as a text to read: numbered facts, then each question with its answer and its proof.

use crate::data::{KnowledgeSet, Question};

/// The set, line by line; every line ends.
pub(super) fn told(set: &KnowledgeSet) -> String {
    let mut text = format!("set {}\n", set.id);
    for (number, fact) in set.facts.iter().enumerate() {
        text += &format!("  {:>3}  {}\n", number + 1, fact.text);
    }
    for question in &set.questions {
        text += &asked(question);
    }
    text
}

fn asked(question: &Question) -> String {
    let Question { text, answer, relevant, hops } = question;
    let hops = match hops {
        0 => "no hop".to_owned(),
        1 => "1 hop".to_owned(),
        more => format!("{more} hops"),
    };
    let proof: Vec<String> = relevant.iter().map(|fact| (fact + 1).to_string()).collect();
    let proof = match proof.as_slice() {
        [] => String::new(),
        [fact] => format!(", from fact {fact}"),
        facts => format!(", from facts {}", facts.join(", ")),
    };
    format!("  asked     {text}\n  answered  {answer} ({hops}{proof})\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Fact;

    fn question(relevant: &[usize], hops: usize) -> Question {
        Question {
            text: "A ? C .".into(),
            answer: "grandson".into(),
            relevant: relevant.to_vec(),
            hops,
        }
    }

    #[test]
    fn facts_are_numbered_as_the_proof_names_them() {
        let set = KnowledgeSet {
            id: "7".into(),
            facts: ["A son B .", "B son C ."].map(|text| Fact { text: text.into() }).to_vec(),
            questions: vec![question(&[0, 1], 2)],
            entities: Vec::new(),
        };
        let lines = [
            "set 7",
            "    1  A son B .",
            "    2  B son C .",
            "  asked     A ? C .",
            "  answered  grandson (2 hops, from facts 1, 2)",
            "",
        ];
        assert_eq!(told(&set), lines.join("\n"));
    }

    #[test]
    fn proofs_of_any_length_read_well() {
        assert!(asked(&question(&[], 0)).ends_with("grandson (no hop)\n"));
        assert!(asked(&question(&[4], 1)).ends_with("grandson (1 hop, from fact 5)\n"));
    }
}
