use burn::backend::{Autodiff, Flex};
use burn::module::AutodiffModule;
use burn::tensor::{Tensor, TensorData};
use inner_outer::tensors::to_f64;

use super::super::{RegressionLoss, SphereAdversary, SphericalCap};
use super::*;
use crate::data::SphereError;

type Learning = Autodiff<Flex>;

fn settings() -> TheorySettings {
    TheorySettings { clients: 3, points: 4, width: 64, ..TheorySettings::default() }
}

fn federation(settings: TheorySettings) -> TheoryFederation<Flex> {
    TheoryFederation::new(settings, &Seed::new(5), &Default::default()).unwrap()
}

fn after(settings: TheorySettings, rounds: u64) -> TheoryFederation<Flex> {
    let mut federation = federation(settings);
    (0..rounds).for_each(|_| assert!(federation.round().unwrap() > 0.0));
    assert_eq!(federation.rounds(), rounds);
    federation
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn bits_of<const D: usize>(tensor: &Tensor<Flex, D>) -> Vec<u32> {
    bits(&tensor.to_data().into_vec::<f32>().unwrap())
}

/// `grad_U 1/n sum_j loss(F_U(x_j), y_j)` on points as they are, by hand.
fn gradient(
    network: &TwoLayer<Flex>,
    points: Tensor<Flex, 2>,
    targets: Tensor<Flex, 1>,
    loss: RegressionLoss,
) -> Tensor<Flex, 2> {
    let lifted: TwoLayer<Learning> = AutodiffModule::from_inner(network.clone());
    let lifted = TwoLayer { weight: lifted.weight.set_require_grad(true), ..lifted };
    let outputs = lifted.forward(Tensor::from_inner(points));
    let loss = loss.of(outputs, Tensor::from_inner(targets)).mean();
    lifted.weight.grad(&loss.backward()).unwrap()
}

fn with_weight(network: &TwoLayer<Flex>, weight: Tensor<Flex, 2>) -> TwoLayer<Flex> {
    let weight = burn::module::Param::initialized(network.weight.id, weight);
    TwoLayer { weight, ..network.clone() }
}

fn largest_difference(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn only_the_first_layer_is_learned() {
    let (start, end) = (federation(settings()).network(), after(settings(), 4).network());
    assert_ne!(bits_of(&end.weight.val()), bits_of(&start.weight.val()));
    assert_eq!(bits_of(&end.output), bits_of(&start.output));
    assert_eq!(bits_of(&end.bias), bits_of(&start.bias));
    assert_eq!(bits_of(&end.initial), bits_of(&start.weight.val()));
}

#[test]
fn threads_do_not_change_a_bit() {
    let of = |threads| {
        let mut federation = federation(TheorySettings { clients: 5, ..settings() });
        federation.threads = Threads::new(threads);
        let losses: Vec<f64> = (0..3).map(|_| federation.round().unwrap()).collect();
        (bits(&federation.global), losses)
    };
    assert_eq!(of(1), of(2));
    assert_eq!(of(1), of(8));
}

#[test]
fn seeds_make_simulations() {
    let of = |seed| {
        let seed = Seed::new(seed);
        TheoryFederation::<Flex>::new(settings(), &seed, &Default::default()).unwrap()
    };
    assert_eq!(of(1).global, of(1).global);
    assert_ne!(of(1).global, of(2).global);
    assert_ne!(of(1).set(), of(2).set());
}

#[test]
fn settings_that_do_not_concern_them_leave_points_and_network() {
    let base = federation(settings());
    let other = federation(TheorySettings { local_steps: 7, heterogeneity: 1.0, ..settings() });
    assert_eq!((base.set(), &base.global), (other.set(), &other.global));
    let wide = federation(TheorySettings { width: 80, ..settings() });
    assert_eq!((base.set(), base.clients()), (wide.set(), wide.clients()));
}

/// With equal shares the mean of the clients' gradients is the gradient of all points: one step of length
/// `eta_global eta_local`.
#[test]
fn one_local_step_is_federated_gradient_descent() {
    let adversary = SphereAdversary { radius: 0.0, ..SphereAdversary::default() };
    let settings = TheorySettings { local_steps: 1, adversary, heterogeneity: 1.0, ..settings() };
    let (start, end) = (federation(settings).network(), after(settings, 1));
    let all: Vec<usize> = (0..end.set().len()).collect();
    let (points, targets) = end.set().batch::<Flex>(&all, &Default::default());
    let gradient = gradient(&start, points, targets, settings.loss);
    let expected = start.weight.val() - gradient * (settings.step_rate() * settings.global_rate);
    let expected = expected.to_data().into_vec::<f32>().unwrap();
    let moved = largest_difference(&end.global, &weights(&start));
    let error = largest_difference(&end.global, &expected);
    assert!(error < 1e-5 * moved.max(0.01), "{error} of {moved}");
}

fn weights(network: &TwoLayer<Flex>) -> Vec<f32> {
    network.weight.val().to_data().into_vec().unwrap()
}

/// Plain federated training by hand: no perturbation, no inner loop.
#[test]
fn without_a_radius_training_is_plain_bit_for_bit() {
    let adversary = SphereAdversary { radius: 0.0, ..SphereAdversary::default() };
    let settings = TheorySettings { adversary, ..settings() };
    let mut network = federation(settings).network();
    let end = after(settings, 2);
    for _ in 0..2 {
        let deltas: Vec<Vec<f32>> = end
            .clients()
            .iter()
            .map(|own| {
                let mut local = network.clone();
                for _ in 0..settings.local_steps {
                    let (points, targets) = end.set().batch::<Flex>(own, &Default::default());
                    let gradient = gradient(&local, points, targets, settings.loss);
                    let weight = local.weight.val() - gradient * settings.step_rate();
                    local = with_weight(&local, weight);
                }
                let pairs = weights(&local).into_iter().zip(weights(&network));
                pairs.map(|(w, u)| w - u).collect()
            })
            .collect();
        let third = 1.0 / 3.0;
        let next: Vec<f32> = weights(&network)
            .iter()
            .enumerate()
            .map(|(index, u)| {
                let mut sum = 0.0;
                deltas.iter().for_each(|delta| sum += third * f64::from(delta[index]));
                (f64::from(*u) + settings.global_rate * f64::from(sum as f32)) as f32
            })
            .collect();
        let shape = network.weight.dims();
        let weight = Tensor::from_data(TensorData::new(next, shape), &Default::default());
        network = with_weight(&network, weight);
    }
    assert_eq!(bits(&end.global), bits(&weights(&network)));
    let adversarial = after(self::settings(), 2);
    assert_ne!(bits(&end.global), bits(&adversarial.global));
}

#[test]
fn no_steps_of_ascent_are_as_plain_as_no_radius() {
    let of = |adversary| bits(&after(TheorySettings { adversary, ..settings() }, 2).global);
    let usual = SphereAdversary::default();
    assert_eq!(
        of(SphereAdversary { radius: 0.0, ..usual }),
        of(SphereAdversary { steps: 0, ..usual })
    );
}

/// Projected ascent by hand from the same random places, then one step on all points.
#[test]
fn one_client_and_one_step_are_centralised_adversarial_training() {
    let settings = TheorySettings { clients: 1, points: 6, local_steps: 1, ..settings() };
    let (start, end) = (federation(settings), after(settings, 1));
    let (network, set, device) = (start.network(), end.set(), Default::default());
    let own: Vec<usize> = (0..set.len()).collect();
    let (points, targets) = set.batch::<Flex>(&own, &device);
    let seed = start.seed.child("client").index(0).index(0).index(0);
    let SphereAdversary { radius, steps, step } = settings.adversary;
    let encounter = settings.adversary.encounter::<Flex>(set, &own, Some(&seed), &device);
    let mut moved = encounter.batch.moved(encounter.batch.start.clone());
    let cap = SphericalCap::new(set, &own, radius);
    let free = settings.dimension - 1;
    for _ in 0..steps {
        let lifted: TwoLayer<Learning> = AutodiffModule::from_inner(network.clone());
        let leaf = Tensor::<Learning, 2>::from_inner(moved.clone()).require_grad();
        let targets = Tensor::from_inner(targets.clone());
        let loss = settings.loss.of(lifted.forward(leaf.clone()), targets).sum();
        let gradient = leaf.grad(&loss.backward()).unwrap().narrow(1, 0, free);
        let norms = gradient.clone().powi_scalar(2).sum_dim(1).sqrt();
        let change =
            (moved - points.clone()).narrow(1, 0, free) + gradient / norms * (step * radius);
        let change = inner_outer::inner::Projection::project(&cap, change.flatten(0, 1));
        moved = encounter.batch.moved(change.reshape([own.len(), free]));
    }
    let gradient = gradient(&network, moved, targets, settings.loss);
    let rate = settings.step_rate() * settings.global_rate;
    let expected = weights(&with_weight(&network, network.weight.val() - gradient * rate));
    let way = largest_difference(&end.global, &weights(&network));
    let error = largest_difference(&end.global, &expected);
    assert!(error < 1e-4 * way, "{error} of {way}");
}

#[test]
fn what_cannot_be_simulated_is_refused() {
    let refused = |settings| {
        let made = TheoryFederation::<Flex>::new(settings, &Seed::new(0), &Default::default());
        made.err().expect("the settings are wrong")
    };
    let nobody = refused(TheorySettings { clients: 0, ..settings() });
    assert!(matches!(nobody, TrainingError::OutOfRange { setting: "clients", .. }));
    let crowded = refused(TheorySettings { separation: 1.6, ..settings() });
    assert!(matches!(crowded, TrainingError::Sphere(SphereError::Full { .. })));
}

#[test]
fn a_client_that_diverges_is_a_matter_of_the_rates() {
    for local_rate in [1e24, 1e38] {
        let mut federation = federation(TheorySettings { local_rate, ..settings() });
        let before = federation.global.clone();
        let refused = federation.round().unwrap_err();
        assert!(matches!(refused, TrainingError::Diverged { round: 1 }), "{refused}");
        assert!(refused.to_string().contains("lower `base.local_rate`"), "{refused}");
        assert_eq!((federation.global, federation.server.rounds), (before, 0));
    }
}

/// The one step of a client is not looked at before the server sees where it led.
#[test]
fn an_update_that_is_not_finite_is_a_simulation_that_diverged() {
    let mut federation =
        federation(TheorySettings { local_steps: 1, local_rate: 1e40, ..settings() });
    let refused = federation.round().unwrap_err();
    assert!(matches!(refused, TrainingError::Diverged { round: 1 }), "{refused}");
}

#[test]
fn gradients_are_not_hidden_from_the_absolute_loss() {
    let loss = RegressionLoss::Absolute;
    let end = after(TheorySettings { loss, ..settings() }, 1);
    assert!(to_f64(&end.network().weight.val()).iter().all(|weight| weight.is_finite()));
    assert!(end.network().drift() > 0.0);
}
