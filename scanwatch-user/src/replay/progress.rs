//! One line on a terminal, for captures that take their time.

use std::io::{self, IsTerminal as _, Write};
use std::time::{Duration, Instant};

/// Nobody is told anything before.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two lines.
const PERIOD: Duration = Duration::from_millis(250);
/// Back to the beginning of the line, and away with what stands there.
const CLEAR: &[u8] = b"\r\x1b[K";

/// Tells how far the replay is.
pub struct Progress {
    terminal: Option<Box<dyn Write>>,
    name: String,
    begun: Instant,
    told: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    /// On standard error, where that is a terminal; nowhere otherwise.
    #[must_use]
    pub fn on_terminal() -> Self {
        let terminal: Option<Box<dyn Write>> =
            if io::stderr().is_terminal() { Some(Box::new(io::stderr())) } else { None };
        Self::new(terminal)
    }

    /// On this terminal; nowhere without one.
    #[must_use]
    pub fn new(terminal: Option<Box<dyn Write>>) -> Self {
        Self { terminal, name: String::new(), begun: Instant::now(), told: None, is_shown: false }
    }

    /// A capture begins.
    pub fn begin(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.begun = Instant::now();
        self.told = None;
    }

    /// So much has been replayed.
    pub fn note(&mut self, packets: u64, bytes: u64, bytes_total: Option<u64>) {
        if self.terminal.is_some() {
            self.note_at(Instant::now(), packets, bytes, bytes_total);
        }
    }

    pub(super) fn note_at(&mut self, now: Instant, packets: u64, bytes: u64, bytes_total: Option<u64>) {
        let elapsed = now.saturating_duration_since(self.begun);
        let is_due = self.told.is_none_or(|told| now.saturating_duration_since(told) >= PERIOD);
        if elapsed < PATIENCE || !is_due {
            return;
        }
        self.told = Some(now);
        let Some(terminal) = &mut self.terminal else { return };
        let line = line(&self.name, elapsed, packets, bytes, bytes_total);
        // A terminal that cannot be written to is no reason to stop.
        let _ = terminal.write_all(&[CLEAR, line.as_bytes()].concat()).and_then(|()| terminal.flush());
        self.is_shown = true;
    }

    /// Takes the line away, for something else comes to the terminal.
    pub fn clear(&mut self) {
        if let Some(terminal) = self.terminal.as_mut().filter(|_| std::mem::take(&mut self.is_shown)) {
            let _ = terminal.write_all(CLEAR).and_then(|()| terminal.flush());
        }
    }
}

/// `office.pcap: 42 %, 3.1 million packets, 1.2 million a second`.
fn line(name: &str, elapsed: Duration, packets: u64, bytes: u64, bytes_total: Option<u64>) -> String {
    let million = |packets: f64| format!("{:.1} million", packets / 1e6);
    // A file may have grown since it was opened.
    let percent = bytes_total.filter(|total| *total > 0).map(|total| bytes.min(total) as f64 / total as f64);
    let share = percent.map(|percent| format!(" {:.0} %,", 100.0 * percent)).unwrap_or_default();
    let rate = packets as f64 / elapsed.as_secs_f64();
    format!("{name}:{share} {} packets, {} a second", million(packets as f64), million(rate))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    #[derive(Clone, Default)]
    struct Terminal(Rc<RefCell<Vec<u8>>>);

    impl Write for Terminal {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Terminal {
        fn take(&self) -> String {
            String::from_utf8(self.0.take()).unwrap()
        }
    }

    fn begun() -> (Terminal, Progress) {
        let terminal = Terminal::default();
        let mut progress = Progress::new(Some(Box::new(terminal.clone())));
        progress.begin("office.pcap");
        (terminal, progress)
    }

    #[test]
    fn the_first_second_is_silent_and_then_there_are_four_lines_a_second() {
        let (terminal, mut progress) = begun();
        let begun = progress.begun;
        let mut lines = 0;
        for ms in (0..2_000).step_by(10) {
            progress.note_at(begun + Duration::from_millis(ms), ms, 0, None);
            let told = terminal.take();
            assert!(ms >= 1_000 || told.is_empty(), "after {ms} ms: {told:?}");
            lines += u32::from(!told.is_empty());
        }
        assert_eq!(lines, 4);
    }

    #[test]
    fn a_line_tells_share_packets_and_rate_and_replaces_the_one_before() {
        let (terminal, mut progress) = begun();
        let begun = progress.begun;
        progress.note_at(begun + Duration::from_secs(2), 3_100_000, 42, Some(100));
        let expected = "\r\x1b[Koffice.pcap: 42 %, 3.1 million packets, 1.6 million a second";
        assert_eq!(terminal.take(), expected);
        progress.note_at(begun + Duration::from_secs(4), 4_000_000, 120, Some(100));
        assert!(terminal.take().contains("office.pcap: 100 %, 4.0 million packets, 1.0 million"));
        progress.note_at(begun + Duration::from_secs(8), 8_000_000, 200, None);
        assert!(terminal.take().contains("office.pcap: 8.0 million packets, 1.0 million"));
    }

    #[test]
    fn the_line_is_taken_away_once_and_only_where_there_is_one() {
        let (terminal, mut progress) = begun();
        progress.clear();
        assert_eq!(terminal.take(), "");
        progress.note_at(progress.begun + Duration::from_secs(2), 1, 1, None);
        terminal.take();
        progress.clear();
        progress.clear();
        assert_eq!(terminal.take(), "\r\x1b[K");
    }

    #[test]
    fn each_capture_has_its_own_first_second() {
        let (terminal, mut progress) = begun();
        progress.note_at(progress.begun + Duration::from_secs(5), 1, 1, None);
        progress.begin("other.pcap");
        terminal.take();
        progress.note_at(progress.begun + Duration::from_millis(900), 1, 1, None);
        assert_eq!(terminal.take(), "");
    }
}
