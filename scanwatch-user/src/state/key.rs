//! The key of every hash, which is a secret: whoever knew it could choose addresses whose hashes collide.
//!
//! What is remembered over a restart can be merged only with what is counted under the same key. So where there is a state
//! directory the key is drawn once, and kept there for the eyes of the agent's own user; without one, every start has another.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::{fs, io};

use scanwatch_common::sketch::{Hasher, KEY_WORDS};

use super::file::{self, Unreadable};

/// Name of the key's file.
pub const KEY: &str = "hash-key";
const MODE: u32 = 0o600;
/// Hexadecimal digits of a word.
const DIGITS: usize = 16;

/// Makes hashes that no other start makes.
pub fn of_start() -> io::Result<Hasher> {
    Ok(Hasher::keyed(drawn()?))
}

/// Makes the hashes of a directory: by the key that is kept there, or else by another, which is kept from now on. A file that
/// is not believed is put aside, and one that cannot be written is said.
pub fn kept_in(folder: &Path) -> io::Result<Hasher> {
    let path = folder.join(KEY);
    match read(&path) {
        Ok(key) => return Ok(Hasher::keyed(key)),
        Err(Unreadable::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
        Err(why) => {
            let done = file::put_aside(&path);
            tracing::error!(
                "{}: the key of the hashes cannot be used: {why}; {done}, and another is drawn",
                path.display()
            );
        }
    }
    let key = drawn()?;
    let words = key.map(|word| format!("{word:0DIGITS$x}"));
    if let Err(error) = file::write(folder, (KEY, MODE), 0, words.concat().as_bytes()) {
        tracing::error!(
            "{}: the key of the hashes cannot be kept, and the next start will know nothing of this one: {error}",
            path.display()
        );
    }
    Ok(Hasher::keyed(key))
}

fn read(path: &Path) -> Result<[u64; KEY_WORDS], Unreadable> {
    let mode = fs::metadata(path)?.mode() & 0o777;
    if mode & !MODE != 0 {
        return Err(Unreadable::Damaged(format!("others can read it or write to it (mode {mode:04o})")));
    }
    let (_, body) = file::read(path)?;
    let words: Option<Vec<u64>> = body
        .chunks(DIGITS)
        .map(|digits| u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok())
        .collect();
    let key = words.and_then(|words| words.try_into().ok());
    key.ok_or_else(|| {
        Unreadable::Damaged(format!("it holds no {KEY_WORDS} words of {DIGITS} hexadecimal digits"))
    })
}

fn drawn() -> io::Result<[u64; KEY_WORDS]> {
    let mut key = [0; KEY_WORDS];
    for word in &mut key {
        *word = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn every_start_without_a_directory_has_a_key_of_its_own() {
        assert!(of_start().unwrap() != of_start().unwrap());
    }

    #[test]
    fn a_directory_has_one_key_and_another_directory_another() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let first = kept_in(one.path()).unwrap();
        assert!(first == kept_in(one.path()).unwrap());
        assert!(first != kept_in(other.path()).unwrap());
        assert_eq!(fs::read_dir(one.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_is_for_nobody_else_and_one_that_others_can_read_is_drawn_anew() {
        let folder = tempfile::tempdir().unwrap();
        let first = kept_in(folder.path()).unwrap();
        let path = folder.path().join(KEY);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let next = kept_in(folder.path()).unwrap();
            assert!(next != first, "{mode:o}");
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        }
        assert!(path.with_extension("bad").exists());
    }

    #[test]
    fn a_damaged_key_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let first = kept_in(folder.path()).unwrap();
        for body in
            [&b"0123"[..], &[b'0'; KEY_WORDS * DIGITS - 1], &[b'x'; KEY_WORDS * DIGITS], &[b'0'; 4_096]]
        {
            file::write(folder.path(), (KEY, MODE), 0, body).unwrap();
            assert!(kept_in(folder.path()).unwrap() != first);
            assert!(folder.path().join(KEY).with_extension("bad").exists());
        }
    }

    #[test]
    fn a_key_is_in_no_log_line() {
        let key = [0x5ec2_e7ab_cdef_0123; KEY_WORDS];
        let shown = format!(
            "{:?}",
            scanwatch_common::abi::Settings {
                hasher: Hasher::keyed(key),
                ..scanwatch_common::abi::Settings::DEFAULT
            }
        );
        assert!(shown.contains("Hasher { .. }") && !shown.contains("5ec2e7ab"), "{shown}");
        assert!(!shown.contains(&key[0].to_string()), "{shown}");
    }
}
