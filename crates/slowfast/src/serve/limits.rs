//! How much one server takes upon itself.

use std::time::Duration;

/// Bounds on what visitors can ask for. Nothing that a visitor sends makes the server hold or compute more, but for files that a slow
/// visitor has asked for and not taken yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions at a time.
    pub sessions: usize,
    /// How long a session must have been left alone before a new one may take its place.
    pub idle: Duration,
    /// Chunks of an episode.
    pub chunks: usize,
    /// Letters of a phrase; the model limits its words.
    pub letters: usize,
    /// Bytes of an uploaded memory.
    pub upload: usize,
    /// How long an upload may take, which its session waits for.
    pub patience: Duration,
    /// How long a request's head may take, or the next request of an open connection, and how long a body in JSON.
    pub reading: Duration,
    /// Connections that are open at a time; more wait until one is closed.
    pub connections: usize,
    /// Sessions that compute at the same time; others wait their turn.
    pub computing: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 8,
            idle: Duration::from_secs(600),
            chunks: 64,
            letters: 200,
            upload: 256 << 20,
            patience: Duration::from_secs(120),
            reading: Duration::from_secs(10),
            connections: 64,
            computing: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}
