//! What this thread may do.

use std::fs;

/// A capability that scanwatch has to do with (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Loads programs and makes maps.
    Bpf,
    /// Attaches programs to interfaces.
    NetAdmin,
    /// Lets the verifier accept what it refuses from others as unsafe.
    Perfmon,
    /// Looks at other programs; includes [`Self::Bpf`] and [`Self::Perfmon`].
    SysAdmin,
    /// Gives a socket to any group.
    Chown,
    /// Listens on ports before 1024.
    NetBindService,
    /// Looks at descriptors of other processes.
    SysPtrace,
}

impl Capability {
    /// The capabilities without which nothing can be watched.
    pub const NEEDED: [Self; 3] = [Self::Bpf, Self::NetAdmin, Self::Perfmon];

    /// Those that are of use until all interfaces are attached to, where they are there: to listen on any port, to give a
    /// socket to any group, and to name whoever holds a hook.
    pub const WHILE_IT_STARTS: [Self; 7] = [
        Self::Bpf,
        Self::NetAdmin,
        Self::Perfmon,
        Self::Chown,
        Self::NetBindService,
        Self::SysAdmin,
        Self::SysPtrace,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bpf => "CAP_BPF",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::Perfmon => "CAP_PERFMON",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::Chown => "CAP_CHOWN",
            Self::NetBindService => "CAP_NET_BIND_SERVICE",
            Self::SysPtrace => "CAP_SYS_PTRACE",
        }
    }

    /// The same, as the crate that gives capabilities up names it.
    pub(super) const fn as_caps(self) -> caps::Capability {
        match self {
            Self::Bpf => caps::Capability::CAP_BPF,
            Self::NetAdmin => caps::Capability::CAP_NET_ADMIN,
            Self::Perfmon => caps::Capability::CAP_PERFMON,
            Self::SysAdmin => caps::Capability::CAP_SYS_ADMIN,
            Self::Chown => caps::Capability::CAP_CHOWN,
            Self::NetBindService => caps::Capability::CAP_NET_BIND_SERVICE,
            Self::SysPtrace => caps::Capability::CAP_SYS_PTRACE,
        }
    }

    /// Its bit in `linux/capability.h`.
    fn bit(self) -> u64 {
        self.as_caps().bitmask()
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// Those that this thread has now; `None` where /proc does not tell.
    #[must_use]
    pub fn effective() -> Option<Self> {
        let status = fs::read_to_string("/proc/thread-self/status").ok()?;
        let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
        u64::from_str_radix(effective.trim(), 16).ok().map(Self)
    }

    /// A set of these alone.
    #[must_use]
    pub fn of(capabilities: &[Capability]) -> Self {
        Self(capabilities.iter().fold(0, |set, capability| set | capability.bit()))
    }

    /// Its bits, as in `linux/capability.h`.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether it lets do what the capability is for.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        let included = match capability {
            Capability::Bpf | Capability::Perfmon => Capability::SysAdmin.bit(),
            _ => 0,
        };
        self.0 & (capability.bit() | included) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_administrators_capability_includes_those_that_were_parted_from_it() {
        let all = Capabilities::of(&[Capability::SysAdmin]);
        assert!(all.has(Capability::Bpf) && all.has(Capability::Perfmon) && all.has(Capability::SysAdmin));
        assert!(!all.has(Capability::NetAdmin));
        let few = Capabilities::of(&[Capability::Bpf, Capability::NetAdmin]);
        assert!(few.has(Capability::Bpf) && few.has(Capability::NetAdmin));
        assert!(!few.has(Capability::Perfmon) && !few.has(Capability::SysAdmin));
    }
}
