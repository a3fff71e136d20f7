//! Work that is done item by item on several threads, and written down item by item, so that nothing is done twice.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use experiment::cli::{Failure, OrFailure, write_file};
use experiment::interrupt::Interrupt;
use experiment::progress::Progress;
use inner_outer::parallel::{Threads, in_order};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Number of the row of the table that it is for.
    pub row: usize,
    /// Name of that row.
    pub name: String,
    /// Number of the episode.
    pub episode: usize,
    /// Seed of its noise.
    pub seed: u64,
}

/// Finished items, a file each.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    folder: PathBuf,
    threads: Threads,
}

impl Ledger {
    /// The finished items below a run's folder, and how many are worked on at once.
    pub fn new(run: &Path, threads: Threads) -> Self {
        Self { folder: run.join("items"), threads }
    }

    fn path(&self, item: &Item) -> PathBuf {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        let name: String = item.name.chars().map(plain).collect();
        let folder = self.folder.join(format!("{:02}-{name}", item.row));
        folder.join(format!("episode-{:05}-seed-{}.json", item.episode, item.seed))
    }

    /// What an item came to, if it is finished.
    pub fn read<T: DeserializeOwned>(&self, item: &Item) -> Result<Option<T>, Failure> {
        let path = self.path(item);
        if !path.is_file() {
            return Ok(None);
        }
        let refused =
            || format!("{} cannot be used: delete it, and it is made again", path.display());
        let bytes = fs::read(&path).with_context(refused).bad_input()?;
        serde_json::from_slice(&bytes).map(Some).with_context(refused).bad_input()
    }

    /// Writes down what an item came to.
    pub fn write<T: Serialize>(&self, item: &Item, result: &T) -> Result<(), Failure> {
        write_file(&self.path(item), serde_json::to_string(result).failed()?)
    }

    /// Does what is not done yet, on all threads, and hands out the results of all items in their order. What is finished
    /// when an interruption is requested stays written.
    pub fn complete<T: Serialize + DeserializeOwned + Send>(
        &self,
        items: &[Item],
        label: &str,
        interrupt: &Interrupt,
        work: impl Fn(&Item) -> Result<T, Failure> + Sync,
    ) -> Result<Vec<T>, Failure> {
        let done = items.iter().filter(|item| self.path(item).is_file()).count();
        let progress = Progress::resumed(items.len() as u64, label, done as u64);
        let one = |_: usize, item: &Item| -> Result<T, Failure> {
            if let Some(result) = self.read(item)? {
                return Ok(result);
            }
            interrupt.heed()?;
            let result = work(item)?;
            self.write(item, &result)?;
            progress.advance(1);
            Ok(result)
        };
        let mut results = Vec::new();
        in_order(items, self.threads, one, |_, result| results.push(result))?;
        progress.finish();
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn items() -> Vec<Item> {
        let item = |episode| Item { row: 1, name: "a/b".into(), episode, seed: 0 };
        (0..6).map(item).collect()
    }

    #[test]
    fn an_interrupted_ledger_goes_on_and_does_nothing_twice() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, interrupt, calls) =
            (Ledger::new(folder.path(), Threads::new(2)), Interrupt::new(), AtomicUsize::new(0));
        let square = |item: &Item| {
            calls.fetch_add(1, Ordering::SeqCst);
            if item.episode == 2 {
                interrupt.request();
            }
            // Else the other thread could be done with all that is left before this one has asked.
            while item.episode > 2 && !interrupt.requested() {
                std::thread::yield_now();
            }
            Ok(item.episode * item.episode)
        };
        let stopped = ledger.complete(&items(), "squares", &interrupt, square).unwrap_err();
        assert!(matches!(stopped, Failure::Interrupted));
        let before = calls.load(Ordering::SeqCst);
        assert!(before < 6);
        let all: Vec<usize> =
            ledger.complete(&items(), "squares", &Interrupt::new(), square).unwrap();
        assert_eq!(all, [0, 1, 4, 9, 16, 25]);
        assert_eq!(calls.load(Ordering::SeqCst), 6);
    }

    #[test]
    fn a_damaged_item_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path(), Threads::new(2));
        let item = items().remove(0);
        ledger.write(&item, &"text").unwrap();
        assert!(matches!(ledger.read::<usize>(&item), Err(Failure::BadInput(_))));
    }
}
