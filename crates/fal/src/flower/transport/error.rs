//! Calls that fail.

use std::path::PathBuf;

use super::Method;
use crate::flower::identity::IdentityError;

/// Flower's numbers of errors that a node can do something about.
mod code {
    pub const PUBLIC_KEY_ALREADY_IN_USE: i64 = 23;
    pub const REGISTRATION_DISABLED: i64 = 2001;
    pub const NODE_ACTIVATION_FAILED: i64 = 2004;
    pub const RUN_STATUS_NOT_ALLOWED: i64 = 2007;
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The SuperLink cannot be reached, or the connection broke.
    #[error("`{}` did not reach the SuperLink at {address}: {cause}; check that it runs and that a firewall lets it through", method.name())]
    Connection {
        /// The call.
        method: Method,
        /// Where the SuperLink should be.
        address: String,
        /// What happened.
        cause: String,
    },
    /// The answer took too long.
    #[error("`{}` had no answer from {address} in time; check the network, or allow more time with `--call-timeout`", method.name())]
    TimedOut {
        /// The call.
        method: Method,
        /// Where the SuperLink should be.
        address: String,
    },
    /// The other side is not trusted, or does not speak TLS.
    #[error(
        "no secure connection to {address}: {cause}; give the certificate of its authority as `--root-certificates`, and the name that is in its own certificate as its address"
    )]
    Tls {
        /// Where the SuperLink should be.
        address: String,
        /// What happened.
        cause: String,
    },
    /// The address makes no sense.
    #[error(
        "`{address}` is no address of a SuperLink: {cause}; write it as `host:port`, such as `flower.example.org:8000`"
    )]
    Address {
        /// What was given.
        address: String,
        /// What is wrong.
        cause: String,
    },
    /// Certificates that cannot be read.
    #[error("cannot read certificates from {}: {cause}; give a file of certificates in PEM", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The request cannot be signed.
    #[error("a request cannot be signed")]
    Identity(#[from] IdentityError),
    /// The SuperLink does not know the node, or does not trust the signature.
    #[error(
        "the SuperLink does not accept this node's signature; set both clocks (they may differ by five seconds), and if it was started anew, start this client anew too"
    )]
    Unauthorised {
        /// The call.
        method: Method,
    },
    /// The SuperLink answers with an error.
    #[error("the SuperLink refuses `{}` with status {status}: {detail}; {}", method.name(), remedy(*status, *code))]
    Refused {
        /// The call.
        method: Method,
        /// HTTP status.
        status: u16,
        /// Flower's number of the error.
        code: Option<i64>,
        /// For people.
        detail: String,
    },
}

impl TransportError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connection { .. } | Self::TimedOut { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }

    /// Whether the address or the certificates cannot be used.
    pub(in crate::flower) fn is_of_options(&self) -> bool {
        matches!(self, Self::Address { .. } | Self::Certificates { .. })
    }

    /// Whether a key cannot be registered because it is, or because keys are registered by hand.
    pub(in crate::flower) fn is_registered_elsewhere(&self) -> bool {
        self.has_code(&[code::PUBLIC_KEY_ALREADY_IN_USE, code::REGISTRATION_DISABLED])
    }

    /// Whether the node cannot be put on line.
    pub(in crate::flower) fn is_activation_failure(&self) -> bool {
        self.has_code(&[code::NODE_ACTIVATION_FAILED])
    }

    /// Whether the run has ended.
    pub(in crate::flower) fn is_of_ended_run(&self) -> bool {
        self.has_code(&[code::RUN_STATUS_NOT_ALLOWED])
    }

    fn has_code(&self, codes: &[i64]) -> bool {
        matches!(self, Self::Refused { code: Some(code), .. } if codes.contains(code))
    }
}

fn remedy(status: u16, code: Option<i64>) -> &'static str {
    match (status, code) {
        (_, Some(code::NODE_ACTIVATION_FAILED)) => {
            "register the key with `flwr supernode register`, see that no other client uses it, or use a new key"
        }
        (_, Some(code::RUN_STATUS_NOT_ALLOWED)) => "the run has ended",
        (404 | 405, _) => "its Fleet API is another: this client needs Flower 1.40 to 1.42",
        (413, _) => "let it accept bodies of 6 MiB, also in a proxy before it",
        (429, _) => "ask less often, or let it accept more requests",
        (500.., _) => "look into its log",
        _ => "look into its log; this client was made for Flower 1.41",
    }
}
