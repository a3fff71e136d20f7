//! Clients that sit out cost nothing.

use burn::backend::Flex;
use fal::algorithm::Federation;
use fal::client::{ClientConfig, Work};
use fal::config::{ExperimentConfig, PopulationConfig};
use fal::data::DataChoice;
use fal::network::NetworkChoice;
use fal::server::Participation;
use inner_outer::Threads;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What 950 clients more may cost, who hardly ever take part: the numbers of their images and their classes, and the draw of who does. A
/// network for each would be 146 million bytes.
const TABLES: usize = 200_000;

/// Bytes alive after some rounds in which five of `clients` take part, and at the worst moment of the last.
fn bytes(clients: usize) -> (usize, usize) {
    let before = MEMORY.current_usage();
    let participation =
        Participation { fraction: 5.0 / clients as f64, ..Participation::default() };
    let config = ExperimentConfig {
        network: NetworkChoice::Mlp { hidden: vec![512] },
        clients: PopulationConfig { count: clients, participation, ..PopulationConfig::default() },
        client: ClientConfig {
            work: Work::Steps { count: 2 },
            batch: 1,
            ..ClientConfig::default()
        },
        ..ExperimentConfig::default()
    };
    let images = DataChoice::Digits.load(None, None).unwrap().train;
    let mut federation = Federation::<Flex>::new(&config, images, &Default::default()).unwrap();
    federation.threads = Threads::new(1);
    for _ in 0..4 {
        MEMORY.reset_peak_usage();
        assert_eq!(federation.round().unwrap().participants, 5);
    }
    (MEMORY.current_usage() - before, MEMORY.peak_usage() - before)
}

/// The counts are those of the whole process, so one test makes them one after the other.
#[test]
fn clients_that_sit_out_cost_no_memory() {
    // What a process allocates only once is allocated here.
    bytes(50);
    let (few, few_peak) = bytes(50);
    let (many, many_peak) = bytes(1000);
    assert!(few > 400_000, "the images alone are {few} bytes");
    assert!(many < few + TABLES, "{many} bytes for 1,000 clients, {few} for 50");
    assert!(many_peak < few_peak + TABLES, "at most {many_peak} bytes against {few_peak}");
}
