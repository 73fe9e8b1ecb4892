//! Every form of every kind of message: byte for byte, whatever names hold, and field by field against what is published.

mod documents;
mod fields;
mod golden;
pub(in crate::sink) mod messages;
mod properties;
