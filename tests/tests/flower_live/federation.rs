//! A SuperLink of Flower and the runs it is given.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fal::flower::Options;
use fal::flower::transport::RetryPolicy;
use tempfile::TempDir;
use workspace_tests::python_with;

/// Longer than anything here takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

/// A SuperLink on a free port. It ends with its value, also by a panic.
pub struct Federation {
    is_secure: bool,
    superlink: Child,
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

/// What a ServerApp is asked for.
pub struct Run {
    pub rounds: usize,
    pub min_nodes: usize,
    pub large_values: usize,
}

impl Federation {
    /// Starts a SuperLink that speaks plain HTTP and admits everybody, or says why not.
    pub fn start() -> Option<Self> {
        Self::spawn(false)
    }

    /// Starts a SuperLink that speaks TLS and admits registered keys alone, or says why not.
    pub fn start_secure() -> Option<Self> {
        Self::spawn(true)
    }

    fn spawn(is_secure: bool) -> Option<Self> {
        let python = python_with("flwr", "1.41.0")?;
        let programs = programs_of(&python);
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let security = if is_secure {
            format!("root-certificates = \"{}\"", path("ca.crt"))
        } else {
            "insecure = true".to_owned()
        };
        let config = format!(
            "[superlink]\ndefault = \"live\"\n\n[superlink.live]\naddress = \"127.0.0.1:{port}\"\n{security}\n"
        );
        std::fs::write(path("config.toml"), config).unwrap();
        let mut superlink = command(&programs, folder.path(), "flower-superlink");
        if is_secure {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/flower/certificates.py");
            assert!(
                Command::new(&python).arg(script).arg(folder.path()).status().unwrap().success()
            );
            superlink.args([
                "--ssl-ca-certfile",
                &path("ca.crt"),
                "--ssl-certfile",
                &path("server.pem"),
            ]);
            superlink.args(["--ssl-keyfile", &path("server.key"), "--enable-supernode-auth"]);
        } else {
            superlink.arg("--insecure");
        }
        let log = File::create(path("superlink.log")).unwrap();
        let superlink = superlink
            .args(["--disable-runtime-dependency-installation", "--port", &port.to_string()])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        let federation = Self { is_secure, superlink, folder, programs, port };
        federation.wait_for("the SuperLink", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(federation)
    }

    /// Registers the public key in this file by hand.
    pub fn register(&self, public_key: &Path) {
        let registered = command(&self.programs, self.folder.path(), "flwr")
            .args(["supernode", "register"])
            .arg(public_key)
            .arg("live")
            .output()
            .unwrap();
        assert!(registered.status.success(), "{registered:?}");
    }

    /// How a node joins, so that a killed one is noticed soon.
    pub fn options(&self) -> Options {
        Options {
            insecure: !self.is_secure,
            root_certificates: self.is_secure.then(|| self.folder.path().join("ca.crt")),
            heartbeat_interval: 10.0,
            poll_interval: 0.1,
            retry: RetryPolicy { attempts: 5, first_wait: 0.2, longest_wait: 1.0 },
            ..Options::new(format!("127.0.0.1:{}", self.port))
        }
    }

    /// Waits until so many nodes have come on line.
    pub fn wait_for_nodes(&self, nodes: usize) {
        let activated = || self.count_in_log("[Fleet.ActivateNode] Activated") >= nodes;
        self.wait_for("the nodes", activated);
    }

    /// Lines of the SuperLink's log that contain `text`.
    pub fn count_in_log(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    /// Starts a ServerApp and gives its result.
    pub fn run(&self, run: Run) -> serde_json::Value {
        self.run_from(run, Path::new(""))
    }

    /// Where [`Self::run_from`] leaves the weights that it ends with.
    pub fn trained(&self) -> PathBuf {
        self.folder.path().join("trained.safetensors")
    }

    /// Starts a ServerApp that begins with the weights in a safetensors file, and gives its result.
    pub fn run_from(&self, run: Run, weights: &Path) -> serde_json::Value {
        let result = self.folder.path().join("result.json");
        let config = format!(
            "num-server-rounds={} min-nodes={} large-values={} weights='{}' trained='{}' result='{}'",
            run.rounds,
            run.min_nodes,
            run.large_values,
            weights.display(),
            self.trained().display(),
            result.display()
        );
        let app = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/flower/server_app");
        let started = command(&self.programs, self.folder.path(), "flwr")
            .args(["run", app, "live", "--run-config", &config])
            .output()
            .unwrap();
        let said = [started.stdout, started.stderr].concat();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&said));
        self.wait_for("the result", || result.exists());
        serde_json::from_slice(&std::fs::read(result).unwrap()).unwrap()
    }

    fn wait_for(&self, what: &str, mut is_there: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_there() {
            assert!(
                Instant::now() < end,
                "{what} did not come in time; the SuperLink says:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn log(&self) -> String {
        let mut log = Vec::new();
        // Nothing was written yet where there is no file.
        if let Ok(mut file) = File::open(self.folder.path().join("superlink.log")) {
            file.read_to_end(&mut log).unwrap();
        }
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for Federation {
    fn drop(&mut self) {
        // A SuperLink has children, so its whole group is ended.
        let group = format!("-{}", self.superlink.id());
        for signal in ["-TERM", "-KILL"] {
            let _ =
                Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status();
            let end = Instant::now() + Duration::from_secs(5);
            while Instant::now() < end && matches!(self.superlink.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(50));
            }
        }
        if thread::panicking() {
            let _ = std::io::stderr().write_all(self.log().as_bytes());
        }
    }
}

/// The folder of an interpreter's programs.
fn programs_of(python: &Path) -> PathBuf {
    let print = "import os, sys; print(os.path.dirname(sys.executable))";
    let output = Command::new(python).args(["-c", print]).output().unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// A program of Flower, which finds its own programs and leaves the user's settings alone.
fn command(programs: &Path, home: &Path, program: &str) -> Command {
    let mut paths = vec![programs.to_owned()];
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut command = Command::new(programs.join(program));
    command
        .env("PATH", std::env::join_paths(paths).unwrap())
        .env("FLWR_HOME", home)
        .env("FLWR_TELEMETRY_ENABLED", "0")
        .stdin(Stdio::null());
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
