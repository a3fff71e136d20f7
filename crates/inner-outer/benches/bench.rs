//! Time and memory of exact second-order meta-gradients, beside PyTorch's.
//!
//! The model is a GPT of 3.7 million weights in single precision on the CPU; the inner loop is gradient descent with
//! one learned rate for each tensor at each step; a meta-batch holds 4 tasks of 8 x 129 tokens. The peers of
//! `torch_peer/` measure the same in the same way: the median after one meta-gradient to warm up, each in a fresh process.
//!
//! ```text
//! cargo bench -p inner-outer                                     everything; needs an idle machine
//! cargo bench -p inner-outer -- --inner-steps 1,2 --no-peers
//! cargo bench -p inner-outer -- --quick                          does it run?
//! PYTHON=path/to/python cargo bench -p inner-outer -- --check    do both sides compute the same?
//! ```

mod check;
mod gpt;
mod measurement;
mod options;
mod peers;
mod setting;
mod table;

use anyhow::Result;
use clap::Parser;
use options::{Options, Worker};

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(worker) = options.worker {
        return measurement::here(&options, worker);
    }
    if options.check {
        return check::check(&peers::reference(&peers::python()?)?, options.engines());
    }
    // Known before the long part begins.
    let python = options.peers().then(peers::python);
    if let Some(Err(reason)) = &python {
        eprintln!("PyTorch is left out: {reason:#}");
    }
    let mut ours = Vec::new();
    for &inner_steps in options.inner_steps() {
        for &engine in options.engines() {
            ours.push(measurement::in_fresh_process(&options, Worker { engine, inner_steps })?);
        }
    }
    let peers = match python {
        Some(Ok(python)) => peers::measure(&python, &options)?,
        _ => Vec::new(),
    };
    println!("{}", table::table(&ours, &peers));
    Ok(())
}
