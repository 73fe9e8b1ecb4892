//! Who holds an interface's XDP hook.

use std::{fmt, fs};

use aya::programs::loaded_programs;
use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage, LinkXdp};

use super::links::link_by_index;

/// How the names of scanwatch's own programs begin.
const OWN: &str = "scanwatch_";

/// The program on an interface's XDP hook, and the process that keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XdpHolder {
    /// The kernel's number for the program.
    pub program: u32,
    /// Its name, where it has one and this user may ask.
    pub name: Option<String>,
    /// Number and name of a process that holds the program or its link, where there is one and this user may look.
    pub process: Option<(u32, String)>,
}

impl XdpHolder {
    /// Whether it is a scanwatch, as far as this user may know.
    #[must_use]
    pub fn is_scanwatch(&self) -> bool {
        self.name.as_ref().is_some_and(|name| name.starts_with(OWN))
    }

    fn of_program(program: u32) -> Self {
        let name = loaded_programs()
            .filter_map(Result::ok)
            .find(|loaded| loaded.id() == program)
            .and_then(|loaded| loaded.name_as_str().map(str::to_owned))
            .filter(|name| !name.is_empty());
        Self { program, name, process: owner(program) }
    }
}

impl fmt::Display for XdpHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "program {name:?} (id {})", self.program)?,
            None => write!(f, "program id {}", self.program)?,
        }
        match &self.process {
            Some((pid, command)) => write!(f, " of process {pid} ({command})"),
            None => Ok(()),
        }
    }
}

/// A description of the program on the interface's XDP hook, and of the process that keeps it.
pub(super) async fn of_xdp(index: u32) -> String {
    let link = link_by_index(index).await.ok().flatten();
    match link.as_ref().and_then(of_link) {
        Some(holder) => holder.to_string(),
        None => "a program the kernel does not name".to_owned(),
    }
}

/// Who holds the XDP hook of an interface; `None` where it is free.
pub(super) fn of_link(link: &LinkMessage) -> Option<XdpHolder> {
    program_id(link).map(XdpHolder::of_program)
}

fn program_id(link: &LinkMessage) -> Option<u32> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Xdp(xdp) => xdp.iter().find_map(|x| match x {
            LinkXdp::ProgId(id) | LinkXdp::DrvProgId(id) | LinkXdp::SkbProgId(id) | LinkXdp::HwProgId(id) => {
                Some(*id)
            }
            _ => None,
        }),
        _ => None,
    })
}

/// The process with a descriptor of the program or of its link, where this user may look.
fn owner(program: u32) -> Option<(u32, String)> {
    let wanted = format!("prog_id:\t{program}");
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(descriptors) = fs::read_dir(entry.path().join("fdinfo")) else { continue };
        let holds = descriptors.flatten().any(|descriptor| {
            fs::read_to_string(descriptor.path()).is_ok_and(|text| text.lines().any(|line| line == wanted))
        });
        if holds {
            let command = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some((pid, command.trim().to_owned()));
        }
    }
    None
}
