//! SIGHUP: another configuration, without detaching and without losing counts.

use std::sync::Arc;

use anyhow::Result;
use scanwatch_common::abi::Novelty;
use serde::Serialize;
use tokio::time::Instant;

use super::places::Places;
use super::{Agent, RECORDS_MAX, SINKS_END};
use crate::kernel::{Era, Plan};
use crate::policy::Policy;
use crate::state::Memory;

/// Times that as many records as are read at a time are read of a ring: together more than it holds.
const READINGS_MAX: usize = 64;

/// What became of the requests to read the configuration again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReloadStatus {
    /// Those after which the file's configuration held.
    pub reloads: u64,
    /// Those after which the one before went on, or a part of it.
    pub failures: u64,
    /// Why, where the last one failed.
    pub last_error: Option<String>,
}

impl ReloadStatus {
    fn succeeded(&mut self) {
        self.reloads += 1;
        self.last_error = None;
    }

    fn failed(&mut self, why: String) {
        self.failures += 1;
        self.last_error = Some(why);
    }
}

impl Agent {
    /// Reads the configuration again and goes on by it; where anything is wrong with it, the one before goes on. Fails where
    /// the kernel programs do not, which then may be told half of it.
    pub(super) async fn reload(&mut self) -> Result<()> {
        let Some(reread) = &self.reread else {
            tracing::info!("files are opened anew; there is no configuration file to read again");
            self.sinks.reopen();
            return Ok(());
        };
        let (policy, mut kept) = match reread() {
            Ok(policy) => policy.fixed_as(&self.policy),
            Err(error) => {
                self.stay(error.to_string());
                return Ok(());
            }
        };
        if self.memory.is_none() && crate::state::wanted(&policy).is_some() {
            kept.push("the state directory, without which spools are held in memory");
        }
        let places = Places::of(&policy, self.config.as_deref(), self.memory.as_ref().map(Memory::folder));
        if let Some(why) = self.confined.bars(&places) {
            self.stay(why);
            return Ok(());
        }
        let began = Instant::now();
        match self.kernel.plan(&policy).await {
            Ok(plan) => self.become_policy(policy, plan, began)?,
            Err(error) => {
                self.stay(error.to_string());
                return Ok(());
            }
        }
        if !kept.is_empty() {
            tracing::warn!("what needs a restart stays as it was until then: {}", kept.join(", "));
        }
        Ok(())
    }

    /// Notes that the configuration stays as it was; files are opened anew in any case.
    fn stay(&mut self, why: String) {
        tracing::error!("the configuration stays as it was: {why}");
        self.sinks.reopen();
        self.reloads.failed(why);
    }

    fn become_policy(&mut self, policy: Policy, plan: Plan, began: Instant) -> Result<()> {
        let switched = self.kernel.switch(plan)?;
        let mut after = Vec::new();
        let (now, Self { rings, engine, clock, .. }) = (self.now(), &mut *self);
        let at = |novelty: &Novelty| clock.of(novelty.time_ns);
        for ring in rings {
            // All that is older is in the ring by now; whoever fills it meanwhile does not hold this up for ever.
            for _ in 0..READINGS_MAX {
                let read = ring.read(RECORDS_MAX, |novelty| match switched.era_of(novelty) {
                    Era::Before => engine.novelty(now, novelty, at(novelty)),
                    Era::Between => {}
                    Era::After => after.push(*novelty),
                });
                if read < RECORDS_MAX {
                    break;
                }
            }
        }
        self.take_copy(began)?;
        self.judge();
        let policy = Arc::new(policy);
        self.engine.set_policy(Arc::clone(&policy));
        for novelty in after {
            let (now, at) = (self.now(), self.clock.of(novelty.time_ns));
            self.engine.novelty(now, &novelty, at);
        }
        self.interfaces.relearn(&self.kernel);
        self.policy = policy;
        tracing::info!("configuration read again: {}", crate::config::summary(&self.policy));
        match self.sinks.reconfigure(&self.policy.sinks, SINKS_END) {
            Ok(()) => self.reloads.succeeded(),
            Err(error) => {
                tracing::error!("not every sink goes on as configured: {error}; all else does");
                self.reloads.failed(format!("not every sink goes on as configured: {error}"));
            }
        }
        Ok(())
    }
}
