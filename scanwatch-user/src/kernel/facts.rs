//! What the kernel says of the programs it took.

use super::error::KernelError;
use super::object::Kernel;

/// A program as the kernel keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramFacts {
    /// Name; the kernel keeps 15 characters.
    pub name: String,
    /// The kernel's number for it.
    pub id: u32,
    /// Its licence lets it use what is for GPL-compatible programs only.
    pub is_gpl_compatible: bool,
    /// Instructions the verifier went through, all paths together; it gives up at a million.
    pub instructions_verified: u32,
}

impl Kernel {
    /// Every program, loaded now where it was not yet, in the order of their names.
    pub fn programs(&mut self) -> Result<Vec<ProgramFacts>, KernelError> {
        let mut names: Vec<String> = self.ebpf.programs().map(|(name, _)| name.to_owned()).collect();
        names.sort_unstable();
        names.iter().map(|name| self.program(name)).collect()
    }

    fn program(&mut self, name: &str) -> Result<ProgramFacts, KernelError> {
        let info = self.loaded(name)?.info()?;
        Ok(ProgramFacts {
            name: info.name_as_str().unwrap_or_default().to_owned(),
            id: info.id(),
            is_gpl_compatible: info.gpl_compatible().unwrap_or_default(),
            instructions_verified: info.verified_instruction_count().unwrap_or_default(),
        })
    }
}
