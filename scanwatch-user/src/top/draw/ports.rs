//! What the internet tries, and what of ours hardly anybody knows to be open.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Paragraph;

use super::super::fit::{count, fit};
use super::super::pane::Order;
use super::super::view::View;
use super::DIM;
use super::table::{self, Column, Row};

const TRIED: [Column; 3] =
    [Column::text("PORT", 9, 10), Column::text("SERVICE", 12, 24), Column::number("SOURCES", 8)];
const RARE: [Column; 3] =
    [Column::text("OPEN PORT", 9, 10), Column::text("SERVICE", 12, 24), Column::number("ANSWERED", 8)];

pub(super) fn draw(frame: &mut Frame, area: Rect, view: &View) {
    let ports = &view.data().ports;
    let [about, tables] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let text = format!(
        "{} ports tried from the internet, by sources in an hour; open ports few know",
        count(ports.tried)
    );
    frame.render_widget(Paragraph::new(fit(&text, usize::from(about.width))).style(DIM), about);
    let halves = [Constraint::Fill(1), Constraint::Length(2), Constraint::Fill(1)];
    let [left, _, right] = Layout::horizontal(halves).areas(tables);

    let mut tried: Vec<_> = ports.top.iter().collect();
    let mut rare: Vec<_> = ports.rare_in_use.iter().collect();
    if view.order() == Order::Number {
        tried.sort_by_key(|port| number(&port.port));
        rare.sort_by_key(|port| number(&port.port));
    }
    let service = |service: &Option<String>| service.clone().unwrap_or_default();
    let tried: Vec<Row> = tried
        .into_iter()
        .map(|port| Row::new([port.port.clone(), service(&port.service), count(port.sources)]))
        .collect();
    let rare: Vec<Row> = rare
        .into_iter()
        .map(|port| Row::new([port.port.clone(), service(&port.service), count(port.answered)]))
        .collect();
    table::draw(frame, left, &TRIED, &tried, (view.row(), false));
    table::draw(frame, right, &RARE, &rare, (view.row(), false));
}

/// A port's number before its transport.
fn number(port: &str) -> (u16, &str) {
    let (transport, number) = port.split_once('/').unwrap_or(("", port));
    (number.parse().unwrap_or(u16::MAX), transport)
}
