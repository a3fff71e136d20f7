//! Why the server cannot start, or refuses a request.

use std::net::SocketAddr;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::animation::AnimationError;
use crate::clip::ClipError;
use crate::diffusion::DiffusionError;
use crate::memory::MemoryError;
use crate::text::TextError;
use crate::video_model::VideoModelError;
use crate::world::WorldError;

/// A setting or a request that cannot be served. Every message is `problem; remedy`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Chunks that do not fit the denoiser's window beside the one before.
    #[error(
        "`frames_per_chunk` is {found}, but the model can make 1 to {most} frames at once; choose such a number"
    )]
    FramesPerChunk {
        /// Frames asked for.
        found: usize,
        /// Frames that fit.
        most: usize,
    },
    /// A rate at which nothing can be shown.
    #[error("`frames_per_second` is {found}; choose a number above 0, up to 50")]
    FramesPerSecond {
        /// The rate.
        found: f64,
    },
    /// The built-in worlds are square.
    #[error(
        "the model's frames have {height}x{width} pixels, but built-in worlds are square; name a folder of such --clips"
    )]
    NotSquare {
        /// Rows of a frame.
        height: usize,
        /// Columns of a frame.
        width: usize,
    },
    /// Clips that cannot be started from.
    #[error(
        "the clips have {episodes} test episodes of {found:?} pixels (rows, columns); give one or more of the model's {expected:?}"
    )]
    Clips {
        /// Test episodes.
        episodes: usize,
        /// Rows and columns of the clips' frames.
        found: [usize; 2],
        /// Rows and columns of the model's frames.
        expected: [usize; 2],
    },
    /// A limit of nothing.
    #[error("`{0}` is 0, so nothing could be played; choose at least 1")]
    NoLimit(&'static str),
    /// The system does not let the server listen.
    #[error(
        "cannot listen on {address}: {source}; choose another --port, 0 for any, or another --address"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The server stopped by itself.
    #[error("the server stopped: {0}; start it again")]
    Stopped(std::io::Error),

    /// The request names this server by a name that is not its own.
    #[error(
        "the server does not answer to the name {0:?}, so that no other site can pass for it; use an IP address or localhost, \
         or start it with --name"
    )]
    ForeignHost(String),
    /// The request was made by the page of another site.
    #[error("the request comes from a page of {0:?}; use the server's own page")]
    ForeignPage(String),
    /// There is nothing at this path.
    #[error("there is no such page; begin at /")]
    NoSuchPage,
    /// The path is for another method.
    #[error("the path does not take this method; the documentation lists what it takes")]
    Method,
    /// There is no such session.
    #[error(
        "there is no such session, or it was left alone and another took its place; begin a new one"
    )]
    NoSuchSession,
    /// All sessions are in use.
    #[error(
        "all {sessions} sessions are in use; close one, or wait until one has been idle for {minutes} minutes"
    )]
    Full {
        /// Sessions at a time.
        sessions: usize,
        /// Minutes after which an idle session may be replaced.
        minutes: u64,
    },
    /// The session is at work.
    #[error("the session is still at work; wait until its chunk is there")]
    Busy,
    /// The request's body is not what it should be.
    #[error(
        "the request cannot be read: {0}; send the JSON that the documentation lists, as application/json"
    )]
    Request(String),
    /// The request's body is too long.
    #[error("the request has more than {most} bytes; send less")]
    TooLong {
        /// Bytes allowed.
        most: usize,
    },
    /// The uploaded memory is too long.
    #[error(
        "the upload has more than {most} bytes; send less, or start the server with a larger --most-upload"
    )]
    TooLarge {
        /// Bytes allowed.
        most: usize,
    },
    /// A body that does not come to its end.
    #[error(
        "the request's body was not there after {seconds} seconds; send it again over a faster connection"
    )]
    Slow {
        /// Seconds that the server waits.
        seconds: u64,
    },
    /// A phrase of too many letters.
    #[error("the action has {found} letters, but may have {most}; shorten it")]
    Letters {
        /// Letters found.
        found: usize,
        /// Letters allowed.
        most: usize,
    },
    /// An episode of as many chunks as are allowed.
    #[error(
        "an episode may have {most} chunks; rewind it, begin a new one, or start the server with a larger --most-chunks"
    )]
    Chunks {
        /// Chunks allowed.
        most: usize,
    },
    /// A place to start from that there is not.
    #[error("there is no test episode {asked}; choose 0 to {last}")]
    NoSuchStart {
        /// Episode asked for.
        asked: u64,
        /// The last one.
        last: usize,
    },
    /// A memory that is whole, but does not fit the model.
    #[error("the uploaded memory does not fit the model: {0}; load one that this server saved")]
    Misfit(&'static str),
    /// An enlargement out of range.
    #[error("a clip cannot be enlarged {found} times; choose 1 to {most}")]
    Enlargement {
        /// Times asked for.
        found: usize,
        /// Times allowed.
        most: usize,
    },

    /// The phrase.
    #[error(transparent)]
    Text(TextError),
    /// The memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The model.
    #[error(transparent)]
    Model(VideoModelError),
    /// The clips to start from.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// The world to start in.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The pictures.
    #[error(transparent)]
    Animation(#[from] AnimationError),
    /// The program itself is wrong.
    #[error("the server failed at this request; see what it printed, and report it")]
    Panicked,
}

impl From<VideoModelError> for ServeError {
    fn from(error: VideoModelError) -> Self {
        match error {
            VideoModelError::Text(error) => Self::Text(error),
            VideoModelError::Memory(error) => Self::Memory(error),
            error => Self::Model(error),
        }
    }
}

impl From<DiffusionError> for ServeError {
    fn from(error: DiffusionError) -> Self {
        Self::Memory(error.into())
    }
}

/// What the client gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Refusal {
    /// What is wrong.
    error: String,
    /// What to do about it.
    remedy: String,
}

impl ServeError {
    /// Whose fault it is.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::ForeignHost(_) | Self::ForeignPage(_) => StatusCode::FORBIDDEN,
            Self::NoSuchPage | Self::NoSuchSession => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Full { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Busy | Self::Chunks { .. } => StatusCode::CONFLICT,
            Self::TooLong { .. } | Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Request(_)
            | Self::Letters { .. }
            | Self::NoSuchStart { .. }
            | Self::Misfit(_)
            | Self::Enlargement { .. }
            | Self::Text(_) => StatusCode::BAD_REQUEST,
            Self::Memory(error) => match error {
                MemoryError::Learning { .. }
                | MemoryError::NotStorable(_)
                | MemoryError::Access { .. } => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::BAD_REQUEST,
            },
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) fn refusal(&self) -> Refusal {
        let message = self.to_string();
        match message.rsplit_once("; ") {
            Some((error, remedy)) => Refusal { error: error.into(), remedy: remedy.into() },
            None => Refusal { error: message, remedy: "try something else".into() },
        }
    }
}

impl IntoResponse for ServeError {
    fn into_response(self) -> Response {
        (self.status(), Json(self.refusal())).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_and_remedy_are_told_apart() {
        let told = ServeError::Letters { found: 300, most: 200 }.refusal();
        assert_eq!(told.error, "the action has 300 letters, but may have 200");
        assert_eq!(told.remedy, "shorten it");
        let phrase = "go; left".into();
        let known = "go".into();
        let told = ServeError::Text(TextError::NoKnownWord { phrase, known }).refusal();
        assert_eq!(told.remedy, "use some of: go");
    }
}
