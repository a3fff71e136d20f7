use super::*;

#[test]
fn requests_that_cannot_be_read_are_refused() {
    let server = Server::new();
    let session = server.begin();
    for (path, body) in [
        ("/api/sessions".to_owned(), "{"),
        ("/api/sessions".to_owned(), r#"{"start": -1, "seed": 0}"#),
        ("/api/sessions".to_owned(), r#"{"start": 0, "seed": 0, "speed": 0}"#),
        (format!("{session}/chunks"), r#"{"phrase": 5}"#),
        (format!("{session}/chunks"), ""),
        (format!("{session}/rewind"), r#"{"chunks": 0.5}"#),
        (format!("{session}/fork"), "[]"),
    ] {
        let told = server.request("POST", &path, body).refusal(400);
        assert!(told.contains("application/json"), "{path}: {told}");
    }
    for query in ["?enlarged=many", "?side=left", "?speed=1"] {
        server.get(&format!("{session}/clip{query}")).refusal(400);
    }
    let long = format!(r#"{{"phrase": "{}"}}"#, "go ".repeat(10_000));
    let told = server.request("POST", &format!("{session}/chunks"), long).refusal(413);
    assert!(told.contains("16384 bytes") && !told.contains("--most-upload"), "{told}");
}

#[test]
fn phrases_are_checked() {
    let server = Server::new();
    let session = server.begin();
    let refused = |phrase: &str| {
        server.post(&format!("{session}/chunks"), &json!({ "phrase": phrase })).refusal(400)
    };
    assert!(refused("dance").ends_with("use some of: forward, go, left, right, turn"));
    assert!(refused("go go go go").contains("the model reads 3; shorten it"));
    assert!(refused(&"g".repeat(201)).contains("201 letters"));
    // Saying nothing is no mistake.
    assert_eq!(server.act(&session, " ").last().unwrap()["phrase"], "");
}

#[test]
fn numbers_are_checked() {
    let server = Server::new();
    let session = server.begin();
    let told = server.post(&format!("{session}/rewind"), &json!({ "chunks": 1 })).refusal(400);
    assert!(told.ends_with("give at most 0"), "{told}");
    for times in [0, 9] {
        let told = server.get(&format!("{session}/clip?enlarged={times}")).refusal(400);
        assert!(told.ends_with("choose 1 to 8"), "{told}");
    }
}

#[test]
fn episodes_are_bounded() {
    let server = Server::with_limits(Limits { chunks: 1, ..Limits::default() });
    let session = server.begin();
    server.act(&session, "turn left");
    let told = server.post(&format!("{session}/chunks"), &json!({ "phrase": "go" })).refusal(409);
    assert!(told.contains("--most-chunks"), "{told}");
}

#[test]
fn sessions_are_bounded() {
    let server = Server::with_limits(Limits { sessions: 2, ..Limits::default() });
    let (first, second) = (server.begin(), server.begin());
    let begin = || server.post("/api/sessions", &json!({ "start": 0, "seed": 0 }));
    let told = begin().refusal(503);
    assert!(told.contains("all 2 sessions") && told.contains("10 minutes"), "{told}");
    server.post(&format!("{first}/fork"), &json!({ "seed": 1 })).refusal(503);
    assert_eq!(server.request("DELETE", &second, "").status, StatusCode::NO_CONTENT);
    server.get(&second).refusal(404);
    begin().expect(StatusCode::CREATED);
}

#[test]
fn idle_sessions_make_room() {
    let limits = Limits { sessions: 2, idle: Duration::ZERO, ..Limits::default() };
    let server = Server::with_limits(limits);
    let (first, second) = (server.begin(), server.begin());
    server.get(&first).expect(StatusCode::OK);
    // Working on it keeps it, however long that takes.
    let kept = server.app.sessions.get(first.rsplit('/').next().unwrap()).unwrap().work().unwrap();
    let third = server.begin();
    server.get(&second).refusal(404);
    server.get(&third).expect(StatusCode::OK);
    drop(kept);
    server.begin();
    server.get(&first).refusal(404);
}

#[test]
fn a_session_does_one_thing_at_a_time() {
    let server = Server::new();
    let session = server.begin();
    let id = session.rsplit('/').next().unwrap();
    let work = server.app.sessions.get(id).unwrap().work().unwrap();
    let post = |path: &str, value| server.post(&format!("{session}/{path}"), &value);
    post("chunks", json!({ "phrase": "go" })).refusal(409);
    post("rewind", json!({ "chunks": 0 })).refusal(409);
    post("fork", json!({ "seed": 0 })).refusal(409);
    server.get(&format!("{session}/memory")).refusal(409);
    server.get(&format!("{session}/clip")).refusal(409);
    server.request("PUT", &format!("{session}/memory"), "").refusal(409);
    server.request("DELETE", &session, "").refusal(409);
    server.get(&session).expect(StatusCode::OK);
    drop(work);
    server.act(&session, "go");
}

#[test]
fn an_upload_that_does_not_end_gives_its_session_back() {
    let limits = Limits { patience: Duration::from_millis(20), ..Limits::default() };
    let server = Server::with_limits(limits);
    let session = server.begin();
    let endless = Body::from_stream(tokio_stream::pending::<Result<Vec<u8>, std::io::Error>>());
    server.request("PUT", &format!("{session}/memory"), endless).refusal(408);
    server.act(&session, "go");
}

#[test]
fn a_body_that_does_not_end_is_refused() {
    let limits = Limits { reading: Duration::from_millis(20), ..Limits::default() };
    let server = Server::with_limits(limits);
    let endless = Body::from_stream(tokio_stream::pending::<Result<Vec<u8>, std::io::Error>>());
    server.request("POST", "/api/sessions", endless).refusal(408);
}

#[test]
fn paths_that_are_no_text_name_nothing() {
    let server = Server::new();
    for path in ["/%ff", "/api/sessions/%ff"] {
        server.get(path).refusal(404);
    }
    server.request("POST", "/api/sessions/%ff/chunks", r#"{"phrase": "go"}"#).refusal(404);
}

#[test]
fn what_there_is_not_is_said() {
    let server = Server::new();
    let nobody = "/api/sessions/00000000000000000000000000000000";
    server.get(nobody).refusal(404);
    server.post(&format!("{nobody}/chunks"), &json!({ "phrase": "go" })).refusal(404);
    assert!(server.get("/favicon.ico").refusal(404).contains("begin at /"));
    server.get("/api/nothing").refusal(404);
    server.post("/api/model", &json!({})).refusal(405);
}

#[test]
fn other_sites_are_kept_out() {
    let server = Server::new();
    let ask = |host: Option<&str>, origin: Option<&str>| {
        let request = Request::builder().uri("/api/model");
        let headers = [(header::HOST, host), (header::ORIGIN, origin)];
        let request = headers.into_iter().fold(request, |request, (name, value)| match value {
            Some(value) => request.header(name, value),
            None => request,
        });
        server.ask(request.body(Body::empty()).unwrap())
    };
    let told = ask(Some("evil.example:8080"), None).refusal(403);
    assert!(told.contains("evil.example") && told.contains("--name"), "{told}");
    ask(None, None).refusal(403);
    let told = ask(Some("localhost:8080"), Some("http://evil.example")).refusal(403);
    assert!(told.contains("http://evil.example"), "{told}");
    let answer = ask(Some("localhost:8080"), Some("http://localhost:8080"));
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
}
