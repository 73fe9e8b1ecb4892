//! Text in the room there is: what is cut is seen to be cut.

use ratatui::text::Span;

/// What stands where text was cut.
const CUT: char = '…';

/// The text in so many columns at most, cut visibly where it is longer. Characters that would move the terminal's cursor or turn the
/// direction of writing become `?`.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let text: String = text.chars().map(|c| if is_harmless(c) { c } else { '?' }).collect();
    if width(&text) <= columns {
        return text;
    }
    let mut cut = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += width(c.encode_utf8(&mut [0; 4]));
        if used > columns {
            break;
        }
        cut.push(c);
    }
    if columns > 0 {
        cut.push(CUT);
    }
    cut
}

/// The same, filled with blanks to exactly so many columns: on the right, or on the left where it is a number.
pub(super) fn cell(text: &str, columns: usize, is_number: bool) -> String {
    let text = fit(text, columns);
    let blanks = " ".repeat(columns.saturating_sub(width(&text)));
    if is_number { blanks + &text } else { text + &blanks }
}

/// The text broken at blanks into so many lines at most, each of so many columns at most; what does not fit is cut visibly.
pub(super) fn broken(text: &str, columns: usize, lines: usize) -> Vec<String> {
    let mut broken: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        // The last line takes what is left, and is cut below.
        let is_last = broken.len() == lines;
        match broken.last_mut() {
            Some(line) if is_last || width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => broken.push(word.to_owned()),
        }
    }
    broken.iter().take(lines).map(|line| fit(line, columns)).collect()
}

/// Columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// Controls, and marks that turn the direction of writing (Unicode, UAX #9).
fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

/// A number with its thousands apart.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate: with one digit behind the point where it is small.
pub(super) fn rate(per_s: f64) -> String {
    if per_s < 9.95 {
        return format!("{per_s:.1}");
    }
    // Rates are not negative, and the cast saturates.
    #[allow(clippy::cast_sign_loss)]
    let whole = per_s.round() as u64;
    count(whole)
}

/// A time span, in the largest unit that fits.
pub(super) fn span(seconds: f64) -> String {
    #[allow(clippy::cast_sign_loss)]
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_broken_at_blanks_and_cut_only_where_there_is_no_line_left() {
        assert_eq!(broken("it tried all ports", 8, 3), ["it tried", "all", "ports"]);
        assert_eq!(broken("it tried all ports", 9, 2), ["it tried", "all ports"]);
        assert_eq!(broken("it tried all ports", 8, 2), ["it tried", "all por…"]);
        assert_eq!(broken("2001:db8::1 tried", 8, 2), ["2001:db…", "tried"]);
        assert!(broken("", 8, 2).is_empty() && broken("it tried", 8, 0).is_empty());
    }

    #[test]
    fn text_that_is_too_long_is_cut_visibly_and_never_wider_than_asked() {
        assert_eq!(fit("2001:db8:113:aaaa:bbbb:cccc:dddd:eeee", 20), "2001:db8:113:aaaa:b…");
        assert_eq!(fit("10.1.0.99", 9), "10.1.0.99");
        assert_eq!(fit("ü東京タワー", 6), "ü東京…");
        assert_eq!((fit("abc", 1), fit("abc", 0)), ("…".to_owned(), String::new()));
        for columns in 0..12 {
            assert!(width(&fit("ü東京タワー2001", columns)) <= columns);
            assert_eq!(width(&cell("ü東京タワー2001", columns, true)), columns);
        }
    }

    #[test]
    fn names_cannot_move_the_cursor_or_turn_the_line() {
        assert_eq!(fit("a\u{1b}[2J\u{202e}b\n", 20), "a?[2J?b?");
    }

    #[test]
    fn numbers_and_spans_are_short() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 3.44, 9.99, 12_345.6].map(rate), ["0.0", "3.4", "10", "12,346"]);
        let spans = [-1.0, 59.9, 60.0, 3_599.0, 7_200.0, 200_000.0].map(span);
        assert_eq!(spans, ["0 s", "59 s", "1 min", "59 min", "2 h", "2 d"]);
    }
}
