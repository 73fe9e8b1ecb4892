//! The rows for people.

use std::fmt::Write as _;

use super::row::Row;

/// Time for a packet at line rate with the shortest frames, which take 84 bytes of the wire: 14.88 million a second.
const BUDGET_10_GBE_NS: f64 = 67.2;
/// The same at 25 GbE: 37.2 million a second.
const BUDGET_25_GBE_NS: f64 = 26.88;

/// Both tables: what packets cost, and all else.
pub(super) fn render(rows: &[Row]) -> String {
    let (packets, others): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.is_of_packets());
    let mut table = String::new();
    if !packets.is_empty() {
        let _ = writeln!(
            table,
            "\n{:<24} {:>9} {:>8} {:>10} {:>9} {:>9} {:>9}   target",
            "row", "ns/packet", "empty", "over empty", "Mpps/core", "of 10 GbE", "of 25 GbE"
        );
        table.extend(packets.iter().map(|row| packet_line(row)));
        let _ = writeln!(
            table,
            "Of 10 and 25 GbE: what one core's packet takes of the time that the shortest frames leave it at line rate."
        );
    }
    if !others.is_empty() {
        let _ = writeln!(table, "\n{:<40} {:>20} {:>20}   target", "row", "", "baseline");
        table.extend(others.iter().map(|row| other_line(row)));
    }
    table
}

fn packet_line(row: &Row) -> String {
    let number = |key| row.number(key).unwrap_or_default();
    let packet_ns = number("ns_per_packet");
    let share = |budget_ns: f64| format!("{:.0} %", 100.0 * packet_ns / budget_ns);
    let line = format!(
        "{:<24} {packet_ns:>9.1} {:>8.1} {:>10.1} {:>9.2} {:>9} {:>9}   {}",
        row.name(),
        number("empty_ns"),
        number("over_empty_ns"),
        number("mpps_per_core"),
        share(BUDGET_10_GBE_NS),
        share(BUDGET_25_GBE_NS),
        verdict(number("over_empty_ns"), row.number("target_ns"), "ns"),
    );
    format!("{}\n", line.trim_end())
}

fn other_line(row: &Row) -> String {
    let shape = Shape::of(row);
    let scaled = |key| row.number(key).map(|value| value / shape.divisor);
    let with_unit =
        |key| scaled(key).map(|value| format!("{} {}", short(value), shape.unit)).unwrap_or_default();
    let mut remark = verdict(scaled(shape.value).unwrap_or_default(), scaled(shape.target), shape.unit);
    if let Some(ratio) = row.number("ratio") {
        remark = format!("{:.0} % of the baseline", 100.0 * ratio);
    }
    let line = format!(
        "{:<40} {:>20} {:>20}   {remark}",
        row.name(),
        with_unit(shape.value),
        with_unit(shape.baseline),
    );
    format!("{}\n", line.trim_end())
}

/// Where a row has what the table shows, and how it is shown.
struct Shape<'a> {
    value: &'static str,
    baseline: &'static str,
    target: &'static str,
    divisor: f64,
    unit: &'a str,
}

impl<'a> Shape<'a> {
    fn of(row: &'a Row) -> Self {
        let usual = Self {
            value: "value",
            baseline: "baseline",
            target: "target",
            divisor: 1.0,
            unit: row.text("unit").unwrap_or_default(),
        };
        let has = |key| row.number(key).is_some();
        if has("empty_packets_per_s") {
            let (value, baseline) = ("packets_per_s", "empty_packets_per_s");
            Self { value, baseline, divisor: 1e6, unit: "Mpps", ..usual }
        } else if has("kernel_bytes") {
            Self { value: "kernel_bytes", target: "target_bytes", divisor: 1024.0, unit: "KiB", ..usual }
        } else if has("instructions_verified") {
            Self { value: "instructions_verified", unit: "instructions", ..usual }
        } else {
            usual
        }
    }
}

/// The target, and whether the value keeps it.
fn verdict(value: f64, target: Option<f64>, unit: &str) -> String {
    let Some(target) = target else { return String::new() };
    let outcome =
        if value <= target { "met".to_owned() } else { format!("missed by {:.1} x", value / target) };
    format!("{} {unit}: {outcome}", short(target))
}

/// As many decimals as a number of its size needs.
fn short(value: f64) -> String {
    if value.fract().abs() < 0.005 || value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(line: &str) -> String {
        render(&[Row::parse(line).unwrap()])
    }

    #[test]
    fn a_packet_that_fits_line_rate_takes_less_than_all_of_its_budget() {
        let table = rendered(
            r#"{"name":"x","ns_per_packet":33.6,"empty_ns":6,"over_empty_ns":27.6,"mpps_per_core":29.76,"target_ns":30}"#,
        );
        let line = table.lines().nth(2).unwrap();
        assert!(line.contains(" 50 %"), "{line}");
        assert!(line.contains("125 %"), "{line}");
        assert!(line.ends_with("30 ns: met"), "{line}");
    }

    #[test]
    fn a_missed_target_says_by_how_much() {
        let table = rendered(
            r#"{"name":"x","ns_per_packet":66,"empty_ns":6,"over_empty_ns":60,"mpps_per_core":15.2,"target_ns":30}"#,
        );
        assert!(table.contains("30 ns: missed by 2.0 x"), "{table}");
    }

    #[test]
    fn other_rows_have_a_value_with_its_unit() {
        let table = rendered(r#"{"name":"agent_idle_memory","value":16.5,"unit":"MiB","target":32}"#);
        let line = table.lines().nth(2).unwrap();
        assert!(line.contains("16.50 MiB"), "{line}");
        assert!(line.ends_with("32 MiB: met"), "{line}");
    }

    #[test]
    fn packets_over_a_wire_are_told_in_millions_a_second_beside_the_empty_programs() {
        let table = rendered(
            r#"{"name":"live:x","packets_per_s":1250000,"empty_packets_per_s":2500000,"ratio":0.5}"#,
        );
        let line = table.lines().nth(2).unwrap();
        assert!(line.contains(" 1.25 Mpps"), "{line}");
        assert!(line.contains(" 2.50 Mpps"), "{line}");
        assert!(line.ends_with(" 50 % of the baseline"), "{line}");
    }

    #[test]
    fn memory_of_maps_is_told_in_kibibytes() {
        let table = rendered(r#"{"name":"maps","kernel_bytes":2097152,"target_bytes":1048576}"#);
        let line = table.lines().nth(2).unwrap();
        assert!(line.contains(" 2048 KiB"), "{line}");
        assert!(line.ends_with("1024 KiB: missed by 2.0 x"), "{line}");
    }
}
