//! The forms of messages, one file a form. All write the same message; none has more to say than another, but for what
//! its standard has no place for.

pub mod cef;
pub mod ecs;
pub mod eve;
pub mod leef;
pub mod ocsf;
mod parts;
pub mod template;
#[cfg(test)]
pub(super) mod tests;
pub mod text;

pub use template::Template;

use super::{Message, Observer};

/// The form of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Elastic Common Schema, one JSON document a line.
    #[default]
    Ecs,
    /// Suricata's Extensible Event Format, one JSON document a line.
    Eve,
    /// Open Cybersecurity Schema Framework, one JSON document a line.
    Ocsf,
    /// ArcSight's Common Event Format, one event a line.
    Cef,
    /// IBM's Log Event Extended Format 2.0, one event a line.
    Leef,
    /// One line a person reads: time, severity, what happened, and the evidence in short.
    Text,
}

impl Format {
    /// Every form by its name in the configuration.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("ecs", Self::Ecs),
        ("eve", Self::Eve),
        ("ocsf", Self::Ocsf),
        ("cef", Self::Cef),
        ("leef", Self::Leef),
        ("text", Self::Text),
    ];

    /// The name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }

    /// Media type of a message in this form (RFC 6838).
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Ecs | Self::Eve | Self::Ocsf => "application/json",
            Self::Cef | Self::Leef | Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// The message in this form: one line, without its end.
    #[must_use]
    pub fn write(self, message: &Message, observer: &Observer) -> Vec<u8> {
        match self {
            Self::Ecs => ecs::message(message, observer).to_string().into_bytes(),
            Self::Eve => eve::message(message, observer).to_string().into_bytes(),
            Self::Ocsf => ocsf::message(message, observer).to_string().into_bytes(),
            Self::Cef => cef::message(message, observer).into_bytes(),
            Self::Leef => leef::message(message, observer).into_bytes(),
            Self::Text => text::message(message).into_bytes(),
        }
    }
}
