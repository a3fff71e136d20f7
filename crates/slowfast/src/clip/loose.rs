//! Bringing episodes made by others into the clip format.
//!
//! Whoever can write a safetensors file can make one of these, a file an episode, in one folder:
//!
//! | in the file | type and shape | |
//! |---|---|---|
//! | `frames` | u8 `[frames, height, width, 3]` | rows from the top; red, green, blue |
//! | `actions` | u8 `[frames]` | codes as of [`Action::code`]; the first is 0 |
//! | `poses` | f32 or f64 `[frames, 3]` | east and north in the simulator's unit of length, heading in degrees, counter-clockwise from east |
//! | metadata `source` | text | the simulator; the same in all files |
//! | metadata `scene`, `split`, `route` | text | as in an [`Entry`](super::Entry) |
//! | metadata `phrases`, not needed | JSON | a list of `{"first": 1, "end": 5, "text": "turn left"}` |
//! | metadata `frames_per_action`, not needed | text | frames that each action is held for, from frame 1 on |
//!
//! Without phrases every action gets one of its wordings, where it begins anew: where it changes, and after the frames it
//! is held for, if these are told. Poses become whole numbers of 1/65,536 of the
//! unit of length and of the circle.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use experiment::fingerprint::sha256;
use experiment::seed::Seed;
use inner_outer::named_tensors::metadata;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::index::require_disjoint;
use super::{
    ClipError, ClipWriter, Description, Episode, Index, Phrase, Pose, PoseScale, Recorded,
};
use crate::action::Action;

/// Units of length and of the circle.
const UNITS: u32 = 1 << 16;
const EPISODES_PER_SHARD: usize = 16;

/// Makes clips of the episodes in the folder `source`, in the order of their names, and writes them to the folder `out`.
///
/// # Errors
/// [`ClipError::OntoItself`]; [`ClipError::NothingToImport`]; [`ClipError::Damaged`] names the file and what is wrong with it;
/// [`ClipError::SharedScene`] before anything is written; those of [`ClipWriter`].
pub fn import(source: &Path, out: &Path) -> Result<Index, ClipError> {
    // A folder that is not there yet is not the source.
    if fs::canonicalize(out).is_ok_and(|out| fs::canonicalize(source).is_ok_and(|from| from == out))
    {
        return Err(ClipError::OntoItself(out.to_owned()));
    }
    let files = files_in(source)?;
    let first = files.first().ok_or_else(|| ClipError::NothingToImport(source.to_owned()))?;
    let (simulator, Recorded { episode, .. }) = read(first)?;
    let (height, width) = (episode.height, episode.width);
    let mut scenes = Vec::new();
    let mut digests = Vec::new();
    for path in &files {
        let (found, recorded) = read(path)?;
        if found != simulator {
            let problem = format!("it is from {found}, and {} from {simulator}", first.display());
            return Err(ClipError::damaged(path, problem));
        }
        if (recorded.episode.height, recorded.episode.width) != (height, width) {
            return Err(ClipError::damaged(
                path,
                format!("its frames are not {height} by {width}"),
            ));
        }
        scenes.push((recorded.scene, recorded.split));
        digests.extend(Sha256::digest(fs::read(path).map_err(ClipError::access(path))?));
    }
    require_disjoint(scenes.iter().map(|(scene, split)| (scene.as_str(), *split)))?;
    let description = Description {
        generator: simulator,
        settings: json!({ "imported": files.len(), "sha256": sha256(&digests) }),
        height,
        width,
        pose: PoseScale { position: UNITS, heading: UNITS },
    };
    let writer = ClipWriter::create(out, description)?;
    let shards = files.chunks(EPISODES_PER_SHARD);
    let count = shards.len();
    for (number, files) in shards.enumerate() {
        if writer.has_shard(number)? {
            continue;
        }
        let recordings: Result<Vec<Recorded>, ClipError> =
            files.iter().map(|path| read(path).map(|(_, recorded)| recorded)).collect();
        writer.write_shard(number, &recordings?)?;
    }
    writer.finish(count)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, ClipError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(ClipError::access(folder))? {
        let path = entry.map_err(ClipError::access(folder))?.path();
        if path.extension() == Some(OsStr::new("safetensors")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The simulator and the episode of a file.
fn read(path: &Path) -> Result<(String, Recorded), ClipError> {
    let damaged = |problem: String| ClipError::damaged(path, problem);
    let bytes = fs::read(path).map_err(ClipError::access(path))?;
    let broken = |failure: safetensors::SafeTensorError| damaged(failure.to_string());
    let tensors = SafeTensors::deserialize(&bytes).map_err(broken)?;
    let texts = metadata(&bytes).map_err(broken)?;
    let file = LooseFile { path, tensors, texts };
    let episode = file.episode()?;
    if let Some(problem) = episode.defect() {
        return Err(damaged(problem));
    }
    let recorded = Recorded {
        scene: file.text("scene")?.to_owned(),
        split: file.name("split")?,
        route: file.name("route")?,
        episode,
    };
    Ok((file.text("source")?.to_owned(), recorded))
}

struct LooseFile<'f> {
    path: &'f Path,
    tensors: SafeTensors<'f>,
    texts: BTreeMap<String, String>,
}

impl LooseFile<'_> {
    fn damaged(&self, problem: impl Into<String>) -> ClipError {
        ClipError::damaged(self.path, problem)
    }

    fn text(&self, key: &str) -> Result<&str, ClipError> {
        let text = self.texts.get(key).map(String::as_str);
        text.ok_or_else(|| self.damaged(format!("its metadata has no `{key}`")))
    }

    /// A metadata text that is one of a list of names.
    fn name<N: serde::de::DeserializeOwned>(&self, key: &str) -> Result<N, ClipError> {
        serde_json::from_value(Value::String(self.text(key)?.to_owned()))
            .map_err(|failure| self.damaged(format!("its `{key}`: {failure}")))
    }

    fn tensor(&self, name: &str) -> Result<TensorView<'_>, ClipError> {
        self.tensors.tensor(name).map_err(|failure| self.damaged(failure.to_string()))
    }

    fn episode(&self) -> Result<Episode, ClipError> {
        let frames = self.tensor("frames")?;
        let (&[count, height, width, 3], Dtype::U8) = (frames.shape(), frames.dtype()) else {
            let (shape, dtype) = (frames.shape(), frames.dtype());
            return Err(self.damaged(format!("`frames` is {dtype} {shape:?}, not U8 [n, h, w, 3]")));
        };
        let actions = self.tensor("actions")?;
        if actions.shape() != [count] || actions.dtype() != Dtype::U8 {
            return Err(self.damaged(format!("`actions` is not U8 [{count}]")));
        }
        let action = |code: &u8| {
            let unknown = || self.damaged(format!("an action has the code {code}; the last is 8"));
            Action::from_code(*code).ok_or_else(unknown)
        };
        let actions: Vec<Action> = actions.data().iter().map(action).collect::<Result<_, _>>()?;
        Ok(Episode {
            height,
            width,
            frames: frames.data().to_vec(),
            poses: self.poses(count)?,
            phrases: self.phrases(&actions)?,
            actions,
        })
    }

    fn poses(&self, count: usize) -> Result<Vec<Pose>, ClipError> {
        let poses = self.tensor("poses")?;
        let numbers: Vec<f64> = match poses.dtype() {
            Dtype::F32 => {
                let (fours, _) = poses.data().as_chunks::<4>();
                fours.iter().map(|four| f64::from(f32::from_le_bytes(*four))).collect()
            }
            Dtype::F64 => {
                let (eights, _) = poses.data().as_chunks::<8>();
                eights.iter().map(|eight| f64::from_le_bytes(*eight)).collect()
            }
            other => return Err(self.damaged(format!("`poses` is {other}, not F32 or F64"))),
        };
        if poses.shape() != [count, 3] {
            let problem = format!("`poses` has the shape {:?}, not [{count}, 3]", poses.shape());
            return Err(self.damaged(problem));
        }
        let place = |value: f64| {
            let units = (value * f64::from(UNITS)).round();
            let inside = units.abs() <= f64::from(i32::MAX);
            let far = || self.damaged(format!("a pose is at {value}: keep within 32767 units"));
            if inside { Ok(units as i32) } else { Err(far()) }
        };
        let pose = |numbers: &[f64]| {
            let circles = numbers[2] / 360.0;
            // The last unit of the circle and its first are neighbours.
            let heading = place(circles - circles.floor())? % UNITS as i32;
            Ok(Pose { x: place(numbers[0])?, y: place(numbers[1])?, heading })
        };
        numbers.chunks_exact(3).map(pose).collect()
    }

    fn phrases(&self, actions: &[Action]) -> Result<Vec<Phrase>, ClipError> {
        if let Some(json) = self.texts.get("phrases") {
            return serde_json::from_str(json)
                .map_err(|failure| self.damaged(format!("its `phrases`: {failure}")));
        }
        let held = match self.texts.get("frames_per_action") {
            None => usize::MAX,
            Some(text) => text.parse().ok().filter(|held| *held > 0).ok_or_else(|| {
                self.damaged(format!("its `frames_per_action` is `{text}`, not 1 or more"))
            })?,
        };
        Ok(described(actions, held, self.text("scene")?))
    }
}

/// A wording for every run of equal actions, and for every `held` frames of it; the scene's name chooses which.
fn described(actions: &[Action], held: usize, scene: &str) -> Vec<Phrase> {
    let mut rng = Seed::new(0).child("imported").child(scene).rng();
    let mut phrases: Vec<Phrase> = Vec::new();
    for (frame, action) in actions.iter().enumerate().skip(1) {
        let goes_on = actions[frame - 1] == *action && !(frame - 1).is_multiple_of(held);
        match phrases.last_mut() {
            Some(phrase) if goes_on => phrase.end = frame + 1,
            _ => {
                let text = action.describe(&mut rng);
                phrases.push(Phrase { first: frame, end: frame + 1, text });
            }
        }
    }
    phrases
}

#[cfg(test)]
mod tests;
