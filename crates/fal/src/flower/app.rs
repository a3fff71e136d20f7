//! What a node does when it is asked.

use super::record::{Arrays, Config, Metric, Metrics, Record, Records, WrongType};

/// Anything that went wrong in a [`ClientApp`]. It is sent to the ServerApp as a text, and the node lives on.
pub type AppError = Box<dyn std::error::Error + Send + Sync>;

/// The number of samples, by which a ServerApp weights what it is sent.
const NUM_EXAMPLES: &str = "num-examples";
/// The round, counted from 1.
pub(super) const SERVER_ROUND: &str = "server-round";
/// The name that Flower's strategies give to the arrays.
const ARRAYS: &str = "arrays";
const METRICS: &str = "metrics";
const CONFIG: &str = "config";

/// Bytes of memory that a request may take unless an app says otherwise: 1 GiB, which are 134 million weights in single
/// precision, or 89 million in double.
pub const LARGEST_REQUEST: usize = 1 << 30;

/// What a node does when it is asked. Calls come one at a time.
///
/// Flower's strategies need the same names of arrays and of metrics from every node of a round.
pub trait ClientApp {
    /// Learns from the node's own samples, beginning with the weights `request.arrays`.
    ///
    /// # Errors
    /// Whatever went wrong. The ServerApp is told, and leaves this node out of its round.
    fn train(&mut self, request: Request) -> Result<TrainReply, AppError>;

    /// Measures the weights `request.arrays` on the node's own samples.
    ///
    /// # Errors
    /// Whatever went wrong. The ServerApp is told, and leaves this node out of its round.
    fn evaluate(&mut self, request: Request) -> Result<EvaluateReply, AppError>;

    /// Answers any other question. Flower's strategies ask none.
    ///
    /// # Errors
    /// Always, unless it is overridden.
    fn query(&mut self, _request: Request) -> Result<QueryReply, AppError> {
        Err("this client answers no queries; ask it to train or to evaluate".into())
    }

    /// Bytes of memory that a request may take, [`LARGEST_REQUEST`] unless it is overridden: its objects as they come, as
    /// often as they are named, and four bytes more for every weight. A larger request is refused before it is put together.
    fn largest_request(&self) -> usize {
        LARGEST_REQUEST
    }
}

/// What a ServerApp asks with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The run it belongs to.
    pub run: u64,
    /// What stands after the point in a message type such as `train.fine-tune`.
    pub action: Option<String>,
    /// Weights, in single precision, in the order of the ServerApp's record.
    pub arrays: Arrays,
    /// Settings, such as `server-round` and what `strategy.start(train_config=...)` was given.
    pub config: Config,
    /// Metrics, which Flower's strategies do not send.
    pub metrics: Metrics,
}

impl Request {
    /// The round, counted from 1; `None` where the ServerApp does not count.
    ///
    /// # Errors
    /// [`WrongType`] if `server-round` is no integer.
    pub fn round(&self) -> Result<Option<i64>, WrongType> {
        self.config.integer(SERVER_ROUND)
    }
}

/// What a node learned.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainReply {
    /// Its weights, under the names and with the shapes of the request's.
    pub arrays: Arrays,
    /// Samples it learned from, by which the mean of the nodes is weighted; at least 1.
    pub num_examples: u64,
    /// What it measured, such as its loss.
    pub metrics: Metrics,
}

/// What a node measured.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluateReply {
    /// Samples it measured on, by which the mean of the nodes is weighted; at least 1.
    pub num_examples: u64,
    /// What it measured.
    pub metrics: Metrics,
}

/// The answer to any other question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryReply {
    /// What it measured.
    pub metrics: Metrics,
    /// What else there is to say.
    pub config: Config,
}

/// Lets `app` answer a message of type `message_type` in `run` with these `records`.
pub(super) fn answer(
    app: &mut dyn ClientApp,
    run: u64,
    message_type: &str,
    records: Records,
) -> Result<Records, AppError> {
    let (name, action) = match message_type.split_once('.') {
        Some((name, action)) => (name, Some(action.to_owned())),
        None => (message_type, None),
    };
    let names = Names::of(&records);
    let request = Request { run, action, ..sorted(records)? };
    match name {
        "train" => app.train(request).map(|reply| {
            let metrics = counted(reply.num_examples, reply.metrics);
            [(names.arrays, Record::Arrays(reply.arrays)), (METRICS.to_owned(), metrics)].into()
        }),
        "evaluate" => app
            .evaluate(request)
            .map(|reply| [(METRICS.to_owned(), counted(reply.num_examples, reply.metrics))].into()),
        "query" => app.query(request).map(|reply| {
            let metrics = (METRICS.to_owned(), Record::Metrics(reply.metrics));
            [metrics, (CONFIG.to_owned(), Record::Config(reply.config))].into()
        }),
        other => Err(format!(
            "this client knows no message of type `{other}`; send `train`, `evaluate` or `query`"
        )
        .into()),
    }
}

/// The names under which records are sent back.
struct Names {
    arrays: String,
}

impl Names {
    /// Arrays go back under the name under which they came, for a strategy may call them as it likes.
    fn of(records: &Records) -> Self {
        let is_arrays = |(_, record): &(&String, &Record)| matches!(record, Record::Arrays(_));
        let arrays = records.iter().find(is_arrays).map(|(name, _)| name.clone());
        Self { arrays: arrays.unwrap_or_else(|| ARRAYS.to_owned()) }
    }
}

/// A request with each of the records in its place.
fn sorted(records: Records) -> Result<Request, AppError> {
    let (mut arrays, mut config, mut metrics) = (None, None, None);
    for (name, record) in records {
        let taken = match record {
            Record::Arrays(record) => arrays.replace(record).is_some(),
            Record::Config(record) => config.replace(record).is_some(),
            Record::Metrics(record) => metrics.replace(record).is_some(),
        };
        if taken {
            return Err(format!(
                "record `{name}` is the second of its type; send one of arrays, one of settings"
            )
            .into());
        }
    }
    Ok(Request {
        arrays: arrays.unwrap_or_default(),
        config: config.unwrap_or_default(),
        metrics: metrics.unwrap_or_default(),
        ..Request::default()
    })
}

/// Metrics with the number of samples before them.
fn counted(num_examples: u64, metrics: Metrics) -> Record {
    let mut counted = Metrics::from([(NUM_EXAMPLES.to_owned(), Metric::from(num_examples))]);
    counted.extend(metrics.into_iter().filter(|(name, _)| name != NUM_EXAMPLES));
    Record::Metrics(counted)
}

/// An error and its causes in one line.
pub(super) fn in_one_line(error: &AppError) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        line = format!("{line}: {next}");
        cause = next.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::super::FlowerError;
    use super::super::fake::AddsConstant;
    use super::super::npy::NpyError;
    use super::super::objects::ObjectError;
    use super::super::record::{Array, Value};
    use super::*;

    fn request() -> Records {
        let weights = Array::new(vec![2], vec![1.0, 2.0]).unwrap();
        let config = Config([(SERVER_ROUND.to_owned(), Value::Integer(4))].into());
        [
            ("weights".to_owned(), Record::Arrays([("layer".to_owned(), weights)].into())),
            ("config".to_owned(), Record::Config(config)),
        ]
        .into()
    }

    fn ask(message_type: &str, records: Records) -> Result<Records, AppError> {
        answer(&mut AddsConstant::new(10, 0.5), 1, message_type, records)
    }

    #[test]
    fn arrays_go_back_under_their_name_with_the_number_of_samples() {
        let reply = ask("train", request()).unwrap();
        let [(first, Record::Arrays(arrays)), (second, Record::Metrics(metrics))] =
            &reply.into_iter().collect::<Vec<_>>()[..]
        else {
            panic!("one record of arrays, one of metrics")
        };
        assert_eq!((first.as_str(), second.as_str()), ("weights", METRICS));
        assert_eq!(arrays["layer"].values(), [1.5, 2.5]);
        assert_eq!(metrics[0], Metric::Integer(10));
        assert_eq!(metrics.get_index(0).unwrap().0, NUM_EXAMPLES);
    }

    #[test]
    fn evaluation_sends_metrics_alone() {
        let reply = ask("evaluate", request()).unwrap();
        assert_eq!(reply.len(), 1);
        assert!(matches!(reply[0], Record::Metrics(_)));
    }

    #[test]
    fn what_was_asked_reaches_the_app() {
        struct Looks(Option<Request>);
        impl ClientApp for Looks {
            fn train(&mut self, request: Request) -> Result<TrainReply, AppError> {
                self.0 = Some(request);
                Err("seen".into())
            }
            fn evaluate(&mut self, _: Request) -> Result<EvaluateReply, AppError> {
                Err("not asked".into())
            }
            fn query(&mut self, request: Request) -> Result<QueryReply, AppError> {
                Ok(QueryReply { config: request.config, ..QueryReply::default() })
            }
        }
        let mut app = Looks(None);
        assert!(answer(&mut app, 7, "train.fine.tune", request()).is_err());
        let seen = app.0.clone().unwrap();
        assert_eq!((seen.run, seen.action.as_deref()), (7, Some("fine.tune")));
        assert_eq!(seen.round(), Ok(Some(4)));
        assert_eq!(Request::default().round(), Ok(None));
        let reply = answer(&mut app, 7, "query", request()).unwrap();
        assert!(matches!(&reply[CONFIG], Record::Config(config) if config.0.len() == 1));
    }

    #[test]
    fn what_cannot_be_answered_is_named() {
        let refusal = |message_type, records| ask(message_type, records).unwrap_err().to_string();
        assert!(refusal("predict", request()).contains("`predict`"));
        assert!(refusal("query", request()).contains("no queries"));
        let mut twice = request();
        twice.insert("more".to_owned(), Record::Arrays(Arrays::new()));
        assert!(refusal("train", twice).contains("`more` is the second"));
    }

    #[test]
    fn causes_are_told_too() {
        let layered = ObjectError::Array { id: "1".to_owned(), cause: NpyError::Magic };
        let layered: AppError = Box::new(FlowerError::from(layered));
        assert!(in_one_line(&layered).contains("cannot be used: an array does not begin"));
    }
}
