//! Who may use the server: its own page, opened by a name that belongs to it.
//!
//! Any web site can make a visitor's browser send requests to a server on the visitor's own machine. Two things keep such
//! sites out. A site whose name was made to point at this machine (DNS rebinding) sends its own name as `Host`, so only
//! names that nobody else can own are answered: IP addresses, `localhost`, and those of `--name`. A page from elsewhere that
//! sends requests here says where it comes from in `Origin`, so that must be the `Host` itself. No header lets other
//! sites read an answer.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use burn::tensor::backend::Backend;

use super::ServeError;
use super::app::App;

/// What every answer carries: the page loads nothing from elsewhere, and no other page may frame it.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Refuses requests that were not meant for this server or come from elsewhere.
pub(super) async fn only_own_page<B: Backend>(
    State(app): State<Arc<App<B>>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match check(&request, &app.names) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    response.headers_mut().extend(HEADERS);
    response
}

fn check(request: &Request, names: &[String]) -> Result<(), ServeError> {
    let text = |name| {
        let value = request.headers().get(name).map(|value: &HeaderValue| value.to_str());
        value.map(|value| value.unwrap_or("not even text").to_ascii_lowercase())
    };
    let host = text(header::HOST).unwrap_or_default();
    if !is_own(&host, names) {
        return Err(ServeError::ForeignHost(host));
    }
    match text(header::ORIGIN) {
        Some(origin) if !is_origin(&origin, &host) => Err(ServeError::ForeignPage(origin)),
        _ => Ok(()),
    }
}

fn is_own(host: &str, names: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let known = || names.iter().any(|own| own.eq_ignore_ascii_case(name));
    bare.parse::<IpAddr>().is_ok() || name == "localhost" || known()
}

/// Whether a page of `origin` was loaded from `host`; over TLS where a proxy adds that.
fn is_origin(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority == Some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_else_owns_are_answered() {
        let names = ["lab.example".to_owned()];
        for host in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:80",
            "[::1]:8080",
            "192.168.1.7:8080",
            "lab.example:8080",
        ] {
            assert!(is_own(host, &names), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8080",
            "a b",
            "127.0.0.1:8080/x",
            "lab.example.evil",
        ] {
            assert!(!is_own(host, &names), "{host}");
        }
    }

    #[test]
    fn pages_of_another_name_port_or_kind_are_foreign() {
        assert!(is_origin("http://localhost:8080", "localhost:8080"));
        for origin in
            ["null", "http://localhost:8081", "http://127.0.0.1:8080", "file://localhost:8080", ""]
        {
            assert!(!is_origin(origin, "localhost:8080"), "{origin}");
        }
    }
}
