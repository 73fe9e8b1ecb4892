//! What a running agent keeps of its rights.

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Files are confined by Landlock, where the kernel has it.
    pub landlock: bool,
    /// What becomes of the capabilities once all interfaces are attached to.
    pub after_attach: AfterAttach,
}

/// What becomes of the capabilities once all interfaces are attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterAttach {
    /// They are given up, unless a hook takes them at the end.
    Drop,
    /// They are kept: for interfaces that come back and take another hook than before.
    Keep,
}

impl Default for Rights {
    fn default() -> Self {
        Self { landlock: true, after_attach: AfterAttach::Drop }
    }
}
