//! Progress on standard error: one line that is rewritten on a terminal, plain lines elsewhere.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::scenes::Scene;
use crate::lab::Stop;

const REDRAW: Duration = Duration::from_millis(100);
const BAR_WIDTH: usize = 20;
/// Start of the line, and nothing after it.
const CLEAR: &str = "\r\x1b[K";

/// A display of what is going on. Dropping it clears the line.
pub struct Progress {
    state: Arc<Mutex<State>>,
    ended: Stop,
    painter: Option<JoinHandle<()>>,
    started: Instant,
}

#[derive(Clone, Default)]
struct State {
    text: String,
    /// Scenes begun.
    number: usize,
    scenes: usize,
}

impl Progress {
    /// A display for a play of `scenes` scenes.
    pub fn start(scenes: usize) -> Self {
        let state = Arc::new(Mutex::new(State { scenes, ..State::default() }));
        let (ended, started) = (Stop::new(), Instant::now());
        let painter = stderr().is_terminal().then(|| {
            let (state, ended) = (Arc::clone(&state), ended.clone());
            thread::spawn(move || {
                while !ended.requested() {
                    let state = state.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    // A terminal that has gone is no reason to stop.
                    let _ = write!(stderr(), "{CLEAR}{}", line(&state, started.elapsed()));
                    thread::sleep(REDRAW);
                }
            })
        });
        Self { state, ended, painter, started }
    }

    /// Says what is going on apart from scenes.
    pub fn say(&self, text: &str) {
        self.change(|state| text.clone_into(&mut state.text));
    }

    /// Says that the next scene begins.
    pub fn scene(&self, scene: &Scene) {
        self.change(|state| {
            state.number += 1;
            state.text = format!("{} {}", scene.actor, scene.title);
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if self.painter.is_none() {
            let _ = writeln!(stderr(), "{}", line(&state, self.started.elapsed()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.ended.request();
        if let Some(painter) = self.painter.take() {
            let _ = painter.join();
            let _ = write!(stderr(), "{CLEAR}");
        }
    }
}

fn line(state: &State, elapsed: Duration) -> String {
    let State { text, number, scenes } = state;
    let done = BAR_WIDTH * number / (*scenes).max(1);
    let bar: String = (0..BAR_WIDTH).map(|place| if place < done { '#' } else { '.' }).collect();
    format!("[{bar}] {number:2}/{scenes} {:3} s  {text}", elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_how_far_how_long_and_what() {
        let state = State { text: "relay delivers mail".to_owned(), number: 5, scenes: 10 };
        let shown = line(&state, Duration::from_millis(7_900));
        assert_eq!(shown, "[##########..........]  5/10   7 s  relay delivers mail");
    }
}
