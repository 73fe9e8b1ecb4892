//! Incidents, and in full the one that is chosen.

use std::cmp::Reverse;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::super::data::Data;
use super::super::fit::{broken, count, fit, span};
use super::super::pane::Order;
use super::super::view::View;
use super::table::{self, Column, Row};
use super::{BAD, DIM};
use crate::watch::documents::Incident;

/// Lines that tell of the incident that is chosen.
const DETAIL_ROWS: u16 = 6;
/// Names of severities, worst first.
const SEVERITIES: [&str; 4] = ["critical", "high", "medium", "low"];

const COLUMNS: [Column; 8] = [
    Column::text("SEVERITY", 8, 8),
    Column::text("SOURCE", 17, 39),
    Column::text("KIND", 11, 11),
    Column::text("DIRECTION", 9, 9),
    Column::number("HOSTS", 6),
    Column::number("PORTS", 6),
    Column::number("LAST", 6),
    Column::text("SERVICES", 9, 200),
];

pub(super) fn draw(frame: &mut Frame, area: Rect, view: &View) {
    let [list, detail] = Layout::vertical([Constraint::Min(0), Constraint::Length(DETAIL_ROWS)]).areas(area);
    let incidents = sorted(view.data(), view.order());
    let rows: Vec<Row> = incidents.iter().map(|listed| row(view.data(), listed)).collect();
    table::draw(frame, list, &COLUMNS, &rows, (view.row(), true));
    if let Some(listed) = incidents.get(view.row()) {
        draw_detail(frame, detail, listed);
    }
}

/// An incident, and whether it is over.
struct Listed<'a> {
    incident: &'a Incident,
    is_over: bool,
}

/// Open ones first, in either part in the order that is asked for.
fn sorted(data: &Data, order: Order) -> Vec<Listed<'_>> {
    let listed = |is_over| move |incident| Listed { incident, is_over };
    let open = data.incidents.open.iter().map(listed(false));
    let mut all: Vec<Listed> = open.chain(data.incidents.ended.iter().map(listed(true))).collect();
    let severity = |incident: &Incident| {
        let place = SEVERITIES.iter().position(|name| *name == incident.severity);
        (incident.treatment != "alert", place, Reverse(incident.risk))
    };
    // The sort is stable, so what is equal stays in the order of the answer: the last one to grow first.
    all.sort_by(|a, b| {
        let by = match order {
            Order::Seen => b.incident.last.cmp(&a.incident.last),
            Order::Pairs => b.incident.pairs.cmp(&a.incident.pairs),
            Order::Hosts => b.incident.hosts.cmp(&a.incident.hosts),
            _ => severity(a.incident).cmp(&severity(b.incident)),
        };
        a.is_over.cmp(&b.is_over).then(by)
    });
    all
}

fn row(data: &Data, Listed { incident, is_over }: &Listed) -> Row {
    let is_alert = incident.treatment == "alert";
    let style = match (is_over, is_alert, incident.severity.as_str()) {
        (true, ..) | (_, false, _) => DIM,
        (_, _, "critical" | "high") => BAD,
        _ => Style::new(),
    };
    let last = if *is_over { "over".to_owned() } else { span(data.age_s(&incident.last)) };
    Row::new([
        if is_alert { incident.severity.clone() } else { "-".to_owned() },
        source(incident),
        incident.kind.clone(),
        incident.direction.clone(),
        count(incident.hosts),
        count(incident.ports),
        last,
        incident.services.join(", "),
    ])
    .style(style)
}

fn source(incident: &Incident) -> String {
    match (&incident.source, incident.vlan) {
        (None, _) => format!("{} sources", count(incident.others)),
        (Some(source), [0, _]) => source.clone(),
        (Some(source), [outer, 0]) => format!("{source} (VLAN {outer})"),
        (Some(source), [outer, inner]) => format!("{source} (VLAN {outer}.{inner})"),
    }
}

/// The sentence, what answered, and by what an analyst finds the records.
fn draw_detail(frame: &mut Frame, area: Rect, Listed { incident, is_over }: &Listed) {
    let columns = usize::from(area.width);
    let [rule, told, facts] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(4), Constraint::Length(1)]).areas(area);
    frame.render_widget(Paragraph::new("─".repeat(columns)).style(DIM), rule);
    let answered = answered(incident);
    let sentence_rows = usize::from(told.height).saturating_sub(usize::from(answered.is_some()));
    let mut lines = broken(&incident.reason, columns, sentence_rows);
    lines.extend(answered.map(|answered| fit(&answered, columns)));
    frame.render_widget(Paragraph::new(lines.into_iter().map(Line::from).collect::<Vec<_>>()), told);
    let state = if *is_over { "over" } else { "open" };
    let text = format!(
        "{state}, {}; rule {}; {}; incident {}",
        incident.treatment,
        incident.rule,
        incident.techniques.join(", "),
        incident.id
    );
    frame.render_widget(Paragraph::new(fit(&text, columns)).style(DIM), facts);
}

/// What the scanner learned, where it learned anything.
fn answered(incident: &Incident) -> Option<String> {
    let targets: Vec<String> = incident
        .targets
        .iter()
        .filter(|target| target.answered)
        .map(|target| match target.port {
            Some(port) if target.address.contains(':') => format!("[{}]:{port}", target.address),
            Some(port) => format!("{}:{port}", target.address),
            None => target.address.clone(),
        })
        .collect();
    (!targets.is_empty()).then(|| format!("answered: {}", targets.join(", ")))
}
