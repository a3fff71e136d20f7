//! A running `slowfast serve`, and how it ends.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::model;

/// The program and the address that it prints.
pub struct Server {
    process: Child,
    pub url: String,
}

impl Server {
    pub fn start(folder: &Path) -> Self {
        model::save(folder);
        let mut command = slowfast(folder);
        command.args(["serve", "--model", ".", "--port", "0"]);
        command.args(["--set", "sampler.steps=2", "--set", "fast.adapters.rank=2"]);
        command.args(["--set", "fast.rate=1e-2", "--set", "frames_per_second=50"]);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        let output = process.stdout.as_mut().expect("standard output is piped");
        BufReader::new(output).read_line(&mut line).expect("the server prints a line");
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        Self { url: url.expect("the line has an address").to_owned(), process }
    }

    /// Ctrl-C, as a shell sends it, which is a success.
    pub fn interrupt(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Where a test has failed; otherwise it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn slowfast(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slowfast"));
    command.current_dir(folder);
    command
}

#[test]
fn a_taken_port_and_an_absent_model_are_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |port: &str| {
        let mut command = slowfast(folder.path());
        let output = command.args(["serve", "--model", ".", "--port", port]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.starts_with("error: ") && told.lines().count() == 1, "{told}");
        told
    };
    let told = refused("0");
    assert!(told.contains("autoencoder.safetensors"), "{told}");
    model::save(folder.path());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let told = refused(&port);
    assert!(told.contains(&port) && told.contains("choose another --port"), "{told}");
}
