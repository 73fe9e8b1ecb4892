//! What is replayed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::capture::{Capture, CaptureError};

/// A capture that is not open yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Standard,
}

impl Input {
    /// The input of this name, by the old custom that `-` is standard input.
    #[must_use]
    pub fn named(name: &Path) -> Self {
        if name.as_os_str() == "-" { Self::Standard } else { Self::File(name.to_owned()) }
    }

    /// Opens the capture.
    pub(super) fn open(&self) -> Result<Capture, CaptureError> {
        match self {
            Self::File(path) => Capture::open(path),
            Self::Standard => Capture::read(io::stdin()),
        }
    }
}

impl fmt::Display for Input {
    /// As messages name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Standard => f.write_str("standard input"),
        }
    }
}
