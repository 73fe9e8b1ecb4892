//! The report as a table: plain text, wrapped to the room there is.

use std::env;
use std::io::{self, IsTerminal as _};

use ratatui::crossterm::style::Stylize as _;
use ratatui::crossterm::terminal;
use ratatui::text::Span;

use super::finding::{Finding, Verdict};
use super::report::Report;
use super::text::counted;

/// Columns where nobody says how many there are, as in a file.
const COLUMNS: usize = 100;
/// A table is no narrower than this and, as lines become hard to read, no wider than that.
const COLUMNS_MIN: usize = 60;
const COLUMNS_MAX: usize = 120;
/// Width of the verdict.
const VERDICT: usize = 7;
/// Widest name of what a finding is about; a longer one takes more lines.
const PLACE_MAX: usize = 26;
const GAP: &str = "  ";
/// What comes before what to do.
const ADVICE: &str = "→ ";

/// What the table is made for.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Columns.
    pub columns: usize,
    /// Verdicts are coloured.
    pub is_coloured: bool,
}

impl Layout {
    /// What standard output shows: colours on a terminal alone, and there only where nobody asks to do without
    /// (no-color.org).
    #[must_use]
    pub fn of_stdout() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let columns =
            if is_terminal { terminal::size().map(|(columns, _)| usize::from(columns)).ok() } else { None };
        let wants_none = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { columns: columns.unwrap_or(COLUMNS), is_coloured: is_terminal && !wants_none }
    }
}

/// The table, and a line that says what it comes to.
pub(super) fn render(report: &Report, layout: &Layout) -> String {
    let findings = report.findings();
    let columns = layout.columns.clamp(COLUMNS_MIN, COLUMNS_MAX);
    let widest = findings.iter().map(|finding| width(&place(finding))).max().unwrap_or_default();
    let place_width = widest.clamp(4, PLACE_MAX);
    let rest = columns - VERDICT - place_width - 2 * GAP.len();
    let mut text = String::new();
    for finding in findings {
        text += &row(finding, place_width, rest, layout.is_coloured);
    }
    text.push('\n');
    text += &sum(report);
    text.push('\n');
    text
}

/// Where it was found: the area, and which of several things, or else which check.
fn place(finding: &Finding) -> String {
    match &finding.subject {
        Some(subject) => format!("{} {subject}", finding.area.name()),
        None => format!("{} {}", finding.area.name(), finding.check),
    }
}

fn row(finding: &Finding, place_width: usize, rest: usize, is_coloured: bool) -> String {
    let places = wrap(&place(finding), place_width);
    let mut found = wrap(&finding.found, rest);
    if let Some(advice) = &finding.advice {
        let indented = wrap(advice, rest - width(ADVICE)).into_iter().enumerate();
        found.extend(
            indented
                .map(|(line, text)| if line == 0 { format!("{ADVICE}{text}") } else { format!("  {text}") }),
        );
    }
    let mut text = String::new();
    for line in 0..places.len().max(found.len()) {
        let verdict = if line == 0 { coloured(finding.verdict, is_coloured) } else { " ".repeat(VERDICT) };
        let cell = |lines: &[String]| lines.get(line).cloned().unwrap_or_default();
        let place = padded(&cell(&places), place_width);
        let line = format!("{verdict}{GAP}{place}{GAP}{}", cell(&found));
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn coloured(verdict: Verdict, is_coloured: bool) -> String {
    let text = format!("{verdict:VERDICT$}");
    if !is_coloured {
        return text;
    }
    match verdict {
        Verdict::Ok => text.green(),
        Verdict::Note => text.cyan(),
        Verdict::Warning => text.yellow(),
        Verdict::Problem => text.red().bold(),
    }
    .to_string()
}

fn sum(report: &Report) -> String {
    let [warnings, problems] =
        [Verdict::Warning, Verdict::Problem].map(|verdict| report.count(verdict) as u64);
    let (warnings, problems) = (counted(warnings, "warning"), counted(problems, "problem"));
    if report.can_work() {
        format!("scanwatch can work here: {problems}, {warnings}.")
    } else {
        format!("scanwatch cannot do its work here: {problems}, {warnings}.")
    }
}

/// Breaks `text` between words into lines of at most `columns`; a word that is longer is broken, too. Characters that would
/// move the terminal's cursor become `?`: names of files and answers of receivers are others' to choose.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let harmless: String = text.chars().map(|c| if c.is_control() && c != '\n' { '?' } else { c }).collect();
    for word in harmless.split_whitespace() {
        for piece in pieces(word, columns) {
            let last = lines.last_mut().expect("there is a first line");
            if last.is_empty() {
                last.push_str(&piece);
            } else if width(last) + 1 + width(&piece) <= columns {
                last.push(' ');
                last.push_str(&piece);
            } else {
                lines.push(piece);
            }
        }
    }
    lines
}

/// A word in pieces of at most `columns`.
fn pieces(word: &str, columns: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for c in word.chars() {
        let last = pieces.last_mut().expect("there is a first piece");
        if width(last) + width(c.encode_utf8(&mut [0; 4])) > columns {
            pieces.push(c.to_string());
        } else {
            last.push(c);
        }
    }
    pieces
}

fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Columns that a text takes.
fn width(text: &str) -> usize {
    Span::raw(text).width()
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Area, Check};
    use super::*;

    fn report() -> Report {
        Report::of(vec![
            Check::of(Area::Kernel, "version").ok("Linux 6.12.9"),
            Check::about(Area::Interface, "holder", "eth0").warning(
                "XDP is held by program \"firewall\" (id 42) of process 7 (xdpd): scanwatch takes the TC hook",
                "detach it, or set hook = \"tc\" for eth0 where that is meant to be so, which is not often the case",
            ),
            Check::about(Area::Sink, "receiver", "siem").problem("no answer within 10 s", "see its log"),
        ])
    }

    fn render_at(columns: usize, is_coloured: bool) -> String {
        report().table(&Layout { columns, is_coloured })
    }

    #[test]
    fn the_table_fits_eighty_columns_and_shows_what_to_do_behind_an_arrow() {
        let expected = "\
ok       kernel version  Linux 6.12.9
warning  interface eth0  XDP is held by program \"firewall\" (id 42) of process 7
                         (xdpd): scanwatch takes the TC hook
                         → detach it, or set hook = \"tc\" for eth0 where that is
                           meant to be so, which is not often the case
problem  sink siem       no answer within 10 s
                         → see its log

scanwatch cannot do its work here: 1 problem, 1 warning.
";
        assert_eq!(render_at(80, false), expected);
    }

    #[test]
    fn no_line_is_wider_than_the_room_there_is() {
        for columns in [60, 80, 100, 120, 300] {
            let text = render_at(columns, false);
            let widest = text.lines().map(width).max().unwrap();
            assert!(widest <= columns.min(COLUMNS_MAX), "{columns}: {widest}\n{text}");
        }
        assert_eq!(render_at(0, false), render_at(COLUMNS_MIN, false));
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let coloured = render_at(80, true);
        assert!(coloured.contains("\u{1b}["), "{coloured:?}");
        let mut plain = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, escape)) = rest.split_once('\u{1b}') {
            plain += before;
            rest = escape.split_once('m').unwrap().1;
        }
        assert_eq!(plain + rest, render_at(80, false));
    }

    #[test]
    fn words_longer_than_the_column_are_broken_and_controls_are_not_passed_on() {
        assert_eq!(wrap("a verylongword b", 6), ["a", "verylo", "ngword", "b"]);
        assert_eq!(wrap("a\u{1b}[2J b", 20), ["a?[2J b"]);
        assert_eq!(wrap("", 6), [""]);
    }

    #[test]
    fn the_last_line_says_whether_scanwatch_can_work() {
        let fine = Report::of(vec![Check::of(Area::Kernel, "version").ok("Linux 6.12.9")]);
        let text = fine.table(&Layout { columns: 80, is_coloured: false });
        assert!(text.ends_with("\nscanwatch can work here: 0 problems, 0 warnings.\n"), "{text}");
    }
}
