//! A page on which a person acts and watches what a model makes of it, with memory and without.
//!
//! | to | read |
//! |---|---|
//! | see what a press of a key does | [`Player`] |
//! | see what of it is kept, and for how long | [`Played`], `session` |
//! | see what the server answers, and to whom | `connections`, `request`, `routes`, `visitors` |
//! | see why it refuses | [`ServeError`] |
//! | change what is played, and how much | [`PlayConfig`], [`Limits`] |
//!
//! The server is for one person or a few who trust each other: it knows no accounts. Other web sites cannot use it through
//! a visitor's browser, see `visitors`.

mod app;
mod config;
mod connections;
mod error;
mod limits;
mod page;
mod played;
mod player;
mod records;
mod request;
mod routes;
mod session;
mod sides;
mod starts;
mod stream;
mod visitors;

pub use app::{Address, serve};
pub use config::PlayConfig;
pub use error::ServeError;
pub use limits::Limits;
pub use played::{ChunkRecord, Played, SideRecord};
pub use player::{Player, Told};
pub use sides::{Side, Sides};
pub use starts::Starts;

#[cfg(test)]
mod tests;
