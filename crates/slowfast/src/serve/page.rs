//! The page, which is part of the program.

use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::ServeError;
use super::request::Name;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, kind and content.
const FILES: [(&str, &str, &str); 6] = [
    ("index.html", "text/html; charset=utf-8", include_str!("static/index.html")),
    ("style.css", "text/css; charset=utf-8", include_str!("static/style.css")),
    ("script.js", SCRIPT, include_str!("static/script.js")),
    ("server.js", SCRIPT, include_str!("static/server.js")),
    ("screen.js", SCRIPT, include_str!("static/screen.js")),
    ("plot.js", SCRIPT, include_str!("static/plot.js")),
];

pub(super) async fn index() -> Response {
    file(Name("index.html".to_owned())).await.into_response()
}

pub(super) async fn file(Name(wanted): Name) -> Result<Response, ServeError> {
    let found = FILES.iter().find(|(name, ..)| *name == wanted).ok_or(ServeError::NoSuchPage)?;
    let (_, kind, content) = *found;
    Ok(([(header::CONTENT_TYPE, kind)], content).into_response())
}
