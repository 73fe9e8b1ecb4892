//! The demo's table: plain text, wrapped columns.

use super::judge::Outcome;

/// Widths of the columns in characters; with two blanks between them the table is 118 wide.
const WIDTHS: [usize; 5] = [3, 21, 32, 22, 32];
const GAP: &str = "  ";
const HEADINGS: [&str; 5] = ["", "who", "did what", "scanwatch said", "why"];

/// The table of all outcomes, with a line end after each row.
pub fn render(outcomes: &[Outcome<'_>]) -> String {
    let rule = WIDTHS.map(|width| "-".repeat(width)).join(GAP);
    let mut table = row(&HEADINGS.map(str::to_owned)) + &rule + "\n";
    for outcome in outcomes {
        let scene = outcome.played.scene;
        let mark = if outcome.is_expected() { "ok" } else { "NO" };
        let who = format!("{} {}", scene.actor, outcome.played.source);
        table += &row(&[
            mark.to_owned(),
            who,
            scene.action.shown().to_owned(),
            outcome.said(),
            outcome.account.clone(),
        ]);
    }
    table
}

/// One row, as many lines high as its highest cell.
fn row(cells: &[String; 5]) -> String {
    let columns: Vec<Vec<String>> = cells.iter().zip(WIDTHS).map(|(cell, width)| wrap(cell, width)).collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or_default();
    let mut text = String::new();
    for line in 0..height {
        let cells = columns.iter().zip(WIDTHS).map(|(column, width)| {
            let cell = column.get(line).map_or("", String::as_str);
            format!("{cell:width$}")
        });
        let line = cells.collect::<Vec<_>>().join(GAP);
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Breaks `text` between words into lines of at most `width` characters; a longer word gets a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_whole_and_lines_narrow() {
        assert_eq!(wrap("nmap -n -Pn -p445 10.2.0.0/24", 12), ["nmap -n -Pn", "-p445", "10.2.0.0/24"]);
        assert_eq!(wrap("", 12), [""; 0]);
    }

    #[test]
    fn the_cells_of_a_row_stand_in_their_columns() {
        let cells = ["ok", "proxy", "one two three four five six seven", "silent", "-"].map(str::to_owned);
        let row = row(&cells);
        let lines: Vec<_> = row.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].find("silent"), Some(3 + 2 + 21 + 2 + 32 + 2));
        assert_eq!(lines[1].trim_start(), "seven");
    }
}
