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

    /// The index by which a name is known; a number that no interface has where it is not known yet.
    pub fn index_of(&mut self, name: &str) -> u32 {
        if let Some((index, _)) = self.0.iter().find(|(_, known)| *known == name) {
            return *index;
        }
        let index = (0..=u32::MAX).rev().find(|index| !self.0.contains_key(index)).unwrap_or_default();
        self.set(index, name);
        index
    }

    /// All indices with their names.
    pub fn all(&self) -> impl Iterator<Item = (u32, &str)> {
        self.0.iter().map(|(index, name)| (*index, name.as_str()))
    }

    /// The name of an index, where it is known.
    #[must_use]
    pub fn name(&self, index: u32) -> Option<&str> {
        self.0.get(&index).map(String::as_str)
    }
}
