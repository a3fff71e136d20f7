//! Clips in numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

use crate::clip::{Entry, Index, Route, Split};

/// What is in a folder of clips.
#[derive(Debug)]
pub(super) struct Summary<'i> {
    index: &'i Index,
    splits: BTreeMap<Split, Counts<'i>>,
    routes: BTreeMap<Route, usize>,
}

#[derive(Debug, Default)]
struct Counts<'i> {
    scenes: BTreeSet<&'i str>,
    episodes: usize,
    frames: usize,
}

impl<'i> Summary<'i> {
    pub(super) fn of(index: &'i Index) -> Self {
        let mut summary = Self { index, splits: BTreeMap::new(), routes: BTreeMap::new() };
        for Entry { scene, split, route, frames, .. } in &index.episodes {
            let counts = summary.splits.entry(*split).or_default();
            counts.scenes.insert(scene);
            counts.episodes += 1;
            counts.frames += frames;
            *summary.routes.entry(*route).or_default() += 1;
        }
        summary
    }

    fn bytes(&self) -> u64 {
        self.index.shards.iter().map(|shard| shard.bytes).sum()
    }

    /// Counts for machines.
    pub(super) fn to_json(&self, folder: &Path) -> Value {
        let splits: BTreeMap<String, Value> = self
            .splits
            .iter()
            .map(|(split, Counts { scenes, episodes, frames })| {
                let counts =
                    json!({ "scenes": scenes.len(), "episodes": episodes, "frames": frames });
                (split.to_string(), counts)
            })
            .collect();
        let routes: BTreeMap<String, usize> =
            self.routes.iter().map(|(route, count)| (route.to_string(), *count)).collect();
        let description = &self.index.description;
        json!({
            "folder": folder.to_string_lossy(),
            "generator": description.generator,
            "settings": description.settings,
            "height": description.height,
            "width": description.width,
            "files": self.index.shards.len(),
            "bytes": self.bytes(),
            "splits": splits,
            "routes": routes,
        })
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let description = &self.index.description;
        writeln!(formatter, "generator   {}", description.generator)?;
        writeln!(formatter, "frames      {} by {} pixels", description.height, description.width)?;
        let megabytes = self.bytes() as f64 / 1e6;
        writeln!(formatter, "files       {}, {megabytes:.1} MB", self.index.shards.len())?;
        for (split, Counts { scenes, episodes, frames }) in &self.splits {
            let scenes = scenes.len();
            writeln!(
                formatter,
                "{split:<12}{scenes} scenes, {episodes} episodes, {frames} frames"
            )?;
        }
        let routes = self.routes.iter().map(|(route, count)| format!("{count} {route}"));
        writeln!(formatter, "routes      {}", routes.collect::<Vec<_>>().join(", "))
    }
}
