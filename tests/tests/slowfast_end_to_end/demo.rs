//! The demo, with the model that comes with the program.

use super::SLOWFAST;

#[test]
fn the_demo_shows_the_way_back_and_leaves_a_model_to_play_with() {
    let folder = tempfile::tempdir().unwrap();
    let demo = ["demo", "--episodes", "4", "--animations", "1", "--out", "demo", "--json"];
    let shown = SLOWFAST.run_json(folder.path(), demo);
    let rows = shown["rows"].as_array().unwrap();
    let named = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    for method in ["no memory", "Temp-LoRA"] {
        let revisited = named(method)["revisit_psnr"]["mean"].as_f64().unwrap();
        let copied = named("copy of the last given frame")["revisit_psnr"]["mean"].as_f64();
        assert!(
            revisited > copied.unwrap(),
            "{method} is no better than a frozen picture: {shown}"
        );
    }
    let content = |name: &str| std::fs::read(folder.path().join("demo").join(name)).unwrap();
    assert!(content("there-and-back-1.gif").starts_with(b"GIF"));
    assert!(String::from_utf8(content("report.html")).unwrap().contains("Temp-LoRA"));
    // Again: what is there is not made again, and comes out the same.
    assert_eq!(SLOWFAST.run_json(folder.path(), demo), shown);

    let play = ["generate", "--model", "demo/model", "--out", "played", "turn left", "--json"];
    let played = SLOWFAST.run_json(folder.path(), play);
    assert_eq!(played["chunks"].as_array().unwrap().len(), 1, "{played}");
}
