//! What the agent gives up once it watches, and what it keeps.

use std::path::PathBuf;

use anyhow::Result;

use super::interfaces::Interfaces;
use super::places::Places;
use crate::kernel::{Capability, Kernel, Sandbox, confine, keep_only};
use crate::policy::{AfterAttach, Policy};

/// What is left to the agent.
#[derive(Debug)]
pub(super) struct Confined {
    /// Where its files are confined: the places it has.
    places: Option<Places>,
}

/// Whether capabilities are left.
#[derive(Debug, PartialEq, Eq)]
enum Capabilities {
    /// None; these programs, which another hook would take, could not be loaded before.
    None { not_loaded: Vec<String> },
    /// Those that are needed, as configured.
    Configured,
    /// Those that are needed: filters at the clsact hooks of these interfaces are removed at the end, which takes
    /// `CAP_NET_ADMIN`.
    ForClsact(Vec<String>),
}

impl Confined {
    /// Gives up what the agent no longer needs. All interfaces have been attached to, and no other thread has begun.
    pub(super) fn settle(
        policy: &Policy,
        places: Places,
        kernel: &mut Kernel,
        interfaces: &Interfaces,
    ) -> Result<Self> {
        let capabilities = Capabilities::chosen(policy.rights.after_attach, interfaces.at_clsact(), || {
            interfaces.hooks().flat_map(|hook| kernel.ready(hook)).collect()
        });
        keep_only(if capabilities.are_left() { &Capability::NEEDED } else { &[] })?;
        capabilities.say();
        if !policy.rights.landlock {
            tracing::warn!("files are not confined, as configured");
            return Ok(Self { places: None });
        }
        let (sandbox, unreachable) = confine(&places.with_the_systems())?;
        let is_confined = matches!(sandbox, Sandbox::Landlock(_));
        if is_confined {
            tracing::info!("files are confined by {sandbox}");
        } else {
            tracing::warn!("files are not confined: {sandbox}");
        }
        say_unreachable(&unreachable);
        Ok(Self { places: is_confined.then_some(places) })
    }

    /// Why the agent cannot go on by a policy with these places.
    pub(super) fn bars(&self, wanted: &Places) -> Option<String> {
        let beyond = self.places.as_ref()?.first_beyond(wanted)?;
        Some(format!(
            "{} is out of reach, for files are confined to those that the configuration named at the start; restart \
             scanwatch",
            beyond.display()
        ))
    }
}

impl Capabilities {
    /// `ready` loads what a hook may take later, and returns what could not be loaded.
    fn chosen(wanted: AfterAttach, at_clsact: Vec<String>, ready: impl FnOnce() -> Vec<String>) -> Self {
        match wanted {
            AfterAttach::Keep => Self::Configured,
            AfterAttach::Drop if !at_clsact.is_empty() => Self::ForClsact(at_clsact),
            AfterAttach::Drop => Self::None { not_loaded: ready() },
        }
    }

    const fn are_left(&self) -> bool {
        !matches!(self, Self::None { .. })
    }

    fn say(&self) {
        let names = Capability::NEEDED.map(Capability::name).join(", ");
        match self {
            Self::None { not_loaded } => {
                tracing::info!("from now on without capabilities");
                for program in not_loaded {
                    tracing::info!("what cannot be attached later: {program}");
                }
            }
            Self::Configured => tracing::info!("from now on with {names}, as configured"),
            Self::ForClsact(interfaces) => tracing::info!(
                "from now on with {names}: without CAP_NET_ADMIN, filters at the clsact hooks of {} would be left behind",
                interfaces.join(", ")
            ),
        }
    }
}

fn say_unreachable(places: &[PathBuf]) {
    for place in places {
        tracing::warn!(
            "{} is not there, or not for this user; once that is put right, restart scanwatch",
            place.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_stay_where_it_is_configured_or_the_end_takes_them() {
        let untouched = || panic!("nothing is loaded to no purpose");
        assert_eq!(Capabilities::chosen(AfterAttach::Keep, Vec::new(), untouched), Capabilities::Configured);
        let at = vec!["eth0".to_owned()];
        let kept = Capabilities::chosen(AfterAttach::Drop, at.clone(), untouched);
        assert_eq!(kept, Capabilities::ForClsact(at));
        assert!(kept.are_left());
        let none = Capabilities::chosen(AfterAttach::Drop, Vec::new(), Vec::new);
        assert!(!none.are_left());
    }
}
