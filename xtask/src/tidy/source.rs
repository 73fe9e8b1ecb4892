//! Rust source without what only people read.

/// `text` with comments, string and character literals replaced by spaces; lines stay where they are.
///
/// Knows nested comments, raw strings and lifetimes, and needs no more of Rust's grammar than that.
pub(super) fn code(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let end = literal_end(&characters, at);
        if end == at {
            code.push(characters[at]);
            at += 1;
        } else {
            code.extend(
                characters[at..end].iter().map(|&character| if character == '\n' { '\n' } else { ' ' }),
            );
            at = end;
        }
    }
    code
}

/// The identifiers and keywords of one line of [`code`].
pub(super) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !(character.is_alphanumeric() || character == '_'))
        .filter(|word| !word.is_empty())
}

/// Where the comment or literal that begins at `at` ends; `at` itself where none begins.
fn literal_end(characters: &[char], at: usize) -> usize {
    let rest = &characters[at..];
    let length = match rest {
        ['/', '/', ..] => rest.iter().position(|&character| character == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment(rest),
        ['"', ..] => string(rest),
        ['r', ..] if !follows_word(characters, at) => raw_string(rest),
        ['b' | 'c', 'r', ..] if !follows_word(characters, at) => match raw_string(&rest[1..]) {
            0 => 0,
            length => length + 1,
        },
        ['\'', '\\', _, tail @ ..] => 3 + until_quote(tail),
        ['\'', character, '\'', ..] if *character != '\'' => 3,
        _ => 0,
    };
    at + length
}

fn follows_word(characters: &[char], at: usize) -> bool {
    at > 0 && (characters[at - 1].is_alphanumeric() || characters[at - 1] == '_')
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => {
                depth += 1;
                at += 2;
            }
            ['*', '/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of `r"…"` or `r#"…"#`; 0 where it is something else, as `r#type` or `run`.
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&character| character == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let body = 2 + hashes;
    let ends = |at: &usize| {
        rest[*at] == '"' && rest[at + 1..].iter().take_while(|&&character| character == '#').count() >= hashes
    };
    (body..rest.len()).find(ends).map_or(rest.len(), |quote| quote + 1 + hashes)
}

fn until_quote(tail: &[char]) -> usize {
    tail.iter().position(|&character| character == '\'').map_or(tail.len(), |quote| quote + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(text: &str) -> Vec<String> {
        let code = code(text);
        code.lines().flat_map(words).map(str::to_owned).collect()
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let text = "a // hidden\nb /* hidden /* hidden */ hidden */ c \"hidden \\\" hidden\" d";
        assert_eq!(words_of(text), ["a", "b", "c", "d"]);
    }

    #[test]
    fn raw_strings_end_at_their_own_number_of_hashes() {
        assert_eq!(
            words_of("a r#\"hidden \" hidden\"# b r\"hidden\\\" c br#\"hidden\"# d"),
            ["a", "b", "c", "d"]
        );
        assert_eq!(words_of("a r#type or_run"), ["a", "r", "type", "or_run"]);
    }

    #[test]
    fn a_lifetime_is_no_character_literal() {
        assert_eq!(
            words_of("fn f<'a>(x: &'a str) { 'h'; '\\''; '\\u{68}'; y }"),
            ["fn", "f", "a", "x", "a", "str", "y"]
        );
    }

    #[test]
    fn lines_stay_where_they_are() {
        let code = code("/* one\ntwo */ three\n\"four\nfive\" six\n");
        let lines: Vec<&str> = code.lines().map(str::trim).collect();
        assert_eq!(lines, ["", "three", "", "six"]);
    }

    #[test]
    fn an_unfinished_literal_ends_with_the_file() {
        for text in ["\"open", "r#\"open", "/* open", "'\\", "'\\x", "b", "r"] {
            assert_eq!(code(text).chars().count(), text.chars().count(), "{text}");
        }
    }
}
