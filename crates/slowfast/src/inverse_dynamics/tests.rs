use burn::backend::Flex;
use experiment::interrupt::Interrupt;
use experiment::seed::Seed;
use inner_outer::Schedule;
use inner_outer::tensors::Tensors;

use super::*;
use crate::clip::{ClipSet, Split};
use crate::generation::{GenerationSettings, generate};
use crate::metrics::Video;
use crate::world::WorldSettings;

/// A few short episodes of 16x16 pixels with all splits and routes.
pub(crate) fn clips(folder: &std::path::Path) -> ClipSet {
    let world = WorldSettings { size: 16, rays_per_pixel: 1, ..WorldSettings::default() };
    let settings = GenerationSettings {
        episodes: 20,
        actions: 6,
        actions_there: 3,
        there_and_back: 0.5,
        validation: 0.2,
        test: 0.2,
        world,
        ..GenerationSettings::default()
    };
    generate(folder, &settings, &Interrupt::new()).unwrap();
    ClipSet::open(folder).unwrap()
}

pub(crate) fn untrained() -> InverseDynamics<Flex> {
    let matching = BlockMatching { blocks: 4, ..BlockMatching::default() };
    let config = InverseDynamicsConfig { matching, hidden: 16, features: 4 };
    InverseDynamics::new(config, [16, 16], &Seed::new(4), &Default::default()).unwrap()
}

fn trainer(clips: &ClipSet) -> InverseDynamicsTrainer<Flex> {
    let inverse = untrained();
    let seed = Seed::new(5);
    let pairs = MotionPairs::to_learn(clips, inverse.config.matching, 600, 0.2, &seed).unwrap();
    let rate = Schedule::constant(5e-3);
    InverseDynamicsTrainer::new(inverse, pairs, 64, rate, seed).unwrap()
}

#[test]
fn actions_are_learned_and_a_resumed_training_has_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let clips = clips(folder.path());
    let mut whole = trainer(&clips);
    for _ in 0..100 {
        whole.step().unwrap();
    }
    let mut resumed =
        trainer(&clips).with_state(&whole.state().unwrap(), &Default::default()).unwrap();
    for _ in 0..100 {
        whole.step().unwrap();
        resumed.step().unwrap();
    }
    let (one, other) = (whole.inverse_dynamics(), resumed.inverse_dynamics());
    let matching = one.config.matching;
    let pairs = MotionPairs::to_judge(&clips, Split::Test, matching, 200, &Seed::new(6)).unwrap();
    let accuracy = InverseDynamicsAccuracy::of(&one, &pairs).unwrap();
    assert!(accuracy.turn.mean > 0.8, "{accuracy}");
    let bits = |network: &InverseDynamics<Flex>| Tensors::of(&network.network).to_f64();
    assert_eq!(bits(&one), bits(&other));

    let path = folder.path().join(INVERSE_DYNAMICS_FILE);
    one.save(&path).unwrap();
    let read = InverseDynamics::<Flex>::load(folder.path(), &Default::default()).unwrap();
    assert_eq!(InverseDynamicsAccuracy::of(&read, &pairs).unwrap(), accuracy);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let cut = InverseDynamics::<Flex>::load(&path, &Default::default()).unwrap_err();
    assert!(matches!(cut, InverseDynamicsError::Damaged { .. }));
}

#[test]
fn there_is_an_action_between_each_frame_and_the_next() {
    let inverse = untrained();
    let bytes: Vec<u8> = (0..3 * 768).map(|byte| (byte * 31 % 253) as u8).collect();
    let video = Video::new(&bytes, 16, 16).unwrap();
    assert_eq!(inverse.actions(video).unwrap().len(), 2);
    assert_eq!(inverse.features(video).unwrap()[1].len(), 4);
    let other = Video::new(&bytes, 8, 32).unwrap();
    assert!(matches!(inverse.actions(other), Err(InverseDynamicsError::Size { .. })));
    let config = InverseDynamicsConfig { hidden: 0, ..inverse.config };
    let none = InverseDynamics::<Flex>::new(config, [16, 16], &Seed::new(4), &Default::default());
    assert!(none.unwrap_err().to_string().contains("`network.hidden` is 0"));
    let absent = InverseDynamics::<Flex>::load(std::path::Path::new("absent"), &Default::default());
    assert!(absent.unwrap_err().to_string().contains("train-inverse-dynamics"));
}
