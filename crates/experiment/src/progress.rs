//! How far long work has come: a bar with rate and time left on a terminal, a plain line now and then elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

/// How often a plain line is written where standard error is no terminal.
const INTERVAL: Duration = Duration::from_secs(10);

const TEMPLATE: &str = "{prefix} [{wide_bar}] {pos}/{len} {per_sec} {eta} left {msg}";

/// The progress of `total` units of work, shown on standard error. It may be shared by threads.
pub struct Progress {
    display: Display,
}

enum Display {
    Bar(ProgressBar),
    Lines(Mutex<Lines>),
}

impl Progress {
    /// Shows the progress of `total` units of the work named `label`.
    pub fn new(total: u64, label: impl Into<String>) -> Self {
        Self::resumed(total, label, 0)
    }

    /// Shows the progress of work of which `done` units were done by an earlier process; they do not count in the rate.
    pub fn resumed(total: u64, label: impl Into<String>, done: u64) -> Self {
        let label = label.into();
        if !io::stderr().is_terminal() {
            let lines = Lines::new(total, label, done, Instant::now(), Box::new(io::stderr()));
            return Self { display: Display::Lines(Mutex::new(lines)) };
        }
        let style = ProgressStyle::with_template(TEMPLATE)
            .expect("the template is constant and its test passes");
        let bar = ProgressBar::new(total).with_style(style).with_prefix(label).with_position(done);
        bar.reset_eta();
        Self { display: Display::Bar(bar) }
    }

    /// Counts `units` more as done.
    pub fn advance(&self, units: u64) {
        match &self.display {
            Display::Bar(bar) => bar.inc(units),
            Display::Lines(lines) => locked(lines).advance(units, Instant::now()),
        }
    }

    /// Shows `message`, such as the last loss, from the next update on.
    pub fn message(&self, message: impl Into<String>) {
        match &self.display {
            Display::Bar(bar) => bar.set_message(message.into()),
            Display::Lines(lines) => locked(lines).message = message.into(),
        }
    }

    /// Shows the last state, which stays on the screen.
    pub fn finish(self) {
        match self.display {
            Display::Bar(bar) => bar.abandon(),
            Display::Lines(lines) => locked(&lines).write(Instant::now()),
        }
    }
}

/// A thread that panicked while it held the lock can only have left a line unwritten.
fn locked(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Progress as plain lines, not too many of them.
struct Lines {
    label: String,
    message: String,
    total: u64,
    resumed_at: u64,
    done: u64,
    started: Instant,
    written: Instant,
    output: Box<dyn Write + Send>,
}

impl Lines {
    fn new(
        total: u64,
        label: String,
        done: u64,
        now: Instant,
        output: Box<dyn Write + Send>,
    ) -> Self {
        Self {
            label,
            message: String::new(),
            total,
            resumed_at: done,
            done,
            started: now,
            written: now,
            output,
        }
    }

    fn advance(&mut self, units: u64, now: Instant) {
        self.done = self.done.saturating_add(units);
        if now.duration_since(self.written) >= INTERVAL {
            self.write(now);
        }
    }

    fn write(&mut self, now: Instant) {
        self.written = now;
        let line = self.line(now.duration_since(self.started));
        // Progress is a courtesy: a closed standard error must not stop the work.
        let _ = writeln!(self.output, "{line}");
    }

    fn line(&self, elapsed: Duration) -> String {
        let rate = (self.done - self.resumed_at) as f64 / elapsed.as_secs_f64();
        let mut line = format!("{}: {}/{}", self.label, self.done, self.total);
        if rate > 0.0 && rate.is_finite() {
            let left = self.total.saturating_sub(self.done) as f64 / rate;
            let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
            line += &format!(", {rate:.3}/s, {:#} left", HumanDuration(left));
        }
        if !self.message.is_empty() {
            line += &format!(", {}", self.message);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(steps: &[(u64, u64)], resumed_at: u64) -> String {
        let (output, start) = (Shared::default(), Instant::now());
        let mut lines =
            Lines::new(100, "training".into(), resumed_at, start, Box::new(output.clone()));
        for (second, units) in steps {
            lines.message = format!("loss {second}");
            lines.advance(*units, start + Duration::from_secs(*second));
        }
        String::from_utf8(output.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_line_is_written_every_ten_seconds_with_rate_and_time_left() {
        let text = written(&[(1, 2), (9, 3), (10, 15), (11, 1), (19, 1), (25, 3)], 0);
        assert_eq!(
            text,
            "training: 20/100, 2.000/s, 40s left, loss 10\ntraining: 25/100, 1.000/s, 75s left, loss 25\n"
        );
    }

    #[test]
    fn units_done_before_a_resumption_do_not_count_in_the_rate() {
        assert_eq!(written(&[(10, 10)], 80), "training: 90/100, 1.000/s, 10s left, loss 10\n");
    }

    #[test]
    fn nothing_done_and_more_done_than_planned_are_shown_without_nonsense() {
        let lines = |done| Lines {
            done,
            ..Lines::new(4, "work".into(), 0, Instant::now(), Box::new(io::sink()))
        };
        assert_eq!(lines(0).line(Duration::from_secs(1)), "work: 0/4");
        assert_eq!(lines(2).line(Duration::ZERO), "work: 2/4");
        assert_eq!(lines(8).line(Duration::from_secs(1)), "work: 8/4, 8.000/s, 0s left");
        assert!(lines(1).line(Duration::MAX).starts_with("work: 1/4"));
    }

    #[test]
    fn the_template_of_the_bar_is_valid() {
        ProgressStyle::with_template(TEMPLATE).unwrap();
    }

    #[test]
    fn threads_share_one_progress() {
        let output = Shared::default();
        let lines = Lines::new(8, "shared".into(), 0, Instant::now(), Box::new(output.clone()));
        let progress = Progress { display: Display::Lines(Mutex::new(lines)) };
        std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(|| progress.advance(1)))));
        progress.finish();
        assert!(
            String::from_utf8(output.0.lock().unwrap().clone()).unwrap().starts_with("shared: 8/8")
        );
    }
}
