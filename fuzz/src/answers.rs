//! What a receiver answers by HTTP.

use scanwatch::sink::fuzzing::answers;

/// Delivers messages to a receiver that answers as the input says.
///
/// # Panics
/// Where [`answers::deliver`] does.
pub fn check(input: &[u8]) {
    answers::deliver(input);
}

/// Answers as they are documented.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    answers::seeds()
}
