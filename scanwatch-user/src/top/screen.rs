//! The terminal, which is given back as it was.

use std::io;

use ratatui::DefaultTerminal;

use super::draw::draw;
use super::view::View;

/// A terminal in our hands: raw, on its other page. Given back when this goes, and on a panic before that says why.
pub(super) struct Screen(DefaultTerminal);

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }

    /// Shows a view.
    pub(super) fn draw(&mut self, view: &View) -> io::Result<()> {
        self.0.draw(|frame| draw(frame, view)).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
