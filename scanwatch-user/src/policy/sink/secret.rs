//! A secret: named in the configuration, and kept elsewhere.

use std::fmt;
use std::path::PathBuf;

/// Where a secret is. It is read when it is needed, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// In a file, which holds nothing else; an end of line at its end does not belong to it.
    File(PathBuf),
    /// In an environment variable.
    Environment(String),
}

impl Secret {
    /// Reads it.
    ///
    /// # Errors
    /// One sentence that says where it is not, and what to do.
    pub fn read(&self) -> Result<String, String> {
        let text = match self {
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| {
                format!("the secret in {} cannot be read ({error}); let this user read it", path.display())
            })?,
            Self::Environment(name) => std::env::var(name).map_err(|_| {
                format!("the environment has no secret ${name}; set it where scanwatch is started")
            })?,
        };
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() || secret.contains(char::is_control) {
            return Err(format!("{self} is no secret: it must be one line that is not empty"));
        }
        Ok(secret.to_owned())
    }
}

impl fmt::Display for Secret {
    /// Where it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "${name}"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({self})")
    }
}
