//! What is wrong with a configuration, and where.

use std::fmt;

/// Why a configuration cannot be used: one sentence with the file, the line where there is one, what is wrong and
/// what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file as it was named by the caller.
    pub file: String,
    /// Line in the file, from 1; `None` where the file as a whole is at fault.
    pub line: Option<usize>,
    /// What is wrong and what would be right, without file and line.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// An error inside one file, before the file's name is known.
#[derive(Debug)]
pub(super) struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Fault {
    pub fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// Line numbers of a text by byte offset.
pub(super) struct Lines {
    /// Offsets of the line feeds, ascending.
    feeds: Vec<usize>,
    /// Number of the last line that holds anything, at least 1.
    last: usize,
}

impl Lines {
    pub fn new(text: &str) -> Self {
        let feeds = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        Self { feeds, last: text.lines().count().max(1) }
    }

    /// The line, from 1, that holds the byte at `offset`; the last line for offsets behind the text.
    pub fn of(&self, offset: usize) -> usize {
        (self.feeds.partition_point(|feed| *feed < offset) + 1).min(self.last)
    }
}

/// Most characters of the operator's text that an error repeats.
const QUOTED_MAX: usize = 60;
/// Most names that an error lists.
const LISTED_MAX: usize = 24;

/// The operator's text in back-ticks, on one line and not too long.
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "an empty text".to_owned();
    }
    let mut out = String::from("`");
    for (count, c) in text.chars().enumerate() {
        if count == QUOTED_MAX {
            out.push('…');
            break;
        }
        match c {
            '"' | '\'' | '\\' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
    }
    out.push('`');
    out
}

/// Names one after the other, as in "expected one of a, b, c"; cut where there are very many.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.len().checked_sub(LISTED_MAX) {
        Some(more @ 1..) => format!("{} … ({more} more)", names[..LISTED_MAX].join(", ")),
        _ => names.join(", "),
    }
}
