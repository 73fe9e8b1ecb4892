//! Sources, and in full the one that is chosen.

use std::cmp::Reverse;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::widgets::Paragraph;

use super::super::data::Data;
use super::super::fit::{count, fit, span};
use super::super::pane::Order;
use super::super::view::View;
use super::table::{self, Column, Row};
use super::{BAD, DIM};
use crate::watch::documents::{Source, WindowDocument};

/// Lines that tell of the source that is chosen.
const DETAIL_ROWS: u16 = 4;
/// The window by which sources are told and sorted.
const WINDOW: &str = "10m";
/// All of them, shortest first.
const WINDOWS: [&str; 4] = ["1m", "10m", "1h", "24h"];

const COLUMNS: [Column; 8] = [
    Column::text("SOURCE", 20, 39),
    Column::text("ZONE", 9, 16),
    Column::number("HOSTS", 6),
    Column::number("PORTS", 6),
    Column::number("PAIRS", 7),
    Column::number("FAILED", 6),
    Column::number("SEEN", 6),
    Column::text("SERVICES", 13, 200),
];

pub(super) fn draw(frame: &mut Frame, area: Rect, view: &View) {
    let [list, detail] = Layout::vertical([Constraint::Min(0), Constraint::Length(DETAIL_ROWS)]).areas(area);
    let sources = sorted(view.data(), view.order());
    let rows: Vec<Row> = sources.iter().map(|source| row(view.data(), source)).collect();
    table::draw(frame, list, &COLUMNS, &rows, (view.row(), true));
    if let Some(source) = sources.get(view.row()) {
        draw_detail(frame, detail, source);
    }
}

fn window(source: &Source, name: &str) -> WindowDocument {
    source.windows.get(name).copied().unwrap_or_default()
}

fn sorted(data: &Data, order: Order) -> Vec<&Source> {
    let mut all: Vec<&Source> = data.sources.sources.iter().collect();
    let by = |read: fn(WindowDocument) -> u64| move |source: &&Source| Reverse(read(window(source, WINDOW)));
    match order {
        Order::Failed => all.sort_by_key(by(|window| window.failed)),
        Order::Hosts => all.sort_by_key(by(|window| window.hosts)),
        Order::Ports => all.sort_by_key(by(|window| window.ports)),
        Order::Seen => all.sort_by(|a, b| b.last_seen.cmp(&a.last_seen)),
        _ => all.sort_by_key(by(|window| window.pairs)),
    }
    all
}

fn row(data: &Data, source: &Source) -> Row {
    let window = window(source, WINDOW);
    let style = if source.incidents.is_empty() { Style::new() } else { BAD };
    let address = match source.vlan {
        [0, _] => source.address.clone(),
        [outer, 0] => format!("{} (VLAN {outer})", source.address),
        [outer, inner] => format!("{} (VLAN {outer}.{inner})", source.address),
    };
    Row::new([
        address,
        source.zone.clone(),
        count(window.hosts),
        count(window.ports),
        count(window.pairs),
        count(window.failed),
        span(data.age_s(&source.last_seen)),
        source.services.join(", "),
    ])
    .style(style)
}

fn draw_detail(frame: &mut Frame, area: Rect, source: &Source) {
    let columns = usize::from(area.width);
    let pairs: Vec<String> = WINDOWS
        .iter()
        .map(|name| {
            let window = window(source, name);
            format!("{name} {}", count(window.pairs))
        })
        .collect();
    let day = window(source, "24h");
    let who = [
        Some(source.address.clone()),
        source.mac.as_ref().map(|mac| format!("MAC {mac}")),
        source.interface.as_ref().map(|interface| format!("on {interface}")),
        (!source.roles.is_empty()).then(|| format!("role {}", source.roles.join(", "))),
        match source.incidents.len() {
            0 => None,
            1 => Some("in an incident".to_owned()),
            more => Some(format!("in {more} incidents")),
        },
    ];
    let who: Vec<String> = who.into_iter().flatten().collect();
    let lines = [
        "─".repeat(columns),
        who.join(", "),
        format!("pairs within {}", pairs.join(", ")),
        format!(
            "within a day {} answered, {} failed, {} covered by roles",
            count(day.answered),
            count(day.failed),
            count(day.covered)
        ),
    ];
    let lines: Vec<_> = lines.iter().map(|line| fit(line, columns).into()).collect();
    frame.render_widget(Paragraph::new::<Vec<ratatui::text::Line>>(lines).style(DIM), area);
}
