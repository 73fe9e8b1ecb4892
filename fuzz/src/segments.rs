//! The folder of a spool, whatever lies there.

use scanwatch::sink::fuzzing::segments;

/// Takes up what the input says lies in a folder.
///
/// # Panics
/// Where [`segments::take_up`] does.
pub fn check(input: &[u8]) {
    // In memory where there is such a place: thousands of folders are made in a second.
    let place = std::path::Path::new("/dev/shm");
    let place = if place.is_dir() { place.to_owned() } else { std::env::temp_dir() };
    let folder = tempfile::tempdir_in(place).expect("a folder");
    segments::take_up(folder.path(), input);
}

/// Folders that a spool wrote, some of them damaged.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    segments::seeds()
}
