//! Protobuf over HTTP/1.1, the transport of Flower 1.40 and later.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::{FleetTransport, Method, TransportError};
use crate::flower::identity::{Identity, PUBLIC_KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};

const MEDIA_TYPE: &str = "application/protobuf";
/// A chunk has 5 MiB; lists of very many arrays may be longer.
const LONGEST_ANSWER: u64 = 256 * 1024 * 1024;
/// As in Flower's own node: a heartbeat that takes longer is repeated.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether and how the connection is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS with a SuperLink whose certificate comes from an authority that the operating system trusts.
    SystemRoots,
    /// TLS with a SuperLink whose certificate comes from an authority in this file of PEM certificates.
    RootCertificates(PathBuf),
    /// No protection: everybody on the way can read and change the weights.
    Insecure,
}

/// Calls over HTTP, each signed by the node's key.
#[derive(Debug)]
pub struct HttpTransport {
    agent: Agent,
    address: String,
    base: String,
    identity: Identity,
    timeout: Duration,
}

impl HttpTransport {
    /// Calls to the SuperLink at `address`, such as `flower.example.org:8000`, each within `timeout`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`TransportError::Address`] or [`TransportError::Certificates`].
    pub fn new(
        address: &str,
        security: &Security,
        identity: Identity,
        timeout: Duration,
    ) -> Result<Self, TransportError> {
        let scheme = if *security == Security::Insecure { "http" } else { "https" };
        let base = format!("{scheme}://{address}");
        check_address(address)?;
        let tls = TlsConfig::builder().root_certs(roots(security)?).build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .build()
            .new_agent();
        Ok(Self { agent, address: address.to_owned(), base, identity, timeout })
    }

    fn is_secure(&self) -> bool {
        self.base.starts_with("https:")
    }

    fn failure(&self, method: Method, cause: ureq::Error) -> TransportError {
        let address = self.address.clone();
        match cause {
            ureq::Error::Timeout(_) => TransportError::TimedOut { method, address },
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::TlsRequired => {
                TransportError::Tls { address, cause: cause.to_string() }
            }
            // The handshake's errors come through the socket.
            ureq::Error::Io(io) if self.is_secure() && is_about_tls(&io) => {
                TransportError::Tls { address, cause: io.to_string() }
            }
            other => TransportError::Connection { method, address, cause: other.to_string() },
        }
    }
}

impl FleetTransport for HttpTransport {
    fn call(&self, method: Method, request: &[u8]) -> Result<Vec<u8>, TransportError> {
        let signed = self.identity.sign_now()?;
        let timeout = match method {
            Method::SendNodeHeartbeat => HEARTBEAT_TIMEOUT.min(self.timeout),
            _ => self.timeout,
        };
        let answer = self
            .agent
            .post(format!("{}/v1/fleet/{}", self.base, method.name()))
            .config()
            .timeout_global(Some(timeout))
            .build()
            .content_type(MEDIA_TYPE)
            .header("accept", MEDIA_TYPE)
            .header(PUBLIC_KEY_HEADER, signed.public_key)
            .header(TIMESTAMP_HEADER, signed.timestamp)
            .header(SIGNATURE_HEADER, signed.signature)
            .send(request)
            .map_err(|cause| self.failure(method, cause))?;
        let status = answer.status();
        let body = answer.into_body().into_with_config().limit(LONGEST_ANSWER).read_to_vec();
        if status.is_success() {
            return body.map_err(|cause| self.failure(method, cause));
        }
        Err(refusal(method, status.as_u16(), &body.unwrap_or_default()))
    }
}

/// What Flower sends with an error.
#[derive(Default, Deserialize)]
struct Explanation {
    code: Option<i64>,
    #[serde(default)]
    detail: serde_json::Value,
}

fn refusal(method: Method, status: u16, body: &[u8]) -> TransportError {
    if status == 401 {
        return TransportError::Unauthorised { method };
    }
    let Explanation { code, detail } = serde_json::from_slice(body).unwrap_or_default();
    let detail = match detail {
        serde_json::Value::String(detail) => detail,
        _ => "it gives no reason".to_owned(),
    };
    TransportError::Refused { method, status, code, detail }
}

/// Whether there is a host and a port, and nothing else.
///
/// # Errors
/// [`TransportError::Address`].
pub(in crate::flower) fn check_address(address: &str) -> Result<(), TransportError> {
    let wrong =
        |cause: &str| TransportError::Address { address: address.to_owned(), cause: cause.into() };
    if address.contains("://") {
        return Err(wrong("it begins with a scheme, which `--insecure` decides; leave that out"));
    }
    // Either scheme would do.
    let uri = format!("https://{address}").parse::<ureq::http::Uri>();
    let uri = uri.map_err(|cause| wrong(&cause.to_string()))?;
    let host = uri.host().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| wrong("it has no host"))?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let after_user = authority.rsplit('@').next().unwrap_or_default();
    let port = after_user.strip_prefix(host).and_then(|port| port.strip_prefix(':'));
    let port = port.filter(|port| !port.is_empty()).ok_or_else(|| wrong("it has no port"))?;
    if address != format!("{host}:{port}") {
        return Err(wrong("it has more than a host and a port"));
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(()),
        _ => Err(wrong("its port is no number from 1 to 65535")),
    }
}

fn roots(security: &Security) -> Result<RootCerts, TransportError> {
    let Security::RootCertificates(path) = security else {
        return Ok(RootCerts::PlatformVerifier);
    };
    let unreadable = |cause: String| TransportError::Certificates { path: path.clone(), cause };
    let pem = std::fs::read(path).map_err(|cause| unreadable(cause.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) =
            item.map_err(|cause| unreadable(cause.to_string()))?
        {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(unreadable("it holds none".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

fn is_about_tls(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::InvalidData
}

#[cfg(test)]
mod tests;
