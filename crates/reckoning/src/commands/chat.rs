//! `reckoning chat`: facts and questions, line by line.

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use burn::tensor::backend::Backend;
use experiment::cli::{Device, Failure, OrFailure, print_line};
use serde_json::json;

use super::reading::{question, require_free, statement, without_byte_order_mark};
use crate::memory::Memory;
use crate::system::{System, SystemError};

const HELP: &str = "a line with ? is a question, any other line a fact; :ask QUESTION asks whatever it looks like, :facts lists them, :forget N takes one out, :save FILE writes the memory into a new file, :quit ends";

/// Arguments of `chat`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of a trained system
    #[arg(long, value_name = "DIR")]
    system: PathBuf,
    /// Memory file to go on from
    #[arg(long, value_name = "FILE")]
    memory: Option<PathBuf>,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    device: Device,
}

/// Reads lines from standard input until its end or `:quit`.
///
/// # Errors
/// Bad input: the system or the memory. A line that cannot be used is answered and does not end the talk.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    experiment::on_device!(arguments.device, B => {
        let system = System::<B>::load(&arguments.system, &Default::default()).bad_input()?;
        let mut talk = Talk { system: &system, facts: Vec::new(), memory: None };
        if let Some(path) = &arguments.memory {
            let memory = Memory::load(path, system.fingerprint()).bad_input()?;
            talk.facts = memory.facts().to_vec();
            talk.memory = Some(memory);
        }
        if io::stdin().is_terminal() {
            print_line(HELP)?;
        }
        for line in io::stdin().lock().split(b'\n') {
            let line = line.failed()?;
            let reply = match str::from_utf8(&line) {
                Ok(line) => talk.reply(without_byte_order_mark(line).trim()),
                Err(_) => Reply::Refused("the line is no text in UTF-8".into()),
            };
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            match reply {
                Reply::Nothing => {}
                Reply::End => return Ok(()),
                Reply::Said(text) if arguments.json => print_line(json!({ "said": line, "reply": text }))?,
                Reply::Said(text) => print_line(text)?,
                Reply::Refused(text) if arguments.json => print_line(json!({ "said": line, "error": text }))?,
                Reply::Refused(text) => print_line(format!("error: {text}"))?,
            }
        }
        Ok(())
    })
}

enum Reply {
    Nothing,
    Said(String),
    Refused(String),
    End,
}

/// Facts so far, and their memory while it is up to date.
struct Talk<'s, B: Backend> {
    system: &'s System<B>,
    facts: Vec<String>,
    memory: Option<Memory>,
}

impl<B: Backend> Talk<'_, B> {
    fn reply(&mut self, line: &str) -> Reply {
        if line.is_empty() {
            return Reply::Nothing;
        }
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let said = match command {
            ":quit" => return Reply::End,
            ":help" => Ok(HELP.to_owned()),
            ":ask" => self.answer(rest),
            ":facts" => Ok(self.listed()),
            ":forget" => return self.forget(rest),
            ":save" if rest.trim().is_empty() => {
                return Reply::Refused(":save takes the name of a file".into());
            }
            ":save" => return self.save(rest.trim()),
            _ if command.starts_with(':') => {
                return Reply::Refused(format!("there is no {command}; {HELP}"));
            }
            _ if line.contains('?') => self.answer(line),
            _ => self.learn(line),
        };
        match said {
            Ok(text) => Reply::Said(text),
            Err(error) => Reply::Refused(error.to_string()),
        }
    }

    fn listed(&self) -> String {
        let line = |(index, fact): (usize, &String)| format!("{}. {fact}", index + 1);
        self.facts.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Keeps a fact only if all facts together can be encoded.
    fn learn(&mut self, line: &str) -> Result<String, SystemError> {
        let mut facts = self.facts.clone();
        facts.push(statement(line));
        let memory = self.system.encode(&facts)?;
        let after = memory.losses().last().copied().unwrap_or(f64::NAN);
        (self.facts, self.memory) = (facts, Some(memory));
        Ok(format!("{} facts, loss {after:.3}", self.facts.len()))
    }

    fn forget(&mut self, rest: &str) -> Reply {
        match rest.trim().parse::<usize>() {
            Ok(number) if (1..=self.facts.len()).contains(&number) => {
                self.facts.remove(number - 1);
                self.memory = None;
                Reply::Said(self.listed())
            }
            _ => Reply::Refused(format!(":forget takes a number from 1 to {}", self.facts.len())),
        }
    }

    fn answer(&mut self, line: &str) -> Result<String, SystemError> {
        let answers = self.system.remember(self.memory()?)?.ask(&question(line, self.system), 1)?;
        Ok(answers.into_iter().map(|answer| answer.text).collect())
    }

    /// Never in place of another file, which may be a memory that took long to make.
    fn save(&mut self, path: &str) -> Reply {
        if let Err(refusal) = require_free(path.as_ref()) {
            return Reply::Refused(format!("{refusal}: name another file after :save"));
        }
        let saved = self.memory().and_then(|memory| Ok(memory.save(path.as_ref())?));
        match saved {
            Ok(()) => Reply::Said(format!("saved {} facts in {path}", self.facts.len())),
            Err(error) => Reply::Refused(error.to_string()),
        }
    }

    fn memory(&mut self) -> Result<&Memory, SystemError> {
        let memory = match self.memory.take() {
            Some(memory) => memory,
            None => self.system.encode(&self.facts)?,
        };
        Ok(self.memory.insert(memory))
    }
}
