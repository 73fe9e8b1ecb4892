//! The watched interfaces: attached at start, lost, and found again.

use anyhow::Result;

use crate::engine::Engine;
use crate::kernel::{
    Attachment, Claim, Kernel, KernelError, Learned, LinkEvent, Mode, default_route_interface,
    interface_index,
};
use crate::policy::{Hook, Interface, Network, Policy};
use crate::watch::InterfaceReading;

/// A configured interface and, while it is there, its index.
struct Watched {
    wanted: Interface,
    index: Option<u32>,
    /// Keeps other agents away meanwhile.
    claim: Option<Claim>,
    /// Another name that it has by now, which was said.
    renamed: Option<String>,
    /// The last failure to attach was logged: it is tried again every epoch, and said once.
    failed: bool,
    /// What this interface's addresses teach.
    learned: Learned,
    /// The hooks, for what comes in and what goes out, while it is attached to.
    modes: (Mode, Option<Mode>),
}

/// All configured interfaces.
pub(super) struct Interfaces {
    all: Vec<Watched>,
    /// How they were attached to at the start, until that is said.
    unsaid: Vec<Attachment>,
}

impl Interfaces {
    /// Attaches to every configured interface; to the one that holds the default route where none is configured.
    pub(super) async fn open(policy: &Policy, kernel: &mut Kernel, engine: &mut Engine) -> Result<Self> {
        let mut wanted = policy.interfaces.clone();
        if wanted.is_empty() {
            wanted.push(Interface { name: default_route_interface().await?, hook: Hook::Auto });
        }
        let mut all = Vec::with_capacity(wanted.len());
        let mut unsaid = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let (attachment, claim) = attach(&wanted, kernel).await?;
            tell(&attachment, engine);
            unsaid.push(attachment.clone());
            let Attachment { index, learned, mode, egress, .. } = attachment;
            let (index, modes) = (Some(index), (mode, egress));
            all.push(Watched { wanted, index, claim, renamed: None, failed: false, learned, modes });
        }
        Ok(Self { all, unsaid })
    }

    /// Says how they were attached to: that they are watched is the last that is said of a start.
    pub(super) fn say(&mut self) {
        self.unsaid.drain(..).for_each(|attachment| say(&attachment));
    }

    /// Which are watched, and which are waited for.
    pub(super) fn status(&self) -> String {
        let names = |is_there: bool| {
            let some = self.all.iter().filter(|watched| watched.index.is_some() == is_there);
            some.map(|watched| watched.wanted.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        match (names(true), names(false)) {
            (watched, waited) if waited.is_empty() => format!("watching {watched}"),
            (watched, waited) if watched.is_empty() => format!("waiting for {waited}"),
            (watched, waited) => format!("watching {watched}, waiting for {waited}"),
        }
    }

    /// Follows a change that the kernel told.
    pub(super) async fn changed(&mut self, event: LinkEvent, kernel: &mut Kernel, engine: &mut Engine) {
        match event {
            LinkEvent::Gone { index } => self.gone(index, kernel, engine),
            LinkEvent::Readdressed { index } => {
                if let Some(watched) = self.all.iter_mut().find(|w| w.index == Some(index)) {
                    watched.learn_again(index, kernel, engine).await;
                }
            }
            LinkEvent::Present { index, name } => {
                // An interface may vanish and come back between two looks: then its index differs.
                self.named(index, &name);
                let stale = self.all.iter().find(|w| w.wanted.name == name).and_then(|w| w.index);
                if let Some(stale) = stale.filter(|stale| *stale != index) {
                    self.gone(stale, kernel, engine);
                }
                if let Some(watched) =
                    self.all.iter_mut().find(|w| w.wanted.name == name && w.index.is_none())
                {
                    watched.attach_again(kernel, engine).await;
                }
            }
        }
    }

    /// Takes note of an interface's name. One that has another by now is watched all the same.
    fn named(&mut self, index: u32, name: &str) {
        let Some(watched) = self.all.iter_mut().find(|w| w.index == Some(index)) else { return };
        let wanted = &watched.wanted.name;
        let renamed = (name != wanted).then(|| name.to_owned());
        if renamed != watched.renamed {
            if let Some(name) = &renamed {
                tracing::warn!(
                    "{wanted}: the interface is called {name} now, and is watched on as {wanted} until the next start: name \
                     it {name} in the configuration"
                );
            } else {
                tracing::info!("{wanted}: the interface has its name again");
            }
            watched.renamed = renamed;
        }
    }

    fn gone(&mut self, index: u32, kernel: &mut Kernel, engine: &mut Engine) {
        if let Some(watched) = self.all.iter_mut().find(|w| w.index == Some(index)) {
            kernel.detach(index);
            engine.set_forwarding(index, &[]);
            watched.index = None;
            watched.claim = None;
            watched.renamed = None;
            watched.failed = false;
            tracing::warn!("{}: the interface is gone; waiting for it to come back", watched.wanted.name);
        }
    }

    /// Tries again what could not be attached.
    pub(super) async fn retry(&mut self, kernel: &mut Kernel, engine: &mut Engine) {
        for watched in self.all.iter_mut().filter(|w| w.index.is_none() && w.failed) {
            watched.attach_again(kernel, engine).await;
        }
    }

    /// Those with a filter at a clsact hook, which does not go by itself.
    pub(super) fn at_clsact(&self) -> Vec<String> {
        let is_filtered =
            |watched: &&Watched| watched.modes.0 == Mode::Clsact || watched.modes.1 == Some(Mode::Clsact);
        self.all.iter().filter(is_filtered).map(|watched| watched.wanted.name.clone()).collect()
    }

    /// How each interface is watched, for whoever asks.
    pub(super) fn readings(&self) -> Vec<InterfaceReading> {
        let reading = |watched: &Watched| {
            let (mode, egress) = watched.modes;
            let attached = watched.index.is_some();
            InterfaceReading {
                name: watched.wanted.name.clone(),
                mode: attached.then(|| mode.to_string()),
                egress: egress.filter(|_| attached).map(|mode| mode.to_string()),
            }
        };
        self.all.iter().map(reading).collect()
    }

    /// Takes note of what addresses teach under other zones.
    pub(super) fn relearn(&mut self, kernel: &Kernel) {
        for watched in &mut self.all {
            let Some(index) = watched.index else { continue };
            let learned = kernel.learned(index);
            if learned.inside != watched.learned.inside {
                say_learned(&watched.wanted.name, &learned.inside);
            }
            watched.learned = learned;
        }
    }

    /// Detaches from all.
    pub(super) fn close(&mut self, kernel: &mut Kernel) {
        for watched in &mut self.all {
            if let Some(index) = watched.index.take() {
                kernel.detach(index);
                watched.claim = None;
            }
        }
    }
}

impl Watched {
    async fn attach_again(&mut self, kernel: &mut Kernel, engine: &mut Engine) {
        match attach(&self.wanted, kernel).await {
            Ok((attachment, claim)) => {
                self.claim = claim;
                self.index = Some(attachment.index);
                self.failed = false;
                tell(&attachment, engine);
                say(&attachment);
                self.modes = (attachment.mode, attachment.egress);
                self.learned = attachment.learned;
            }
            Err(error) => {
                if !self.failed {
                    let name = &self.wanted.name;
                    tracing::error!("{name}: not watched, trying again every 10 s: {}", later(&error));
                }
                self.failed = true;
            }
        }
    }
}

impl Watched {
    /// Follows a change of the interface's addresses.
    async fn learn_again(&mut self, index: u32, kernel: &mut Kernel, engine: &mut Engine) {
        match kernel.learn(index).await {
            Ok(learned) if learned != self.learned => {
                engine.set_forwarding(index, &learned.forwarding);
                if learned.inside != self.learned.inside {
                    say_learned(&self.wanted.name, &learned.inside);
                }
                self.learned = learned;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("{}: its addresses are not known: {error}", self.wanted.name),
        }
    }
}

/// Why an interface that came back is not watched: rights that were there at the start have been given up.
fn later(error: &KernelError) -> String {
    match error {
        KernelError::Rights(_) => "the capabilities that this takes were given up when all interfaces were watched; \
                                   restart scanwatch, and say `after_attach = \"keep\"` in [rights] to keep them"
            .to_owned(),
        other => other.to_string(),
    }
}

async fn attach(wanted: &Interface, kernel: &mut Kernel) -> Result<(Attachment, Option<Claim>), KernelError> {
    let index = interface_index(&wanted.name).await?;
    // Before the first look at the hooks, for what an agent left behind there is removed.
    let claim = Claim::on(&wanted.name, index).await?;
    Ok((kernel.attach(&wanted.name, index, wanted.hook).await?, claim))
}

/// Tells the engine of an interface.
fn tell(attachment: &Attachment, engine: &mut Engine) {
    engine.set_interface(attachment.index, &attachment.interface);
    engine.set_forwarding(attachment.index, &attachment.learned.forwarding);
}

fn say(attachment: &Attachment) {
    let Attachment { interface, mode, refused, egress, egress_refused, learned, .. } = attachment;
    for (mode, reason) in refused {
        tracing::warn!("{interface}: no {mode}: {reason}");
    }
    if let Some(egress) = egress {
        for (mode, reason) in egress_refused {
            tracing::info!("{interface}: no {mode} on the way out: {reason}");
        }
        tracing::info!("watching {interface} by {mode}, {egress} on the way out");
    } else {
        let reasons: Vec<String> =
            egress_refused.iter().map(|(mode, reason)| format!("{mode}: {reason}")).collect();
        tracing::warn!(
            "{interface}: what goes out is not seen ({}); scans by this host stay unseen, and so do answers on their way out",
            reasons.join("; ")
        );
        tracing::info!("watching {interface} by {mode}");
    }
    if !learned.inside.is_empty() {
        say_learned(interface, &learned.inside);
    }
}

fn say_learned(interface: &str, learned: &[Network]) {
    let networks: Vec<String> = learned.iter().map(ToString::to_string).collect();
    let networks = if networks.is_empty() { "nothing".to_owned() } else { networks.join(", ") };
    tracing::info!("{interface}: {networks} counts as inside by its addresses");
}
