//! The program `reckoning` as a user meets it: runs, reports, interruptions, and mistakes.

mod bench;
mod binary;
mod data;
mod demo;
mod evaluation;
mod interruption;
mod mistakes;
mod pretrained;
mod report;
mod reproducibility;
mod run_folder;
