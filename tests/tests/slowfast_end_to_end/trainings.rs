//! One training after the other, as the documentation has them.

use super::{AUTOENCODER, DENOISER, MODEL, SLOWFAST, outcome, prepared, settings, training};

const LOOP: [&str; 9] = [
    "data=clips",
    "model=slow/model",
    "episodes=2",
    "pace.log_every=1",
    "pace.glance_every=2",
    "glance_episodes=2",
    "final_episodes=2",
    "sampler.steps=2",
    "slow.rate.rate=1e-3",
];

#[test]
fn every_training_leaves_a_model_for_the_next() {
    let folder = prepared();
    let train = training("train", "slow", 6, &DENOISER);
    let results = SLOWFAST.run_json(folder.path(), [train, vec!["--json".into()]].concat());
    assert_eq!(results["steps"], 6);
    assert!(results["test"]["psnr"]["mean"].as_f64().unwrap() > 3.0, "{results}");
    assert_eq!(results["test"]["windows"], 3);

    let denoiser_of_others = ["start_from=slow/model", "autoencoder=other/autoencoder.safetensors"];
    let other = [AUTOENCODER.as_slice(), &["data=clips", "seed=1"]].concat();
    SLOWFAST.run(folder.path(), training("train-autoencoder", "other", 1, &other));
    let other = [DENOISER.as_slice(), &denoiser_of_others].concat();
    let line = SLOWFAST.failure(folder.path(), training("train", "moved", 1, &other), 2);
    assert!(line.contains("another autoencoder"), "{line}");

    // The first window, of one given frame, would fit.
    let long = [LOOP.as_slice(), &["chunks.frames=5", "chunks.start=1"]].concat();
    let line = SLOWFAST.failure(folder.path(), training("loop", "long", 1, &long), 2);
    assert!(line.contains("frames"), "{line}");
    assert!(!folder.path().join("long").exists());

    let second_order = "method={ kind = \"second-order\", second_order = { written = 2, fast = { adapters = { rank = 2, alpha = 2.0 }, rate = 1e-2 } } }";
    let stop_gradient = "method={ kind = \"stop-gradient\", batch = 4, fast = { adapters = { rank = 2, alpha = 2.0 }, rate = 1e-2 } }";
    let generated = stop_gradient.replace("batch = 4", "batch = 4, source = \"generated\"");
    for (out, method) in
        [("second", second_order), ("stop", stop_gradient), ("generated", generated.as_str())]
    {
        let arguments = training("loop", out, 2, &[LOOP.as_slice(), &[method]].concat());
        let results = SLOWFAST.run_json(folder.path(), [arguments, vec!["--json".into()]].concat());
        let gain = &results["test"]["gain"];
        assert!(gain["mean"].is_number() && gain["n"] == 2, "{results}");
        let model = folder.path().join(out).join("model/denoiser.safetensors");
        let before = folder.path().join("slow/model/denoiser.safetensors");
        assert_ne!(std::fs::read(model).unwrap(), std::fs::read(before).unwrap());
    }
    // What a loop left can be trained further.
    let further = [LOOP.as_slice(), &[second_order, "model=second"]].concat();
    SLOWFAST.run(folder.path(), training("loop", "third", 1, &further));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let folder = prepared();
    let of_threads = |threads: &str| {
        let out = format!("threads-{threads}");
        let mut command = SLOWFAST.command(folder.path());
        command.env("RAYON_NUM_THREADS", threads).args(training("train", &out, 4, &DENOISER));
        assert!(command.output().unwrap().status.success());
        outcome(&folder.path().join(out), &MODEL)
    };
    let one = of_threads("1");
    for threads in ["2", "8"] {
        assert_eq!(of_threads(threads), one, "{threads} threads");
    }
}

#[test]
fn a_trained_model_is_trained_further_with_its_own_words_and_shape() {
    let folder = prepared();
    SLOWFAST.run(folder.path(), training("train", "slow", 2, &DENOISER));
    let more = ["--set", "start_from=slow", "--set", "denoiser.word_width=7"];
    let arguments = training("train", "more", 2, &DENOISER);
    let more = more.map(String::from).to_vec();
    SLOWFAST.run(folder.path(), [arguments, more].concat());
    let config = std::fs::read_to_string(folder.path().join("more/config.toml")).unwrap();
    assert!(config.contains("word_width = 32"), "{config}");
}

#[test]
fn a_trained_model_generates_and_is_judged() {
    let folder = prepared();
    SLOWFAST.run(folder.path(), training("train", "slow", 2, &DENOISER));
    let json = |arguments: &[&str], more: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let arguments = [arguments, settings(more.iter().copied())].concat();
        SLOWFAST.run_json(folder.path(), [arguments, vec!["--json".into()]].concat())
    };
    let phrases = ["turn left", "turn right"];
    let generate = [&["generate", "--model", "slow", "--out", "first"], &phrases[..]].concat();
    let rooms = ["sampler.steps=2", "world.room_columns=1", "world.room_rows=1"];
    let first = json(&generate, &rooms);
    assert_eq!(first["chunks"].as_array().unwrap().len(), 2, "{first}");
    assert!(first["chunks"][1]["with_memory"]["memory_norm"].as_f64().unwrap() > 0.0);
    let memory = "first/memory.safetensors";
    let go_on = ["generate", "--model", "slow", "--out", "more", "--memory", memory, "go forward"];
    assert_eq!(json(&go_on, &rooms)["chunks"].as_array().unwrap().len(), 3);
    let line = SLOWFAST.failure(folder.path(), &generate, 2);
    assert!(line.contains(memory) && line.contains("--memory"), "{line}");
    let again = ["generate", "--model", "slow", "--out", "first", "--memory", memory, "go forward"];
    assert_eq!(json(&again, &rooms)["chunks"].as_array().unwrap().len(), 3);
    for clip in ["side-by-side.gif", "with-memory.gif", "without-memory.gif"] {
        assert!(std::fs::read(folder.path().join("more").join(clip)).unwrap().starts_with(b"GIF"));
    }

    let inverse = ["train-inverse-dynamics", "--data", "clips", "--out", "inverse"];
    let learned = json(
        &inverse,
        &["pairs=40", "pace.steps=3", "glance_pairs=10", "final_pairs=20", "batch=8"],
    );
    assert!(learned.is_object(), "{learned}");
    let eval = ["eval", "--model", "slow", "--data", "clips", "--inverse-dynamics", "inverse"];
    let brief = ["episodes=2", "sampler.steps=2", "cost_chunks=0", "routes=[\"look-away\"]"];
    let evaluated = json(&[&eval[..], &["--out", "eval"]].concat(), &brief);
    let rows = evaluated["rows"].as_array().unwrap();
    assert!(rows.len() > 8, "{evaluated}");
    let plan = ["plan", "--model", "slow=slow", "--inverse-dynamics", "inverse", "--out", "plan"];
    let small = ["tasks=1", "sampler.steps=2", "world.size=16", "world.rays_per_pixel=1"];
    let planned = json(&plan, &[&small[..], &["actions_there=2"]].concat());
    assert!(planned["rows"].as_array().unwrap().len() >= 4, "{planned}");
}
