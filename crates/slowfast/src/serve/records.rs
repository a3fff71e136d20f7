//! What the page is told of the model and of a session.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use burn::tensor::backend::Backend;
use serde::Serialize;

use super::app::App;
use super::session::Session;
use super::{ChunkRecord, Sides};
use crate::action::{Action, Turn, Walk};
use crate::memory::Fingerprint;
use crate::text::Vocabulary;

#[derive(Serialize)]
struct ModelRecord<'a> {
    fingerprint: Fingerprint,
    height: usize,
    width: usize,
    frames_per_chunk: usize,
    frames_per_second: f64,
    words: &'a [String],
    most_words: usize,
    most_letters: usize,
    most_chunks: usize,
    most_upload: usize,
    /// Number of test episodes to start from; none where the start is a seed of a built-in world.
    test_episodes: Option<usize>,
    /// What the arrow keys say.
    keys: BTreeMap<&'static str, String>,
}

/// What a page needs to know of the model.
pub(super) fn model<B: Backend>(app: &App<B>) -> Response {
    let (player, limits) = (&app.player, &app.limits);
    let model = player.model();
    let config = &model.trained.config;
    let record = ModelRecord {
        fingerprint: player.worlds().with_memory.fingerprint(),
        height: model.autoencoder_config.height,
        width: model.autoencoder_config.width,
        frames_per_chunk: player.frames_per_chunk(),
        frames_per_second: player.frames_per_second(),
        words: config.vocabulary.words(),
        most_words: config.denoiser.words,
        most_letters: limits.letters,
        most_chunks: limits.chunks,
        most_upload: limits.upload,
        test_episodes: player.starts().count(),
        keys: keys(&config.vocabulary, config.denoiser.words),
    };
    Json(record).into_response()
}

/// The plainest wording of each arrow key's action that the model knows all words of.
fn keys(vocabulary: &Vocabulary, words: usize) -> BTreeMap<&'static str, String> {
    let wording = |action: Action| {
        let known = |phrase: &String| {
            vocabulary.encode(phrase, words).is_ok_and(|encoded| encoded.unknown.is_empty())
        };
        let mut wordings = action.wordings().into_iter();
        wordings.find(known).unwrap_or_else(|| action.to_string())
    };
    BTreeMap::from([
        ("ArrowUp", wording(Action::walk(Walk::Forward))),
        ("ArrowDown", wording(Action::walk(Walk::Back))),
        ("ArrowLeft", wording(Action::turn(Turn::Left))),
        ("ArrowRight", wording(Action::turn(Turn::Right))),
    ])
}

#[derive(Serialize)]
struct StateRecord<'a> {
    id: &'a str,
    /// Where it began; none for a loaded memory.
    start: Option<u64>,
    /// The seed of what comes next; none for a loaded memory.
    seed: Option<u64>,
    chunks: &'a [ChunkRecord],
    /// Base64 of the PNG of the last frame.
    view: Sides<String>,
}

/// What a page needs to know of a session.
pub(super) fn state<B: Backend>(status: StatusCode, id: &str, session: &Session<B>) -> Response {
    let Session { start, played, .. } = session;
    let view = Sides {
        with_memory: STANDARD.encode(&played.view.with_memory),
        without_memory: STANDARD.encode(&played.view.without_memory),
    };
    let (start, seed) = (*start, session.seed());
    let record = StateRecord { id, start, seed, chunks: &played.chunks, view };
    (status, Json(record)).into_response()
}
