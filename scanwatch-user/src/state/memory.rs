//! What the engine remembers, in two files: what is open is written whenever an epoch ends and something has changed, all
//! there is every ten minutes and at the end.

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use scanwatch_common::abi::EPOCH_S;
use scanwatch_common::sketch::Hasher;
use tokio::task::{JoinHandle, spawn_blocking};

use super::file::{self, Unreadable};
use super::{StateDirectory, key};
use crate::engine::{Ahead, Engine, EngineState, Extent, Timestamp};

/// It names hosts.
const MODE: u32 = 0o640;
/// Epochs between two times that everything is written.
const EVERYTHING_EPOCHS: u32 = 600 / EPOCH_S;

const fn name(extent: Extent) -> &'static str {
    match extent {
        Extent::Open => "incidents.json",
        Extent::Everything => "memory.json",
    }
}

/// See the module.
#[derive(Debug)]
pub struct Memory {
    directory: StateDirectory,
    writing: Option<JoinHandle<()>>,
    /// Checksum of what was written of what is open: the same again is not written.
    written: Arc<AtomicU32>,
    /// The last writing failed, which was said.
    is_failing: Arc<AtomicBool>,
    epochs: u32,
}

impl Memory {
    /// What is kept in a directory.
    #[must_use]
    pub fn in_directory(directory: StateDirectory) -> Self {
        Self { directory, writing: None, written: Arc::default(), is_failing: Arc::default(), epochs: 0 }
    }

    /// Makes the hashes that what is kept was counted by, and is to go on to be.
    pub fn hasher(&self) -> io::Result<Hasher> {
        key::kept_in(self.directory.path())
    }

    /// The directory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// Lets an engine that has seen nothing take up what was written last. `resume` is told how far the wall clock was ahead of
    /// the time in which it was written, and gives the present in that time. What cannot be read is put aside, and said.
    pub fn recall(&self, engine: &mut Engine, resume: impl FnOnce(Ahead) -> Timestamp) {
        let read = |extent| read(self.directory.path(), name(extent), engine);
        let everything = read(Extent::Everything);
        // What is open in the file of everything is older, or as old.
        let is_newer = |open: &EngineState| everything.as_ref().is_none_or(|all| all.at() <= open.at());
        let open = read(Extent::Open).filter(is_newer);
        let Some(latest) = open.as_ref().or(everything.as_ref()) else { return };
        let now = resume(latest.ahead());
        engine.set_ahead(latest.ahead());
        let (incidents, away) = (latest.incidents(), now.since(latest.at()));
        for state in everything.into_iter().chain(open) {
            engine.restore(state, now);
        }
        tracing::info!(
            "going on with {incidents} open incidents, as they were {} s ago",
            away.as_secs_f64().round()
        );
    }

    /// Notes the end of an epoch. What is to be written is taken now; it is written behind, once `spooled` says that every
    /// record of it can no longer be lost.
    pub fn epoch(&mut self, engine: &Engine, spooled: impl Future<Output = bool> + Send + 'static) {
        if self.writing.as_ref().is_some_and(|writing| !writing.is_finished()) {
            return;
        }
        self.epochs += 1;
        let is_due = self.epochs.is_multiple_of(EVERYTHING_EPOCHS);
        let extent = if is_due { Extent::Everything } else { Extent::Open };
        self.writing = Some(tokio::spawn(self.write(engine, extent, spooled)));
    }

    /// Writes everything, and returns once it is on disk, or that has failed.
    pub async fn finish(&mut self, engine: &Engine, spooled: impl Future<Output = bool> + Send + 'static) {
        if let Some(writing) = self.writing.take() {
            let _ = writing.await;
        }
        self.write(engine, Extent::Everything, spooled).await;
    }

    fn write<F>(
        &self,
        engine: &Engine,
        extent: Extent,
        spooled: F,
    ) -> impl Future<Output = ()> + Send + 'static + use<F>
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let state = Box::new(engine.state(extent));
        let folder = self.directory.path().to_owned();
        let (written, is_failing) = (Arc::clone(&self.written), Arc::clone(&self.is_failing));
        async move {
            let done = if spooled.await {
                let written = move || {
                    write(&folder, extent, &state, &written)
                        .map_err(|error| format!("{}: {error}", folder.display()))
                };
                spawn_blocking(written).await.unwrap_or_else(|error| Err(error.to_string()))
            } else {
                Err("a sink has not put its records on disk".to_owned())
            };
            let was_failing = is_failing.swap(done.is_err(), Ordering::Relaxed);
            match done {
                Err(why) if !was_failing => tracing::error!(
                    "open incidents cannot be saved, and would begin again with a restart: {why}"
                ),
                Ok(()) if was_failing => tracing::info!("open incidents are saved again"),
                _ => {}
            }
        }
    }
}

fn write(folder: &Path, extent: Extent, state: &EngineState, written: &AtomicU32) -> io::Result<()> {
    let body = serde_json::to_vec(state)?;
    let checksum = crc32fast::hash(&body);
    if extent == Extent::Open && written.swap(checksum, Ordering::Relaxed) == checksum {
        return Ok(());
    }
    file::write(folder, (name(extent), MODE), state.at().as_ns(), &body).inspect_err(|_| {
        written.store(0, Ordering::Relaxed);
    })
}

/// The state in a file; `None` where there is none.
fn read(folder: &Path, name: &str, engine: &Engine) -> Option<EngineState> {
    let path = folder.join(name);
    let parse = |(at_ns, body): (u64, Vec<u8>)| {
        let state: EngineState =
            serde_json::from_slice(&body).map_err(|error| Unreadable::Damaged(error.to_string()))?;
        let state = state.as_of(Timestamp::from_ns(at_ns));
        if engine.can_take_up(&state) { Ok(state) } else { Err(Unreadable::OtherKey) }
    };
    match file::read(&path).and_then(parse) {
        Ok(state) => Some(state),
        Err(Unreadable::Io(error)) if error.kind() == io::ErrorKind::NotFound => None,
        Err(why) => {
            let done = file::put_aside(&path);
            tracing::error!(
                "{}: what was known before cannot be taken up: {why}; {done}, and scanwatch begins without it",
                path.display()
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    #[test]
    fn what_was_counted_under_another_key_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let engine = |seed| Engine::keyed(Arc::new(Policy::default()), Hasher::new(seed));
        let (one, other) = (engine(1), engine(2));
        let all = one.state(Extent::Everything);
        write(folder.path(), Extent::Everything, &all, &AtomicU32::default()).unwrap();
        let file = name(Extent::Everything);
        assert!(read(folder.path(), file, &one).is_some());
        assert!(read(folder.path(), file, &other).is_none());
        assert!(folder.path().join(file).with_extension("bad").exists());
        assert!(!folder.path().join(file).exists());
    }
}
