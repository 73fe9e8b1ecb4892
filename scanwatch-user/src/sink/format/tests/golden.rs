//! The same messages in every form, byte for byte. Programs elsewhere rely on these lines.

use std::path::PathBuf;
use std::{env, fs};

use super::super::Format;
use super::messages::{all, observer};

/// Set to `write`, the files are made anew; what changed is then to be looked at.
const WRITE: &str = "SCANWATCH_GOLDEN";

fn file(format: Format) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    PathBuf::from(folder).join(format!("{}.txt", format.name()))
}

#[test]
fn every_form_of_every_message_is_as_it_was() {
    let is_writing = env::var(WRITE).is_ok_and(|value| value == "write");
    for (_, format) in Format::NAMES {
        let lines = all().into_iter().map(|sample| {
            let line = String::from_utf8(format.write(&sample.message(), &observer())).unwrap();
            assert!(!line.contains('\n'), "{}: {} is one line", format.name(), sample.name);
            (sample.name, line)
        });
        let lines: Vec<(&str, String)> = lines.collect();
        if is_writing {
            let text: String = lines.iter().flat_map(|(_, line)| [line.as_str(), "\n"]).collect();
            fs::write(file(format), text).unwrap();
        }
        let text = fs::read_to_string(file(format)).unwrap();
        let golden: Vec<&str> = text.lines().collect();
        assert_eq!(golden.len(), lines.len(), "{}: one line a message", format.name());
        for ((name, line), golden) in lines.iter().zip(golden) {
            assert_eq!(line, golden, "{}: {name}; if this is meant, run with {WRITE}=write", format.name());
        }
    }
}
