use super::*;
use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    name: String,
    steps: u64,
    stop_after: Option<u64>,
    layers: Vec<u64>,
    model: Model,
    optimiser: Optimiser,
    loose: Loose,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    width: u64,
    rate: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Optimiser {
    Sgd { momentum: f64 },
    Adam { beta: f64 },
    Plain,
}

/// Several sections of one kind each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    optimisers: Vec<Optimiser>,
}

/// Its author forgot `deny_unknown_fields`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Loose {
    depth: u64,
}

/// Their author forgot it, too, and serde hides what is in them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Source {
    File {
        path: String,
        #[serde(default = "one", skip_serializing_if = "is_one")]
        copies: u64,
    },
    Drawn(Loose),
}

fn one() -> u64 {
    1
}

fn is_one(count: &u64) -> bool {
    *count == 1
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sourced {
    source: Source,
    others: Vec<Source>,
}

fn defaults() -> Config {
    Config {
        name: "plain".into(),
        steps: 100,
        stop_after: None,
        layers: vec![1, 2],
        model: Model { width: 64, rate: 0.1 },
        optimiser: Optimiser::Sgd { momentum: 0.9 },
        loose: Loose { depth: 3 },
    }
}

fn with(file: Option<&str>, overrides: &[&str]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("given.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
    }
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    load(&defaults(), file.map(|_| path.as_path()), &overrides)
}

fn message(file: Option<&str>, overrides: &[&str]) -> String {
    with(file, overrides).unwrap_err().to_string()
}

#[test]
fn nothing_given_leaves_the_defaults() {
    assert_eq!(with(None, &[]).unwrap(), defaults());
    assert_eq!(with(Some(""), &[]).unwrap(), defaults());
}

#[test]
fn the_file_changes_only_what_it_names_and_overrides_go_over_it() {
    let config =
        with(Some("steps = 7\n[model]\nwidth = 8"), &["model.rate=1", "steps = 9"]).unwrap();
    assert_eq!(config.model, Model { width: 8, rate: 1.0 });
    assert_eq!((config.steps, config.name), (9, "plain".to_owned()));
}

#[test]
fn a_kind_without_fields_takes_none() {
    assert_eq!(with(None, &["optimiser.kind=plain"]).unwrap().optimiser, Optimiser::Plain);
    for overrides in [
        &["optimiser={kind='plain', beta=0.5}"][..],
        &["optimiser.kind=plain", "optimiser.beta=0.5"],
    ] {
        let text = message(None, overrides);
        assert!(text.contains("there is no field `optimiser.beta`"), "{text}");
    }
    let listed = Listed { optimisers: Vec::new() };
    let set = ["optimisers=[{kind='adam', beta=0.5}, {kind='plain', beta=0.5}]".to_owned()];
    let text = load(&listed, None, &set).unwrap_err().to_string();
    assert!(text.contains("there is no field `optimisers[1].beta`"), "{text}");
}

#[test]
fn a_careless_kind_takes_no_field_that_it_does_not_read() {
    let defaults = Sourced { source: Source::Drawn(Loose { depth: 3 }), others: Vec::new() };
    let load = |overrides: &[&str]| {
        let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
        load(&defaults, None, &overrides)
    };
    let file = ["source.kind=file", "source.path=facts.txt"];
    for (more, told) in [
        ("source.nonsense=3", "--set source.nonsense=3: there is no field `source.nonsense`"),
        ("source.depth=3", "there is no field `source.depth`"),
        ("source.within.nonsense=3", "there is no field `source.within`"),
        (
            "others=[{kind='drawn', depth=1}, {kind='drawn', depth=1, dept=1}]",
            "there is no field `others[1].dept`",
        ),
    ] {
        let text = load(&[&file[..], &[more]].concat()).unwrap_err().to_string();
        assert!(text.contains(told), "{text}");
    }
    let text = load(&["source.dept=4"]).unwrap_err().to_string();
    assert!(text.contains("`source.dept`; did you mean `source.depth`?"), "{text}");
}

#[test]
fn a_field_of_a_kind_may_be_given_its_usual_value() {
    let defaults = Sourced { source: Source::Drawn(Loose { depth: 3 }), others: Vec::new() };
    for copies in [1, 2] {
        let set = format!("source={{kind='file', path='facts.txt', copies={copies}}}");
        let found = load(&defaults, None, &[set]).unwrap();
        assert_eq!(found.source, Source::File { path: "facts.txt".into(), copies });
    }
}

/// Following the advice must not lead to the next refusal.
#[test]
fn the_advice_is_a_field_of_the_kind_that_is_set() {
    let text = message(None, &["optimiser.kind=adam", "optimiser.beta=0.5", "optimiser.betta=0.5"]);
    assert!(text.contains("`optimiser.betta`; did you mean `optimiser.beta`?"), "{text}");
    let text =
        message(None, &["optimiser.kind=adam", "optimiser.beta=0.5", "optimiser.momentum=0.5"]);
    assert!(text.contains("there is no field `optimiser.momentum`"), "{text}");
    assert!(!text.contains("did you mean `optimiser.momentum`"), "{text}");
    let text = message(None, &["stop_afer=3"]);
    assert!(text.contains("did you mean `stop_after`?"), "a field without a default: {text}");
}

#[test]
fn values_are_toml_or_else_text() {
    let config = with(None, &["name=a plain = text", "layers=[4, 5, 6]", "stop_after=3"]).unwrap();
    assert_eq!(
        (config.name.as_str(), config.layers, config.stop_after),
        ("a plain = text", vec![4, 5, 6], Some(3))
    );
    assert_eq!(with(None, &[r#"name="12""#]).unwrap().name, "12");
    assert_eq!(with(None, &["name="]).unwrap().name, "");
}

#[test]
fn another_kind_starts_its_section_afresh() {
    let expected = Optimiser::Adam { beta: 0.5 };
    let file = "[optimiser]\nkind = \"adam\"\nbeta = 0.5";
    assert_eq!(with(Some(file), &[]).unwrap().optimiser, expected);
    for overrides in [
        ["optimiser.kind=adam", "optimiser.beta=0.5"],
        ["optimiser.beta=0.5", "optimiser.kind=adam"],
    ] {
        assert_eq!(with(None, &overrides).unwrap().optimiser, expected);
        assert_eq!(
            with(Some("optimiser = { kind = \"plain\" }"), &overrides).unwrap().optimiser,
            expected
        );
    }
    let text = message(None, &["optimiser.betta=1", "optimiser.kind=adam", "optimiser.beta=0.5"]);
    assert!(text.starts_with("--set optimiser.betta=1: there is no field"), "{text}");
    assert_eq!(
        with(None, &["optimiser.momentum=0.5"]).unwrap().optimiser,
        Optimiser::Sgd { momentum: 0.5 }
    );
}

#[test]
fn unknown_fields_name_the_layer_and_the_nearest_path() {
    let text = message(None, &["steps=3", "model.widht=3"]);
    assert_eq!(
        text,
        "--set model.widht=3: there is no field `model.widht`; did you mean `model.width`?"
    );
    let text = message(Some("[model]\nratee = 1"), &["steps=3"]);
    assert!(
        text.contains("given.toml: there is no field `model.ratee`; did you mean `model.rate`?"),
        "{text}"
    );
    let text = message(None, &["stepz=3"]);
    assert!(text.contains("`stepz`; did you mean `steps`?"), "{text}");
}

#[test]
fn unknown_fields_are_found_in_tagged_sections_and_in_careless_types() {
    let text = message(None, &["optimiser.momentun=0.5"]);
    assert!(text.contains("`optimiser.momentun`; did you mean `optimiser.momentum`?"), "{text}");
    let text = message(None, &["loose.dept=4"]);
    assert!(text.contains("`loose.dept`; did you mean `loose.depth`?"), "{text}");
    let text = message(None, &["name.first=x"]);
    assert!(text.starts_with("--set name.first=x: field `name`: invalid type: map"), "{text}");
}

#[test]
fn wrong_values_name_the_field_and_what_it_takes() {
    let text = message(Some("[model]\nwidth = 8"), &["model.width=wide", "steps=3"]);
    assert!(
        text.starts_with("--set model.width=wide: field `model.width`: invalid type: string"),
        "{text}"
    );
    assert!(text.contains("expected u64"), "{text}");
    let text = message(Some("steps = -1"), &["model.width=3"]);
    assert!(text.contains("given.toml: field `steps`: invalid value"), "{text}");
    let text = message(None, &["layers=[1, \"two\"]"]);
    assert!(text.contains("field `layers[1]`"), "{text}");
    let text = message(None, &["optimiser.kind=adam"]);
    assert!(text.contains("--set optimiser.kind=adam: `optimiser.beta` is missing"), "{text}");
}

/// Following the advice leads on: to the kind, and to its fields.
#[test]
fn a_word_in_place_of_a_section_is_told_to_be_its_kind() {
    let text = message(None, &["steps=3", "optimiser=plain"]);
    let expected = "--set optimiser=plain: field `optimiser`: it is a section with a kind, not the text \"plain\"; \
        write optimiser.kind=plain";
    assert_eq!(text, expected);
    assert_eq!(with(None, &["optimiser.kind=plain"]).unwrap().optimiser, Optimiser::Plain);
    let text = message(Some("optimiser = \"adam\""), &["steps=3"]);
    assert!(text.ends_with("write { kind = \"adam\" }"), "{text}");
    let of_file = with(Some("optimiser = { kind = \"adam\", beta = 0.5 }"), &[]).unwrap();
    assert_eq!(of_file.optimiser, Optimiser::Adam { beta: 0.5 });
    let listed = Listed { optimisers: Vec::new() };
    let set = ["optimisers=[{kind='plain'}, 'plain']".to_owned()];
    let text = load(&listed, None, &set).unwrap_err().to_string();
    assert!(text.contains("field `optimisers[1]`: it is a section with a kind"), "{text}");
    assert!(text.ends_with("write { kind = \"plain\" }"), "{text}");
}

#[test]
fn a_table_or_a_list_that_is_not_toml_is_not_called_a_text() {
    for value in ["{kind=adam,beta=1}", "[1, two]", "{kind='adam'"] {
        for field in ["optimiser", "layers", "steps"] {
            let set = format!("{field}={value}");
            let text = message(None, &[&set, "name=x"]);
            let beginning = format!("--set {set}: field `{field}`: {value} is not TOML (");
            assert!(text.starts_with(&beginning) && text.contains("need quotes"), "{text}");
            assert!(!text.contains("string \""), "{text}");
        }
    }
    assert_eq!(with(None, &["name=[draft] a"]).unwrap().name, "[draft] a");
}

#[test]
fn an_integer_beyond_toml_is_not_called_a_text() {
    for value in ["18446744073709551615", "-9_223_372_036_854_775_809"] {
        let set = format!("steps={value}");
        let text = message(None, &[&set]);
        assert!(text.contains(&format!("{value} is beyond the integers of TOML")), "{text}");
        assert!(text.contains("to 9223372036854775807") && !text.contains("string"), "{text}");
    }
    // Serde tells nothing deeper than the section, so that the value alone tells which of both is meant.
    let text = message(None, &["optimiser.momentum=18446744073709551615", "optimiser.kind=sgd"]);
    assert!(text.starts_with("--set optimiser.momentum=18446744073709551615: "), "{text}");
    let text = message(None, &["steps=007"]);
    assert!(text.contains("invalid type: string"), "{text}");
    assert_eq!(with(None, &["name=18446744073709551615"]).unwrap().name, "18446744073709551615");
}

#[test]
fn malformed_overrides_are_shown_the_form() {
    for text in ["steps", "=3", "model..width=3", "model width=3"] {
        assert!(matches!(with(None, &[text]), Err(ConfigError::MalformedOverride(_))), "{text}");
        assert!(message(None, &[text]).contains("path.to.field=value"));
    }
}

#[test]
fn unreadable_files_and_bad_toml_are_named() {
    let absent = load(&defaults(), Some(Path::new("absent.toml")), &[]).unwrap_err();
    assert!(absent.to_string().contains("cannot read the configuration absent.toml"));
    let text = message(Some("steps = 3\nname = \n"), &[]);
    assert!(text.contains("given.toml, line 2: "), "{text}");
}

#[test]
fn defaults_that_toml_cannot_hold_are_an_error() {
    let failure = load(&u64::MAX, None, &[]).unwrap_err();
    assert!(matches!(failure, ConfigError::Defaults(_)));
}
