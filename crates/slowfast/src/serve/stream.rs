//! A chunk as it is made: one JSON object a line, a frame each and the chunk's record at the end.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use burn::tensor::backend::Backend;
use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::app::App;
use super::error::Refusal;
use super::player::Told;
use super::session::Work;
use super::{ChunkRecord, ServeError, Side};

/// A line.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Event<'a> {
    /// A frame of one side, as soon as it is decoded.
    Frame { side: Side, number: usize, png: String },
    /// The chunk is there on both sides, and remembered on one.
    Chunk(&'a ChunkRecord),
    /// There is no chunk; the episode is as it was.
    Error(&'a Refusal),
}

/// Generates a chunk and streams it. A visitor who leaves before it is begun gets none; once begun it is kept.
pub(super) fn chunk<B: Backend>(app: Arc<App<B>>, work: Work<B>, told: Told) -> Response {
    // Holds no more than one chunk: what is sent never waits for a slow visitor.
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        let (events, before) = (sender.clone(), work.played());
        let made = app.compute(move |player| {
            if events.is_closed() {
                return Ok(None);
            }
            let show = |side, number, png: &[u8]| {
                let png = STANDARD.encode(png);
                send(&events, &Event::Frame { side, number, png });
            };
            player.act(&before, told, show).map(Some)
        });
        match made.await {
            Ok(Some(after)) => {
                let record = after.chunks.last().cloned();
                work.finish(|session| session.played = Arc::new(after));
                // Before the visitor knows of the chunk, so that the next request finds the session at rest.
                drop(work);
                record.iter().for_each(|record| send(&sender, &Event::Chunk(record)));
            }
            Ok(None) => {}
            Err(error) => {
                drop(work);
                send(&sender, &Event::Error(&error.refusal()));
            }
        }
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    (kind, Body::from_stream(lines(receiver))).into_response()
}

/// A visitor who went away gets nothing more, which is no error.
fn send(sender: &UnboundedSender<Bytes>, event: &Event<'_>) {
    let mut line = serde_json::to_string(event).expect("numbers and texts are valid JSON");
    line.push('\n');
    let _ = sender.send(line.into());
}

fn lines(
    receiver: UnboundedReceiver<Bytes>,
) -> impl tokio_stream::Stream<Item = Result<Bytes, ServeError>> {
    UnboundedReceiverStream::new(receiver).map(Ok)
}
