//! What is looked at, and how keys change it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::data::Data;
use super::pane::{Order, Pane};
use crate::watch::Unreachable;

/// Rows that a page is, whatever the size of the terminal.
const PAGE: usize = 10;

/// The state of the screen.
#[derive(Debug)]
pub(super) struct View {
    data: Data,
    /// Why the last round has no answer.
    fault: Option<String>,
    pane: Pane,
    /// The row that is looked at, and the number of the order, of each pane.
    rows: [usize; Pane::ALL.len()],
    orders: [usize; Pane::ALL.len()],
    is_paused: bool,
    is_helping: bool,
    is_over: bool,
}

impl View {
    /// A view of the first answers.
    pub(super) fn new(data: Data) -> Self {
        Self {
            data,
            fault: None,
            pane: Pane::default(),
            rows: [0; Pane::ALL.len()],
            orders: [0; Pane::ALL.len()],
            is_paused: false,
            is_helping: false,
            is_over: false,
        }
    }

    /// Takes a round of answers, unless paused.
    pub(super) fn take(&mut self, answer: Result<Data, Unreachable>) {
        if self.is_paused {
            return;
        }
        match answer {
            Ok(data) => {
                self.data = data.since(&self.data);
                self.fault = None;
            }
            Err(fault) => self.fault = Some(fault.to_string()),
        }
    }

    /// Follows a key.
    pub(super) fn press(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let has_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if std::mem::take(&mut self.is_helping) && !matches!(key.code, KeyCode::Char('q')) {
            return;
        }
        match key.code {
            KeyCode::Char('c') if has_control => self.is_over = true,
            KeyCode::Char('q') | KeyCode::Esc => self.is_over = true,
            KeyCode::Char('?' | 'h') => self.is_helping = true,
            KeyCode::Char('p') => self.is_paused = !self.is_paused,
            KeyCode::Char('s') => {
                let order = &mut self.orders[self.pane as usize];
                *order = (*order + 1) % self.pane.orders().len();
            }
            KeyCode::Char(number @ '1'..='4') => {
                self.pane = Pane::ALL[number as usize - '1' as usize];
            }
            KeyCode::Tab | KeyCode::Right => self.pane = self.pane.next(false),
            KeyCode::BackTab | KeyCode::Left => self.pane = self.pane.next(true),
            KeyCode::Down | KeyCode::Char('j') => self.go(|row| row.saturating_add(1)),
            KeyCode::Up | KeyCode::Char('k') => self.go(|row| row.saturating_sub(1)),
            KeyCode::PageDown | KeyCode::Char(' ') => self.go(|row| row.saturating_add(PAGE)),
            KeyCode::PageUp => self.go(|row| row.saturating_sub(PAGE)),
            KeyCode::Home => self.go(|_| 0),
            KeyCode::End => self.go(|_| usize::MAX),
            _ => {}
        }
    }

    /// Goes to another row of the pane, as far as there are rows.
    fn go(&mut self, to: impl Fn(usize) -> usize) {
        let last = self.len().saturating_sub(1);
        self.rows[self.pane as usize] = to(self.row()).min(last);
    }

    /// Rows of the pane.
    fn len(&self) -> usize {
        match self.pane {
            Pane::Incidents => self.data.incidents.open.len() + self.data.incidents.ended.len(),
            Pane::Sources => self.data.sources.sources.len(),
            Pane::Ports => self.data.ports.top.len().max(self.data.ports.rare_in_use.len()),
            Pane::Rates => self.data.status.counters.len(),
        }
    }

    /// The row that is looked at; there may be fewer rows than there were.
    pub(super) fn row(&self) -> usize {
        self.rows[self.pane as usize].min(self.len().saturating_sub(1))
    }

    /// The order of the pane's rows.
    pub(super) fn order(&self) -> Order {
        self.pane.orders()[self.orders[self.pane as usize]]
    }

    pub(super) const fn pane(&self) -> Pane {
        self.pane
    }

    pub(super) const fn data(&self) -> &Data {
        &self.data
    }

    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.is_paused
    }

    pub(super) const fn is_helping(&self) -> bool {
        self.is_helping
    }

    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }
}
