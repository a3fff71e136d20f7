mod failures;

use burn::backend::{Autodiff, Flex};
use burn::module::{AutodiffModule, Module};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, TensorData};
use inner_outer::tensors::{Tensors, to_f64};

use super::*;
use crate::Classifier;
use crate::adversary::{AdversaryConfig, Start};
use crate::attack::Norm;
use crate::client::{ClientConfig, Order, Work};
use crate::config::PopulationConfig;
use crate::data::{ImageSet, ImageShape};
use crate::loss::{LossChoice, Scope};
use crate::network::NetworkChoice;
use crate::partition::PartitionChoice;
use crate::server::{
    Adaptive, AggregatorChoice, Attackers, OptimizerChoice, Participation, ServerChoice, Weighting,
};
use crate::theory::RegressionLoss;

const SHAPE: ImageShape = ImageShape { channels: 1, height: 2, width: 3 };
const CLASSES: usize = 3;

/// Images whose brightest pixel tells the class.
fn images(count: usize) -> ImageSet {
    let pixel = |image: usize, pixel: usize| {
        let class = image % CLASSES;
        let noise = ((image * 7 + pixel * 13) % 11) as f32 / 30.0;
        noise + if pixel == 2 * class { 0.5 } else { 0.05 }
    };
    let pixels =
        (0..count).flat_map(|image| (0..SHAPE.pixels()).map(move |at| pixel(image, at))).collect();
    let labels = (0..count).map(|image| (image % CLASSES) as u8).collect();
    let names = ["left", "middle", "right"].map(String::from).to_vec();
    ImageSet::new("toy", SHAPE, pixels, labels, names).unwrap()
}

/// One plain full-batch step a client in each round, without momentum.
fn plain(clients: usize) -> ExperimentConfig {
    ExperimentConfig {
        clients: PopulationConfig { count: clients, ..PopulationConfig::default() },
        network: NetworkChoice::Mlp { hidden: vec![5] },
        adversary: AdversaryConfig {
            radius: 0.2,
            steps: 3,
            step: 0.1,
            start: Start::Sample,
            ..AdversaryConfig::default()
        },
        client: ClientConfig {
            work: Work::Steps { count: 1 },
            batch: 0,
            rate: 0.3,
            momentum: 0.0,
            ..ClientConfig::default()
        },
        server: ServerChoice::paper(1.0),
        ..ExperimentConfig::default()
    }
}

fn federation(config: &ExperimentConfig) -> Federation<Flex> {
    Federation::new(config, images(24), &Default::default()).unwrap()
}

fn trained(config: &ExperimentConfig, rounds: usize) -> Federation<Flex> {
    let mut federation = federation(config);
    (0..rounds).for_each(|_| {
        federation.round().unwrap();
    });
    federation
}

fn assert_close(found: &[f32], expected: &[f32], relative: f32) {
    let size = expected.iter().fold(0.0_f32, |size, x| size.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= relative * size, "{found} is not {expected}");
    }
}

/// The textbook's step of adversarial training on `images`, with Burn's own autodiff; that of plain training where the
/// adversary has no steps.
fn centralised_step(
    config: &ExperimentConfig,
    images: &ImageSet,
    network: Network<Flex>,
) -> Network<Flex> {
    type A = Autodiff<Flex>;
    let all: Vec<usize> = (0..images.len()).collect();
    let device = Default::default();
    let (x, labels) = images.batch::<A>(&all, &device);
    let loss = |network: &Network<A>, x: Tensor<A, 4>, labels: Tensor<A, 1, Int>| {
        log_softmax(network.logits(x), 1).gather(1, labels.unsqueeze_dim(1)).mean().neg()
    };
    let AdversaryConfig { radius, steps, step, .. } = config.adversary;
    let lifted: Network<A> = AutodiffModule::from_inner(network.clone());
    let constant = lifted.clone().no_grad();
    let clean = x.clone().inner();
    let mut attacked = clean.clone();
    for _ in 0..steps {
        let leaf = Tensor::<A, 4>::from_inner(attacked.clone()).require_grad();
        let gradients = loss(&constant, leaf.clone(), labels.clone()).backward();
        attacked = attacked + leaf.grad(&gradients).unwrap().sign() * step;
        attacked = attacked.min_pair(clean.clone() + radius).max_pair(clean.clone() - radius);
        attacked = attacked.clamp(0.0, 1.0);
    }
    let weights = Tensors::of(&network).track();
    let loss = loss(&weights.write(lifted), Tensor::from_inner(attacked), labels);
    let gradients = loss.backward();
    let step = |weight: &Tensor<A, 1>| {
        weight.clone().inner() - weight.grad(&gradients).unwrap() * config.client.rate
    };
    Tensors(weights.0.iter().map(step).collect()).write(network)
}

#[test]
fn one_client_with_one_step_is_centralised_adversarial_training() {
    let config = plain(1);
    let federation = trained(&config, 4);
    let mut expected = self::federation(&config).network();
    for _ in 0..4 {
        expected = centralised_step(&config, &images(24), expected);
    }
    assert_close(&federation.state().global, &flatten(&expected), 2e-6);
}

/// With one local step the mean of updates is the gradient of everybody's loss: FedSGD with the product of both rates.
#[test]
fn one_local_step_is_a_gradient_step_of_the_product_of_rates() {
    let apart = ExperimentConfig { server: ServerChoice::paper(0.5), ..plain(3) };
    let mut together = plain(1);
    together.client.rate *= 0.5;
    let (apart, together) = (trained(&apart, 5), trained(&together, 5));
    assert_close(&apart.state().global, &together.state().global, 1e-5);
}

/// FedAvg without any adversary, written down independently: local steps of plain training, then the mean.
fn plain_round(config: &ExperimentConfig, shares: &[Vec<usize>], global: &[f32]) -> Vec<f32> {
    let Work::Steps { count } = config.client.work else { panic!("steps are asked for") };
    let mut peaceful = config.clone();
    peaceful.adversary.steps = 0;
    let mut mean = vec![0.0; global.len()];
    for share in shares {
        let own = images(24).subset(share).unwrap();
        let start = unflatten(federation(config).network(), global).unwrap();
        let learned =
            (0..count).fold(start, |network, _| centralised_step(&peaceful, &own, network));
        for (mean, weight) in mean.iter_mut().zip(flatten(&learned)) {
            *mean += weight / shares.len() as f32;
        }
    }
    mean
}

#[test]
fn a_ball_of_radius_zero_is_plain_federated_learning() {
    let mut base = plain(3);
    base.client.work = Work::Steps { count: 2 };
    let start = federation(&base);
    let shares = &start.partition().clients;
    let expected =
        (0..3).fold(start.state().global.clone(), |at, _| plain_round(&base, shares, &at));
    for start in [Start::Sample, Start::Uniform, Start::Normal { deviation: 0.01 }] {
        for norm in [Norm::Linf, Norm::L2] {
            let mut flat = base.clone();
            flat.adversary = AdversaryConfig { radius: 0.0, start, norm, ..flat.adversary };
            assert_close(&trained(&flat, 3).state().global, &expected, 2e-6);
        }
    }
    let attacked = trained(&base, 3);
    let apart = attacked.state().global.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 1e-3);
    assert!(apart, "an adversary changes what is learned");
}

#[test]
fn threads_change_no_bit() {
    let mut config = plain(5);
    config.client =
        ClientConfig { work: Work::Epochs { count: 2 }, batch: 3, ..ClientConfig::default() };
    config.adversary.start = Start::Uniform;
    let with = |threads| {
        let mut federation = federation(&config);
        federation.threads = Threads::new(threads);
        (0..3).for_each(|_| {
            federation.round().unwrap();
        });
        federation.state().clone()
    };
    assert_eq!(with(1), with(2));
    assert_eq!(with(1), with(8));
}

#[test]
fn a_federation_goes_on_from_saved_bytes_as_if_it_had_not_stopped() {
    let mut config = plain(4);
    config.clients.participation = Participation { fraction: 0.5, dropout: 0.2, straggling: 0.5 };
    config.client = ClientConfig {
        work: Work::Steps { count: 3 },
        batch: 2,
        momentum: 0.0,
        drift: DriftControl::Scaffold,
        ..ClientConfig::default()
    };
    let whole = trained(&config, 6);
    let bytes = trained(&config, 3).state().to_bytes().unwrap();
    let state = FederationState::from_bytes(bytes).unwrap();
    let mut again = federation(&config).with_state(state).unwrap();
    for _ in 0..3 {
        again.round().unwrap();
    }
    assert_eq!(again.state(), whole.state());
    assert_eq!(again.rounds(), 6);
}

#[test]
fn a_state_of_another_network_is_refused() {
    let mut other = plain(2);
    other.network = NetworkChoice::Mlp { hidden: vec![6] };
    let refused = federation(&plain(2)).with_state(federation(&other).state().clone());
    let refused = refused.err().expect("another network").to_string();
    assert!(refused.contains("parameters"), "{refused}");
}

/// A training with SCAFFOLD does not go on without its variates, nor another one with them.
#[test]
fn a_state_with_other_control_variates_is_refused() {
    let mut corrected = plain(2);
    corrected.client.drift = DriftControl::Scaffold;
    let with_variates = |parameters| {
        let state = federation(&plain(2)).state().clone();
        FederationState { scaffold: Some(Scaffold::new(parameters)), ..state }
    };
    let parameters = federation(&plain(2)).state().global.len();
    for (config, state, cause) in [
        (&corrected, federation(&plain(2)).state().clone(), "there are none"),
        (&plain(2), with_variates(parameters), "this training has none"),
        (&corrected, with_variates(3), "another network"),
    ] {
        let refused = federation(config).with_state(state).err().expect("other variates");
        assert!(refused.to_string().contains(cause), "{refused}");
    }
    assert!(federation(&corrected).with_state(with_variates(parameters)).is_ok());
}

/// Accuracy on the images themselves.
fn accuracy(federation: &Federation<Flex>) -> f64 {
    let set = images(24);
    let (x, labels) = set.batch::<Flex>(&(0..24).collect::<Vec<_>>(), &Default::default());
    let found = federation.network().logits(x).argmax(1).squeeze_dim::<1>(1);
    let right = found.equal(labels).int().sum().into_data().convert::<i64>();
    right.into_vec::<i64>().unwrap()[0] as f64 / 24.0
}

#[test]
fn every_loss_and_server_learns_the_toy() {
    let losses = [
        LossChoice::CrossEntropy,
        LossChoice::Trades { beta: 1.0 },
        LossChoice::Mart { beta: 1.0 },
        LossChoice::calfat(),
        LossChoice::Regression { shape: RegressionLoss::PseudoHuber },
        LossChoice::Regression { shape: RegressionLoss::Absolute },
    ];
    let start = Start::Normal { deviation: 0.01 };
    let adversary =
        AdversaryConfig { radius: 0.05, steps: 2, step: 0.03, start, ..AdversaryConfig::default() };
    let client = ClientConfig {
        work: Work::Steps { count: 4 },
        batch: 4,
        rate: 0.1,
        momentum: 0.5,
        ..ClientConfig::default()
    };
    let base = ExperimentConfig { adversary, client, server: ServerChoice::fedavg(), ..plain(4) };
    for loss in losses {
        let mut config = ExperimentConfig { loss, ..base.clone() };
        if let LossChoice::Calibrated { scale, .. } = loss {
            config.client.rate /= scale;
        }
        let reached = accuracy(&trained(&config, 60));
        assert!(reached > 0.95, "{loss:?}: {reached}");
    }
    let l2 = AdversaryConfig { norm: Norm::L2, start: Start::Uniform, radius: 0.1, ..adversary };
    let reached = accuracy(&trained(&ExperimentConfig { adversary: l2, ..base.clone() }, 60));
    assert!(reached > 0.95, "L2: {reached}");
    let aggregators = [
        AggregatorChoice::Nova,
        AggregatorChoice::Slack { alpha: 1.0 / 6.0, top: 1 },
        AggregatorChoice::Median,
        AggregatorChoice::TrimmedMean { share: 0.25 },
        AggregatorChoice::Krum { byzantine: 0 },
        AggregatorChoice::MultiKrum { byzantine: 0, keep: Some(2) },
        AggregatorChoice::Bulyan { byzantine: 0 },
        AggregatorChoice::GeometricMedian { iterations: 100, smoothing: 1e-6, tolerance: 1e-6 },
    ];
    for aggregator in aggregators {
        let server = ServerChoice { aggregator, ..ServerChoice::fedavg() };
        let mut config = ExperimentConfig { server, ..base.clone() };
        if aggregator == AggregatorChoice::Nova {
            (config.client.momentum, config.client.rate) = (0.0, 0.2);
        }
        let reached = accuracy(&trained(&config, 60));
        assert!(reached > 0.9, "{aggregator:?}: {reached}");
    }
    let adaptive = |rate| Adaptive { rate, first: 0.9, second: 0.99, floor: 1e-3 };
    let optimizers = [
        OptimizerChoice::Momentum { rate: 0.5, momentum: 0.9 },
        OptimizerChoice::Adagrad(Adaptive { first: 0.0, ..adaptive(0.1) }),
        OptimizerChoice::Adam(adaptive(0.03)),
        OptimizerChoice::Yogi(adaptive(0.03)),
    ];
    for optimizer in optimizers {
        let server = ServerChoice { optimizer, ..ServerChoice::fedavg() };
        let reached = accuracy(&trained(&ExperimentConfig { server, ..base.clone() }, 60));
        assert!(reached > 0.9, "{optimizer:?}: {reached}");
    }
    for drift in [DriftControl::Proximal { mu: 0.1 }, DriftControl::Scaffold] {
        let client = ClientConfig { drift, momentum: 0.0, ..client };
        let server = ServerChoice::paper(1.0);
        let config = ExperimentConfig { client, server, ..base.clone() };
        let reached = accuracy(&trained(&config, 60));
        assert!(reached > 0.95, "{drift:?}: {reached}");
    }
}

#[test]
fn who_flips_labels_learns_what_honest_clients_learn_from_flipped_ones() {
    let mut config = plain(2);
    let honest = images(24);
    let flipped = honest.labels().iter().map(|label| CLASSES as u8 - 1 - label).collect();
    let flipped = honest.clone().with_labels(flipped).unwrap();
    let after = |config: &ExperimentConfig, images: ImageSet| {
        let mut federation = Federation::<Flex>::new(config, images, &Default::default()).unwrap();
        (0..3).for_each(|_| drop(federation.round().unwrap()));
        federation.state().global.clone()
    };
    let expected = after(&config, flipped.clone());
    assert_ne!(after(&config, honest.clone()), expected);
    let flips = Some(Attackers { share: 1.0, behaviour: AttackerChoice::LabelFlip });
    config.clients.attackers = flips;
    assert_eq!(after(&config, honest.clone()), expected);

    // Class counts too are those of the flipped labels, which tells only where classes are unequal.
    let unequal: Vec<usize> = (0..24).filter(|image| image % CLASSES > 0 || *image < 9).collect();
    let [honest, flipped] = [honest, flipped].map(|set| set.subset(&unequal).unwrap());
    config.clients.attackers = None;
    config.loss = LossChoice::calfat();
    config.client.rate /= 10.0;
    config.adversary.start = Start::Normal { deviation: 0.01 };
    let expected = after(&config, flipped);
    config.clients.attackers = flips;
    assert_eq!(after(&config, honest), expected);
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let refused = |change: &dyn Fn(&mut ExperimentConfig)| {
        let mut config = plain(2);
        change(&mut config);
        Federation::<Flex>::new(&config, images(24), &Default::default())
            .err()
            .expect("settings that do not fit")
            .to_string()
    };
    type Change<'a> = &'a dyn Fn(&mut ExperimentConfig);
    let cases: [(&str, Change<'_>); 20] = [
        ("checkpoint_every", &|c: &mut ExperimentConfig| c.checkpoint_every = 0),
        ("evaluation.every", &|c| c.evaluation.every = 0),
        ("evaluation.samples", &|c| c.evaluation.samples = 0),
        ("evaluation.radius", &|c| c.evaluation.radius = f64::NAN),
        ("adversary.radius", &|c| c.adversary.radius = -1.0),
        ("adversary.step", &|c| c.adversary.step = 0.0),
        ("adversary.start.deviation", &|c| c.adversary.start = Start::Normal { deviation: 0.0 }),
        ("loss.beta", &|c| c.loss = LossChoice::Trades { beta: -1.0 }),
        ("loss.scale", &|c| {
            c.loss =
                LossChoice::Calibrated { weight: 0.1, scale: 0.0, scaled: Scope::Both, absent: 1.0 }
        }),
        ("loss.absent", &|c| {
            c.loss =
                LossChoice::Calibrated { weight: 0.1, scale: 1.0, scaled: Scope::Both, absent: 0.0 }
        }),
        ("client.work.count", &|c| c.client.work = Work::Epochs { count: 0 }),
        ("client.rate", &|c| c.client.rate = 0.0),
        ("client.momentum", &|c| c.client.momentum = 1.0),
        ("client.weight_decay", &|c| c.client.weight_decay = -0.1),
        ("fraction", &|c| c.clients.participation.fraction = 0.0),
        ("share", &|c| {
            c.clients.attackers =
                Some(Attackers { share: 2.0, behaviour: AttackerChoice::LabelFlip });
        }),
        ("alpha", &|c| {
            c.clients.partition =
                PartitionChoice::Dirichlet { alpha: 0.0, capped: false, minimum: 1 }
        }),
        ("clients", &|c| c.clients.count = 0),
        ("client.momentum = 0", &|c| {
            c.client.momentum = 0.9;
            c.client.drift = DriftControl::Scaffold;
        }),
        ("server.optimizer.kind", &|c| {
            c.client.drift = DriftControl::Scaffold;
            c.server.optimizer = OptimizerChoice::Momentum { rate: 1.0, momentum: 0.9 };
        }),
    ];
    for (message, change) in cases {
        let found = refused(change);
        assert!(found.contains(message), "{message} is not in {found:?}");
    }
}

/// One sample in the code of CalFAT's authors.
#[test]
fn a_class_that_a_client_lacks_counts_as_it_is_set() {
    let mut config = plain(3);
    config.clients.partition = PartitionChoice::OwnClasses { given: 0.0 };
    config.adversary.start = Start::Uniform;
    let calibrated = |json| serde_json::from_str::<LossChoice>(json).unwrap();
    for (loss, absent) in [
        (r#"{"kind": "calibrated"}"#, 1.0_f64),
        (r#"{"kind": "calibrated", "absent": 1e-7}"#, 1e-7),
    ] {
        config.loss = calibrated(loss);
        let federation = federation(&config);
        let counts = federation.partition().counts()[1].clone();
        assert_eq!(counts.iter().filter(|count| **count == 0).count(), 2);
        let found = to_f64(&federation.class_counts(1));
        for (found, count) in found.iter().zip(counts) {
            let expected = if count == 0 { absent.ln() } else { (count as f64).ln() };
            assert!((found - expected).abs() < 1e-6, "{found} for {count}");
        }
    }
}

/// Every pass shows every sample once, in another order than the pass before, however many steps are taken.
#[test]
fn batches_go_through_the_samples_pass_after_pass() {
    let client = ClientConfig { batch: 4, ..ClientConfig::default() };
    let batches: Vec<Vec<usize>> = client.batches(10, 0, &Seed::new(1)).take(6).collect();
    let sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
    assert_eq!(sizes, [4, 4, 2, 4, 4, 2]);
    let [first, second] = [&batches[..3], &batches[3..]].map(<[_]>::concat);
    assert_ne!(first, second);
    for mut pass in [first, second] {
        pass.sort_unstable();
        assert_eq!(pass, (0..10).collect::<Vec<_>>());
    }
    let whole = ClientConfig { batch: 0, ..client };
    let seen: Vec<Vec<usize>> = whole.batches(3, 0, &Seed::new(1)).take(2).collect();
    assert_eq!(seen, [[0, 1, 2], [0, 1, 2]]);
    for order in [Order::Anew, Order::Continued] {
        let client = ClientConfig { order, ..client };
        assert_eq!(client.batches(0, 3, &Seed::new(1)).next(), None);
    }
}

/// However a pass is cut into rounds: with two steps a round the batches are those of one round without end.
#[test]
fn an_order_that_is_continued_goes_over_the_ends_of_rounds() {
    let client = |order| ClientConfig {
        work: Work::Steps { count: 2 },
        batch: 4,
        order,
        ..ClientConfig::default()
    };
    let seed = Seed::new(1);
    let in_rounds = |order| {
        let round = |t| client(order).batches(10, t, &seed).take(2);
        (0..6).flat_map(round).collect::<Vec<_>>()
    };
    let endless: Vec<_> = client(Order::Continued).batches(10, 0, &seed).take(12).collect();
    assert_eq!(in_rounds(Order::Continued), endless);
    let anew = in_rounds(Order::Anew);
    assert_eq!(anew[2..4], client(Order::Anew).batches(10, 1, &seed).take(2).collect::<Vec<_>>());
    assert!(anew.iter().all(|batch| batch.len() == 4), "the short batch is never reached");
    assert!(in_rounds(Order::Continued)[2].len() == 2, "the first pass ends with it");
}

/// A round that is one pass has the whole of a pass either way, and a training with one step a round differs.
#[test]
fn an_order_that_is_continued_is_trained_with() {
    let trained = |order, work| {
        let mut config = plain(3);
        config.client =
            ClientConfig { work, batch: 3, order, momentum: 0.0, ..ClientConfig::default() };
        trained(&config, 4).state().global.clone()
    };
    let single = Work::Steps { count: 1 };
    assert_ne!(trained(Order::Anew, single), trained(Order::Continued, single));
    assert_eq!(trained(Order::Continued, single), trained(Order::Continued, single));
}

/// What an update holds, by the example of a client that was slow.
#[test]
fn a_slow_client_reports_the_steps_that_it_took() {
    let mut config = plain(2);
    config.client.work = Work::Steps { count: 10 };
    let federation = federation(&config);
    let slow = Participant { client: 1, work: 0.25 };
    let update = federation.local_update(&federation.state().global, &slow, 0).unwrap();
    assert_eq!((update.client, update.samples, update.steps), (1, 12, 3));
    assert!(update.loss > 0.0 && update.norm() > 0.0);
    let data = TensorData::new(update.delta, [federation.state().global.len()]);
    assert_eq!(data.shape[0], 6 * 5 + 5 + 5 * 3 + 3);
}

#[test]
fn the_ball_grows_to_its_size_over_the_first_rounds() {
    let full = AdversaryConfig { radius: 0.3, step: 0.1, ..AdversaryConfig::default() };
    assert_eq!(full.in_round(0, 10), full);
    let growing = AdversaryConfig { warm_up: 0.4, ..full };
    let radii = [0, 1, 3, 9].map(|t| growing.in_round(t, 10).radius);
    assert_eq!(radii, [0.075, 0.15, 0.3, 0.3]);
    assert_eq!(growing.in_round(1, 10).step, 0.05);
    // A warm-up of less than a round is none.
    assert_eq!(AdversaryConfig { warm_up: 0.05, ..full }.in_round(0, 10).radius, 0.3);
    let refused = AdversaryConfig { warm_up: 1.5, ..full }.check();
    assert!(matches!(refused, Err(TrainingError::OutOfRange { .. })));
}
