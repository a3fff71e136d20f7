//! The sessions of a server: bounded in number, and each does one thing at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use burn::tensor::backend::Backend;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Limits, Played, ServeError};

/// One visitor's episodes.
#[derive(Debug)]
pub(super) struct Session<B: Backend> {
    /// Number of the place where they begin; none for a loaded memory.
    pub start: Option<u64>,
    /// The seeds of the noise, each with the number of chunks before it; none for a loaded memory.
    pub seeds: Vec<(usize, u64)>,
    /// What was played so far.
    pub played: Arc<Played<B>>,
}

impl<B: Backend> Session<B> {
    /// The seed of what comes next; none for a loaded memory.
    pub fn seed(&self) -> Option<u64> {
        self.seeds.last().map(|(_, seed)| *seed)
    }

    /// The seeds of the first `chunks` and of what comes next.
    pub fn seeds_until(&self, chunks: usize) -> Vec<(usize, u64)> {
        self.seeds.iter().copied().filter(|(before, _)| *before <= chunks).collect()
    }
}

/// A place for a session.
#[derive(Debug)]
pub(super) struct Place<B: Backend> {
    session: Mutex<Session<B>>,
    used: Mutex<Instant>,
    work: Arc<Semaphore>,
}

/// The right to change a session, for one request at a time.
#[derive(Debug)]
pub(super) struct Work<B: Backend> {
    place: Arc<Place<B>>,
    _only: OwnedSemaphorePermit,
}

/// All sessions, by ids that cannot be guessed.
#[derive(Debug)]
pub(super) struct Sessions<B: Backend> {
    places: Mutex<HashMap<String, Arc<Place<B>>>>,
}

impl<B: Backend> Place<B> {
    fn new(session: Session<B>) -> Self {
        let work = Arc::new(Semaphore::new(1));
        Self { session: Mutex::new(session), used: Mutex::new(Instant::now()), work }
    }

    /// Looks at the session, which may be at work.
    pub fn read<T>(&self, look: impl FnOnce(&Session<B>) -> T) -> T {
        look(&lock(&self.session))
    }

    /// Begins to work on the session.
    ///
    /// # Errors
    /// [`ServeError::Busy`].
    pub fn work(self: &Arc<Self>) -> Result<Work<B>, ServeError> {
        let only = self.work.clone().try_acquire_owned().map_err(|_| ServeError::Busy)?;
        Ok(Work { place: self.clone(), _only: only })
    }

    fn is_working(&self) -> bool {
        self.work.available_permits() == 0
    }
}

impl<B: Backend> Work<B> {
    /// What was played before the work.
    pub fn played(&self) -> Arc<Played<B>> {
        self.place.read(|session| session.played.clone())
    }

    /// Changes the session, once the work has succeeded.
    pub fn finish(&self, change: impl FnOnce(&mut Session<B>)) {
        change(&mut lock(&self.place.session));
        *lock(&self.place.used) = Instant::now();
    }

    /// Looks at the session.
    pub fn read<T>(&self, look: impl FnOnce(&Session<B>) -> T) -> T {
        self.place.read(look)
    }
}

impl<B: Backend> Sessions<B> {
    /// None yet.
    pub fn new() -> Self {
        Self { places: Mutex::default() }
    }

    /// Adds a session and returns its id. Where all places are taken, the session that was left alone for longest goes, if
    /// that was long enough.
    ///
    /// # Errors
    /// [`ServeError::Full`].
    pub fn add(&self, session: Session<B>, limits: &Limits) -> Result<String, ServeError> {
        let mut places = lock(&self.places);
        make_room(&mut places, limits)?;
        let id = format!("{:032x}", rand::random::<u128>());
        places.insert(id.clone(), Arc::new(Place::new(session)));
        Ok(id)
    }

    /// Checks that a session could be added, before anything is computed for it.
    ///
    /// # Errors
    /// [`ServeError::Full`].
    pub fn check_room(&self, limits: &Limits) -> Result<(), ServeError> {
        let places = lock(&self.places);
        match places.len() < limits.sessions || oldest(&places, limits).is_some() {
            true => Ok(()),
            false => Err(full(limits)),
        }
    }

    /// A session by its id, which counts as using it.
    ///
    /// # Errors
    /// [`ServeError::NoSuchSession`].
    pub fn get(&self, id: &str) -> Result<Arc<Place<B>>, ServeError> {
        let place = lock(&self.places).get(id).cloned().ok_or(ServeError::NoSuchSession)?;
        *lock(&place.used) = Instant::now();
        Ok(place)
    }

    /// Forgets a session.
    ///
    /// # Errors
    /// [`ServeError::NoSuchSession`], [`ServeError::Busy`].
    pub fn remove(&self, id: &str) -> Result<(), ServeError> {
        // Working, so that no chunk goes on being computed for nobody.
        let _work = self.get(id)?.work()?;
        lock(&self.places).remove(id);
        Ok(())
    }
}

fn make_room<B: Backend>(
    places: &mut HashMap<String, Arc<Place<B>>>,
    limits: &Limits,
) -> Result<(), ServeError> {
    if places.len() < limits.sessions {
        return Ok(());
    }
    let oldest = oldest(places, limits).ok_or_else(|| full(limits))?;
    places.remove(&oldest);
    Ok(())
}

/// The session that was left alone for longest, if that was long enough.
fn oldest<B: Backend>(places: &HashMap<String, Arc<Place<B>>>, limits: &Limits) -> Option<String> {
    let used = |place: &Place<B>| *lock(&place.used);
    let idle = places
        .iter()
        .filter(|(_, place)| !place.is_working() && used(place).elapsed() >= limits.idle);
    idle.min_by_key(|(_, place)| used(place)).map(|(id, _)| id.clone())
}

fn full(limits: &Limits) -> ServeError {
    let minutes = limits.idle.as_secs().div_ceil(60);
    ServeError::Full { sessions: limits.sessions, minutes }
}

/// No value is left half changed by a panic: changes are single assignments.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
