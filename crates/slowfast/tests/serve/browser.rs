//! A headless Chromium, driven by its DevTools protocol: JSON values with a zero byte after each, through two pipes.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Chromium reads its orders from file 3 and writes answers to file 4.
const START: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;

/// A page in a browser of its own.
pub struct Browser {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// The page, for the protocol.
    page: Option<String>,
    calls: u64,
    _profile: TempDir,
}

/// The browser of the variable `CHROMIUM`, or `chromium` on the path. Where there is none, a line on standard error says that
/// the test is skipped.
pub fn installed() -> Option<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    let named = env::var_os("CHROMIUM").map(PathBuf::from);
    let found = named.or_else(|| {
        folders.iter().map(|folder| folder.join("chromium")).find(|path| path.is_file())
    });
    if found.is_none() {
        eprintln!("skipped: no Chromium; install Debian's `chromium`, or name one in CHROMIUM");
    }
    found
}

impl Browser {
    /// Starts the browser and opens a page.
    pub fn open(program: &Path, url: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The sandbox does not start for root, as whom containers run tests; the page is our own.
        let mut process = Command::new("sh")
            .args(["-c", START])
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--remote-debugging-pipe", "--window-size=1200,1000"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Chromium starts");
        let orders = process.stdin.take().expect("standard input is piped");
        let answers = process.stdout.take().expect("standard output is piped");
        let answers = BufReader::new(answers);
        let mut browser =
            Self { process, orders, answers, page: None, calls: 0, _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": url }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach);
        browser.page = attached["sessionId"].as_str().map(str::to_owned);
        browser
    }

    /// The value of a JavaScript expression.
    #[track_caller]
    pub fn evaluate(&mut self, expression: &str) -> Value {
        self.try_evaluate(expression).unwrap_or_else(|problem| panic!("{expression}: {problem}"))
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn wait_until(&mut self, expression: &str) {
        let begun = Instant::now();
        // While a page is being left there is nothing to evaluate in.
        while self.try_evaluate(expression) != Ok(Value::Bool(true)) {
            if begun.elapsed() > PATIENCE {
                panic!("never: {expression}\n{}", self.evaluate("document.body.innerText"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn try_evaluate(&mut self, expression: &str) -> Result<Value, Value> {
        let ask = json!({ "expression": expression, "returnByValue": true });
        let answer = self.try_call("Runtime.evaluate", ask)?;
        match &answer["exceptionDetails"] {
            Value::Null => Ok(answer["result"]["value"].clone()),
            thrown => Err(thrown.clone()),
        }
    }

    /// Presses and releases a key, such as `ArrowLeft`.
    pub fn press(&mut self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", json!({ "type": kind, "key": key, "code": key }));
        }
    }

    /// Types a text where the focus is.
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Makes the page believe in a dark or light mode.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// The page as a PNG in Base64.
    pub fn screenshot(&mut self) -> String {
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        shot["data"].as_str().expect("a picture").to_owned()
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|problem| panic!("{method}: {problem}"))
    }

    fn try_call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(page) = &self.page {
            call["sessionId"] = page.clone().into();
        }
        write!(self.orders, "{call}\0").expect("Chromium listens");
        loop {
            let mut message = Vec::new();
            self.answers.read_until(0, &mut message).expect("Chromium answers");
            assert_eq!(message.pop(), Some(0), "Chromium ended");
            // Events, which have no id, are of no interest.
            let answer: Value = serde_json::from_slice(&message).unwrap_or_default();
            if answer["id"] == self.calls {
                let problem = &answer["error"];
                return if problem.is_null() {
                    Ok(answer["result"].clone())
                } else {
                    Err(problem.clone())
                };
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked first, for killing it alone would leave its helpers behind.
        let close = json!({ "id": 0, "method": "Browser.close" });
        let _ = write!(self.orders, "{close}\0");
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(5) {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
