//! What the service manager is told (sd_notify(3)): ready, alive, and what goes on.
//!
//! Started by hand there is no service manager, and nothing is told.

use std::io;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// Speaks to the service manager that started this process, where one did.
pub(super) struct Supervisor {
    /// The longest time between two signs of life is twice this; `None` where nobody waits for them.
    every: Option<Duration>,
    alive: Instant,
    status: String,
    /// A service manager that cannot be told is said once.
    failed: bool,
}

impl Supervisor {
    /// The service manager that the environment names.
    pub(super) fn from_environment() -> Self {
        let mut limit_us = 0;
        let waits = sd_notify::watchdog_enabled(false, &mut limit_us);
        Self {
            every: waits.then(|| Duration::from_micros(limit_us / 2)),
            alive: Instant::now(),
            status: String::new(),
            failed: false,
        }
    }

    /// Every interface is watched.
    pub(super) fn ready(&mut self, status: String) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
        self.status = status;
    }

    /// What goes on; told where it is another than before.
    pub(super) fn status(&mut self, status: String) {
        if status != self.status {
            self.tell(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }

    /// The loop has turned once more. Said from the loop itself and nowhere else: one that hangs falls silent.
    pub(super) fn turned(&mut self) {
        if self.every.is_some_and(|every| self.alive.elapsed() >= every) {
            self.alive = Instant::now();
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    /// The end has begun.
    pub(super) fn stopping(&mut self) {
        self.tell(&[NotifyState::Stopping]);
    }

    fn tell(&mut self, states: &[NotifyState<'_>]) {
        match sd_notify::notify(false, states) {
            Ok(()) => self.failed = false,
            Err(error) => self.say(&error),
        }
    }

    fn say(&mut self, error: &io::Error) {
        if !self.failed {
            tracing::warn!("the service manager cannot be told what goes on ({error}); check $NOTIFY_SOCKET");
        }
        self.failed = true;
    }
}
