//! `slowfast generate`: an episode by its actions, with memory and without.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use burn::tensor::backend::Backend;
use experiment::cli::{
    Device, Failure, OrFailure, print_line, require_not_among, require_writable, write_file,
};
use experiment::progress::Progress;
use serde_json::json;

use super::serve::{Source, player};
use crate::animation::Animation;
use crate::autoencoder::AutoencoderConfig;
use crate::serve::{Played, Player, Side};
use crate::size::at_most;

/// The episode on the side with memory, which `--memory` goes on from.
const MEMORY_FILE: &str = "memory.safetensors";
/// What is told of every chunk.
const CHUNKS_FILE: &str = "chunks.json";
/// Size of a pixel in the clips at most.
const MOST_ENLARGED: usize = 64;
/// What is shown, and whose.
const CLIPS: [(&str, Option<Side>); 3] = [
    ("side-by-side.gif", None),
    ("with-memory.gif", Some(Side::WithMemory)),
    ("without-memory.gif", Some(Side::WithoutMemory)),
];

/// Arguments of `generate`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,

    /// What to do, a phrase for each chunk, such as "turn left" "turn left" "go forward"
    #[arg(required = true, value_name = "PHRASE")]
    actions: Vec<String>,

    /// Where to begin: number of the test episode with --clips, seed of the built-in world without
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    start: u64,

    /// Seed of the noise
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,

    /// Go on with the episode in this file, which an earlier `generate` or `serve` saved
    #[arg(long, value_name = "FILE", conflicts_with_all = ["start", "seed"])]
    memory: Option<PathBuf>,

    /// Folder to write clips and memory to; the memory that is there is replaced only where --memory goes on from it
    #[arg(long, value_name = "DIR", default_value = "runs/generated")]
    out: PathBuf,

    /// Size of a pixel in the clips
    #[arg(long, value_name = "PIXELS", default_value_t = 4)]
    enlarged: usize,

    /// Print what is told of the chunks as JSON instead of text
    #[arg(long)]
    json: bool,

    /// Device to compute on
    #[arg(long, value_enum, default_value_t)]
    device: Device,
}

/// Generates, and leaves GIF animations, the memory, and what is told of every chunk.
///
/// # Errors
/// Bad input: the model, the start, the memory, phrases without a known word, or a folder with the memory of another episode or with
/// what is read.
/// Failed: writing.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    at_most(MOST_ENLARGED, &[("--enlarged", arguments.enlarged)]).bad_input()?;
    arguments.refuse_to_replace()?;
    arguments.require_apart()?;
    require_writable(&arguments.out)?;
    experiment::on_device!(arguments.device, B => {
        let player = player::<B>(&arguments.source)?;
        arguments.try_enlarging(&player)?;
        let played = arguments.play(&player)?;
        arguments.write(&player, &played)?;
        arguments.tell(&played)
    })
}

impl Arguments {
    /// An episode is the work of whoever acted in it: it is replaced by what comes after it, and by nothing else.
    fn refuse_to_replace(&self) -> Result<(), Failure> {
        let kept = self.out.join(MEMORY_FILE);
        let is_gone_on_with = |memory: &PathBuf| match (memory.canonicalize(), kept.canonicalize())
        {
            (Ok(memory), Ok(kept)) => memory == kept,
            _ => false,
        };
        if !kept.exists() || self.memory.as_ref().is_some_and(is_gone_on_with) {
            return Ok(());
        }
        let cause = anyhow::anyhow!(
            "{} is the memory of an earlier episode; go on with it by --memory, or choose another --out",
            kept.display()
        );
        Err(Failure::BadInput(cause))
    }

    /// What is written takes the place of nothing that is read, but for the memory that is gone on with.
    fn require_apart(&self) -> Result<(), Failure> {
        let clips = CLIPS.map(|(name, _)| name);
        let written = |name: &str| self.out.join(name);
        let read: Vec<&PathBuf> = self.source.config.iter().chain(&self.memory).collect();
        [&[CHUNKS_FILE][..], &clips]
            .concat()
            .into_iter()
            .try_for_each(|name| require_not_among(&written(name), &read, |_| false))?;
        let read: Vec<&PathBuf> = self.source.config.iter().collect();
        require_not_among(&written(MEMORY_FILE), &read, |_| false)
    }

    fn play<B: Backend>(&self, player: &Player<B>) -> Result<Played<B>, Failure> {
        // Every phrase is tried before the first chunk is made.
        let told: Result<Vec<_>, _> =
            self.actions.iter().map(|phrase| player.understand(phrase)).collect();
        let told = told.bad_input()?;
        let mut played = match &self.memory {
            None => player.begin(self.start, self.seed).bad_input()?,
            Some(path) => {
                let content = fs::read(path)
                    .with_context(|| format!("cannot read {}: check the path", path.display()));
                player.load(&content.bad_input()?, path, usize::MAX).bad_input()?
            }
        };
        let progress = Progress::new(self.actions.len() as u64, "chunks");
        for action in told {
            played = player.act(&played, action, |_, _, _| ()).failed()?;
            progress.advance(1);
        }
        progress.finish();
        Ok(played)
    }

    /// A frame of both sides as it will be written, before the first chunk is made.
    fn try_enlarging<B: Backend>(&self, player: &Player<B>) -> Result<(), Failure> {
        let AutoencoderConfig { height, width, .. } = player.model().autoencoder_config;
        let blank = Animation::new(vec![0; 3 * height * width], height, width).failed()?;
        let both = blank.beside(&blank).failed()?;
        both.gif(self.enlarged, player.frames_per_second()).bad_input()?;
        Ok(())
    }

    fn write<B: Backend>(&self, player: &Player<B>, played: &Played<B>) -> Result<(), Failure> {
        write_file(&self.out.join(MEMORY_FILE), player.save(played).failed()?)?;
        let chunks = serde_json::to_string_pretty(&played.chunks).failed()?;
        write_file(&self.out.join(CHUNKS_FILE), &chunks)?;
        for (name, side) in CLIPS {
            let clip = player.clip(played, side).failed()?;
            let gif = clip.gif(self.enlarged, player.frames_per_second()).bad_input()?;
            write_file(&self.out.join(name), &gif)?;
        }
        Ok(())
    }

    fn tell<B: Backend>(&self, played: &Played<B>) -> Result<(), Failure> {
        if self.json {
            return print_line(
                json!({ "out": self.out.to_string_lossy(), "chunks": played.chunks }),
            );
        }
        for (number, chunk) in played.chunks.iter().enumerate() {
            let told = &chunk.with_memory;
            let losses: Vec<String> =
                told.fast_losses.iter().map(|loss| format!("{loss:.4}")).collect();
            print_line(format!(
                "chunk {}: {}, memory changed by {:.4}, fast loss {}",
                number + 1,
                chunk.phrase,
                told.memory_norm,
                losses.join(", ")
            ))?;
            if !chunk.unknown.is_empty() {
                print_line(format!("  unknown and left out: {}", chunk.unknown.join(", ")))?;
            }
        }
        print_line(self.out.join(CLIPS[0].0).display())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn pixels_larger_than_any_screen_shows_are_refused_before_the_model_is_read() {
        let line = ["generate", "--model", "absent", "--enlarged", "1000000000", "go forward"];
        let refused = run(Program::parse_from(line).arguments);
        let Err(Failure::BadInput(cause)) = refused else { panic!("{refused:?}") };
        assert!(cause.to_string().contains("`--enlarged` is 1000000000"), "{cause}");
    }

    #[test]
    fn what_is_read_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let out = folder.path().display().to_string();
        let apart = |more: &[&str]| {
            let line = ["generate", "--model", "model", "--out", &out, "go forward"];
            let arguments = Program::parse_from([&line[..], more].concat()).arguments;
            arguments.refuse_to_replace().and_then(|()| arguments.require_apart())
        };
        for name in [CHUNKS_FILE, "with-memory.gif", "other", "settings.toml"] {
            fs::write(folder.path().join(name), "text").unwrap();
        }
        apart(&[]).unwrap();
        apart(&["--memory", &path("other"), "--config", &path("settings.toml")]).unwrap();
        for taken in [
            ["--memory", &path(CHUNKS_FILE)],
            ["--memory", &path("with-memory.gif")],
            ["--config", &path(CHUNKS_FILE)],
        ] {
            let refused = apart(&taken);
            assert!(matches!(refused, Err(Failure::BadInput(_))), "{taken:?}: {refused:?}");
        }
        fs::write(folder.path().join(MEMORY_FILE), "text").unwrap();
        apart(&["--memory", &path(MEMORY_FILE)]).unwrap();
        assert!(matches!(apart(&[]), Err(Failure::BadInput(_))), "of an earlier episode");
    }
}
