//! The program `reckoning` as a user meets it: runs, reports, interruptions, and mistakes.

mod binary;
mod data;
mod interruption;
mod mistakes;
mod report;
mod reproducibility;
mod run_folder;
