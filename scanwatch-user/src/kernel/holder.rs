//! Who holds an interface's XDP hook.

use std::fs;

use aya::programs::loaded_programs;
use rtnetlink::packet_route::link::{LinkAttribute, LinkXdp};

use super::links::link_by_index;

/// A description of the program on the interface's XDP hook, and of the process that keeps it.
pub(super) async fn of_xdp(index: u32) -> String {
    let Some(id) = program_id(index).await else { return "a program the kernel does not name".to_owned() };
    let name = loaded_programs()
        .filter_map(Result::ok)
        .find(|program| program.id() == id)
        .and_then(|program| program.name_as_str().map(str::to_owned))
        .filter(|name| !name.is_empty());
    let program = match name {
        Some(name) => format!("program {name:?} (id {id})"),
        None => format!("program id {id}"),
    };
    match owner(id) {
        Some((pid, command)) => format!("{program} of process {pid} ({command})"),
        None => program,
    }
}

async fn program_id(index: u32) -> Option<u32> {
    let link = link_by_index(index).await.ok()??;
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
