use gif::DecodeOptions;

use super::*;

#[test]
fn a_chunk_streams_in_and_is_remembered_on_one_side_only() {
    let server = Server::new();
    let session = server.begin();
    let mut before = 0.0;
    for number in 1..=3 {
        let events = server.act(&session, "Turn left, quickly");
        let (chunk, streamed) = events.split_last().unwrap();
        assert!(streamed.iter().all(|event| event["kind"] == "frame"));
        let numbers = |side| -> Vec<&Value> {
            let of_side = streamed.iter().filter(|event| event["side"] == side);
            of_side.map(|event| &event["number"]).collect()
        };
        assert_eq!(numbers("with_memory"), [0, 1, 2]);
        assert_eq!(numbers("without_memory"), [0, 1, 2]);
        // A fresh memory changes nothing.
        let alike = frames(&events, "with_memory") == frames(&events, "without_memory");
        assert_eq!(alike, number == 1);

        assert_eq!(chunk["kind"], "chunk");
        assert_eq!(chunk["phrase"], "Turn left, quickly");
        assert_eq!(chunk["unknown"], json!(["quickly"]));
        assert!(norm(chunk, "with_memory") > before);
        before = norm(chunk, "with_memory");
        assert_eq!(chunk["with_memory"]["fast_losses"].as_array().unwrap().len(), 2);
        let nothing = json!({ "memory_norm": 0.0, "fast_losses": [] });
        assert_eq!(chunk["without_memory"], nothing);

        let state = server.get(&session).expect(StatusCode::OK);
        assert_eq!(state["chunks"].as_array().unwrap().len(), number);
        assert_eq!(state["chunks"][number - 1]["with_memory"], chunk["with_memory"]);
        assert_eq!(&state["view"]["with_memory"], frames(&events, "with_memory").last().unwrap());
    }
}

#[test]
fn the_same_start_and_seed_give_the_same_bits() {
    let server = Server::new();
    let play = || {
        let session = server.begin();
        [server.act(&session, "go forward"), server.act(&session, "turn right")]
    };
    assert_eq!(play(), play());
    let other = server.post("/api/sessions", &json!({ "start": 3, "seed": 6 }));
    let other = server.act(&path_of(&other.json()), "go forward");
    assert_ne!(other, play()[0]);
}

#[test]
fn after_a_rewind_the_same_phrase_gives_the_same_bits() {
    let server = Server::new();
    let session = server.begin();
    let start = server.get(&session).json();
    server.act(&session, "turn left");
    let after_one = server.get(&session).json();
    let second = server.act(&session, "go forward");
    server.act(&session, "turn left");
    let rewind = |chunks: usize| {
        let answer = server.post(&format!("{session}/rewind"), &json!({ "chunks": chunks }));
        answer.expect(StatusCode::OK)
    };
    assert_eq!(rewind(1), after_one);
    assert_eq!(server.act(&session, "go forward"), second);
    assert_eq!(rewind(0), start);
}

#[test]
fn a_fork_has_the_same_past_and_another_future() {
    let server = Server::new();
    let session = server.begin();
    server.act(&session, "turn left");
    let fork = |seed: u64| {
        let answer = server.post(&format!("{session}/fork"), &json!({ "seed": seed }));
        let state = answer.expect(StatusCode::CREATED);
        assert_eq!(state["seed"], seed);
        assert_eq!(state["chunks"], server.get(&session).json()["chunks"]);
        assert_ne!(path_of(&state), session);
        path_of(&state)
    };
    let (other, same) = (fork(6), fork(5));
    let future = server.act(&session, "turn left");
    assert_ne!(server.act(&other, "turn left"), future);
    assert_eq!(server.act(&same, "turn left"), future, "the seed that it began with");

    let back = |chunks: usize| {
        server.post(&format!("{other}/rewind"), &json!({ "chunks": chunks })).json()["seed"].clone()
    };
    assert_eq!(back(1), 6, "after the fork");
    assert_eq!(back(0), 5, "before it");
}

#[test]
fn clips_can_be_taken_home() {
    let server = Server::new();
    let session = server.begin();
    server.act(&session, "turn left");
    for (query, width) in
        [("", 4 * (16 + 2 + 16)), ("?side=with_memory&enlarged=2", 32), ("?enlarged=1", 34)]
    {
        let answer = server.get(&format!("{session}/clip{query}"));
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "image/gif");
        let name = answer.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
        assert_eq!(name, "attachment; filename=\"clip-1-chunks.gif\"");
        let mut gif = DecodeOptions::new().read_info(answer.body.as_slice()).unwrap();
        assert_eq!(gif.width(), width);
        let mut frames = 0;
        while gif.next_frame_info().unwrap().is_some() {
            frames += 1;
        }
        assert_eq!(frames, 1 + 3);
    }
}

#[test]
fn a_chunk_that_cannot_be_learned_leaves_the_episode_as_it_was() {
    let mut config = config();
    // The second chunk meets what the first left in the memory.
    (config.fast.rate, config.fast.steps) = (1e30, 1);
    let server = Server::of(player(1, &config), Limits::default());
    let session = server.begin();
    assert_eq!(server.act(&session, "turn left").last().unwrap()["kind"], "chunk");
    let state = server.get(&session).json();
    let failed = server.act(&session, "turn left");
    let failed = failed.last().unwrap();
    assert_eq!(failed["kind"], "error");
    assert!(failed["error"].as_str().unwrap().contains("fast learning"), "{failed}");
    assert_eq!(server.get(&session).json(), state);
}

#[test]
fn the_page_learns_what_it_needs_of_the_model() {
    let server = Server::new();
    let model = server.get("/api/model").expect(StatusCode::OK);
    assert_eq!(model["words"], json!(["forward", "go", "left", "right", "turn"]));
    assert_eq!((&model["height"], &model["frames_per_chunk"]), (&json!(16), &json!(3)));
    assert_eq!(model["fingerprint"].as_str().unwrap().len(), 64);
    assert_eq!(model["test_episodes"], Value::Null);
    assert_eq!(model["keys"]["ArrowUp"], "go forward");
    assert_eq!(model["keys"]["ArrowLeft"], "turn left");
    // The model knows no word for it.
    assert_eq!(model["keys"]["ArrowDown"], "go back");
}

#[test]
fn the_page_is_served_and_loads_nothing_from_elsewhere() {
    let server = Server::new();
    let index = server.get("/");
    assert!(index.text().contains("<canvas"));
    for (file, kind) in [
        ("style.css", "text/css"),
        ("script.js", "text/javascript"),
        ("server.js", "text/javascript"),
        ("screen.js", "text/javascript"),
        ("plot.js", "text/javascript"),
    ] {
        let answer = server.get(&format!("/{file}"));
        assert_eq!(answer.status, StatusCode::OK);
        let found = answer.headers[header::CONTENT_TYPE].to_str().unwrap();
        assert!(found.starts_with(kind), "{file}: {found}");
        let text = answer.text().replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http://") && !text.contains("https://"), "{file}");
    }
    let policy = index.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
}
