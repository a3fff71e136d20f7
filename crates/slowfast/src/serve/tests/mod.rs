//! The server by HTTP, with a tiny model.

mod connections;
mod memories;
mod playing;
mod refusals;
mod starting;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use burn::backend::Flex;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt;

use super::app::App;
use super::{Limits, PlayConfig, Player, Starts, routes};
use crate::memory::FastConfig;
use crate::model::AdapterConfig;
use crate::tiny;

/// A server in this process.
struct Server {
    app: Arc<App<Flex>>,
    router: Router,
    runtime: Runtime,
}

/// What it answers.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

fn config() -> PlayConfig {
    let mut config = PlayConfig::of_model(&tiny::video_model(1).trained.config);
    config.sampler.steps = 3;
    config.fast = FastConfig {
        adapters: AdapterConfig { rank: 2, alpha: 2.0, ..AdapterConfig::default() },
        rate: 1e-2,
        steps: 2,
        ..FastConfig::default()
    };
    config
}

fn player(model: u64, config: &PlayConfig) -> Player<Flex> {
    let starts = Starts::in_worlds(config, [16, 16]).unwrap();
    Player::new(tiny::video_model(model), starts, config).unwrap()
}

impl Server {
    fn new() -> Self {
        Self::of(player(1, &config()), Limits::default())
    }

    fn with_limits(limits: Limits) -> Self {
        Self::of(player(1, &config()), limits)
    }

    fn of(player: Player<Flex>, limits: Limits) -> Self {
        let app = App::new(player, limits, Vec::new()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { router: routes::router(app.clone()), app, runtime }
    }

    fn ask(&self, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.unwrap();
            let (status, headers) = (response.status(), response.headers().clone());
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec();
            Answer { status, headers, body }
        })
    }

    fn request(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::HOST, "127.0.0.1:8080");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        self.ask(request.body(body.into()).unwrap())
    }

    fn get(&self, path: &str) -> Answer {
        self.request("GET", path, Body::empty())
    }

    fn post(&self, path: &str, value: &Value) -> Answer {
        self.request("POST", path, value.to_string())
    }

    /// The path of a new session.
    fn begin(&self) -> String {
        let answer = self.post("/api/sessions", &json!({ "start": 3, "seed": 5 }));
        path_of(&answer.expect(StatusCode::CREATED))
    }

    /// The stream's values of a new chunk.
    fn act(&self, session: &str, phrase: &str) -> Vec<Value> {
        let answer = self.post(&format!("{session}/chunks"), &json!({ "phrase": phrase }));
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    fn expect(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// What is wrong and what to do about it, if the status is as expected.
    #[track_caller]
    fn refusal(&self, status: u16) -> String {
        let told = self.expect(StatusCode::from_u16(status).unwrap());
        assert_eq!(told.as_object().unwrap().len(), 2, "{told}");
        format!("{}; {}", told["error"].as_str().unwrap(), told["remedy"].as_str().unwrap())
    }
}

fn path_of(state: &Value) -> String {
    format!("/api/sessions/{}", state["id"].as_str().unwrap())
}

/// The PNGs of one side in a stream.
fn frames(events: &[Value], side: &str) -> Vec<Value> {
    let of_side = events.iter().filter(|event| event["side"] == side);
    of_side.map(|event| event["png"].clone()).collect()
}

fn norm(chunk: &Value, side: &str) -> f64 {
    chunk[side]["memory_norm"].as_f64().unwrap()
}
