//! A client of Algorithm 1 as a node of Flower: the ServerApp averages, this client trains as it would in one process.
//!
//! The weights travel under the paths of the network's parameters (`Mlp.layers.0.weight`) and with their shapes. The round of the
//! ServerApp, counted from 1, names the random choices of a training, so a stock FedAvg over these nodes takes the same course
//! as [`Federation`] with a rate of 1.

use burn::tensor::Device;
use burn::tensor::backend::Backend;
use experiment::seed::Seed;
use inner_outer::tensors::parameter_shapes;

use crate::algorithm::Federation;
use crate::attack::Samples;
use crate::config::ExperimentConfig;
use crate::data::Split;
use crate::flower::record::{Array, Arrays, Metric, Metrics};
use crate::flower::{AppError, ClientApp, EvaluateReply, Request, TrainReply};
use crate::judge::{Glance, samples};
use crate::network::Network;
use crate::server::parameters::unflatten;
use crate::server::{AggregatorChoice, AttackerChoice, DriftControl, Participant, Weighting};
use crate::training_error::TrainingError;

/// Bytes that a weight takes in a request: eight as it comes in double precision, and four as it is used.
const WEIGHT_BYTES: usize = 12;
/// Bytes for everything else in a request: names, shapes and settings.
const REMAINDER: usize = 16 * 1024 * 1024;

/// One client of a federation whose server is Flower's.
pub struct FlowerNode<B: Backend> {
    federation: Federation<B>,
    config: ExperimentConfig,
    client: usize,
    samples: Samples,
    device: Device<B>,
}

/// A request that this client cannot answer with what it learned.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The ServerApp does not count rounds.
    #[error(
        "the request has no `server-round` of at least 1, which names the random choices; use a strategy that counts, as all of Flower's do"
    )]
    Round,
    /// The weights are those of another network.
    #[error(
        "the request has {found}, but the network of this client has {expected}; begin with the weights that `fal train --set rounds=0` writes"
    )]
    Arrays {
        /// What the network has.
        expected: String,
        /// What was sent.
        found: String,
    },
    /// A weight is NaN or infinite after the training.
    #[error(
        "training of round {round} left values in `{array}` that are not finite, which would spoil the mean of all nodes, so nothing is sent; lower `client.rate`, or begin with other weights"
    )]
    NotFinite {
        /// The round, from 1.
        round: u64,
        /// The first such array.
        array: String,
    },
}

impl<B: Backend> FlowerNode<B> {
    /// The client number `client` of the federation that `config` describes.
    ///
    /// # Errors
    /// Those of the configuration and the data; [`TrainingError::OutOfRange`] if there is no such client.
    pub fn new(
        config: &ExperimentConfig,
        client: usize,
        device: &Device<B>,
    ) -> Result<Self, TrainingError> {
        if config.client.drift == DriftControl::Scaffold {
            return Err(TrainingError::Excluded(
                "a ServerApp of Flower keeps no control variates; choose another client.drift than \"scaffold\"",
            ));
        }
        let lies = config.clients.attackers.map(|attackers| attackers.behaviour);
        if lies.is_some_and(|behaviour| behaviour != AttackerChoice::LabelFlip) {
            return Err(TrainingError::Excluded(
                "a node of Flower sends what it learned and nothing else; leave clients.attackers out, or choose \"label-flip\"",
            ));
        }
        let Split { train, test } = config.data.load()?;
        let federation = Federation::new(config, train, device)?;
        if client >= federation.partition().len() {
            let range = "a number below clients.count";
            return Err(TrainingError::OutOfRange {
                setting: "--client",
                value: client as f64,
                range,
            });
        }
        let seed = Seed::new(config.seed).child("glance");
        let samples = samples(&test, config.evaluation.samples, &seed);
        Ok(Self { federation, config: config.clone(), client, samples, device: device.clone() })
    }

    /// The parameters one after the other, from the arrays of a request.
    fn flattened(&self, arrays: &Arrays) -> Result<Vec<f32>, RequestError> {
        let expected = parameter_shapes(&self.federation.network());
        let fits = arrays.len() == expected.len()
            && expected.iter().all(|(path, shape)| {
                arrays.get(path).is_some_and(|array| array.shape() == shape.as_slice())
            });
        if !fits {
            let found = arrays.iter().map(|(path, array)| (path.as_str(), array.shape()));
            let shapes = expected.iter().map(|(path, shape)| (path.as_str(), shape.as_slice()));
            return Err(RequestError::Arrays { expected: listed(shapes), found: listed(found) });
        }
        Ok(expected.iter().flat_map(|(path, _)| arrays[path].values()).copied().collect())
    }

    /// The arrays of parameters that stand one after the other, in the order of `like`.
    fn arrays(&self, values: &[f32], like: &Arrays) -> Result<Arrays, AppError> {
        let mut named = Arrays::new();
        let mut rest = values;
        for (path, shape) in parameter_shapes(&self.federation.network()) {
            let (own, after) = rest.split_at(shape.iter().product());
            rest = after;
            named.insert(path, Array::new(shape, own.to_vec())?);
        }
        named.sort_by_key(|path, _| like.get_index_of(path));
        Ok(named)
    }

    /// What the client counts for in the ServerApp's mean: its samples where the configuration's aggregator is a mean by samples,
    /// and 1 with every other, FedNova's too, which makes the mean uniform.
    fn weight(&self, samples: usize) -> u64 {
        match self.config.server.aggregator {
            AggregatorChoice::Mean { weighting: Weighting::Samples } => samples as u64,
            _ => 1,
        }
    }
}

impl<B: Backend> ClientApp for FlowerNode<B> {
    fn train(&mut self, request: Request) -> Result<TrainReply, AppError> {
        let round = request.round()?.and_then(|round| u64::try_from(round).ok());
        let round = round.filter(|round| *round > 0).ok_or(RequestError::Round)?;
        let global = self.flattened(&request.arrays)?;
        let participant = Participant { client: self.client, work: 1.0 };
        let update = self.federation.local_update(&global, &participant, round - 1)?;
        let weights: Vec<f32> = global.iter().zip(&update.delta).map(|(u, d)| u + d).collect();
        let arrays = self.arrays(&weights, &request.arrays)?;
        require_finite(&arrays, round)?;
        Ok(TrainReply {
            arrays,
            num_examples: self.weight(update.samples),
            metrics: Metrics::from([("loss".to_owned(), Metric::from(update.loss))]),
        })
    }

    /// On the test images of the configuration, which every client has: accuracy, and accuracy under PGD-10.
    fn evaluate(&mut self, request: Request) -> Result<EvaluateReply, AppError> {
        let values = self.flattened(&request.arrays)?;
        let network: Network<B> = unflatten(self.federation.network(), &values)?;
        let seed = Seed::new(self.config.seed).child("glance");
        let evaluation = &self.config.evaluation;
        let Glance { clean, attacked } =
            evaluation.glance(&network, &self.samples, &seed, &self.device)?;
        let metrics = [("clean-accuracy", clean), ("attacked-accuracy", attacked)];
        let metrics = metrics.map(|(name, found)| (name.to_owned(), Metric::from(found.mean)));
        Ok(EvaluateReply { num_examples: self.samples.len() as u64, metrics: metrics.into() })
    }

    /// What the weights of this network take, and some megabytes.
    fn largest_request(&self) -> usize {
        WEIGHT_BYTES * self.federation.state().global.len() + REMAINDER
    }
}

/// The settings that differ from their defaults without the effect on a node that they would have in one process, because the
/// strategy of the ServerApp decides what they are about. Of a mean the node tells what it counts for.
pub fn settings_of_the_strategy(config: &ExperimentConfig) -> Vec<&'static str> {
    let usual = ExperimentConfig::default();
    let (server, clients) = (&config.server, &config.clients);
    let is_mean = matches!(server.aggregator, AggregatorChoice::Mean { .. });
    let settings = [
        ("server.aggregator", !is_mean),
        ("server.optimizer", server.optimizer != usual.server.optimizer),
        ("server.clip", server.clip != usual.server.clip),
        ("clients.participation", clients.participation != usual.clients.participation),
    ];
    settings.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

/// A server in one process sets an update aside that is not finite; a ServerApp of Flower would average it.
fn require_finite(arrays: &Arrays, round: u64) -> Result<(), RequestError> {
    let spoilt = |(_, array): &(&String, &Array)| array.values().iter().any(|x| !x.is_finite());
    match arrays.iter().find(spoilt) {
        Some((path, _)) => Err(RequestError::NotFinite { round, array: path.clone() }),
        None => Ok(()),
    }
}

/// `layers.0.weight [64, 200], ...`
fn listed<'a>(shapes: impl Iterator<Item = (&'a str, &'a [usize])>) -> String {
    let shapes: Vec<String> = shapes.map(|(path, shape)| format!("{path} {shape:?}")).collect();
    if shapes.is_empty() { "no arrays".to_owned() } else { shapes.join(", ") }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::client::{ClientConfig, Work};
    use crate::flower::messages::Metadata;
    use crate::flower::objects::{deflate, inflate};
    use crate::flower::record::{Config, Record, Value};
    use crate::network::NetworkChoice;
    use crate::server::{OptimizerChoice, ServerChoice};

    fn config() -> ExperimentConfig {
        let mut config = ExperimentConfig {
            network: NetworkChoice::Mlp { hidden: vec![7] },
            server: ServerChoice::fedavg(),
            client: ClientConfig { work: Work::Steps { count: 3 }, ..ClientConfig::default() },
            ..ExperimentConfig::default()
        };
        config.data.train = 150;
        config.adversary.steps = 2;
        config.evaluation.samples = 10;
        config
    }

    fn node(client: usize) -> FlowerNode<Flex> {
        FlowerNode::new(&config(), client, &Default::default()).unwrap()
    }

    fn request(arrays: Arrays, round: i64) -> Request {
        let config = Config([("server-round".to_owned(), Value::Integer(round))].into());
        Request { arrays, config, ..Request::default() }
    }

    /// The mean by samples that a stock FedAvg makes of what the nodes send is the course of one process.
    #[test]
    fn nodes_learn_what_clients_in_one_process_learn() {
        let mut federation = node(0).federation;
        let mut arrays = node(0).arrays(&federation.state().global, &Arrays::new()).unwrap();
        // A ServerApp may send its arrays in any order.
        arrays.reverse();
        for round in 1..=2 {
            let mut mean: Vec<f64> = Vec::new();
            let mut total = 0.0;
            for client in 0..5 {
                let mut node = node(client);
                let reply = node.train(request(arrays.clone(), round)).unwrap();
                assert!(reply.arrays.keys().eq(arrays.keys()), "arrays go back in their order");
                assert!(matches!(reply.metrics["loss"], Metric::Number(loss) if loss > 0.0));
                let weight = reply.num_examples as f64;
                let values = node.flattened(&reply.arrays).unwrap();
                mean.resize(values.len(), 0.0);
                mean.iter_mut().zip(values).for_each(|(m, w)| *m += weight * f64::from(w));
                total += weight;
            }
            let mean: Vec<f32> = mean.into_iter().map(|sum| (sum / total) as f32).collect();
            arrays = node(0).arrays(&mean, &arrays).unwrap();
            federation.round().unwrap();
            for (found, expected) in mean.iter().zip(&federation.state().global) {
                assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
            }
        }
        let reply = node(1).evaluate(request(arrays, 2)).unwrap();
        assert_eq!(reply.num_examples, 10);
        assert!(matches!(reply.metrics["clean-accuracy"], Metric::Number(share) if share <= 1.0));
    }

    /// Sent as Flower's Python sends them, with their objects and names.
    #[test]
    fn a_request_may_have_the_weights_of_the_network_and_hardly_more() {
        let node = node(0);
        let weights = node.federation.state().global.len();
        let bytes = node.largest_request() - REMAINDER;
        assert_eq!((weights, bytes), (64 * 7 + 7 + 7 * 10 + 10, 12 * weights));
        let arrays = node.arrays(&node.federation.state().global, &Arrays::new()).unwrap();
        let records = [("arrays".to_owned(), Record::Arrays(arrays))].into();
        let sent = deflate(&Metadata::default(), Ok(&records));
        let contents = sent.objects.clone().into_iter().collect();
        let (_, read) = inflate(sent.message_id(), &contents, node.largest_request()).unwrap();
        assert_eq!(read, Ok(records));
    }

    #[test]
    fn all_but_a_mean_by_samples_is_asked_for_by_equal_weights() {
        let weight = |aggregator| {
            let mut config = config();
            config.client.momentum = 0.0;
            config.server.aggregator = aggregator;
            FlowerNode::<Flex>::new(&config, 0, &Default::default()).unwrap().weight(77)
        };
        assert_eq!(weight(AggregatorChoice::Mean { weighting: Weighting::Samples }), 77);
        let uniform = AggregatorChoice::Mean { weighting: Weighting::Uniform };
        for other in [uniform, AggregatorChoice::Nova, AggregatorChoice::Median] {
            assert_eq!(weight(other), 1, "{other:?}");
        }
    }

    #[test]
    fn settings_that_the_strategy_decides_are_named_where_they_are_set() {
        let of = settings_of_the_strategy;
        assert!(of(&ExperimentConfig::default()).is_empty());
        let mut config = config();
        config.server.aggregator = AggregatorChoice::Mean { weighting: Weighting::Uniform };
        assert!(of(&config).is_empty(), "a node counts as much as every other");
        config.server.aggregator = AggregatorChoice::Median;
        assert_eq!(of(&config), ["server.aggregator"]);
        config.server.aggregator = AggregatorChoice::default();
        config.server.clip = Some(2.0);
        assert_eq!(of(&config), ["server.clip"]);
        config.server.optimizer = OptimizerChoice::Rate { rate: 0.5 };
        config.clients.participation.fraction = 0.5;
        assert_eq!(of(&config), ["server.optimizer", "server.clip", "clients.participation"]);
    }

    /// One step of a rate beyond single precision: its loss is finite, and what it leaves is not.
    #[test]
    fn weights_that_are_not_finite_stay_here_and_the_node_goes_on() {
        let mut config = config();
        config.client.work = Work::Steps { count: 1 };
        let mut node = FlowerNode::<Flex>::new(&config, 0, &Default::default()).unwrap();
        let arrays = node.arrays(&node.federation.state().global.clone(), &Arrays::new()).unwrap();
        node.train(request(arrays.clone(), 1)).unwrap();

        config.client.rate = 1e39;
        let mut node = FlowerNode::<Flex>::new(&config, 0, &Default::default()).unwrap();
        for _ in 0..2 {
            let refused = node.train(request(arrays.clone(), 1)).unwrap_err().to_string();
            assert!(refused.contains("round 1") && refused.contains("client.rate"), "{refused}");
        }
        node.evaluate(request(arrays, 1)).unwrap();
    }

    #[test]
    fn requests_that_cannot_be_trained_on_are_refused_with_the_remedy() {
        let mut node = node(0);
        let whole = node.arrays(&node.federation.state().global.clone(), &Arrays::new()).unwrap();
        let refused =
            |node: &mut FlowerNode<Flex>, request| node.train(request).unwrap_err().to_string();
        assert!(refused(&mut node, request(whole.clone(), 0)).contains("server-round"));
        assert!(refused(&mut node, request(Arrays::new(), 1)).contains("no arrays"));
        let mut short = whole.clone();
        short.pop();
        assert!(refused(&mut node, request(short, 1)).contains("rounds=0"));
        let outside = FlowerNode::<Flex>::new(&config(), 5, &Default::default()).err().unwrap();
        assert!(outside.to_string().contains("below clients.count"), "{outside}");
    }
}
