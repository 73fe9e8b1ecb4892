//! Metrics of sinks.

use super::super::reading::SinkReading;
use super::Family;

/// Reads one number of a sink.
type Read = fn(&SinkReading) -> u64;

/// One family for each number, with a sample for each sink.
pub fn families(sinks: &[SinkReading]) -> [Family; 7] {
    let numbers: [(Family, Read); 7] = [
        (Family::gauge("scanwatch_sink_queue_records", "Records that wait for the receiver."), |sink| {
            sink.queued
        }),
        (
            Family::gauge("scanwatch_sink_queue_bytes", "Size of the records that wait for the receiver."),
            |sink| sink.queued_bytes,
        ),
        (Family::counter("scanwatch_sink_delivered_total", "Records the receiver has taken."), |sink| {
            sink.delivered
        }),
        (Family::counter("scanwatch_sink_retried_total", "Deliveries that were tried again."), |sink| {
            sink.retried
        }),
        (
            Family::counter("scanwatch_sink_dropped_total", "Records dropped because the spool was full."),
            |sink| sink.dropped,
        ),
        (
            Family::counter(
                "scanwatch_sink_refused_total",
                "Records the receiver will never take, put aside as dead letters.",
            ),
            |sink| sink.refused,
        ),
        (Family::gauge("scanwatch_sink_outage", "1 where the receiver cannot be reached, else 0."), |sink| {
            u64::from(sink.outage.is_some())
        }),
    ];
    numbers.map(|(mut family, read)| {
        for sink in sinks {
            family.add(&[("sink", &sink.name), ("type", &sink.transport)], read(sink));
        }
        family
    })
}
