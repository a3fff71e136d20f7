//! What happens to a node, for people and for logs.

use std::fmt;

use serde::{Serialize, Serializer};

use super::transport::Method;

/// Learns of every [`Event`], on the thread where it happens.
pub type Observer<'a> = &'a (dyn Fn(&Event) + Sync);

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The node is on line.
    Joined {
        /// Its number.
        node: u64,
    },
    /// The key is on line already, because its last client was killed or an answer was lost; it goes off line by itself.
    StillOnline {
        /// Seconds until the next attempt.
        wait: f64,
    },
    /// A request has come, with all its objects.
    Received {
        /// The run.
        run: u64,
        /// The round, where the ServerApp counts.
        round: Option<i64>,
        /// `train`, `evaluate` or `query`.
        message_type: String,
        /// Bytes of its objects.
        bytes: usize,
    },
    /// The reply is with the SuperLink.
    Replied {
        /// The run.
        run: u64,
        /// The round, where the ServerApp counts.
        round: Option<i64>,
        /// `train`, `evaluate` or `query`.
        message_type: String,
        /// Seconds that the work took.
        seconds: f64,
    },
    /// The request could not be answered; the ServerApp is told why.
    Failed {
        /// The run.
        run: u64,
        /// The round, where the ServerApp counts.
        round: Option<i64>,
        /// `train`, `evaluate` or `query`.
        message_type: String,
        /// Why.
        reason: String,
    },
    /// A message or a reply was lost, and the node goes on without it.
    Dropped {
        /// Why.
        reason: String,
    },
    /// A call failed, and is made again.
    Retrying {
        /// The call.
        #[serde(serialize_with = "by_name")]
        method: Method,
        /// Number of the next attempt.
        attempt: u32,
        /// Seconds until then.
        wait: f64,
        /// What went wrong.
        cause: String,
    },
    /// A heartbeat did not reach the SuperLink; after two of them the node counts as off line.
    HeartbeatMissed {
        /// What went wrong.
        cause: String,
    },
    /// Heartbeats reach the SuperLink again.
    HeartbeatsResumed,
    /// The node is off line.
    Left {
        /// Its number.
        node: u64,
    },
    /// The SuperLink could not be told that the node leaves; it finds out by the missing heartbeats.
    LeftSilently {
        /// What went wrong.
        cause: String,
    },
}

fn by_name<S: Serializer>(method: &Method, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(method.name())
}

fn place(run: u64, round: Option<i64>) -> String {
    match round {
        Some(round) => format!("run {run}, round {round}"),
        None => format!("run {run}"),
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined { node } => write!(formatter, "node {node} is on line"),
            Self::StillOnline { wait } => write!(
                formatter,
                "this key is still on line from another client or a lost answer, or the SuperLink refuses it; trying again in {wait:.1} s"
            ),
            Self::Received { run, round, message_type, bytes } => {
                write!(formatter, "{}: asked to {message_type}, {bytes} bytes", place(*run, *round))
            }
            Self::Replied { run, round, message_type, seconds } => {
                let place = place(*run, *round);
                write!(formatter, "{place}: answered {message_type} after {seconds:.1} s")
            }
            Self::Failed { run, round, message_type, reason } => {
                write!(formatter, "{}: cannot {message_type}: {reason}", place(*run, *round))
            }
            Self::Dropped { reason } => write!(formatter, "going on without a message: {reason}"),
            Self::Retrying { attempt, wait, cause, .. } => {
                write!(formatter, "{cause}; attempt {attempt} follows in {wait:.1} s")
            }
            Self::HeartbeatMissed { cause } => write!(formatter, "a heartbeat was missed: {cause}"),
            Self::HeartbeatsResumed => write!(formatter, "heartbeats reach the SuperLink again"),
            Self::Left { node } => write!(formatter, "node {node} is off line"),
            Self::LeftSilently { cause } => {
                write!(formatter, "the SuperLink was not told that the node leaves: {cause}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_lines_and_objects() {
        let event = Event::Retrying {
            method: Method::PullMessages,
            attempt: 2,
            wait: 0.25,
            cause: "no route".to_owned(),
        };
        assert_eq!(event.to_string(), "no route; attempt 2 follows in 0.2 s");
        let failed = |round| Event::Failed {
            run: 7,
            round,
            message_type: "train".to_owned(),
            reason: "no data".to_owned(),
        };
        assert_eq!(failed(Some(2)).to_string(), "run 7, round 2: cannot train: no data");
        assert_eq!(failed(None).to_string(), "run 7: cannot train: no data");
        let object = serde_json::to_value(&event).unwrap();
        assert_eq!(
            (&object["event"], &object["method"]),
            (&"retrying".into(), &"pull-messages".into())
        );
    }
}
