//! The server as a whole.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use burn::tensor::backend::Backend;
use experiment::interrupt::Interrupt;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::session::Sessions;
use super::{Limits, Player, ServeError, connections, routes};

/// Where a server listens, and by which names.
#[derive(Clone, Debug)]
pub struct Address {
    /// The address; that of the machine itself unless others shall reach it.
    pub address: IpAddr,
    /// The port; any free one for 0.
    pub port: u16,
    /// Names that visitors may use for the server, beside `localhost` and IP addresses.
    pub names: Vec<String>,
}

/// What all requests share.
#[derive(Debug)]
pub(super) struct App<B: Backend> {
    pub player: Arc<Player<B>>,
    pub sessions: Sessions<B>,
    pub limits: Limits,
    pub names: Vec<String>,
    computing: Arc<Semaphore>,
}

impl<B: Backend> App<B> {
    /// Nothing played yet.
    ///
    /// # Errors
    /// [`ServeError::NoLimit`].
    pub fn new(
        player: Player<B>,
        limits: Limits,
        names: Vec<String>,
    ) -> Result<Arc<Self>, ServeError> {
        let counts = [
            ("sessions", limits.sessions),
            ("most-chunks", limits.chunks),
            ("computing", limits.computing),
            ("connections", limits.connections),
        ];
        if let Some((limit, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(ServeError::NoLimit(limit));
        }
        let computing = Arc::new(Semaphore::new(limits.computing.min(Semaphore::MAX_PERMITS)));
        let sessions = Sessions::new();
        Ok(Arc::new(Self { player: Arc::new(player), sessions, limits, names, computing }))
    }

    /// Computes on a thread of its own, when it is this one's turn: the threads that answer requests never wait for a model.
    ///
    /// # Errors
    /// Those of `work`, and [`ServeError::Panicked`].
    pub async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Player<B>) -> Result<T, ServeError> + Send + 'static,
    ) -> Result<T, ServeError> {
        let turn = self.computing.clone().acquire_owned().await;
        let turn = turn.map_err(|_| ServeError::Panicked)?;
        let player = self.player.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&player)
        });
        done.await.map_err(|_| ServeError::Panicked)?
    }
}

/// Serves until the interrupt is requested; requests that were begun are finished if they take no more than a few seconds.
/// `ready` is told the address.
///
/// # Errors
/// [`ServeError::Listen`], [`ServeError::NoLimit`].
pub fn serve<B: Backend>(
    player: Player<B>,
    limits: Limits,
    address: Address,
    interrupt: &Interrupt,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let wanted = SocketAddr::new(address.address, address.port);
    let router = routes::router(App::new(player, limits.clone(), address.names)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ServeError::Stopped)?;
    let served = runtime.block_on(async {
        let refused = |source| ServeError::Listen { address: wanted, source };
        let listener = TcpListener::bind(wanted).await.map_err(refused)?;
        ready(listener.local_addr().map_err(refused)?);
        connections::listen(listener, router, &limits, interrupt).await;
        Ok(())
    });
    // Else it would wait for what a model still computes.
    runtime.shutdown_background();
    served
}
