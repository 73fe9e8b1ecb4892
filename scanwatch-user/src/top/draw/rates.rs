//! Interfaces, sinks, and what passes through the data plane each second.

use std::cmp::Reverse;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use scanwatch_common::counters::Counter;

use super::super::fit::{count, fit, rate};
use super::super::pane::Order;
use super::super::view::View;
use super::table::{self, Column, Row};
use super::{BAD, DIM};

/// Interfaces and sinks together that are shown.
const PLACES_MAX: usize = 6;

const COLUMNS: [Column; 4] = [
    Column::text("COUNTER", 22, 30),
    Column::text("CLASS", 12, 14),
    Column::number("PER SECOND", 14),
    Column::number("TOTAL", 20),
];

pub(super) fn draw(frame: &mut Frame, area: Rect, view: &View) {
    let places = places(view, usize::from(area.width));
    let height = u16::try_from(places.len()).unwrap_or(u16::MAX);
    let [top, list] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    frame.render_widget(Paragraph::new(places), top);

    let data = view.data();
    let rate_of = |name: &str| data.rates.get(name).copied().unwrap_or_default();
    let mut counters: Vec<(&String, u64)> = data.status.counters.iter().map(|(name, n)| (name, *n)).collect();
    match view.order() {
        Order::Name => {}
        Order::Total => counters.sort_by_key(|(_, total)| Reverse(*total)),
        _ => counters.sort_by(|a, b| rate_of(b.0).total_cmp(&rate_of(a.0)).then_with(|| b.1.cmp(&a.1))),
    }
    let row = |(name, total): (&String, u64)| {
        let class = Counter::ALL.iter().find(|counter| counter.name() == name);
        let class = class.map_or("", |counter| counter.class().name());
        let per_second = rate_of(name);
        let style = if per_second > 0.0 { Style::new() } else { DIM };
        Row::new([name.clone(), class.to_owned(), rate(per_second), count(total)]).style(style)
    };
    let rows: Vec<Row> = counters.into_iter().map(row).collect();
    table::draw(frame, list, &COLUMNS, &rows, (view.row(), false));
}

/// A line for each interface and sink, what is not as it should be first.
fn places(view: &View, columns: usize) -> Vec<Line<'static>> {
    let status = &view.data().status;
    let mut places: Vec<(bool, String)> = Vec::new();
    for interface in &status.interfaces {
        let text = match (&interface.mode, &interface.egress) {
            (None, _) => format!("{}: not watched", interface.name),
            (Some(mode), Some(egress)) => {
                format!("{}: in by {mode}, out by {egress}", interface.name)
            }
            (Some(mode), None) => format!("{}: in by {mode}, what goes out is not seen", interface.name),
        };
        places.push((interface.egress.is_none(), text));
    }
    for sink in &status.sinks {
        let numbers = format!(
            "{} delivered, {} waiting, {} retried, {} dropped, {} refused",
            count(sink.delivered),
            count(sink.queued),
            count(sink.retried),
            count(sink.dropped),
            count(sink.refused)
        );
        let why = sink.outage.as_ref().or(sink.spool_trouble.as_ref());
        let why = why.map_or_else(String::new, |why| format!("{why}; "));
        places.push((!why.is_empty(), format!("sink {} ({}): {why}{numbers}", sink.name, sink.transport)));
    }
    places.sort_by_key(|(is_bad, _)| !is_bad);
    let more = places.len().saturating_sub(PLACES_MAX);
    let mut lines: Vec<Line> = places
        .into_iter()
        .take(PLACES_MAX)
        .map(|(is_bad, text)| Line::styled(fit(&text, columns), if is_bad { BAD } else { Style::new() }))
        .collect();
    if more > 0 {
        lines.push(Line::styled(format!("and {more} more: see /api/status"), DIM));
    }
    lines.push(Line::default());
    lines
}
