//! Whether the agent is well.

use super::reading::Reading;

/// What keeps the agent from doing all of its work, a sentence each; none where it is well. An agent that answers lives: to start it
/// again would help nobody.
pub(super) fn degraded(reading: &Reading) -> Vec<String> {
    let mut reasons = Vec::new();
    for interface in reading.interfaces.iter().filter(|interface| interface.mode.is_none()) {
        reasons.push(format!("{}: the interface is not watched", interface.name));
    }
    for interface in reading.interfaces.iter().filter(|interface| interface.mode.is_some()) {
        if interface.egress.is_none() {
            reasons.push(format!("{}: what goes out is not seen", interface.name));
        }
    }
    if let Some(why) = &reading.reloads.last_error {
        reasons.push(format!("the configuration stays as it was: {why}"));
    }
    for sink in &reading.sinks {
        for why in sink.outage.iter().chain(&sink.spool_trouble) {
            reasons.push(format!("sink {}: {why}", sink.name));
        }
    }
    reasons
}
