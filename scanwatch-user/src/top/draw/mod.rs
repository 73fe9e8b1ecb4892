//! A view on a terminal of any size.

mod incidents;
mod ports;
mod rates;
mod sources;
mod table;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::fit::{count, fit, rate, span};
use super::pane::Pane;
use super::view::View;

/// The least that anything is shown on.
const COLUMNS_MIN: u16 = 60;
const ROWS_MIN: u16 = 12;

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const REVERSED: Style = Style::new().add_modifier(Modifier::REVERSED);
const BAD: Style = Style::new().fg(Color::Red);

const KEYS: &str = "q quit  tab 1-4 pane  ↑↓ pgup pgdn row  s sort  p pause  ? help";

const HELP: [&str; 17] = [
    "1 Incidents   open ones and those that ended last; the chosen row is told",
    "2 Sources     who tried most pairs of host and port within ten minutes",
    "3 Ports       what the internet tries, and what hardly anybody knows to be open",
    "4 Rates       packets by class and reason, each second; interfaces and sinks",
    "",
    "tab, 1-4, ← →   another pane",
    "↑ ↓ j k         another row",
    "pgup pgdn       ten rows on; home and end: the first and the last",
    "s               sort by something else",
    "p               pause, and go on",
    "q, esc          quit",
    "",
    "Counts of distinct things are estimates, of some 2 % up to 2,000 and 6 % above.",
    "A contact has failed where it was refused or met silence. What a role covers is",
    "counted and not judged.",
    "",
    "Any key goes back.",
];

/// Draws a view.
pub(super) fn draw(frame: &mut Frame, view: &View) {
    let area = frame.area();
    if area.width < COLUMNS_MIN || area.height < ROWS_MIN {
        let text = format!(
            "This terminal has {} × {} characters; top needs {COLUMNS_MIN} × {ROWS_MIN}.",
            area.width, area.height
        );
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
        return;
    }
    let rows = [Constraint::Length(2), Constraint::Length(2), Constraint::Min(0), Constraint::Length(1)];
    let [head, tabs, body, foot] = Layout::vertical(rows).areas(area);
    draw_head(frame, head, view);
    draw_tabs(frame, tabs, view);
    if view.is_helping() {
        frame.render_widget(Paragraph::new(HELP.map(Line::raw).to_vec()), body);
    } else {
        match view.pane() {
            Pane::Incidents => incidents::draw(frame, body, view),
            Pane::Sources => sources::draw(frame, body, view),
            Pane::Ports => ports::draw(frame, body, view),
            Pane::Rates => rates::draw(frame, body, view),
        }
    }
    let (text, style) = view.fault().map_or((KEYS, DIM), |fault| (fault, BAD));
    frame.render_widget(Paragraph::new(fit(text, usize::from(foot.width))).style(style), foot);
}

fn draw_head(frame: &mut Frame, area: Rect, view: &View) {
    let columns = usize::from(area.width);
    let status = &view.data().status;
    let up = span(status.uptime_s as f64);
    let who = format!("scanwatch {} on {}, up {up}", status.version, status.hostname);
    let health = match status.health.reasons.first() {
        None => Span::raw(status.health.status.clone()),
        Some(reason) => Span::styled(format!("{}: {reason}", status.health.status), BAD),
    };
    let room = columns.saturating_sub(super::fit::width(&who) + 2);
    let health = Span { content: fit(&health.content, room).into(), ..health };
    let first = Line::from(vec![Span::styled(fit(&who, columns), BOLD), Span::raw("  "), health]);
    let numbers = format!(
        "{} packets/s  {} probes/s  {} sources  {} alerts open, {} as statistics",
        rate(status.rates.packets_per_s),
        rate(status.rates.probes_per_s),
        count(status.sources.tracked),
        count(status.incidents.open_alerts),
        count(status.incidents.open_statistics),
    );
    frame.render_widget(Paragraph::new(vec![first, Line::raw(fit(&numbers, columns))]), area);
}

/// What was lost, where anything was.
fn losses(view: &View) -> Option<String> {
    let status = &view.data().status;
    let all = [
        (status.losses.cells_refused, "cells refused"),
        (status.losses.ring_lost, "records lost"),
        (status.sources.dropped, "sources dropped"),
    ];
    let lost = all.iter().filter(|(number, _)| *number > 0);
    let lost: Vec<String> = lost.map(|(number, what)| format!("{} {what}", count(*number))).collect();
    (!lost.is_empty()).then(|| format!(" {} since the start: counts may be low", lost.join(", ")))
}

/// The titles of the panes, that of this one reversed, by what it is sorted, and what was lost.
fn draw_tabs(frame: &mut Frame, area: Rect, view: &View) {
    let mut spans = Vec::new();
    for (pane, number) in Pane::ALL.into_iter().zip(1..) {
        let style = if pane == view.pane() { REVERSED } else { Style::new() };
        spans.push(Span::styled(format!(" {number} {} ", pane.title()), style));
    }
    spans.push(Span::styled(format!("   by {}", view.order().name()), DIM));
    if view.is_paused() {
        spans.push(Span::styled("   PAUSED", BAD));
    }
    let losses = fit(&losses(view).unwrap_or_default(), usize::from(area.width));
    frame.render_widget(Paragraph::new(vec![Line::from(spans), Line::styled(losses, BAD)]), area);
}
