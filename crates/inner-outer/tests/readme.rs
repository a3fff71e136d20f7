//! What the README shows is what runs.

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let readme = include_str!("../../../README.md");
    let example = include_str!("../examples/new_research.rs");
    assert!(
        readme.contains(&format!("```rust\n{example}```")),
        "copy examples/new_research.rs to README.md"
    );
}
