//! Bad input: exit code 2 and one line that says what to do.

use super::{DENOISER, SLOWFAST, prepared, training};

#[test]
fn what_is_missing_or_wrong_is_named() {
    let folder = prepared();
    let failure = |arguments: Vec<String>| SLOWFAST.failure(folder.path(), arguments, 2);
    let train = |more: &[&str]| failure(training("train", "run", 2, &[&DENOISER, more].concat()));
    let loop_with = |method: &str| {
        let method = format!("method={method}");
        failure(training("loop", "run", 2, &["data=clips", "model=nothing", &method]))
    };
    let told = [
        (train(&["data=nowhere"]), "nowhere"),
        (train(&["autoencoder=nothing.safetensors"]), "nothing.safetensors"),
        (train(&["batch=0"]), "`batch`"),
        (train(&["batch=3", "graphs=2"]), "`graphs`"),
        (train(&["windows.least_past=9"]), "least_past"),
        (train(&["windows.future=200"]), "204 frames"),
        (train(&["windows.future=5"]), "frames"),
        (train(&["sampler.steps=1001"]), "sampler.steps"),
        (train(&["slow.clip=-1"]), "slow.clip"),
        (train(&["denoiser.words=1"]), "shorten"),
        (train(&["colour=3"]), "colour"),
        (train(&["denoiser.frames=0"]), "in `denoiser`: `frames` is 0"),
        (train(&["diffusion.schedule.first_beta=0"]), "in `diffusion`: "),
        (
            loop_with("{ kind = \"stop-gradient\", fast = { rate = 0.0 } }"),
            "in `method`: `fast.rate` is 0",
        ),
        (
            loop_with("{ kind = \"second-order\", second_order = { written = 0 } }"),
            "in `method`: `second_order.written` is 0",
        ),
        (
            loop_with(
                "{ kind = \"second-order\", second_order = { fast = { adapters = { rank = 0 } } } }",
            ),
            "in `method.second_order`: `fast.adapters.rank` is 0",
        ),
        (failure(training("loop", "run", 2, &["data=clips", "model=nothing"])), "nothing"),
        (failure(training("train-autoencoder", "run", 0, &["data=clips"])), "pace.steps"),
        (failure(training("train-autoencoder", "run", 9000, &["data=clips"])), "rate.steps"),
        (
            failure(training(
                "train-autoencoder",
                "run",
                1,
                &["data=clips", "autoencoder.factor=5"],
            )),
            "factor",
        ),
    ];
    for (line, expected) in told {
        assert!(line.contains(expected), "{line} does not tell {expected}");
    }
    assert!(!folder.path().join("run").exists(), "a corrected command finds the folder free");
}

#[test]
fn clips_without_scenes_to_judge_on_are_refused_at_the_start() {
    let folder = prepared();
    let two = ["data", "generate", "--out", "two", "--episodes", "2", "--size", "16"];
    SLOWFAST.run(folder.path(), two);
    for command in ["train-autoencoder", "train-inverse-dynamics"] {
        let line = SLOWFAST.failure(folder.path(), training(command, "run", 1, &["data=two"]), 2);
        assert!(line.contains("validation") || line.contains("test"), "{line}");
        assert!(!folder.path().join("run").exists());
    }
}

#[test]
fn an_autoencoder_of_other_frames_is_refused() {
    let folder = prepared();
    let larger = ["data", "generate", "--out", "larger", "--episodes", "4", "--size", "24"];
    let small = [
        "--set",
        "world.room_columns=1",
        "--set",
        "world.room_rows=1",
        "--set",
        "there_and_back=1.0",
    ];
    SLOWFAST.run(folder.path(), [larger.as_slice(), &small].concat());
    let arguments = training("train", "run", 2, &[&DENOISER, ["data=larger"].as_slice()].concat());
    let line = SLOWFAST.failure(folder.path(), arguments, 2);
    assert!(line.contains("episode") && line.contains("24"), "{line}");
}

/// A demo writes over nothing but what an earlier demo wrote.
#[test]
fn a_demo_leaves_other_runs_alone() {
    let folder = prepared();
    let demo = ["demo", "--out", "autoencoder"];
    let line = SLOWFAST.failure(folder.path(), demo, 2);
    assert!(line.contains("another run") && line.contains("--out"), "{line}");
    assert!(!folder.path().join("autoencoder/model").exists());
}
