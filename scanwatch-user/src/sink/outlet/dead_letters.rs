//! What a receiver refused, put aside for a person: a JSON document a line.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::engine::Timestamp;
use crate::sink::Envelope;

/// Size at which the file becomes `dead-letters.1.jsonl`, in place of the one before.
const BYTES_MAX: u64 = 16 << 20;

/// The file.
#[derive(Debug)]
pub struct DeadLetters {
    path: PathBuf,
}

impl DeadLetters {
    /// The file in a spool's folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join("dead-letters.jsonl") }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a message aside, with what its receiver said.
    pub fn put(&self, envelope: &Envelope, why: &str, now: Timestamp) -> io::Result<()> {
        let at = jiff::Timestamp::from_nanosecond(i128::from(now.as_ns())).unwrap_or(jiff::Timestamp::MAX);
        let letter = json!({
            "at": at.to_string(),
            "id": envelope.id,
            "payload": String::from_utf8_lossy(&envelope.payload),
            "why": why,
        });
        let mut line = letter.to_string().into_bytes();
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).mode(0o640).open(&self.path)?;
        let before = file.metadata()?.len();
        if before > 0 && before + line.len() as u64 > BYTES_MAX {
            fs::rename(&self.path, self.path.with_extension("1.jsonl"))?;
            file = OpenOptions::new().create(true).append(true).mode(0o640).open(&self.path)?;
        }
        let written = file.write_all(&line);
        if written.is_err() {
            // Half a line is no letter.
            let _ = file.set_len(before);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::engine::Severity;

    #[test]
    fn letters_are_for_the_agents_user_and_group_alone() {
        let folder = tempfile::tempdir().unwrap();
        let letters = DeadLetters::in_folder(folder.path());
        let envelope = Envelope {
            id: "7".to_owned(),
            key: "7".to_owned(),
            at: Timestamp::from_ns(0),
            severity: Severity::Low,
            payload: "{}".into(),
        };
        letters.put(&envelope, "no", Timestamp::from_ns(0)).unwrap();
        assert_eq!(fs::metadata(letters.path()).unwrap().mode() & 0o777 & !0o640, 0);
    }
}
