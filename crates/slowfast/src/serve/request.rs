//! What of a request handlers are given, with refusals that are told as all others are.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::{Json, RequestPartsExt};
use burn::tensor::backend::Backend;
use serde::de::DeserializeOwned;

use super::ServeError;
use super::app::App;

/// Bytes of a request in JSON.
pub(super) const MOST_JSON: usize = 16 << 10;

/// The one name in a request's path: of a file, or the id of a session.
pub(super) struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ServeError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ServeError> {
        // What is no text names nothing.
        let path = parts.extract::<Path<String>>().await;
        path.map(|Path(name)| Self(name)).map_err(|_| ServeError::NoSuchPage)
    }
}

/// A body in JSON that was there in time.
pub(super) struct Sent<T>(pub T);

impl<B: Backend, T: DeserializeOwned> FromRequest<Arc<App<B>>> for Sent<T> {
    type Rejection = ServeError;

    async fn from_request(request: Request, app: &Arc<App<B>>) -> Result<Self, ServeError> {
        let patience = app.limits.reading;
        let read = tokio::time::timeout(patience, Json::from_request(request, app)).await;
        let read = read.map_err(|_| ServeError::Slow { seconds: patience.as_secs() })?;
        read.map(|Json(value)| Self(value)).map_err(unread)
    }
}

fn unread(rejection: JsonRejection) -> ServeError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ServeError::TooLong { most: MOST_JSON },
        _ => ServeError::Request(rejection.body_text()),
    }
}
