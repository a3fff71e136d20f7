//! What the server answers.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{RequestExt, Router, middleware};
use burn::tensor::backend::Backend;
use serde::Deserialize;

use super::app::App;
use super::request::{MOST_JSON, Name, Sent};
use super::session::Session;
use super::{ServeError, Side, page, records, stream, visitors};

/// Times that a clip can be enlarged.
const MOST_ENLARGED: usize = 8;

type Shared<B> = State<Arc<App<B>>>;

/// All paths.
pub(super) fn router<B: Backend>(app: Arc<App<B>>) -> Router {
    let session = "/api/sessions/{id}";
    let of_session = |path: &str| format!("{session}/{path}");
    let uploads = DefaultBodyLimit::max(app.limits.upload);
    Router::new()
        .route("/", get(page::index))
        .route("/{file}", get(page::file))
        .route("/api/model", get(model::<B>))
        .route("/api/sessions", post(begin::<B>))
        .route(session, get(state::<B>).delete(close::<B>))
        .route(&of_session("chunks"), post(chunk::<B>))
        .route(&of_session("rewind"), post(rewind::<B>))
        .route(&of_session("fork"), post(fork::<B>))
        .route(&of_session("memory"), get(save::<B>).put(load::<B>).layer(uploads))
        .route(&of_session("clip"), get(clip::<B>))
        .fallback(|| async { ServeError::NoSuchPage })
        .method_not_allowed_fallback(|| async { ServeError::Method })
        .layer(DefaultBodyLimit::max(MOST_JSON))
        .layer(middleware::from_fn_with_state(app.clone(), visitors::only_own_page::<B>))
        .with_state(app)
}

async fn model<B: Backend>(State(app): Shared<B>) -> Response {
    records::model(&app)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    /// Number of the test episode, or seed of the world.
    start: u64,
    /// Seed of the noise and of the fresh memory.
    seed: u64,
}

async fn begin<B: Backend>(
    State(app): Shared<B>,
    request: Result<Sent<Begin>, ServeError>,
) -> Result<Response, ServeError> {
    let Sent(Begin { start, seed }) = request?;
    app.sessions.check_room(&app.limits)?;
    let played = app.compute(move |player| player.begin(start, seed)).await?;
    add(&app, Session { start: Some(start), seeds: vec![(0, seed)], played: Arc::new(played) })
}

fn add<B: Backend>(app: &App<B>, session: Session<B>) -> Result<Response, ServeError> {
    let id = app.sessions.add(session, &app.limits)?;
    Ok(app.sessions.get(&id)?.read(|session| records::state(StatusCode::CREATED, &id, session)))
}

async fn state<B: Backend>(State(app): Shared<B>, Name(id): Name) -> Result<Response, ServeError> {
    Ok(app.sessions.get(&id)?.read(|session| records::state(StatusCode::OK, &id, session)))
}

async fn close<B: Backend>(State(app): Shared<B>, Name(id): Name) -> Result<Response, ServeError> {
    app.sessions.remove(&id)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    phrase: String,
}

async fn chunk<B: Backend>(
    State(app): Shared<B>,
    Name(id): Name,
    request: Result<Sent<Act>, ServeError>,
) -> Result<Response, ServeError> {
    let place = app.sessions.get(&id)?;
    let Sent(Act { phrase }) = request?;
    let (found, most) = (phrase.chars().count(), app.limits.letters);
    if found > most {
        return Err(ServeError::Letters { found, most });
    }
    let told = app.player.understand(&phrase)?;
    let work = place.work()?;
    let most = app.limits.chunks;
    if work.played().chunks.len() >= most {
        return Err(ServeError::Chunks { most });
    }
    Ok(stream::chunk(app, work, told))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rewind {
    /// Chunks to keep.
    chunks: usize,
}

async fn rewind<B: Backend>(
    State(app): Shared<B>,
    Name(id): Name,
    request: Result<Sent<Rewind>, ServeError>,
) -> Result<Response, ServeError> {
    let place = app.sessions.get(&id)?;
    let Sent(Rewind { chunks }) = request?;
    let work = place.work()?;
    let before = work.played();
    let after = app.compute(move |player| player.rewound(&before, chunks)).await?;
    work.finish(|session| {
        session.seeds = session.seeds_until(chunks);
        session.played = Arc::new(after);
    });
    Ok(work.read(|session| records::state(StatusCode::OK, &id, session)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fork {
    /// Seed of the noise from here on.
    seed: u64,
}

/// A new session with the same past and another future.
async fn fork<B: Backend>(
    State(app): Shared<B>,
    Name(id): Name,
    request: Result<Sent<Fork>, ServeError>,
) -> Result<Response, ServeError> {
    let place = app.sessions.get(&id)?;
    let Sent(Fork { seed }) = request?;
    let work = place.work()?;
    let played = Arc::new(app.player.forked(&work.played(), seed));
    let (start, mut seeds) = work.read(|session| (session.start, session.seeds.clone()));
    seeds.push((played.chunks.len(), seed));
    add(&app, Session { start, seeds, played })
}

async fn save<B: Backend>(State(app): Shared<B>, Name(id): Name) -> Result<Response, ServeError> {
    let work = app.sessions.get(&id)?.work()?;
    let played = work.played();
    let name = format!("memory-{}-chunks.safetensors", played.chunks.len());
    let content = app.compute(move |player| player.save(&played)).await?;
    Ok(download("application/octet-stream", &name, content))
}

async fn load<B: Backend>(
    State(app): Shared<B>,
    Name(id): Name,
    request: Request,
) -> Result<Response, ServeError> {
    // Before the body is read: a session holds one upload at a time.
    let work = app.sessions.get(&id)?.work()?;
    let patience = app.limits.patience;
    let content = tokio::time::timeout(patience, request.extract::<Bytes, _>()).await;
    let content = content.map_err(|_| ServeError::Slow { seconds: patience.as_secs() })?;
    let content = content.map_err(|rejection| not_uploaded(rejection, app.limits.upload))?;
    let most = app.limits.chunks;
    let loaded = app
        .compute(move |player| player.load(&content, FilePath::new("the uploaded file"), most))
        .await?;
    let session = Session { start: None, seeds: Vec::new(), played: Arc::new(loaded) };
    work.finish(|place| *place = session);
    Ok(work.read(|session| records::state(StatusCode::OK, &id, session)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Show {
    /// Both if none is named.
    side: Option<Side>,
    /// Pixels to a pixel along each side.
    enlarged: Option<usize>,
}

async fn clip<B: Backend>(
    State(app): Shared<B>,
    Name(id): Name,
    request: Result<Query<Show>, QueryRejection>,
) -> Result<Response, ServeError> {
    let place = app.sessions.get(&id)?;
    let Query(Show { side, enlarged }) =
        request.map_err(|error| ServeError::Request(error.body_text()))?;
    let (found, most) = (enlarged.unwrap_or(4), MOST_ENLARGED);
    if !(1..=most).contains(&found) {
        return Err(ServeError::Enlargement { found, most });
    }
    let work = place.work()?;
    let played = work.played();
    let name = format!("clip-{}-chunks.gif", played.chunks.len());
    let draw = app.compute(move |player| {
        let rate = player.frames_per_second();
        Ok(player.clip(&played, side)?.gif(found, rate)?)
    });
    Ok(download("image/gif", &name, draw.await?))
}

fn download(kind: &'static str, name: &str, content: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers =
        [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    (headers, content).into_response()
}

fn not_uploaded(rejection: BytesRejection, most: usize) -> ServeError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ServeError::TooLarge { most },
        _ => ServeError::Request(rejection.body_text()),
    }
}
