//! Cases small enough to count by hand.

use proptest::prelude::*;

use super::*;

fn facts() -> Vec<Fact> {
    [
        "A son B .",
        "B son C .",
        "If someone is red, big, and kind then they are blue.",
        "Bob is red.",
        "big",
    ]
    .map(|text| Fact { text: text.into() })
    .to_vec()
}

fn strict(generated: &str, relevant: &[usize]) -> [f64; 3] {
    let FactRecall { precision, recall, f1 } = FactRecall::of(generated, &facts(), relevant);
    [precision, recall, f1]
}

fn lenient(generated: &str, relevant: &[usize]) -> (usize, usize) {
    let LenientRecall { hits, chunks } = LenientRecall::of(generated, &facts(), relevant);
    (hits, chunks)
}

#[test]
fn articles_case_and_punctuation_do_not_matter() {
    assert_eq!(normalized("  The Father-in-law, of an  ANT!"), "fatherinlaw of ant");
    assert!(exact_match("The uncle.", "uncle"));
    assert!(exact_match("Grandson because A son B , B son C", "grandson"));
    assert!(!exact_match("grandson", "grandsons"));
    assert!(!exact_match("", "uncle"));
}

#[test]
fn because_is_a_word() {
    assert_eq!((label("yes because x"), recalled_text("yes because x, y")), ("yes", Some("x, y")));
    assert_eq!((label("becauseway"), recalled_text("becauseway")), ("becauseway", None));
    assert_eq!((label("because"), recalled_text("because")), ("", Some("")));
    assert_eq!(recalled_text("no because é because z"), Some("é because z"));
}

#[test]
fn facts_count_once_and_whole() {
    assert_eq!(strict("grandson because B son C , A son B", &[0, 1]), [1.0, 1.0, 1.0]);
    assert_eq!(strict("grandson because A son B , A son B .", &[0, 1]), [1.0, 0.5, 2.0 / 3.0]);
    assert_eq!(strict("grandson because A son B, C son D, E son F", &[0, 1])[0], 1.0 / 3.0);
    assert_eq!(strict("grandson because son B", &[0]), [0.0, 0.0, 0.0]);
    // Only gold facts are right, even if others are known.
    assert_eq!(strict("yes because Bob is red", &[0]), [0.0, 0.0, 0.0]);
}

#[test]
fn articles_may_be_names() {
    assert_eq!(strict("x because Q son B", &[0])[2], 0.0);
    assert_eq!(strict("x because a son b", &[0])[2], 1.0);
}

#[test]
fn facts_with_commas_are_one_fact() {
    let text = "yes because Bob is red , If someone is red , big , and kind then they are blue";
    assert_eq!(strict(text, &[2, 3]), [1.0, 1.0, 1.0]);
    // Parts in another order are not the fact; one of them is another known fact, two are unknown.
    let shuffled = "yes because big, If someone is red, and kind then they are blue";
    assert_eq!(strict(shuffled, &[2]), [0.0, 0.0, 0.0]);
    assert_eq!(strict(shuffled, &[4])[0], 1.0 / 3.0);
}

#[test]
fn nothing_recalled_is_precise_but_recalls_nothing() {
    assert_eq!(strict("yes", &[0]), [1.0, 0.0, 0.0]);
    assert_eq!(strict("yes because", &[]), [1.0, 1.0, 1.0]);
    assert_eq!(strict("yes because A son B", &[]), [0.0, 1.0, 0.0]);
    assert!(FactRecall::of("none", &facts(), &[]).is_exact());
    assert!(!FactRecall::of("none", &facts(), &[1]).is_exact());
}

#[test]
fn the_official_measure_takes_parts_and_repetitions() {
    assert_eq!(lenient("yes because son B, son B, Bob", &[0]), (2, 3));
    assert_eq!(lenient("yes because Bob is red, , ", &[3]), (1, 1));
    assert_eq!(lenient("Bob is red", &[3]), (1, 1));
    // Nothing after normalisation, and the end of one fact with the beginning of the next.
    assert_eq!(lenient("yes because the, B B son", &[0, 1]), (1, 1));
    let total: LenientRecall =
        [(1, 2), (0, 2)].map(|(hits, chunks)| LenientRecall { hits, chunks }).into_iter().sum();
    assert_eq!(total.ratio(), 0.25);
    assert_eq!(LenientRecall::default().ratio(), 0.0);
}

proptest! {
    #[test]
    fn scores_are_shares(generated in "\\PC{0,40}", relevant in prop::collection::vec(0usize..7, 0..4)) {
        for score in strict(&generated, &relevant) {
            prop_assert!((0.0..=1.0).contains(&score));
        }
        let (hits, chunks) = lenient(&generated, &relevant);
        prop_assert!(hits <= chunks);
        prop_assert_eq!(normalized(&normalized(&generated)), normalized(&generated));
    }

    #[test]
    fn any_order_of_the_gold_facts_is_exact(order in Just([0usize, 1, 2, 3]).prop_shuffle()) {
        let facts = facts();
        let text: Vec<&str> = order.iter().map(|&index| facts[index].text.as_str()).collect();
        let generated = format!("yes because {}", text.join(" , "));
        let recall = FactRecall::of(&generated, &facts, &[0, 1, 2, 3]);
        prop_assert!(recall.is_exact());
    }
}
