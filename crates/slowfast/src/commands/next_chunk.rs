//! How well the chunk after a given one is foretold, on windows of scenes that nobody learns from.

use std::fmt;

use burn::tensor::backend::Backend;
use experiment::cli::{Failure, OrFailure};
use experiment::interrupt::Interrupt;
use experiment::seed::Seed;
use experiment::statistics::{Interval, grouped_mean_interval};
use inner_outer::tensors::to_f64;
use serde::Serialize;

use super::train::SlowRun;
use crate::clip::{Alignment, ClipSet, Split, WindowSampler};
use crate::diffusion::{Clip, Diffusion, Sampler, SamplerConfig};
use crate::latents::LatentEpisodes;
use crate::metrics::{Video, psnr};
use crate::model::Denoiser;
use crate::video_model::VideoModel;

/// Windows that go through the denoiser at once.
const WINDOWS_AT_ONCE: usize = 8;

/// Windows of a split, as latents and as the simulator drew them.
pub(super) struct NextChunk<B: Backend> {
    /// Windows at once, each with `past + future` frames.
    clips: Vec<Clip<B>>,
    /// The bytes of each window's future.
    futures: Vec<Vec<u8>>,
    /// The bytes of the last frame before it.
    last_frames: Vec<Vec<u8>>,
    /// The number of the scene of each window.
    scenes: Vec<usize>,
    past: usize,
    height: usize,
    width: usize,
    seed: Seed,
}

/// Scores of next chunks, with 95 % intervals over scenes: windows of one scene are alike.
#[derive(Clone, Debug, Serialize)]
pub struct NextChunkScores {
    /// Windows.
    pub windows: usize,
    /// Peak signal-to-noise ratio of the generated frames against the simulator's, in decibels.
    pub psnr: Interval,
    /// That of the last given frame, shown again and again.
    pub copied_psnr: Interval,
    /// That of the true frames that went through the autoencoder: nothing that is generated as latents can be better.
    pub coded_psnr: Interval,
}

impl fmt::Display for NextChunkScores {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { windows, psnr, copied_psnr, coded_psnr } = self;
        write!(
            formatter,
            "next chunk: PSNR {psnr:.2} dB, the last frame copied {copied_psnr:.2}, true frames through the autoencoder {coded_psnr:.2}, {windows} windows of test scenes"
        )
    }
}

impl<B: Backend> NextChunk<B> {
    /// `count` windows of a split, always the same for a seed.
    pub fn new(
        clips: &ClipSet,
        latents: &LatentEpisodes<B>,
        split: Split,
        past: usize,
        config: &SlowRun,
        count: usize,
    ) -> Result<Self, Failure> {
        let seed = Seed::new(config.seed).child("next chunks");
        let alignment = Alignment::after_past(past, config.frames_per_action);
        let length = config.windows.frames();
        let windows = WindowSampler::new(clips, split, length, alignment, &seed).bad_input()?;
        let places = windows.batch(0, count);
        let (mut futures, mut last_frames) = (Vec::new(), Vec::new());
        for place in &places {
            let range = place.start + past - 1..place.start + length;
            let mut pixels = clips.window(place.episode, range).bad_input()?.frames;
            futures.push(pixels.split_off(pixels.len() / (length - past + 1)));
            last_frames.push(pixels);
        }
        let windows = |part| latents.windows(part, length);
        let description = &clips.index().description;
        Ok(Self {
            clips: places.chunks(WINDOWS_AT_ONCE).map(windows).collect(),
            futures,
            last_frames,
            scenes: places
                .iter()
                .map(|place| clips.scene(place.episode))
                .collect::<Result<_, _>>()
                .failed()?,
            past,
            height: description.height,
            width: description.width,
            seed,
        })
    }

    /// The slow loss, with the same noise and timesteps at every call.
    pub fn loss(&self, denoiser: &Denoiser<B>, diffusion: &Diffusion) -> Result<f64, Failure> {
        let mut sum = 0.0;
        for (index, clip) in self.clips.iter().enumerate() {
            let mut random = self.seed.child("loss").index(index as u64).rng();
            let timesteps = diffusion.timesteps();
            let example =
                diffusion.conditional(clip, self.past, timesteps, &mut random).failed()?;
            let loss = to_f64(&example.loss(denoiser));
            sum += loss[0] * clip.batch() as f64;
        }
        Ok(sum / self.futures.len() as f64)
    }

    /// Generates every window's future and compares it with what the simulator drew, unless it is interrupted.
    pub fn scores(
        &self,
        model: &VideoModel<B>,
        sampler: SamplerConfig,
        interrupt: &Interrupt,
    ) -> Result<NextChunkScores, Failure> {
        let diffusion = Diffusion::new(&model.trained.config.diffusion).failed()?;
        let sampler = Sampler::new(diffusion, sampler).bad_input()?;
        let (mut found, mut copied, mut coded) = (Vec::new(), Vec::new(), Vec::new());
        let mut number = 0;
        for (index, clip) in self.clips.iter().enumerate() {
            interrupt.heed()?;
            let future = clip.frames() - self.past;
            let past = clip.narrow(0, self.past);
            let actions = clip.phrases.narrow(self.past, future);
            let mut random = self.seed.child("samples").index(index as u64).rng();
            let generated =
                sampler.sample(&model.trained.denoiser, &past, &actions, &mut random).failed()?;
            for window in 0..clip.batch() {
                let pixels = model.decode(&generated.clone().narrow(0, window, 1)).failed()?;
                found.push(self.psnr(&pixels, number)?);
                let truth = clip.last(future).latents.narrow(0, window, 1);
                coded.push(self.psnr(&model.decode(&truth).failed()?, number)?);
                copied.push(self.psnr(&self.last_frames[number].repeat(future), number)?);
                number += 1;
            }
        }
        Ok(NextChunkScores {
            windows: number,
            psnr: self.over_scenes(&found)?,
            copied_psnr: self.over_scenes(&copied)?,
            coded_psnr: self.over_scenes(&coded)?,
        })
    }

    fn over_scenes(&self, of_windows: &[f64]) -> Result<Interval, Failure> {
        grouped_mean_interval(self.scenes.iter().zip(of_windows.iter().copied())).failed()
    }

    fn psnr(&self, pixels: &[u8], window: usize) -> Result<f64, Failure> {
        let found = Video::new(pixels, self.height, self.width).failed()?;
        let expected = Video::new(&self.futures[window], self.height, self.width).failed()?;
        psnr(found, expected).failed()
    }
}
