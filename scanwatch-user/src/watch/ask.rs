//! Questions to the agent, and where it finds them.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::reading::{IncidentsReading, Reading, SourcesReading};
use crate::engine::PortsView;

/// Most entries of one answer.
pub const LIMIT_MAX: usize = 1_000;
/// Questions that wait at a time.
const WAITING_MAX: usize = 16;
/// An agent that is silent for longer is not well.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Where an answer goes; or one sentence that says why there is none.
pub type Answer<T> = oneshot::Sender<Result<T, String>>;

/// A question to the agent.
#[derive(Debug)]
pub enum Ask {
    /// All numbers that are cheap to read.
    Reading(Answer<Box<Reading>>),
    /// Incidents: open ones, and those that ended last, at most so many of each.
    Incidents(usize, Answer<IncidentsReading>),
    /// The busiest sources, at most so many.
    Sources(usize, Answer<SourcesReading>),
    /// What outsiders try, at most so many ports in each list.
    Ports(usize, Answer<PortsView>),
}

/// The agent's end: what was asked.
#[derive(Debug)]
pub struct Asks(Option<mpsc::Receiver<Ask>>);

impl Asks {
    /// Where nobody ever asks.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Both ends.
    #[must_use]
    pub fn channel() -> (Asker, Self) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Asker(sender), Self(Some(receiver)))
    }

    /// The next question; waits for it, for ever where none will come.
    pub async fn next(&mut self) -> Ask {
        if let Some(asks) = &mut self.0 {
            if let Some(ask) = asks.recv().await {
                return ask;
            }
            self.0 = None;
        }
        std::future::pending().await
    }
}

/// The end of whoever asks.
#[derive(Clone, Debug)]
pub struct Asker(mpsc::Sender<Ask>);

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The agent does something else, or hangs.
    #[error("the agent did not answer within {} s; its log may say why", PATIENCE.as_secs())]
    Late,
    /// The agent ends.
    #[error("the agent is ending")]
    Ending,
    /// The agent could not find out.
    #[error("{0}")]
    Failed(String),
}

impl Asker {
    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// Where there is none within [`PATIENCE`].
    pub async fn ask<T>(&self, question: impl FnOnce(Answer<T>) -> Ask) -> Result<T, NoAnswer> {
        let (sender, receiver) = oneshot::channel();
        let asked = async {
            self.0.send(question(sender)).await.map_err(|_| NoAnswer::Ending)?;
            receiver.await.map_err(|_| NoAnswer::Ending)?.map_err(NoAnswer::Failed)
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Err(NoAnswer::Late))
    }
}
