//! Names of interfaces, for records.

use std::collections::BTreeMap;

/// Interface names by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces(BTreeMap<u32, String>);

impl Interfaces {
    /// Sets the name of an index.
    pub fn set(&mut self, index: u32, name: impl Into<String>) {
        self.0.insert(index, name.into());
    }

    /// The name of an index, where it is known.
    #[must_use]
    pub fn name(&self, index: u32) -> Option<&str> {
        self.0.get(&index).map(String::as_str)
    }
}
