//! `slowfast serve`: a page on which a person acts in a model's world.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use burn::tensor::backend::Backend;
use experiment::cli::{Device, Failure, OrFailure, print_line};
use experiment::config;
use experiment::interrupt::Interrupt;

use super::eval::load_model;
use super::open_clips;
use crate::serve::{Address, Limits, PlayConfig, Player, ServeError, Starts, serve};

/// What is played with.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Source {
    /// Folder of a trained model, or of the run that trained it
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,

    /// Folder of clips, to begin with a frame of a test episode instead of one of a built-in world
    #[arg(long, value_name = "DIR")]
    pub clips: Option<PathBuf>,

    /// TOML file with what differs from the model's settings
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Set one field, such as --set sampler.steps=10 or --set fast.rate=1e-3; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,

    /// Address to listen on; whoever can reach it can use the model
    #[arg(long, value_name = "IP", default_value_t = Ipv4Addr::LOCALHOST.into())]
    address: IpAddr,

    /// Port to listen on; 0 for any that is free
    #[arg(long, value_name = "NUMBER", default_value_t = 8080)]
    port: u16,

    /// Name that visitors use for this machine, beside localhost and IP addresses; may be given several times
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,

    #[command(flatten)]
    limits: LimitArguments,

    /// Device to compute on
    #[arg(long, value_enum, default_value_t)]
    device: Device,
}

#[derive(Debug, clap::Args)]
struct LimitArguments {
    /// Episodes that can be played at a time
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().sessions)]
    sessions: usize,

    /// Minutes that an episode must have been left alone before a new one may take its place
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().idle.as_secs() / 60)]
    idle: u64,

    /// Connections that can be open at a time, of which a browser may take six; more wait
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().connections)]
    connections: usize,

    /// Chunks that an episode can have
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().chunks)]
    most_chunks: usize,

    /// Size of an uploaded memory in MiB; by default what an episode of --most-chunks takes
    #[arg(long, value_name = "NUMBER")]
    most_upload: Option<usize>,

    /// Episodes that compute at the same time; by default as many as there are processor cores
    #[arg(long, value_name = "NUMBER")]
    computing: Option<usize>,
}

impl LimitArguments {
    fn limits<B: Backend>(&self, player: &Player<B>) -> Result<Limits, ServeError> {
        let defaults = Limits::default();
        let upload = match self.most_upload {
            Some(size) => size.saturating_mul(1 << 20),
            None => player.memory_bytes(self.most_chunks)?,
        };
        Ok(Limits {
            sessions: self.sessions,
            idle: Duration::from_secs(self.idle.saturating_mul(60)),
            connections: self.connections,
            chunks: self.most_chunks,
            upload,
            computing: self.computing.unwrap_or(defaults.computing),
            ..defaults
        })
    }
}

/// Serves until Ctrl-C, which is the way to end it and no failure.
///
/// # Errors
/// Bad input: the model, the clips, the settings, or an address that cannot be listened on.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let interrupt = Interrupt::install().failed()?;
    experiment::on_device!(arguments.device, B => {
        let player = player::<B>(&arguments.source)?;
        let limits = arguments.limits.limits(&player).bad_input()?;
        let Arguments { address, port, name: names, .. } = arguments;
        let address = Address { address, port, names };
        serve(player, limits, address, &interrupt, announce).bad_input()
    })
}

/// The model, ready to be played with.
///
/// # Errors
/// Bad input: the model, the clips or the settings.
pub(super) fn player<B: Backend>(source: &Source) -> Result<Player<B>, Failure> {
    let model = load_model::<B>(&source.model)?;
    let defaults = PlayConfig::of_model(&model.trained.config);
    let config = config::load(&defaults, source.config.as_deref(), &source.set).bad_input()?;
    let size = [model.autoencoder_config.height, model.autoencoder_config.width];
    let starts = match &source.clips {
        Some(folder) => Starts::in_clips(open_clips(folder)?, size),
        None => Starts::in_worlds(&config, size),
    };
    Player::new(model, starts.bad_input()?, &config).bad_input()
}

fn announce(address: SocketAddr) {
    // Where nobody reads the output any more, the server goes on.
    let _ = print_line(format!("open http://{address}/ in a browser; Ctrl-C ends the server"));
    if !address.ip().is_loopback() {
        let _ = print_line("whoever can reach this address can use the model");
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::tiny;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parsed(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        let arguments = ["serve", "--model", "model"].iter().chain(arguments);
        Program::try_parse_from(arguments).map(|program| program.arguments)
    }

    #[test]
    fn the_machine_itself_and_bounded_unless_told_otherwise() {
        let model = tiny::video_model(1);
        let config = PlayConfig::of_model(&model.trained.config);
        let starts = Starts::in_worlds(&config, [16, 16]).unwrap();
        let player = Player::new(model, starts, &config).unwrap();
        let given = parsed(&[]).unwrap();
        assert!(given.address.is_loopback());
        let upload = player.memory_bytes(64).unwrap();
        let limits = given.limits.limits(&player).unwrap();
        assert_eq!((given.port, limits), (8080, Limits { upload, ..Limits::default() }));
        let given = parsed(&["--address", "::", "--sessions", "2", "--most-upload", "1"]).unwrap();
        assert!(given.address.is_unspecified());
        let limits = given.limits.limits(&player).unwrap();
        assert_eq!((limits.sessions, limits.upload), (2, 1 << 20));
        assert!(parsed(&["--address", "localhost:80"]).is_err());
        assert!(parsed(&["--port", "65536"]).is_err());
    }

    #[test]
    fn a_folder_without_a_model_is_bad_input() {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = parsed(&[]).unwrap();
        arguments.source.model = folder.path().into();
        assert!(matches!(run(arguments), Err(Failure::BadInput(_))));
    }
}
