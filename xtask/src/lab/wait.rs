//! Waiting with a limit: every wait in the lab polls, gives up in time, and ends early on a stop request.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Longest pause between two looks at the thing waited for.
const PAUSE_MAX: Duration = Duration::from_millis(25);

/// A request to stop, shared by everything that waits in one lab.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// A stop request that nobody has made yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A stop request made by SIGINT (Ctrl-C), SIGTERM or SIGHUP, which from now on do not end the process.
    pub fn on_signals() -> Result<Self> {
        let stop = Self::new();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&stop.0))
                .with_context(|| format!("cannot install a handler for signal {signal}"))?;
        }
        Ok(stop)
    }

    /// Asks everything that shares this request to stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether a stop has been asked for.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Fails with [`Interrupted`] once a stop has been asked for.
    pub fn check(&self) -> Result<()> {
        if self.requested() { Err(Interrupted.into()) } else { Ok(()) }
    }
}

/// The error of a wait that ended because of a stop request; found with `error.is::<Interrupted>()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Looks at `probe` again and again until it has a value, and returns that value.
///
/// Fails when `probe` fails, when `limit` has passed (the message names `what`), or on a stop request.
/// `probe` is looked at once more after the limit, so a slow machine is not blamed for one long pause.
pub fn poll<T>(
    what: &str,
    limit: Duration,
    stop: &Stop,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        let late = started.elapsed() >= limit;
        if let Some(value) = probe()? {
            return Ok(value);
        }
        stop.check()?;
        if late {
            bail!("{what} did not happen within {:.1} s", limit.as_secs_f64());
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_the_first_value() {
        let mut looks = 0;
        let found = poll("the third look", Duration::from_secs(5), &Stop::new(), || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(found.unwrap(), 3);
    }

    #[test]
    fn a_wait_that_fails_names_what_it_waited_for() {
        let error =
            poll::<()>("a miracle", Duration::from_millis(10), &Stop::new(), || Ok(None)).unwrap_err();
        assert_eq!(error.to_string(), "a miracle did not happen within 0.0 s");
    }

    #[test]
    fn a_stop_request_ends_a_wait_before_its_limit() {
        let stop = Stop::new();
        stop.request();
        let started = Instant::now();
        let error = poll::<()>("a miracle", Duration::from_mins(1), &stop, || Ok(None)).unwrap_err();
        assert!(error.is::<Interrupted>());
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
