//! Typed reading of TOML tables: every refusal names the line, the key, and what was expected.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Fault, Lines, listed, quoted};

/// Longest name of a zone, service or role, characters.
const NAME_MAX: usize = 64;

/// A table of the file.
pub(super) struct Section<'a> {
    /// As the operator writes it, `[[zone]]`; empty for the top level.
    title: String,
    /// Line of its header.
    pub line: usize,
    table: &'a DeTable<'a>,
    lines: &'a Lines,
}

/// A value of the file, with the key it belongs to.
pub(super) struct Value<'a> {
    /// The key; for an element of a list, the key of the list.
    pub key: &'a str,
    /// Line of the value.
    pub line: usize,
    /// The key and its section, as an error names them.
    what: String,
    node: &'a DeValue<'a>,
    lines: &'a Lines,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub fn top(table: &'a DeTable<'a>, lines: &'a Lines) -> Self {
        Self { title: String::new(), line: 1, table, lines }
    }

    pub fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.line, message)
    }

    fn place(&self) -> String {
        if self.title.is_empty() { "at the top level".into() } else { format!("in {}", self.title) }
    }

    fn value(&self, key: &'a str, value: &'a Spanned<DeValue<'a>>) -> Value<'a> {
        Value {
            key,
            line: self.lines.of(value.span().start),
            what: format!("`{key}` {}", self.place()),
            node: value.get_ref(),
            lines: self.lines,
        }
    }

    /// Refuses the first key in the file that is not one of `known`.
    pub fn expect_keys(&self, known: &[&str]) -> Result<(), Fault> {
        let unknown = self.table.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
        let Some(key) = unknown.min_by_key(|key| key.span().start) else { return Ok(()) };
        let line = self.lines.of(key.span().start);
        let (name, place) = (quoted(key.get_ref()), self.place());
        Err(Fault::new(
            line,
            format!("unknown key {name} {place}; expected one of {}", listed(known.iter().copied())),
        ))
    }

    pub fn get(&self, key: &'static str) -> Option<Value<'a>> {
        self.table.get(key).map(|value| self.value(key, value))
    }

    /// The value of a key that must be there; `example` is a whole line that would be right.
    pub fn need(&self, key: &'static str, example: &str) -> Result<Value<'a>, Fault> {
        self.get(key).ok_or_else(|| self.fault(format!("{} has no `{key}`; add {example}", self.title)))
    }

    /// All values in the order of the file.
    pub fn values(&self) -> Vec<Value<'a>> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries.into_iter().map(|(key, value)| self.value(key.get_ref(), value)).collect()
    }

    /// The section `[key]`, where the file has it.
    pub fn section(&self, key: &'static str) -> Result<Option<Section<'a>>, Fault> {
        self.get(key)
            .map(|value| value.section(format!("[{key}]"), &format!("a section [{key}]")))
            .transpose()
    }

    /// The sections `[[key]]`, none where the file has none.
    pub fn sections(&self, key: &'static str) -> Result<Vec<Section<'a>>, Fault> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let wanted = format!("sections [[{key}]], with double brackets");
        let items = value.list(&wanted)?;
        if items.is_empty() {
            return Err(value.fault(format!("{} is an empty list; leave it out for the default", value.what)));
        }
        items.iter().map(|item| item.section(format!("[[{key}]]"), &wanted)).collect()
    }

    /// The required and valid `name`.
    pub fn name(&self, example: &str) -> Result<Value<'a>, Fault> {
        let value = self.need("name", &format!("name = \"{example}\""))?;
        let text = value.text(&format!("a name such as \"{example}\""))?;
        check_name(text).map_err(|message| value.fault(message))?;
        Ok(value)
    }
}

/// Refuses names that cannot be told apart or shown in one line.
pub(super) fn check_name(text: &str) -> Result<(), String> {
    let fits = (1..=NAME_MAX).contains(&text.chars().count());
    if fits && text == text.trim() && !text.contains(char::is_control) {
        return Ok(());
    }
    Err(format!(
        "{} is no name; expected 1 to {NAME_MAX} characters, without control characters, and without spaces at its \
         ends",
        quoted(text)
    ))
}

/// Notes that `name` is defined on `line`; refuses a second definition and names the first.
pub(super) fn define(
    seen: &mut BTreeMap<String, usize>,
    kind: &str,
    name: &str,
    line: usize,
) -> Result<(), Fault> {
    match seen.insert(name.to_owned(), line) {
        None => Ok(()),
        Some(first) => Err(Fault::new(
            line,
            format!(
                "{kind} {} is already defined on line {first}; give each {kind} its own name",
                quoted(name)
            ),
        )),
    }
}

impl<'a> Value<'a> {
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.line, message)
    }

    /// The refusal of this value, with what it is and what was expected.
    pub fn expected(&self, wanted: &str) -> Fault {
        let found = match self.node {
            DeValue::String(text) => quoted(&format!("\"{text}\"")),
            DeValue::Integer(number) => quoted(&number.to_string()),
            DeValue::Float(number) => quoted(&number.to_string()),
            DeValue::Boolean(flag) => quoted(&flag.to_string()),
            DeValue::Datetime(time) => quoted(&time.to_string()),
            DeValue::Array(_) => "a list".into(),
            DeValue::Table(_) => "a table".into(),
        };
        self.fault(format!("{} is {found}; expected {wanted}", self.what))
    }

    pub fn toml(&self) -> &'a DeValue<'a> {
        self.node
    }

    pub fn text(&self, wanted: &str) -> Result<&'a str, Fault> {
        self.node.as_str().ok_or_else(|| self.expected(wanted))
    }

    /// True or false.
    pub fn flag(&self) -> Result<bool, Fault> {
        self.node.as_bool().ok_or_else(|| self.expected("true or false"))
    }

    pub fn list(&self, wanted: &str) -> Result<Vec<Value<'a>>, Fault> {
        let items = self.node.as_array().ok_or_else(|| self.expected(wanted))?;
        let element = |item: &'a Spanned<DeValue<'a>>| Value {
            key: self.key,
            line: self.lines.of(item.span().start),
            what: format!("an element of {}", self.what),
            node: item.get_ref(),
            lines: self.lines,
        };
        Ok(items.iter().map(element).collect())
    }

    /// The elements of a list that must not be empty.
    pub fn filled_list(&self, wanted: &str) -> Result<Vec<Value<'a>>, Fault> {
        let items = self.list(wanted)?;
        if items.is_empty() {
            return Err(self.fault(format!("{} is an empty list; expected {wanted}", self.what)));
        }
        Ok(items)
    }

    /// A whole number within `range`.
    pub fn integer<T>(&self, range: RangeInclusive<T>) -> Result<T, Fault>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        self.integer_or(&range, "")
    }

    /// A whole number within `range`; `or` adds to the error what else would be right.
    pub fn integer_or<T>(&self, range: &RangeInclusive<T>, or: &str) -> Result<T, Fault>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let number = match self.node {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        number.and_then(|n| T::try_from(n).ok()).filter(|n| range.contains(n)).ok_or_else(|| {
            self.expected(&format!("a whole number from {} to {}{or}", range.start(), range.end()))
        })
    }

    /// The one of `choices` that the text names.
    pub fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, Fault> {
        let chosen = self.node.as_str().and_then(|text| choices.iter().find(|(name, _)| *name == text));
        chosen.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            self.expected(&format!("one of {}", names.join(", ")))
        })
    }

    /// The value as a table with that title.
    pub fn section(&self, title: String, wanted: &str) -> Result<Section<'a>, Fault> {
        let table = self.node.as_table().ok_or_else(|| self.expected(wanted))?;
        Ok(Section { title, line: self.line, table, lines: self.lines })
    }
}
