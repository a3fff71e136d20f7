//! How a client joins.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::FlowerError;
use super::transport::{RetryPolicy, Security};

/// Everything that a client must know to join a federation. As a config, all but the address may be left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The SuperLink, such as `flower.example.org:8000`.
    pub superlink: String,
    /// Certificates in PEM of the authorities to trust; those of the operating system if there is none.
    #[serde(default)]
    pub root_certificates: Option<PathBuf>,
    /// Speak plain HTTP. Everybody on the way can then read and change the weights.
    #[serde(default)]
    pub insecure: bool,
    /// The node's key, made at the first start. With one the node is the same after a restart, and its key can be registered
    /// by hand; without one it is a new node each time.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// Seconds between heartbeats, 10 to 1800; a ServerApp learns after twice this time that a node was killed.
    #[serde(default = "default::heartbeat_interval")]
    pub heartbeat_interval: f64,
    /// Seconds between questions for work, above 0.
    #[serde(default = "default::poll_interval")]
    pub poll_interval: f64,
    /// Seconds that a call may take, above 0. A chunk of an array has 5 MiB.
    #[serde(default = "default::call_timeout")]
    pub call_timeout: f64,
    /// Seconds to wait for an object that was announced, at least 0.
    #[serde(default = "default::object_patience")]
    pub object_patience: f64,
    /// How long to go on trying where a call fails.
    #[serde(default)]
    pub retry: RetryPolicy,
}

mod default {
    pub fn heartbeat_interval() -> f64 {
        30.0
    }

    pub fn poll_interval() -> f64 {
        1.0
    }

    pub fn call_timeout() -> f64 {
        120.0
    }

    pub fn object_patience() -> f64 {
        600.0
    }
}

/// No time in a config may be longer.
const LONGEST: f64 = 1e6;

impl Options {
    /// The usual options for the SuperLink at `superlink`.
    pub fn new(superlink: impl Into<String>) -> Self {
        Self {
            superlink: superlink.into(),
            root_certificates: None,
            insecure: false,
            key: None,
            heartbeat_interval: default::heartbeat_interval(),
            poll_interval: default::poll_interval(),
            call_timeout: default::call_timeout(),
            object_patience: default::object_patience(),
            retry: RetryPolicy::default(),
        }
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`FlowerError::OutOfRange`] or [`FlowerError::Contradiction`].
    pub fn check(&self) -> Result<(), FlowerError> {
        if self.insecure && self.root_certificates.is_some() {
            return Err(FlowerError::Contradiction);
        }
        let beat = self.heartbeat_interval;
        require((10.0..=1800.0).contains(&beat), "heartbeat_interval", beat, "from 10 to 1800 s")?;
        for (setting, found) in [
            ("poll_interval", self.poll_interval),
            ("call_timeout", self.call_timeout),
            ("retry.first_wait", self.retry.first_wait),
            ("retry.longest_wait", self.retry.longest_wait),
        ] {
            let usable = found > 0.0 && found <= LONGEST;
            require(usable, setting, found, "above 0 s and at most a million")?;
        }
        let patience = self.object_patience;
        let usable = (0.0..=LONGEST).contains(&patience);
        require(usable, "object_patience", patience, "from 0 s to a million")?;
        let attempts = self.retry.attempts;
        require(attempts > 0, "retry.attempts", f64::from(attempts), "at least 1")
    }

    pub(super) fn security(&self) -> Security {
        match &self.root_certificates {
            _ if self.insecure => Security::Insecure,
            Some(path) => Security::RootCertificates(path.clone()),
            None => Security::SystemRoots,
        }
    }

    pub(super) fn poll(&self) -> Duration {
        Duration::from_secs_f64(self.poll_interval)
    }
}

fn require(
    holds: bool,
    setting: &'static str,
    found: f64,
    allowed: &'static str,
) -> Result<(), FlowerError> {
    if holds { Ok(()) } else { Err(FlowerError::OutOfRange { setting, found, allowed }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_enough() {
        let read: Options = serde_json::from_str(r#"{"superlink": "localhost:8000"}"#).unwrap();
        assert_eq!(read, Options::new("localhost:8000"));
        read.check().unwrap();
        assert_eq!(read.security(), Security::SystemRoots);
        assert!(serde_json::from_str::<Options>(r#"{"superlink": "a:1", "tls": true}"#).is_err());
    }

    #[test]
    fn security_follows_from_what_is_given() {
        let insecure = Options { insecure: true, ..Options::new("a:1") };
        assert_eq!(insecure.security(), Security::Insecure);
        let roots = Options { root_certificates: Some("ca.pem".into()), ..Options::new("a:1") };
        assert_eq!(roots.security(), Security::RootCertificates("ca.pem".into()));
        let both = Options { insecure: true, ..roots };
        assert!(matches!(both.check(), Err(FlowerError::Contradiction)));
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let usual = Options::new("a:1");
        let retry = usual.retry;
        for (options, expected) in [
            (Options { heartbeat_interval: 5.0, ..usual.clone() }, "heartbeat_interval"),
            (Options { poll_interval: 0.0, ..usual.clone() }, "poll_interval"),
            (Options { call_timeout: f64::NAN, ..usual.clone() }, "call_timeout"),
            (Options { object_patience: -1.0, ..usual.clone() }, "object_patience"),
            (
                Options { retry: RetryPolicy { attempts: 0, ..retry }, ..usual.clone() },
                "retry.attempts",
            ),
            (
                Options { retry: RetryPolicy { first_wait: 1e9, ..retry }, ..usual.clone() },
                "retry.first_wait",
            ),
            (
                Options { retry: RetryPolicy { longest_wait: 0.0, ..retry }, ..usual },
                "retry.longest_wait",
            ),
        ] {
            match options.check() {
                Err(FlowerError::OutOfRange { setting, .. }) => assert_eq!(setting, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
