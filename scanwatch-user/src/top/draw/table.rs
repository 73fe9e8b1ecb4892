//! Rows in columns, of which one takes what room the others leave.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::fit::cell;
use super::{DIM, REVERSED};

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    title: &'static str,
    /// Characters: at least, and where there is room.
    width: (usize, usize),
    is_number: bool,
}

impl Column {
    /// A column of text; it is widened to `most` before the next one is.
    pub(super) const fn text(title: &'static str, least: usize, most: usize) -> Self {
        Self { title, width: (least, most), is_number: false }
    }

    /// A column of numbers.
    pub(super) const fn number(title: &'static str, width: usize) -> Self {
        Self { title, width: (width, width), is_number: true }
    }
}

/// A row: a cell for each column, and how it is shown.
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    pub(super) style: Style,
}

impl Row {
    pub(super) fn new<const N: usize>(cells: [String; N]) -> Self {
        Self { cells: cells.into(), style: Style::new() }
    }

    pub(super) fn style(self, style: Style) -> Self {
        Self { style, ..self }
    }
}

/// Draws rows, from such a one that `chosen` is among them; it is shown where `is_marked`.
pub(super) fn draw(
    frame: &mut Frame,
    area: Rect,
    columns: &[Column],
    rows: &[Row],
    (chosen, is_marked): (usize, bool),
) {
    let widths = widths(columns, usize::from(area.width));
    let titles: Vec<String> = columns.iter().map(|column| column.title.to_owned()).collect();
    let line = |cells: &[String]| {
        let cells = columns.iter().zip(&widths).zip(cells);
        let cells: Vec<String> =
            cells.map(|((column, width), text)| cell(text, *width, column.is_number)).collect();
        cells.join(" ")
    };
    let mut lines = vec![Line::from(Span::styled(line(&titles), DIM))];
    let room = usize::from(area.height).saturating_sub(1);
    // A row that is marked stays in sight; without one, the rows are moved by themselves.
    let first = if is_marked {
        (chosen + 1).saturating_sub(room)
    } else {
        chosen.min(rows.len().saturating_sub(room))
    };
    for (at, row) in rows.iter().enumerate().skip(first).take(room) {
        let style = if is_marked && at == chosen { row.style.patch(REVERSED) } else { row.style };
        lines.push(Line::from(Span::styled(line(&row.cells), style)));
    }
    if rows.is_empty() {
        lines.push(Line::from(Span::styled("none", DIM)));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// The width of each column, one blank between them.
fn widths(columns: &[Column], room: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.width.0).collect();
    let used: usize = widths.iter().sum::<usize>() + columns.len().saturating_sub(1);
    let mut left = room.saturating_sub(used);
    for (width, column) in widths.iter_mut().zip(columns) {
        let more = left.min(column.width.1 - column.width.0);
        *width += more;
        left -= more;
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_widened_in_their_order_as_far_as_there_is_room() {
        let columns = [Column::text("a", 10, 39), Column::number("n", 5), Column::text("b", 4, 100)];
        assert_eq!(widths(&columns, 21), [10, 5, 4]);
        assert_eq!(widths(&columns, 40), [29, 5, 4]);
        assert_eq!(widths(&columns, 60), [39, 5, 14]);
        assert_eq!(widths(&columns, 5), [10, 5, 4]);
    }
}
