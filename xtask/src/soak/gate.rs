//! Keeps restarts away from scans that are too short to outlast one: what scanwatch must find of these is known only where
//! it watched all of it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::lab::Stop;

/// Longest time between two looks at the stop request.
const LOOK: Duration = Duration::from_millis(50);

/// See the module.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    inside: usize,
    closed: bool,
}

/// Being inside. Dropping it leaves.
#[derive(Debug)]
pub struct Inside<'a>(&'a Gate);

/// The gate closed and nobody inside. Dropping it opens the gate.
#[derive(Debug)]
pub struct Closed<'a>(&'a Gate);

impl Gate {
    /// Waits until the gate is open, and enters. `None` on a stop request.
    pub fn enter(&self, stop: &Stop) -> Option<Inside<'_>> {
        let mut state = self.lock();
        while state.closed {
            if stop.requested() {
                return None;
            }
            state = self.wait(state);
        }
        state.inside += 1;
        Some(Inside(self))
    }

    /// Closes the gate and waits until everybody has left. Fails at `limit`, with the gate open again, or on a stop request.
    pub fn close(&self, limit: Duration, stop: &Stop) -> Result<Closed<'_>> {
        let started = Instant::now();
        self.lock().closed = true;
        let closed = Closed(self);
        let mut state = self.lock();
        while state.inside > 0 {
            if let Err(error) = stop.check() {
                drop(state);
                return Err(error);
            }
            if started.elapsed() > limit {
                let inside = state.inside;
                drop(state);
                bail!("{inside} short scans did not end within {} s", limit.as_secs());
            }
            state = self.wait(state);
        }
        drop(state);
        Ok(closed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.lock().inside -= 1;
        self.0.changed.notify_all();
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.lock().closed = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_closed_gate_is_entered_once_it_is_open_again() {
        let (gate, stop) = (Gate::default(), Stop::new());
        thread::scope(|scope| {
            let closed = gate.close(Duration::from_secs(5), &stop).unwrap();
            let late = scope.spawn(|| gate.enter(&stop).map(drop).is_some());
            thread::sleep(Duration::from_millis(20));
            assert!(!late.is_finished(), "it went through a closed gate");
            drop(closed);
            assert!(late.join().unwrap());
        });
    }

    #[test]
    fn who_is_inside_keeps_it_from_being_closed_and_it_is_open_after_a_failure() {
        let (gate, stop) = (Gate::default(), Stop::new());
        let inside = gate.enter(&stop);
        let error = gate.close(Duration::from_millis(10), &stop).map(drop).unwrap_err();
        assert!(error.to_string().starts_with("1 short scans did not end"), "{error}");
        assert!(gate.enter(&stop).is_some());
        drop(inside);
        gate.close(Duration::from_secs(5), &stop).unwrap();
    }

    #[test]
    fn a_stop_request_ends_both_waits() {
        let (gate, stop) = (Gate::default(), Stop::new());
        let inside = gate.enter(&stop);
        stop.request();
        assert!(gate.close(Duration::from_mins(1), &stop).is_err());
        drop(inside);
        let _closed = gate.close(Duration::from_secs(5), &Stop::new()).unwrap();
        assert!(gate.enter(&stop).is_none());
    }
}
