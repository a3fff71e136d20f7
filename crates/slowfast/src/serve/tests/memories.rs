use std::path::Path;

use super::*;

fn saved(server: &Server, session: &str) -> Vec<u8> {
    let answer = server.get(&format!("{session}/memory"));
    assert_eq!(answer.status, StatusCode::OK);
    let name = answer.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(name.ends_with("chunks.safetensors\""), "{name}");
    answer.body
}

fn load(server: &Server, session: &str, content: Vec<u8>) -> Answer {
    server.request("PUT", &format!("{session}/memory"), content)
}

#[test]
fn a_loaded_memory_goes_on_bit_for_bit() {
    let server = Server::new();
    let session = server.begin();
    server.act(&session, "Turn left!");
    server.act(&session, "go forward");
    let file = saved(&server, &session);
    let before = server.get(&session).json();
    let next = server.act(&session, "turn right");

    let other = server.post("/api/sessions", &json!({ "start": 9, "seed": 9 })).json();
    let other = path_of(&other);
    server.act(&other, "go forward");
    let loaded = load(&server, &other, file).expect(StatusCode::OK);
    let told = |state: &Value, number: usize| state["chunks"][number]["with_memory"].clone();
    assert_eq!([told(&loaded, 0), told(&loaded, 1)], [told(&before, 0), told(&before, 1)]);
    assert_eq!(loaded["chunks"][0]["phrase"], "turn left");
    assert_eq!(loaded["view"]["with_memory"], before["view"]["with_memory"]);
    // The other side has the same past and remembers nothing of it.
    assert_eq!(loaded["view"]["without_memory"], before["view"]["with_memory"]);
    assert_eq!(norm(&loaded["chunks"][1], "without_memory"), 0.0);
    assert_eq!(loaded["start"], Value::Null);

    let again = server.act(&other, "turn right");
    assert_eq!(frames(&again, "with_memory"), frames(&next, "with_memory"));
    assert_eq!(again.last().unwrap()["with_memory"], next.last().unwrap()["with_memory"]);
    assert_ne!(frames(&again, "without_memory"), frames(&next, "with_memory"));
}

#[test]
fn a_loaded_memory_can_be_rewound() {
    let server = Server::new();
    let session = server.begin();
    server.act(&session, "turn left");
    let second = server.act(&session, "go forward");
    let other = server.begin();
    load(&server, &other, saved(&server, &session)).expect(StatusCode::OK);
    server.post(&format!("{other}/rewind"), &json!({ "chunks": 1 })).expect(StatusCode::OK);
    let again = server.act(&other, "go forward");
    assert_eq!(frames(&again, "with_memory"), frames(&second, "with_memory"));
}

#[test]
fn other_memories_are_refused_and_change_nothing() {
    let server = Server::new();
    let session = server.begin();
    server.act(&session, "turn left");
    let (file, state) = (saved(&server, &session), server.get(&session).json());
    let refused = |server: &Server, content: Vec<u8>| {
        let session = server.begin();
        load(server, &session, content).refusal(400)
    };

    let other_model = Server::of(player(2, &config()), Limits::default());
    let told = refused(&other_model, file.clone());
    assert!(told.contains("the uploaded file: a memory of the model"), "{told}");
    assert!(told.ends_with("load it with the model it was made with"), "{told}");

    let mut settings = config();
    settings.fast.steps = 1;
    let other_settings = Server::of(player(1, &settings), Limits::default());
    let told = refused(&other_settings, file.clone());
    assert!(told.ends_with("load it with the settings it was made with"), "{told}");

    let mut damaged = file.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for content in [damaged, b"GIF89a".to_vec(), Vec::new()] {
        let told = load(&server, &session, content).refusal(400);
        assert!(told.contains("restore the file from a copy"), "{told}");
    }
    assert_eq!(server.get(&session).json(), state);
}

#[test]
fn memories_beyond_the_limits_are_refused() {
    let server = Server::new();
    let session = server.begin();
    server.act(&session, "turn left");
    server.act(&session, "turn left");
    let file = saved(&server, &session);

    let small = Server::with_limits(Limits { upload: file.len() - 1, ..Limits::default() });
    let told = load(&small, &small.begin(), file.clone()).refusal(413);
    assert!(told.contains("--most-upload"), "{told}");
    let enough = player(1, &config()).memory_bytes(2).unwrap();
    assert!((file.len()..file.len() + (100 << 10)).contains(&enough), "{enough}");
    let exact = Server::with_limits(Limits { upload: file.len(), ..Limits::default() });
    load(&exact, &exact.begin(), file.clone()).expect(StatusCode::OK);

    let short = Server::with_limits(Limits { chunks: 1, ..Limits::default() });
    let told = load(&short, &short.begin(), file).refusal(409);
    assert!(told.contains("--most-chunks"), "{told}");
}

/// What only a program of somebody else would write.
#[test]
fn forged_memories_are_refused() {
    let player = player(1, &config());
    let played = player.begin(0, 0).unwrap();
    let world = &player.worlds().with_memory;
    let load = |episode: &crate::memory::Episode<Flex>, most: usize| {
        player.load(&world.to_bytes(episode).unwrap(), Path::new("a file"), most)
    };
    let refused = |change: fn(&mut crate::memory::Episode<Flex>)| {
        let mut episode = played.episodes.with_memory.clone();
        change(&mut episode);
        load(&episode, 64).unwrap_err().to_string()
    };
    let told = refused(|episode| {
        let tokens = vec![99; tiny::WORDS];
        episode.start.phrases = crate::text::Phrases::new(tokens, [1, 1, tiny::WORDS]).unwrap();
    });
    assert!(told.contains("vocabulary"), "{told}");
    let told = refused(|episode| {
        episode.fresh.as_mut().unwrap().theta.0.pop();
    });
    assert!(told.contains("adapters"), "{told}");
    let told = refused(|episode| episode.fresh = None);
    assert!(told.contains("adapters"), "{told}");
    // The same tensors, another of them the first of the optimiser's state.
    let told = refused(|episode| {
        let memory = episode.fresh.as_mut().unwrap();
        memory.state.0.insert(0, memory.theta.0.pop().unwrap());
    });
    assert!(told.contains("adapters have other shapes"), "{told}");
    let told = refused(|episode| episode.fresh.as_mut().unwrap().steps_taken = usize::MAX);
    assert!(told.contains("more steps"), "{told}");
    // Counted before anything is made of them.
    let told = player.understand("turn left").unwrap();
    let mut longer = player.act(&played, told, |_, _, _| ()).unwrap().episodes.with_memory;
    assert!(load(&longer, 1).is_ok());
    longer.fresh = None;
    let told = load(&longer, 0).unwrap_err().to_string();
    assert!(told.contains("--most-chunks"), "{told}");
    let told = refused(|episode| episode.start.latents = tiny::clip(2, 1, 0).latents);
    assert!(told.contains(';'), "{told}");
}
