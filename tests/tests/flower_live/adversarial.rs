//! The program `fal` as two nodes that train adversarially on the built-in digits.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::thread;

use fal::data::DataChoice;
use fal::trained::Trained;
use inner_outer::named_tensors;
use workspace_tests::assert_close;
use workspace_tests::program::Program;

use super::federation::{Federation, Run};
use super::node::NodeProcess;

static FAL: LazyLock<Program> = LazyLock::new(|| Program::build("fal", "rounds: "));

const ROUNDS: usize = 3;
/// Two clients with unlike digits, who perturb them anew at every step.
const SETTINGS: [&str; 9] = [
    "seed=5",
    "data.train=300",
    "clients.count=2",
    "clients.partition={ kind = \"dirichlet\", alpha = 0.5, minimum = 20 }",
    "network.hidden=[16]",
    "adversary.steps=3",
    "client.batch=16",
    "evaluation.samples=40",
    "evaluation.attacks=[]",
];

fn settings() -> impl Iterator<Item = String> {
    SETTINGS.into_iter().flat_map(|setting| ["--set".to_owned(), setting.to_owned()])
}

/// The weights of a run of so many rounds in one process.
fn simulated(folder: &Path, rounds: usize) -> PathBuf {
    let out = format!("rounds-{rounds}");
    let arguments = ["train", "--out", &out, "--set", &format!("rounds={rounds}")];
    let arguments: Vec<String> =
        arguments.into_iter().map(String::from).chain(settings()).collect();
    FAL.run(folder, arguments);
    folder.join(out).join("network")
}

fn node(federation: &Federation, folder: &Path, client: usize) -> NodeProcess {
    let mut command = FAL.command(folder);
    command.args(["flower-client", "--insecure", "--client", &client.to_string()]);
    command.args(["--superlink", &federation.options().superlink]);
    command.args(["--heartbeat-interval", "10", "--poll-interval", "0.1"]).args(settings());
    NodeProcess::start_command(command)
}

/// A stock FedAvg over two of these nodes ends where the simulation in one process does, with weights that can be attacked.
#[test]
fn flower_and_one_process_learn_the_same() {
    let Some(federation) = Federation::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let start = simulated(folder.path(), 0).join("weights.safetensors");
    let mut nodes = [0, 1].map(|client| node(&federation, folder.path(), client));
    federation.wait_for_nodes(2);
    let run = Run { rounds: ROUNDS, min_nodes: 2, large_values: 0 };
    let result = federation.run_from(run, &start);
    nodes.iter_mut().for_each(NodeProcess::stop);

    type Cpu = burn::backend::Flex;
    let expected = simulated(folder.path(), ROUNDS);
    let expected = Trained::<Cpu>::load(&expected, &Default::default()).unwrap();
    let (description, trained) = (expected.description.clone(), federation.trained());
    let found = Trained::<Cpu>::with_weights(description, &trained, &Default::default()).unwrap();
    let values = |trained: &Trained<Cpu>| named_tensors::parameters(&trained.network);
    for ((name, expected), (_, found)) in values(&expected).into_iter().zip(values(&found)) {
        let [found, expected] = [found, expected]
            .map(|values| values.convert::<f64>().into_vec::<f64>().expect("just converted"));
        assert_close(&name, &found, &expected, 1e-5);
    }
    let attack = ["attack", "--json", "--network", trained.to_str().unwrap()].map(String::from);
    let attack: Vec<String> = attack.into_iter().chain(settings()).collect();
    let attacked = FAL.run_json(folder.path(), attack);
    let test = DataChoice::Digits.load(None, None).unwrap().test;
    assert_eq!(attacked["samples"], test.len());
    let classes = test.classes();
    let clean = result["evaluate"][ROUNDS.to_string()]["clean-accuracy"].as_f64().unwrap();
    assert!(clean > 1.5 / classes as f64, "{result}");
}

/// One of two clients is killed after its first round: the run ends with the other.
#[test]
fn a_run_survives_a_client_that_is_killed_half_way() {
    let Some(federation) = Federation::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let start = simulated(folder.path(), 0).join("weights.safetensors");
    let mut staying = node(&federation, folder.path(), 0);
    let mut killed = node(&federation, folder.path(), 1);
    federation.wait_for_nodes(2);
    thread::scope(|scope| {
        let run = Run { rounds: ROUNDS, min_nodes: 1, large_values: 0 };
        let run = scope.spawn(|| federation.run_from(run, &start));
        killed.wait_for_line("answered train");
        killed.kill();
        let result = run.join().unwrap();
        assert!(result["train"][ROUNDS.to_string()]["loss"].is_number(), "{result}");
        staying.stop();
    });
}
