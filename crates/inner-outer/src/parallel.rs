//! Independent work on threads, reduced in a fixed order.
//!
//! Burn's autodiff holds the lock of a graph while its operations run, so a thread that waits inside such an operation
//! must never pick up other work that also differentiates: a work-stealing pool can deadlock there. These are plain
//! threads that take the next item when they are done with the last.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{available_parallelism, scope};

/// How many threads to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads(NonZeroUsize);

impl Threads {
    /// `count` threads; zero counts as one.
    pub fn new(count: usize) -> Self {
        Self(NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN))
    }

    /// The number of threads.
    pub fn get(self) -> usize {
        self.0.get()
    }
}

impl Default for Threads {
    /// `RAYON_NUM_THREADS` where it is a number above 0, as in every Rust numerical program, else all cores.
    fn default() -> Self {
        let wish =
            std::env::var("RAYON_NUM_THREADS").ok().and_then(|text| text.trim().parse().ok());
        match wish {
            Some(count) if count > 0 => Self::new(count),
            _ => Self(available_parallelism().unwrap_or(NonZeroUsize::MIN)),
        }
    }
}

/// Runs `work` on every item, on `threads` threads, and hands the results to `fold` in the order of the items,
/// each as soon as all before it are in. The outcome does not depend on the number of threads.
///
/// # Errors
/// The error of the first item that failed; work that has not begun by then is left out.
///
/// # Panics
/// With the panic of an item's work, once the work of the others that has begun is done.
pub fn in_order<T: Sync, R: Send, E: Send>(
    items: &[T],
    threads: Threads,
    work: impl Fn(usize, &T) -> Result<R, E> + Sync,
    mut fold: impl FnMut(usize, R) + Send,
) -> Result<(), E> {
    if threads.get() == 1 || items.len() == 1 {
        for (index, item) in items.iter().enumerate() {
            fold(index, work(index, item)?);
        }
        return Ok(());
    }
    let queue = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let arrivals = Mutex::new(Arrivals { next: 0, waiting: BTreeMap::new(), fold: &mut fold });
    let errors = Mutex::new(BTreeMap::new());
    let take_turns = || {
        while !failed.load(Ordering::Relaxed) {
            let index = queue.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { break };
            let alarm = Alarm(&failed);
            let outcome = work(index, item);
            std::mem::forget(alarm);
            match outcome {
                Ok(result) => arrivals.lock().expect("no thread panicked").arrive(index, result),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    errors.lock().expect("no thread panicked").insert(index, error);
                }
            }
        }
    };
    scope(|scope| {
        let helpers: Vec<_> =
            (1..threads.get().min(items.len())).map(|_| scope.spawn(take_turns)).collect();
        take_turns();
        // A scope would replace the panic of a helper by one of its own.
        for helper in helpers {
            helper.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
    match errors.into_inner().expect("no thread panicked").pop_first() {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// Tells the other threads when the work of this one panics.
struct Alarm<'f>(&'f AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Results that wait for those before them.
struct Arrivals<'f, R, F: FnMut(usize, R)> {
    next: usize,
    waiting: BTreeMap<usize, R>,
    fold: &'f mut F,
}

impl<R, F: FnMut(usize, R)> Arrivals<'_, R, F> {
    fn arrive(&mut self, index: usize, result: R) {
        self.waiting.insert(index, result);
        while let Some(result) = self.waiting.remove(&self.next) {
            (self.fold)(self.next, result);
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    #[test]
    fn results_arrive_in_order_for_any_number_of_threads() {
        let items: Vec<u64> = (0..40).collect();
        for threads in [1, 2, 8] {
            let mut seen = Vec::new();
            let slow_first = |_: usize, item: &u64| {
                std::thread::sleep(Duration::from_micros(400 - 10 * item));
                Ok::<_, Error>(item * item)
            };
            in_order(&items, Threads::new(threads), slow_first, |index, square| {
                seen.push((index, square))
            })
            .unwrap();
            assert_eq!(seen, (0..40).map(|i| (i as usize, i * i)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_error_of_the_first_item_is_reported_though_a_later_one_fails_sooner() {
        let fail = |index: usize, _: &()| match index {
            0 => {
                std::thread::sleep(Duration::from_millis(50));
                Err(index)
            }
            _ => Err(index),
        };
        for threads in [1, 2, 3] {
            let outcome = in_order(&[(); 8], Threads::new(threads), fail, |_, ()| ());
            assert_eq!(outcome, Err(0), "{threads} threads");
        }
    }

    #[test]
    fn a_panic_stops_the_others_and_keeps_its_message() {
        let begun = AtomicUsize::new(0);
        let work = |index: usize, _: &()| {
            begun.fetch_add(1, Ordering::Relaxed);
            if index == 1 {
                panic!("the second item");
            }
            std::thread::sleep(Duration::from_millis(20));
            Ok::<_, Error>(())
        };
        let caught = catch_unwind(AssertUnwindSafe(|| {
            in_order(&[(); 1000], Threads::new(3), work, |_, ()| ())
        }));
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"the second item"));
        assert!(begun.into_inner() < 1000);
    }

    #[test]
    fn zero_threads_count_as_one() {
        assert_eq!(Threads::new(0).get(), 1);
    }
}
