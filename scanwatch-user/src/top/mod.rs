//! `scanwatch top`: a running agent on a terminal, by the same questions that anybody may ask it.
//!
//! ```text
//! questions, a round a second ─┐
//! keys, from a thread ─────────┼→ view → draw → terminal
//! signals ─────────────────────┘
//! ```

mod data;
mod draw;
mod fit;
mod pane;
mod screen;
mod view;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ratatui::crossterm::event::{self, Event};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::policy::Endpoint;
use crate::watch::{Client, DEFAULT_SOCKET, DEFAULT_TCP, Unreachable};
use data::Data;
use screen::Screen;
use view::View;

/// Time between two rounds of questions.
const PERIOD: Duration = Duration::from_secs(1);

/// Where an agent is looked for that nobody named: the socket of the service, else the port of the example.
///
/// # Panics
/// Never: the address is one.
#[must_use]
pub fn default_endpoint() -> Endpoint {
    let socket = Path::new(DEFAULT_SOCKET);
    if socket.exists() {
        Endpoint::Unix(socket.to_owned())
    } else {
        Endpoint::Tcp(DEFAULT_TCP.parse().expect("an address"))
    }
}

/// Shows the agent that listens there until `q`, Ctrl-C or a signal.
///
/// # Errors
/// Where nobody listens there, or where there is no terminal.
pub async fn run(endpoint: Endpoint) -> Result<()> {
    if !io::stdout().is_terminal() {
        bail!(
            "standard output is no terminal; programs read the same as JSON from {endpoint}: /api/status, /api/incidents, \
             /api/sources, /api/ports"
        );
    }
    let client = Client::new(endpoint);
    let first = Data::fetch(&client).await?;
    let mut signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let [Ok(terminate), Ok(interrupt), Ok(hangup)] = &mut signals else { bail!("cannot wait for signals") };
    let mut view = View::new(first);
    let mut screen = Screen::open().context("cannot use this terminal")?;
    let mut events = events();
    let mut answers = answers(client);
    while !view.is_over() {
        screen.draw(&view).context("cannot write to this terminal")?;
        tokio::select! {
            event = events.recv() => match event {
                Some(Event::Key(key)) => view.press(key),
                // The next drawing has the new size.
                Some(_) => {}
                None => break,
            },
            Some(answer) = answers.recv() => view.take(answer),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => break,
        }
    }
    Ok(())
}

/// Keys and changes of size. The thread that reads them ends with the process.
fn events() -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(64);
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(event).is_err() {
                return;
            }
        }
    });
    receiver
}

/// What the agent answers, a round after the other.
fn answers(client: Client) -> mpsc::Receiver<Result<Data, Unreachable>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(PERIOD).await;
            if sender.send(Data::fetch(&client).await).await.is_err() {
                return;
            }
        }
    });
    receiver
}
