//! One file of episodes: writing it whole, and reading parts of it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo, TensorView};
use serde::{Deserialize, Serialize};

use super::{ClipError, Episode, Phrase, Pose, Recorded, Route, Split, VERSION};
use crate::action::Action;

/// The one key of a shard's metadata; with more, their order in the file would differ from run to run.
const KEY: &str = "slowfast";
/// Bytes before the header: its length.
const PREFIX: u64 = 8;
/// A header longer than this is none.
const LONGEST_HEADER: u64 = 100_000_000;

/// What a shard says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    pub(super) version: u64,
    /// Fingerprint of the description of the clips.
    pub(super) fingerprint: String,
    pub(super) episodes: Vec<Listed>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    pub(super) scene: String,
    pub(super) split: Split,
    pub(super) route: Route,
    pub(super) frames: usize,
}

/// The bytes of a shard of these episodes.
pub(super) fn encode(recordings: &[Recorded], fingerprint: &str) -> Result<Vec<u8>, ClipError> {
    let mut tensors = Vec::new();
    for (number, recorded) in recordings.iter().enumerate() {
        let refused =
            |problem| ClipError::Episode { number, scene: recorded.scene.clone(), problem };
        if let Some(problem) = recorded.episode.defect() {
            return Err(refused(problem));
        }
        tensors.extend(episode_tensors(number, &recorded.episode));
    }
    let listed = |recorded: &Recorded| Listed {
        scene: recorded.scene.clone(),
        split: recorded.split,
        route: recorded.route,
        frames: recorded.episode.len(),
    };
    let contents = Contents {
        version: VERSION,
        fingerprint: fingerprint.to_owned(),
        episodes: recordings.iter().map(listed).collect(),
    };
    let json = serde_json::to_string(&contents).expect("a list of texts and numbers is JSON");
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes);
        (name.as_str(), view.expect("shapes are counted from the same lists as the bytes"))
    });
    let metadata = HashMap::from([(KEY.to_owned(), json)]);
    Ok(safetensors::serialize(views, Some(metadata)).expect("names differ and sizes fit"))
}

type Tensor = (String, Dtype, Vec<usize>, Vec<u8>);

fn episode_tensors(number: usize, episode: &Episode) -> [Tensor; 5] {
    let name = |part: &str| format!("{number:04}.{part}");
    let count = episode.len();
    let actions = episode.actions.iter().map(|action| action.code()).collect();
    let pose = |pose: &Pose| [pose.x, pose.y, pose.heading].map(i32::to_le_bytes);
    let poses = episode.poses.iter().flat_map(pose).flatten().collect();
    let span = |phrase: &Phrase| [phrase.first as u32, phrase.end as u32].map(u32::to_le_bytes);
    let spans = episode.phrases.iter().flat_map(span).flatten().collect();
    let words: Vec<u8> = episode
        .phrases
        .iter()
        .flat_map(|phrase| format!("{}\n", phrase.text).into_bytes())
        .collect();
    let image = vec![count, episode.height, episode.width, 3];
    [
        (name("frames"), Dtype::U8, image, episode.frames.clone()),
        (name("actions"), Dtype::U8, vec![count], actions),
        (name("poses"), Dtype::I32, vec![count, 3], poses),
        (name("spans"), Dtype::U32, vec![episode.phrases.len(), 2], spans),
        (name("words"), Dtype::U8, vec![words.len()], words),
    ]
}

/// A shard on disk, of which the header was read.
#[derive(Clone, Debug)]
pub(super) struct Shard {
    path: PathBuf,
    header: Metadata,
    /// Where the tensors begin in the file.
    start: u64,
    pub(super) contents: Contents,
}

impl Shard {
    /// Reads the header and checks that the file is as long as it says.
    pub(super) fn open(path: &Path) -> Result<Self, ClipError> {
        let damaged = |problem: String| ClipError::damaged(path, problem);
        let mut file = File::open(path).map_err(ClipError::access(path))?;
        let length = file.metadata().map_err(ClipError::access(path))?.len();
        let mut prefix = [0; PREFIX as usize];
        if length < PREFIX {
            return Err(damaged(format!("it has only {length} bytes")));
        }
        file.read_exact(&mut prefix).map_err(ClipError::access(path))?;
        let header_length = u64::from_le_bytes(prefix);
        if header_length > LONGEST_HEADER.min(length - PREFIX) {
            return Err(damaged(format!("its header of {header_length} bytes is cut or none")));
        }
        let mut bytes = vec![0; header_length as usize];
        file.read_exact(&mut bytes).map_err(ClipError::access(path))?;
        let header: Metadata =
            serde_json::from_slice(&bytes).map_err(|failure| damaged(failure.to_string()))?;
        let start = PREFIX + header_length;
        let expected = start + header.data_len() as u64;
        if length != expected {
            return Err(ClipError::Length { path: path.to_owned(), expected, found: length });
        }
        let json = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let json = json.ok_or_else(|| damaged(format!("its metadata has no key `{KEY}`")))?;
        let contents: Contents =
            serde_json::from_str(json).map_err(|failure| damaged(failure.to_string()))?;
        if contents.version != VERSION {
            return Err(ClipError::Version { path: path.to_owned(), found: contents.version });
        }
        Ok(Self { path: path.to_owned(), header, start, contents })
    }

    /// Checks that the tensors of an episode have the shapes of so many frames of a height and a width.
    pub(super) fn check(
        &self,
        number: usize,
        frames: usize,
        height: usize,
        width: usize,
    ) -> Result<(), ClipError> {
        self.tensor_of(number, "frames", Dtype::U8, &[frames, height, width, 3])?;
        self.tensor_of(number, "actions", Dtype::U8, &[frames])?;
        self.tensor_of(number, "poses", Dtype::I32, &[frames, 3])?;
        self.tensor(number, "spans", Dtype::U32)?;
        self.tensor(number, "words", Dtype::U8)?;
        Ok(())
    }

    /// The frames `range` of an episode, and the phrases that reach into them, all counted from the range's start.
    pub(super) fn read(&self, number: usize, range: Range<usize>) -> Result<Episode, ClipError> {
        let frames = self.tensor(number, "frames", Dtype::U8)?;
        let &[count, height, width, 3] = frames.shape.as_slice() else {
            return Err(self.misshapen(number, "frames", frames));
        };
        let actions = self.tensor_of(number, "actions", Dtype::U8, &[count])?;
        let poses = self.tensor_of(number, "poses", Dtype::I32, &[count, 3])?;
        let mut file = File::open(&self.path).map_err(ClipError::access(&self.path))?;
        let mut rows = |info, bytes| self.rows(&mut file, info, range.clone(), bytes);
        let frames = rows(frames, 3 * height * width)?;
        let actions = rows(actions, 1)?;
        let poses = rows(poses, 12)?;
        let all = self.phrases(&mut file, number, count)?;
        let inside =
            all.into_iter().filter(|said| said.first < range.end && range.start < said.end);
        let phrases = inside.map(|said| Phrase {
            first: said.first.saturating_sub(range.start),
            end: said.end.min(range.end) - range.start,
            text: said.text,
        });
        let action = |code: &u8| {
            let unknown =
                || ClipError::damaged(&self.path, format!("an action has the code {code}"));
            Action::from_code(*code).ok_or_else(unknown)
        };
        Ok(Episode {
            height,
            width,
            frames,
            actions: actions.iter().map(action).collect::<Result<_, _>>()?,
            poses: integers(&poses).chunks_exact(3).map(pose).collect(),
            phrases: phrases.collect(),
        })
    }

    fn phrases(
        &self,
        file: &mut File,
        number: usize,
        count: usize,
    ) -> Result<Vec<Phrase>, ClipError> {
        let damaged = |problem: String| ClipError::damaged(&self.path, problem);
        let spans = self.tensor(number, "spans", Dtype::U32)?;
        let &[phrases, 2] = spans.shape.as_slice() else {
            return Err(self.misshapen(number, "spans", spans));
        };
        let spans = integers(&self.rows(file, spans, 0..phrases, 8)?);
        let words = self.tensor(number, "words", Dtype::U8)?;
        let &[bytes] = words.shape.as_slice() else {
            return Err(self.misshapen(number, "words", words));
        };
        let words = self.rows(file, words, 0..bytes, 1)?;
        let words = String::from_utf8(words).map_err(|failure| damaged(failure.to_string()))?;
        let texts: Vec<&str> = words.lines().collect();
        if texts.len() != phrases {
            let problem =
                format!("episode {number} has {phrases} spans and {} phrases", texts.len());
            return Err(damaged(problem));
        }
        let spans = spans.chunks_exact(2).zip(texts);
        let phrases: Vec<Phrase> = spans
            .map(|(span, text)| Phrase {
                first: span[0] as u32 as usize,
                end: span[1] as u32 as usize,
                text: text.to_owned(),
            })
            .collect();
        match super::episode::phrase_defect(&phrases, count) {
            Some(problem) => Err(damaged(format!("episode {number}: {problem}"))),
            None => Ok(phrases),
        }
    }

    fn tensor(&self, number: usize, part: &str, dtype: Dtype) -> Result<&TensorInfo, ClipError> {
        let name = format!("{number:04}.{part}");
        match self.header.info(&name) {
            Some(info) if info.dtype == dtype => Ok(info),
            Some(info) => Err(ClipError::damaged(
                &self.path,
                format!("`{name}` is of type {} instead of {dtype}", info.dtype),
            )),
            None => Err(ClipError::damaged(&self.path, format!("it has no tensor `{name}`"))),
        }
    }

    fn tensor_of(
        &self,
        number: usize,
        part: &str,
        dtype: Dtype,
        shape: &[usize],
    ) -> Result<&TensorInfo, ClipError> {
        let info = self.tensor(number, part, dtype)?;
        if info.shape == shape { Ok(info) } else { Err(self.misshapen(number, part, info)) }
    }

    fn misshapen(&self, number: usize, part: &str, info: &TensorInfo) -> ClipError {
        let problem = format!(
            "`{number:04}.{part}` has the shape {:?}, which does not fit the other tensors",
            info.shape
        );
        ClipError::damaged(&self.path, problem)
    }

    /// The rows `range` of a tensor, of so many bytes each.
    fn rows(
        &self,
        file: &mut File,
        info: &TensorInfo,
        range: Range<usize>,
        bytes: usize,
    ) -> Result<Vec<u8>, ClipError> {
        let (first, end) = info.data_offsets;
        let there = end.saturating_sub(first) / bytes;
        if range.end > there {
            let Range { start, end } = range;
            let problem = format!("a tensor has {there} rows, and not {start}..{end}");
            return Err(ClipError::damaged(&self.path, problem));
        }
        let mut read = vec![0; range.len() * bytes];
        let place = self.start + (first + range.start * bytes) as u64;
        file.seek(SeekFrom::Start(place)).map_err(ClipError::access(&self.path))?;
        file.read_exact(&mut read).map_err(ClipError::access(&self.path))?;
        Ok(read)
    }
}

fn integers(bytes: &[u8]) -> Vec<i32> {
    bytes.as_chunks::<4>().0.iter().map(|four| i32::from_le_bytes(*four)).collect()
}

fn pose(numbers: &[i32]) -> Pose {
    Pose { x: numbers[0], y: numbers[1], heading: numbers[2] }
}
