//! A client whose answers are known, in this process or in one of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use experiment::interrupt::Interrupt;
use fal::flower::record::{Metric, Metrics};
use fal::flower::{AppError, ClientApp, EvaluateReply, Event, Options, Request, TrainReply, join};

use super::federation::{Federation, PATIENCE};

/// Adds a constant to every weight.
pub struct AddsConstant {
    examples: u64,
    constant: f32,
    pause: Duration,
    fails_in_round: Option<i64>,
}

impl AddsConstant {
    pub fn new(examples: u64, constant: f32) -> Self {
        Self { examples, constant, pause: Duration::ZERO, fails_in_round: None }
    }

    /// It fails in round `round`, and only then.
    pub fn failing_in(self, round: i64) -> Self {
        Self { fails_in_round: Some(round), ..self }
    }

    fn metrics(&self, round: i64) -> Metrics {
        let constant = Metric::Number(f64::from(self.constant));
        [("constant".to_owned(), constant), ("round".to_owned(), Metric::Integer(round))].into()
    }
}

impl ClientApp for AddsConstant {
    fn train(&mut self, request: Request) -> Result<TrainReply, AppError> {
        thread::sleep(self.pause);
        let round = request.round()?.ok_or("no round")?;
        if self.fails_in_round == Some(round) {
            return Err(format!("the loss is not finite in round {round}").into());
        }
        assert_eq!(request.config.number("lr")?, Some(0.5));
        let mut arrays = request.arrays;
        for value in arrays.values_mut().flat_map(|array| array.values_mut()) {
            *value += self.constant;
        }
        Ok(TrainReply { arrays, num_examples: self.examples, metrics: self.metrics(round) })
    }

    fn evaluate(&mut self, request: Request) -> Result<EvaluateReply, AppError> {
        let round = request.round()?.ok_or("no round")?;
        Ok(EvaluateReply { num_examples: self.examples, metrics: self.metrics(round) })
    }
}

/// Names the settings of [`node_process`].
const SETTINGS: &str = "FLOWER_LIVE_NODE";

/// A node in a process of its own: this test's executable, told to run [`node_process`].
pub struct NodeProcess {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl NodeProcess {
    /// Starts a node that adds `constant`, `pause` after it was asked.
    pub fn start(federation: &Federation, examples: u64, constant: f32, pause: Duration) -> Self {
        Self::spawn(&federation.options(), examples, constant, pause)
    }

    /// Starts a node with a key on disk.
    pub fn start_with_key(federation: &Federation, key: &Path) -> Self {
        let options = Options { key: Some(key.to_owned()), ..federation.options() };
        Self::spawn(&options, 1, 0.0, Duration::ZERO)
    }

    fn spawn(options: &Options, examples: u64, constant: f32, pause: Duration) -> Self {
        let settings = (options, examples, constant, pause.as_secs_f64());
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "node::node_process", "--nocapture"])
            .env(SETTINGS, serde_json::to_string(&settings).unwrap())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = child.stderr.take().unwrap();
        Self::listen(child, output)
    }

    /// Starts a node by any command; it speaks on standard output.
    pub fn start_command(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        Self::listen(child, output)
    }

    fn listen(child: Child, output: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                heard.lock().unwrap().push(line);
            }
        });
        Self { child, lines }
    }

    /// Waits until the node has printed `text`.
    pub fn wait_for_line(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.lines.lock().unwrap().iter().any(|line| line.contains(text)) {
            assert!(Instant::now() < end, "no `{text}` in {:?}", self.lines.lock().unwrap());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills the node, which has no time to say so.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends the node as Ctrl-C does, and sees that it leaves.
    pub fn stop(&mut self) {
        let interrupted =
            Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(interrupted.success());
        assert!(self.child.wait().unwrap().success());
        self.wait_for_line("is off line");
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// No test of its own: what a [`NodeProcess`] runs.
#[test]
fn node_process() {
    let Ok(settings) = std::env::var(SETTINGS) else { return };
    let (options, examples, constant, pause): (Options, u64, f32, f64) =
        serde_json::from_str(&settings).unwrap();
    let pause = Duration::from_secs_f64(pause);
    let mut app = AddsConstant { pause, ..AddsConstant::new(examples, constant) };
    let interrupt = Interrupt::install().unwrap();
    let observer = |event: &Event| eprintln!("{event}");
    join(&options, &mut app, &interrupt, &observer).unwrap();
}
