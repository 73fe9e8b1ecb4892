//! A row as a benchmark prints it, and as the file has it.

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

/// What a row about packets has in the file, in this order.
const PACKET_KEYS: [&str; 5] = ["name", "ns_per_packet", "empty_ns", "over_empty_ns", "mpps_per_core"];

/// One row.
pub(super) struct Row {
    line: String,
    fields: Map<String, Value>,
}

impl Row {
    /// Reads a line of a benchmark.
    pub(super) fn parse(line: &str) -> Result<Self> {
        let told = || format!("`{line}` is no row: a JSON object that has a name");
        let fields: Map<String, Value> = serde_json::from_str(line).with_context(told)?;
        fields.get("name").and_then(Value::as_str).with_context(told)?;
        Ok(Self { line: line.trim().to_owned(), fields })
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.text("name").unwrap_or_default()
    }

    /// A number, if there is one by this name.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        self.fields.get(key).and_then(Value::as_f64)
    }

    /// A text likewise.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.fields.get(key).and_then(Value::as_str)
    }

    /// It tells what a packet costs.
    pub(super) fn is_of_packets(&self) -> bool {
        PACKET_KEYS.iter().all(|key| self.fields.contains_key(*key))
    }

    /// The object that the file has.
    fn json(&self) -> String {
        if !self.is_of_packets() {
            return self.line.clone();
        }
        let pairs: Vec<String> =
            PACKET_KEYS.iter().map(|key| format!("\"{key}\":{}", self.fields[*key])).collect();
        format!("{{{}}}", pairs.join(","))
    }
}

/// All rows as a JSON array, one object a line.
pub(super) fn array(rows: &[Row]) -> String {
    let objects: Vec<String> = rows.iter().map(Row::json).collect();
    format!("[\n{}\n]\n", objects.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_an_array_with_one_object_a_line() {
        let packet = r#"{"name":"x","what":"w","ns_per_packet":3.5,"empty_ns":1,"over_empty_ns":2.5,"mpps_per_core":285.7,"target_ns":2}"#;
        let other = r#"{"name":"live","packets_per_s":7}"#;
        let rows = [Row::parse(packet).unwrap(), Row::parse(other).unwrap()];
        assert_eq!(
            array(&rows),
            "[\n{\"name\":\"x\",\"ns_per_packet\":3.5,\"empty_ns\":1,\"over_empty_ns\":2.5,\"mpps_per_core\":285.7},\n\
             {\"name\":\"live\",\"packets_per_s\":7}\n]\n"
        );
    }

    #[test]
    fn an_object_without_a_name_is_no_row() {
        assert!(Row::parse("{}").is_err());
        assert!(Row::parse("[1]").is_err());
    }
}
