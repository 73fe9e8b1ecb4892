//! The forms of messages, one file a form. All write the same message; none has more to say than another, but for what
//! its standard has no place for.

pub mod ecs;
pub mod template;
pub mod text;

pub use template::Template;

use super::{Message, Observer};

/// The form of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Elastic Common Schema, one JSON document a line.
    #[default]
    Ecs,
    /// One line a person reads: time, severity, what happened, and the evidence in short.
    Text,
}

impl Format {
    /// Every form by its name in the configuration.
    pub const NAMES: [(&'static str, Self); 2] = [("ecs", Self::Ecs), ("text", Self::Text)];

    /// The name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }

    /// Media type of a message in this form (RFC 6838).
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Ecs => "application/json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// The message in this form: one line, without its end.
    #[must_use]
    pub fn write(self, message: &Message, observer: &Observer) -> Vec<u8> {
        match self {
            Self::Ecs => ecs::message(message, observer).to_string().into_bytes(),
            Self::Text => text::message(message).into_bytes(),
        }
    }
}
