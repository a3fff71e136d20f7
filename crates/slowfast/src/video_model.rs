//! A whole world model: from pixels and phrases to pixels.
//!
//! A folder with two files: the frozen autoencoder and the denoiser of its latents.

use std::path::Path;

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor};

use crate::autoencoder::{
    AUTOENCODER_FILE, Autoencoder, AutoencoderConfig, AutoencoderError, frames_from_pixels,
    load_autoencoder, pixels_from_frames, save_autoencoder,
};
use crate::clip::{Episode, Phrase, TrainingScenes};
use crate::diffusion::{Clip, Diffusion, DiffusionError, Sampler, SamplerConfig};
use crate::fast::WorldModel;
use crate::memory::{FastConfig, FastLearner, MemoryError};
use crate::slow::{SlowError, TrainedConfig, TrainedDenoiser};
use crate::text::{Phrases, TextError, Vocabulary};

/// The denoiser in a model's folder.
pub const DENOISER_FILE: &str = "denoiser.safetensors";

/// Frames that are encoded or decoded at once.
const FRAMES_AT_ONCE: usize = 64;

/// A trained autoencoder and a trained denoiser.
#[derive(Clone, Debug)]
pub struct VideoModel<B: Backend> {
    /// Between pixels and latents.
    pub autoencoder: Autoencoder<B>,
    /// The autoencoder's shape.
    pub autoencoder_config: AutoencoderConfig,
    /// The scenes that the autoencoder was trained on; none if its file did not tell.
    pub autoencoder_trained_on: Option<TrainingScenes>,
    /// What generates latents.
    pub trained: TrainedDenoiser<B>,
}

/// A model that cannot be read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum VideoModelError {
    /// The autoencoder.
    #[error(transparent)]
    Autoencoder(#[from] AutoencoderError),
    /// The denoiser.
    #[error(transparent)]
    Denoiser(#[from] SlowError),
    /// The sampler.
    #[error(transparent)]
    Diffusion(#[from] DiffusionError),
    /// The memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The phrases.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Two files that do not belong together.
    #[error(
        "the denoiser reads latents {denoiser:?} (channels, rows, columns) and the autoencoder makes {autoencoder:?}: take both from one model's folder"
    )]
    Latents {
        /// What the denoiser reads.
        denoiser: [usize; 3],
        /// What the autoencoder makes.
        autoencoder: [usize; 3],
    },
}

impl<B: Backend> VideoModel<B> {
    /// A model of two parts, whose autoencoder does not tell what it was trained on.
    ///
    /// # Errors
    /// [`VideoModelError::Latents`] if the denoiser is for other latents.
    pub fn new(
        autoencoder: Autoencoder<B>,
        autoencoder_config: AutoencoderConfig,
        trained: TrainedDenoiser<B>,
    ) -> Result<Self, VideoModelError> {
        let made = autoencoder.latent();
        let read = trained.config.denoiser.latent;
        if made != read {
            return Err(VideoModelError::Latents {
                denoiser: [read.channels, read.height, read.width],
                autoencoder: [made.channels, made.height, made.width],
            });
        }
        Ok(Self { autoencoder, autoencoder_config, autoencoder_trained_on: None, trained })
    }

    /// Reads the model in a folder.
    ///
    /// # Errors
    /// Files that are absent, damaged, or do not belong together.
    pub fn load(folder: &Path, device: &Device<B>) -> Result<Self, VideoModelError> {
        let (autoencoder, config, autoencoder_trained_on) =
            load_autoencoder(&folder.join(AUTOENCODER_FILE), device)?;
        let trained = TrainedDenoiser::load(&folder.join(DENOISER_FILE), device)?;
        Ok(Self { autoencoder_trained_on, ..Self::new(autoencoder, config, trained)? })
    }

    /// Writes the model into a folder, which must be there.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), VideoModelError> {
        let path = folder.join(AUTOENCODER_FILE);
        let scenes = self.autoencoder_trained_on.as_ref();
        save_autoencoder(&self.autoencoder, &self.autoencoder_config, scenes, &path)?;
        Ok(self.trained.save(&folder.join(DENOISER_FILE))?)
    }

    /// Whether the denoiser's `trained_on` has every scene that the model learned from: parts that programs wrote which did not
    /// write the scenes down do not tell.
    pub fn names_its_scenes(&self) -> bool {
        self.autoencoder_trained_on.is_some() && !self.trained.config.trained_on.is_empty()
    }

    /// The world model that generates latents, which remembers by `fast`, or not at all. A start that was learned with the
    /// denoiser is used for the same adapters, and learned rates for fast learning that [moves alike](FastConfig::moves_like);
    /// other fast learning begins with fresh adapters on the weights with that start in them, and goes by its own rate: a memory that has
    /// learned nothing changes nothing.
    ///
    /// # Errors
    /// Settings that do not fit the denoiser, or that no machine has room for.
    pub fn world(
        &self,
        sampler: SamplerConfig,
        fast: Option<FastConfig>,
    ) -> Result<WorldModel<B>, VideoModelError> {
        let diffusion = Diffusion::new(&self.trained.config.diffusion)?;
        let sampler = Sampler::new(diffusion.clone(), sampler)?;
        let denoiser = self.trained.denoiser.clone();
        let Some(fast) = fast else {
            let world = WorldModel::new(denoiser, sampler, None);
            return Ok(world.of_autoencoder(&self.autoencoder));
        };
        let learned_for = self.trained.config.fast.as_ref();
        let as_learned = learned_for.is_some_and(|learned| learned.moves_like(&fast));
        let same_adapters = learned_for.is_some_and(|learned| learned.adapters == fast.adapters);
        let denoiser = if same_adapters { denoiser } else { denoiser.with_adapters_folded() };
        fast.check_room(&denoiser, &self.trained.config.denoiser)?;
        let learner = FastLearner::new(fast, diffusion)?;
        let learner = match (&self.trained.rates, as_learned) {
            (Some(rates), true) => learner.with_rates(rates.clone()),
            _ => learner,
        };
        Ok(WorldModel::new(denoiser, sampler, Some(learner)).of_autoencoder(&self.autoencoder))
    }

    /// An episode as latents and tokens, one clip.
    ///
    /// # Errors
    /// Frames of another size, and phrases without a word that the model knows.
    pub fn encode(&self, episode: &Episode) -> Result<Clip<B>, VideoModelError> {
        let words = self.trained.config.denoiser.words;
        encode(&self.autoencoder, &self.trained.config.vocabulary, words, episode)
    }

    /// The tokens of `phrase` for each of `frames` frames, and its words that the model does not know.
    ///
    /// # Errors
    /// [`TextError`] if no word is known, or there are too many.
    pub fn phrases(
        &self,
        phrase: &str,
        frames: usize,
    ) -> Result<(Phrases, Vec<String>), VideoModelError> {
        let words = self.trained.config.denoiser.words;
        let encoded = self.trained.config.vocabulary.encode(phrase, words)?;
        Ok((Phrases::repeated(&encoded.tokens, 1, frames), encoded.unknown))
    }

    /// Checks that the model can be told what was said in an episode.
    ///
    /// # Errors
    /// [`TextError`] of the first phrase of which no word is known, or that has too many.
    pub fn check_phrases(&self, said: &[Phrase]) -> Result<(), TextError> {
        let TrainedConfig { vocabulary, denoiser, .. } = &self.trained.config;
        said.iter()
            .try_for_each(|Phrase { text, .. }| vocabulary.encode(text, denoiser.words).map(|_| ()))
    }

    /// Bytes `[frames, height, width, 3]` of the latents `[1, frames, channels, height, width]`.
    ///
    /// # Errors
    /// Latents of another shape.
    pub fn decode(&self, latents: &Tensor<B, 5>) -> Result<Vec<u8>, VideoModelError> {
        let mut pixels = Vec::new();
        let count = latents.dims()[1];
        for first in (0..count).step_by(FRAMES_AT_ONCE) {
            let part = latents.clone().narrow(1, first, FRAMES_AT_ONCE.min(count - first));
            pixels.extend(pixels_from_frames(&self.autoencoder.decode(part)?));
        }
        Ok(pixels)
    }
}

/// An episode as latents `[1, frames, channels, height, width]` and the tokens of what led to each frame.
///
/// # Errors
/// Frames of another size, and phrases that the vocabulary cannot express in so many words.
pub fn encode<B: Backend>(
    autoencoder: &Autoencoder<B>,
    vocabulary: &Vocabulary,
    words: usize,
    episode: &Episode,
) -> Result<Clip<B>, VideoModelError> {
    let device = autoencoder.mean.device();
    let mut latents = Vec::new();
    for frames in episode.frames.chunks(FRAMES_AT_ONCE * episode.frame_bytes()) {
        let count = frames.len() / episode.frame_bytes();
        let shape = [1, count, episode.height, episode.width, 3];
        latents.push(autoencoder.encode(frames_from_pixels(frames, shape, &device)?)?);
    }
    let phrases = frame_phrases(vocabulary, words, &episode.phrases, episode.len())?;
    Ok(Clip { latents: Tensor::cat(latents, 1), phrases })
}

/// The tokens of what led to each of `frames` frames; no action where nothing was said. Nothing leads to the first frame, which is
/// told what comes next: slow learning hardly reads a frame that is told nothing before others that are told.
fn frame_phrases(
    vocabulary: &Vocabulary,
    words: usize,
    said: &[Phrase],
    frames: usize,
) -> Result<Phrases, TextError> {
    let nothing = vocabulary.encode("", words)?.tokens;
    let mut tokens = vec![nothing; frames];
    for Phrase { first, end, text } in said {
        let phrase = vocabulary.encode(text, words)?.tokens;
        tokens[*first..*end].fill(phrase);
    }
    if frames > 1 && !said.iter().any(|phrase| phrase.first == 0) {
        tokens[0] = tokens[1].clone();
    }
    Phrases::new(tokens.concat(), [1, frames, words])
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use experiment::seed::Seed;

    use super::*;
    use crate::action::Action;
    use crate::clip::Pose;
    use crate::model::AdapterConfig;
    use crate::tiny;

    fn episode(frames: usize) -> Episode {
        let said = |first, end, text: &str| Phrase { first, end, text: text.to_owned() };
        Episode {
            height: 16,
            width: 16,
            frames: (0..frames * 768).map(|byte| (byte * 37 % 251) as u8).collect(),
            actions: vec![Action::STAY; frames],
            poses: vec![Pose::default(); frames],
            phrases: vec![said(1, 3, "turn left"), said(4, 5, "go forward")],
        }
    }

    #[test]
    fn every_frame_has_the_words_that_led_to_it() {
        let phrases = tiny::video_model(1).encode(&episode(5)).unwrap().phrases;
        let (left, _) = tiny::video_model(1).phrases("turn left", 2).unwrap();
        let (forward, _) = tiny::video_model(1).phrases("Go forward!", 1).unwrap();
        assert_eq!(phrases.narrow(0, 1), left.narrow(0, 1), "what comes next");
        assert_eq!(phrases.narrow(1, 2), left);
        assert_eq!(phrases.narrow(3, 1), Phrases::none([1, 1, tiny::WORDS]));
        assert_eq!(phrases.narrow(4, 1), forward);
    }

    #[test]
    fn frames_are_coded_alike_in_one_go_and_in_parts() {
        let model = tiny::video_model(1);
        let episode = episode(FRAMES_AT_ONCE + 3);
        let clip = model.encode(&episode).unwrap();
        assert_eq!(clip.frames(), FRAMES_AT_ONCE + 3);
        let frames = &episode.frames[FRAMES_AT_ONCE * 768..];
        let last = frames_from_pixels(frames, [1, 3, 16, 16, 3], &Default::default()).unwrap();
        let last = model.autoencoder.encode(last).unwrap();
        assert_eq!(tiny::values(&clip.last(3).latents), tiny::values(&last));
        let pixels = model.decode(&clip.latents).unwrap();
        assert_eq!(pixels.len(), episode.frames.len());
        assert_eq!(model.decode(&last).unwrap(), pixels[FRAMES_AT_ONCE * 768..]);
    }

    #[test]
    fn a_folder_holds_the_whole_model() {
        let folder = tempfile::tempdir().unwrap();
        let model = tiny::video_model(1);
        model.save(folder.path()).unwrap();
        let read = VideoModel::<Flex>::load(folder.path(), &Default::default()).unwrap();
        let (one, other) = (model.encode(&episode(5)), read.encode(&episode(5)));
        assert_eq!(tiny::values(&one.unwrap().latents), tiny::values(&other.unwrap().latents));
        let of = |model: &VideoModel<Flex>| {
            model.world(SamplerConfig::default(), None).unwrap().fingerprint()
        };
        assert_eq!(of(&model), of(&read));
        std::fs::remove_file(folder.path().join(DENOISER_FILE)).unwrap();
        let absent = VideoModel::<Flex>::load(folder.path(), &Default::default()).unwrap_err();
        assert!(absent.to_string().contains(DENOISER_FILE), "{absent}");
    }

    #[test]
    fn a_folder_keeps_what_the_model_tells_of_its_scenes() {
        let folder = tempfile::tempdir().unwrap();
        let clips = crate::inverse_dynamics::tests::clips(&folder.path().join("clips"));
        let of = |episode| TrainingScenes::of(&clips, [episode]).unwrap();
        for (autoencoder, denoiser, tells) in [
            (Some(of(0)), of(1), true),
            (None, of(1), false),
            (Some(of(0)), TrainingScenes::default(), false),
        ] {
            let mut model = tiny::video_model(1);
            model.autoencoder_trained_on = autoencoder.clone();
            model.trained.config.trained_on = denoiser.clone();
            model.save(folder.path()).unwrap();
            let read = VideoModel::<Flex>::load(folder.path(), &Default::default()).unwrap();
            assert_eq!(read.autoencoder_trained_on, autoencoder);
            assert_eq!(read.trained.config.trained_on, denoiser);
            assert_eq!(read.names_its_scenes(), tells);
        }
    }

    /// Latents of one autoencoder are noise to another, though the denoiser reads them.
    #[test]
    fn memories_of_another_autoencoder_are_refused() {
        let of = |autoencoder: u64| {
            let autoencoder = tiny::video_model(autoencoder).autoencoder;
            let model = VideoModel { autoencoder, ..tiny::video_model(1) };
            model.world(SamplerConfig::default(), Some(FastConfig::default())).unwrap()
        };
        let (world, other) = (of(1), of(2));
        let episode = world.begin(tiny::clip(1, 1, 3), &Seed::new(3)).unwrap();
        let saved = world.to_bytes(&episode).unwrap();
        let read = |world: &WorldModel<Flex>| {
            world.from_bytes(&saved, Path::new("memory"), &Default::default())
        };
        assert!(read(&world).is_ok());
        assert!(matches!(read(&other), Err(MemoryError::AnotherBase { .. })));
    }

    /// A start that a loop learned is a part of the model, whatever memory it is given.
    #[test]
    fn an_empty_memory_of_other_adapters_changes_nothing() {
        let mut model = tiny::video_model(1);
        model.trained.denoiser = tiny::with_memory(model.trained.denoiser.clone());
        model.trained.config.fast = Some(FastConfig::default());
        let adapters = AdapterConfig { rank: 1, alpha: 1.0, ..AdapterConfig::default() };
        let other = FastConfig { adapters, ..FastConfig::default() };
        let clip = model.encode(&episode(5)).unwrap();
        let predicted = |fast: Option<FastConfig>| {
            let world = model.world(SamplerConfig::default(), fast).unwrap();
            let begun = world.begin(clip.clone(), &Seed::new(3)).unwrap();
            let denoiser = world.with_memory_of(&begun).unwrap();
            let mut random = Seed::new(4).rng();
            let all = tiny::diffusion().timesteps();
            let example = tiny::diffusion().conditional(&clip, 1, all, &mut random).unwrap();
            tiny::values(&denoiser.predict(&example.window))
        };
        for (with, without) in predicted(Some(other)).iter().zip(predicted(None)) {
            assert!((with - without).abs() < 1e-5, "{with} is not {without}");
        }
    }

    #[test]
    fn phrases_that_cannot_be_told_are_refused_before_anything_is_encoded() {
        let model = tiny::video_model(1);
        let said = |text: &str| vec![Phrase { first: 1, end: 2, text: text.to_owned() }];
        assert_eq!(model.check_phrases(&said("quickly turn left")), Ok(()));
        let unknown = model.check_phrases(&said("strafe"));
        assert!(matches!(unknown, Err(TextError::NoKnownWord { .. })));
        let long = model.check_phrases(&said("turn left, go forward"));
        assert!(matches!(long, Err(TextError::TooLong { .. })));
    }

    #[test]
    fn memories_beyond_any_machine_are_refused_before_anything_is_learned() {
        let model = tiny::video_model(1);
        let world = |fast| model.world(SamplerConfig::default(), Some(fast)).map(drop);
        world(FastConfig::default()).unwrap();
        let adapters = AdapterConfig { rank: 1_000_000_000, ..AdapterConfig::default() };
        let wide = world(FastConfig { adapters, ..FastConfig::default() }).unwrap_err().to_string();
        assert!(wide.contains("`fast.adapters.rank` is 1000000000"), "{wide}");
        let many = FastConfig { steps: 1_000_000, draws: 100_000, ..FastConfig::default() };
        let many = world(many).unwrap_err().to_string();
        assert!(many.contains("`fast.steps` is 1000000, for which"), "{many}");
    }

    #[test]
    fn parts_of_two_models_are_refused() {
        let VideoModel { autoencoder_config: config, trained, .. } = tiny::video_model(1);
        let config = AutoencoderConfig { channels: 3, ..config };
        let other = Autoencoder::new(&config, &Seed::new(1), &Default::default()).unwrap();
        let refused = VideoModel::new(other, config, trained).unwrap_err();
        assert!(matches!(refused, VideoModelError::Latents { .. }));
    }
}
