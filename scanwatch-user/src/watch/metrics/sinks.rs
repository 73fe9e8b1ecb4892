//! Metrics of sinks.

use super::Family;
use crate::sink::Reading;

/// Reads one number of a sink.
type Read = fn(&Reading) -> u64;

/// One family for each number, with a sample for each sink.
pub fn families(sinks: &[Reading]) -> [Family; 8] {
    let numbers: [(Family, Read); 8] = [
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
        (
            Family::gauge("scanwatch_sink_spool_trouble", "1 where the spool is not on disk, else 0."),
            |sink| u64::from(sink.spool_trouble.is_some()),
        ),
    ];
    numbers.map(|(mut family, read)| {
        for sink in sinks {
            family.add(&[("sink", &sink.name), ("type", sink.transport)], read(sink));
        }
        family
    })
}
