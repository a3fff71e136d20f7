//! How a client joins.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::FlowerError;
use super::transport::{RetryPolicy, Security, check_address};

/// Everything that a client must know to join a federation; the arguments of `fal flower-client`.
#[derive(Clone, Debug, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Address of the SuperLink's Fleet API, such as flower.example.org:8000
    #[arg(long, value_name = "HOST:PORT")]
    pub superlink: String,
    /// Certificates in PEM of the authorities to trust, instead of those of the operating system
    #[arg(long, value_name = "FILE")]
    pub root_certificates: Option<PathBuf>,
    /// Speak plain HTTP: everybody on the way can then read and change the weights
    #[arg(long)]
    pub insecure: bool,
    /// The node's key, made at the first start; with one the node is the same after a restart, and its key can be registered
    /// by hand; without one it is a new node each time
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Seconds between heartbeats, 10 to 1800; a ServerApp learns after twice this time that a node was killed
    #[arg(long, value_name = "SECONDS", default_value_t = default::HEARTBEAT_INTERVAL)]
    pub heartbeat_interval: f64,
    /// Seconds between questions for work, above 0
    #[arg(long, value_name = "SECONDS", default_value_t = default::POLL_INTERVAL)]
    pub poll_interval: f64,
    /// Seconds that a call may take, above 0; one call carries up to 5 MiB of an array
    #[arg(long, value_name = "SECONDS", default_value_t = default::CALL_TIMEOUT)]
    pub call_timeout: f64,
    /// Seconds to wait for an object that was announced, at least 0
    #[arg(long, value_name = "SECONDS", default_value_t = default::OBJECT_PATIENCE)]
    pub object_patience: f64,
    /// How long to go on trying where a call fails.
    #[command(flatten)]
    pub retry: RetryPolicy,
}

mod default {
    pub const HEARTBEAT_INTERVAL: f64 = 30.0;
    pub const POLL_INTERVAL: f64 = 1.0;
    pub const CALL_TIMEOUT: f64 = 120.0;
    pub const OBJECT_PATIENCE: f64 = 600.0;
}

/// No time may be longer.
const LONGEST: f64 = 1e6;

impl Options {
    /// The usual options for the SuperLink at `superlink`.
    pub fn new(superlink: impl Into<String>) -> Self {
        Self {
            superlink: superlink.into(),
            root_certificates: None,
            insecure: false,
            key: None,
            heartbeat_interval: default::HEARTBEAT_INTERVAL,
            poll_interval: default::POLL_INTERVAL,
            call_timeout: default::CALL_TIMEOUT,
            object_patience: default::OBJECT_PATIENCE,
            retry: RetryPolicy::default(),
        }
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`FlowerError::OutOfRange`], [`FlowerError::Contradiction`], or [`FlowerError::Transport`] for an address that is none.
    pub fn check(&self) -> Result<(), FlowerError> {
        check_address(&self.superlink)?;
        if self.insecure && self.root_certificates.is_some() {
            return Err(FlowerError::Contradiction);
        }
        let beat = self.heartbeat_interval;
        require(
            (10.0..=1800.0).contains(&beat),
            "--heartbeat-interval",
            beat,
            "from 10 to 1800 s",
        )?;
        for (setting, found) in [
            ("--poll-interval", self.poll_interval),
            ("--call-timeout", self.call_timeout),
            ("--retry-first-wait", self.retry.first_wait),
            ("--retry-longest-wait", self.retry.longest_wait),
        ] {
            let usable = found > 0.0 && found <= LONGEST;
            require(usable, setting, found, "above 0 s and at most a million")?;
        }
        let patience = self.object_patience;
        let usable = (0.0..=LONGEST).contains(&patience);
        require(usable, "--object-patience", patience, "from 0 s to a million")?;
        let attempts = self.retry.attempts;
        require(attempts > 0, "--retry-attempts", f64::from(attempts), "at least 1")
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
    use clap::Parser;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Command {
        #[command(flatten)]
        options: Options,
    }

    fn parsed(arguments: &[&str]) -> Result<Options, clap::Error> {
        let words = ["client", "--superlink", "localhost:8000"].iter().chain(arguments);
        Ok(Command::try_parse_from(words)?.options)
    }

    #[test]
    fn an_address_is_enough() {
        let options = parsed(&[]).unwrap();
        assert_eq!(options, Options::new("localhost:8000"));
        options.check().unwrap();
        assert_eq!(options.security(), Security::SystemRoots);
    }

    #[test]
    fn every_setting_that_an_error_names_is_an_argument() {
        let usual = Options::new("localhost:8000");
        for (name, changed) in [
            ("--heartbeat-interval", Options { heartbeat_interval: 11.0, ..usual.clone() }),
            ("--poll-interval", Options { poll_interval: 11.0, ..usual.clone() }),
            ("--call-timeout", Options { call_timeout: 11.0, ..usual.clone() }),
            ("--object-patience", Options { object_patience: 11.0, ..usual.clone() }),
            ("--retry-attempts", with_retry(|retry| retry.attempts = 11)),
            ("--retry-first-wait", with_retry(|retry| retry.first_wait = 11.0)),
            ("--retry-longest-wait", with_retry(|retry| retry.longest_wait = 11.0)),
        ] {
            assert_eq!(parsed(&[name, "11"]).unwrap(), changed);
        }
    }

    fn with_retry(change: impl Fn(&mut RetryPolicy)) -> Options {
        let mut options = Options::new("localhost:8000");
        change(&mut options.retry);
        options
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
        let usual = Options::new("localhost:8000");
        for (options, expected) in [
            (Options { heartbeat_interval: 5.0, ..usual.clone() }, "--heartbeat-interval"),
            (Options { poll_interval: 0.0, ..usual.clone() }, "--poll-interval"),
            (Options { call_timeout: f64::NAN, ..usual.clone() }, "--call-timeout"),
            (Options { object_patience: -1.0, ..usual }, "--object-patience"),
            (with_retry(|retry| retry.attempts = 0), "--retry-attempts"),
            (with_retry(|retry| retry.first_wait = 1e9), "--retry-first-wait"),
            (with_retry(|retry| retry.longest_wait = 0.0), "--retry-longest-wait"),
        ] {
            match options.check() {
                Err(FlowerError::OutOfRange { setting, .. }) => assert_eq!(setting, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
