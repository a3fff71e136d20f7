//! `reckoning data generate`: knowledge sets of a built-in generator, as a file.

use std::path::PathBuf;

use anyhow::anyhow;
use experiment::cli::{Failure, OrFailure, print_line};
use experiment::config;
use experiment::progress::Progress;
use serde_json::json;

use super::{Output, counts, write_sets};
use crate::commands::reading;
use crate::config::{ExperimentConfig, Source};
use crate::data::kinship::{Chains, KinshipGenerator};
use crate::data::rules::RuleGenerator;
use crate::data::{DataError, KnowledgeSet, Statistics};

/// Arguments of `data generate`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    generator: GeneratorArguments,

    #[command(flatten)]
    output: Output,

    /// Knowledge sets to write
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = reading::sets)]
    count: usize,

    /// Print the counts as JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Which generator, and how it is set.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct GeneratorArguments {
    /// TOML file of an experiment, of which `data.source` is used
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Set one field, such as --set data.source.kind=rules or --set data.source.hops=[2,3]; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Only relation chains that `data.source.held_out_chains` keeps out of training
    #[arg(long)]
    held_out: bool,
}

/// Gives the knowledge set of a number.
type Generator = Box<dyn Fn(u64) -> Result<KnowledgeSet, DataError>>;

/// Generates the sets and writes them.
///
/// # Errors
/// Bad input: the configuration, or an output that is there already. Failed: writing.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { generator, output, count, json } = arguments;
    output.check(generator.config.as_deref())?;
    let sets = generator.generate(count)?;
    write_sets(&output.out, &sets)?;
    let statistics = Statistics::of(&sets);
    if json {
        let written =
            json!({ "out": output.out.to_string_lossy(), "statistics": counts(&statistics) });
        return print_line(written);
    }
    print_line(format!("{statistics}written to      {}", output.out.display()))
}

impl GeneratorArguments {
    /// The first `count` knowledge sets of the chosen generator.
    pub(super) fn generate(&self, count: usize) -> Result<Vec<KnowledgeSet>, Failure> {
        let generate = self.generator()?;
        let progress = Progress::new(count as u64, "generating");
        let sets = (0..count as u64).map(|index| {
            progress.advance(1);
            generate(index)
        });
        // Only the configuration decides whether a set can be found.
        sets.collect::<Result<_, _>>().bad_input()
    }

    fn generator(&self) -> Result<Generator, Failure> {
        let defaults = ExperimentConfig::default();
        let config = config::load(&defaults, self.config.as_deref(), &self.set).bad_input()?;
        match config.data.source {
            Source::Kinship(kinship) => {
                let chains = if self.held_out { Chains::HeldOut } else { Chains::Training };
                if self.held_out && kinship.held_out_chains == 0.0 {
                    return refused(
                        "--held-out finds no chain: set data.source.held_out_chains above 0",
                    );
                }
                let generator = KinshipGenerator::new(kinship).bad_input()?;
                Ok(Box::new(move |index| generator.knowledge_set(chains, index)))
            }
            Source::Rules(_) if self.held_out => refused(
                "--held-out is about relation chains: leave it out, or set data.source.kind=kinship",
            ),
            Source::Rules(rules) => {
                let generator = RuleGenerator::new(rules).bad_input()?;
                Ok(Box::new(move |index| generator.knowledge_set(index)))
            }
            Source::File { .. } => refused(
                "data.source.kind = \"file\" generates nothing: set it to kinship or rules, or use `data inspect` or \
                 `data convert` with the file's path",
            ),
        }
    }
}

fn refused<T>(reason: &'static str) -> Result<T, Failure> {
    Err(anyhow!(reason)).bad_input()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(set: &[&str], held_out: bool) -> GeneratorArguments {
        let set = set.iter().map(|text| (*text).to_owned()).collect();
        GeneratorArguments { config: None, set, held_out }
    }

    fn refusal(arguments: &GeneratorArguments) -> String {
        match arguments.generate(1) {
            Err(Failure::BadInput(cause)) => cause.to_string(),
            other => panic!("expected a refusal, found {other:?}"),
        }
    }

    #[test]
    fn both_generators_follow_the_configuration() {
        let kinship = arguments(&["data.source.hops=[3]"], false).generate(4).unwrap();
        assert!(kinship.iter().all(|set| set.questions[0].hops == 3));
        let rules = arguments(&["data.source.kind=rules", "data.source.hops=[1]"], false)
            .generate(2)
            .unwrap();
        assert!(rules.iter().all(|set| set.questions.len() == 3));
    }

    #[test]
    fn held_out_chains_are_others_than_those_of_training() {
        let set = ["data.source.held_out_chains=0.3"];
        let training = arguments(&set, false).generate(3).unwrap();
        let held_out = arguments(&set, true).generate(3).unwrap();
        assert!(training.iter().all(|set| set.id.contains("training")));
        assert!(held_out.iter().all(|set| set.id.contains("held-out")));
    }

    #[test]
    fn what_generates_nothing_is_refused_with_the_remedy() {
        assert!(refusal(&arguments(&[], true)).contains("held_out_chains above 0"));
        assert!(refusal(&arguments(&["data.source.kind=rules"], true)).contains("kind=kinship"));
        let file = ["data.source.kind=file", "data.source.path=facts.jsonl"];
        assert!(refusal(&arguments(&file, false)).contains("data convert"));
        assert!(refusal(&arguments(&["data.source.hops=[]"], false)).contains("hops"));
        assert!(refusal(&arguments(&["data.source.hoops=[2]"], false)).contains("hops"));
    }
}
