//! The state directory, and the spools in it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::finding::{Area, Check, Finding};
use super::text::bytes;
use crate::kernel::{Room, may_write, room};
use crate::policy::{Policy, SinkPlan};
use crate::state;

/// Less room than this is none: what is remembered of an office takes as much.
const ROOM_MIN: u64 = 1 << 20;

/// What there is to know of the directory.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub path: PathBuf,
    pub standing: Standing,
    /// The file system it is on, or would be.
    pub room: Option<Room>,
    /// The process that has it for its own.
    pub holder: Option<u32>,
}

/// Whether the directory can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is there, and can be written.
    Usable,
    /// It is not there, and can be made.
    ToBeMade,
    /// Something else is in its place.
    NoDirectory,
    /// This cannot be written, or looked into, and why.
    Denied(PathBuf, String),
}

/// What there is to know of a sink's spool.
#[derive(Clone, Debug)]
pub(super) struct Spool {
    pub name: String,
    /// Limit, bytes.
    pub max: u64,
    /// What lies in it, bytes; or why that is not known.
    pub content: Result<Content, String>,
}

/// What lies in a spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    /// What waits to be delivered; a part of the first segment may have been delivered.
    pub waiting: u64,
    /// What the receiver refused.
    pub refused: u64,
}

/// What there is to know.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// `None` where nothing outlives the process.
    pub place: Option<Place>,
    pub spools: Vec<Spool>,
}

pub(super) fn gather(policy: &Policy) -> Facts {
    let Some(path) = state::wanted(policy) else { return Facts { place: None, spools: Vec::new() } };
    let spools = policy.sinks.iter().map(|plan| spool(&path, plan)).collect();
    let standing = standing(&path, policy);
    let room = path.ancestors().find_map(|place| room(place).ok());
    let holder = state::in_use_by(&path);
    Facts { place: Some(Place { path, standing, room, holder }), spools }
}

fn standing(path: &Path, policy: &Policy) -> Standing {
    let denied = |place: &Path, error: &io::Error| Standing::Denied(place.to_owned(), error.to_string());
    match path.metadata() {
        Ok(found) if !found.is_dir() => return Standing::NoDirectory,
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return to_be_made(path),
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Standing::NoDirectory,
        Err(error) => return denied(path, &error),
    }
    let spools = state::spools(path);
    let inside = policy.sinks.iter().map(|plan| spools.join(&plan.name));
    let places = [path.to_owned(), path.join(state::LOCK), spools.clone()].into_iter().chain(inside);
    for place in places {
        match may_write(&place) {
            Err(error) if error.kind() != ErrorKind::NotFound => return denied(&place, &error),
            _ => {}
        }
    }
    Standing::Usable
}

/// A directory that is not there is made in the nearest one that is.
fn to_be_made(path: &Path) -> Standing {
    let there = path.ancestors().skip(1).find(|place| place.exists()).unwrap_or(Path::new("/"));
    match may_write(there) {
        Ok(()) if there.is_dir() => Standing::ToBeMade,
        Ok(()) => Standing::NoDirectory,
        Err(error) => Standing::Denied(there.to_owned(), error.to_string()),
    }
}

fn spool(directory: &Path, plan: &SinkPlan) -> Spool {
    let folder = state::spools(directory).join(&plan.name);
    let content = match content(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Content::default()),
        found => found.map_err(|error| format!("{}: {error}", folder.display())),
    };
    Spool { name: plan.name.clone(), max: plan.spool.bytes_max, content }
}

fn content(folder: &Path) -> io::Result<Content> {
    let mut content = Content::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // What was delivered since the folder was listed is gone.
        let Ok(length) = entry.metadata().map(|found| found.len()) else { continue };
        if name.ends_with(".seg") {
            content.waiting += length;
        } else if name.starts_with("dead-letters.") {
            content.refused += length;
        }
    }
    Ok(content)
}

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let Some(place) = &facts.place else {
        let check = Check::of(Area::State, "directory");
        return vec![
            check
                .note("no state directory is configured: open incidents, and what was learnt, end with the process")
                .advising("name one with --state-dir, or as `directory` in [state]"),
        ];
    };
    let mut findings = vec![directory(place)];
    findings.extend(place.room.map(|found| disk(place, &found, &facts.spools)));
    findings.extend(facts.spools.iter().map(one_spool));
    findings
}

fn directory(place: &Place) -> Finding {
    let check = Check::of(Area::State, "directory");
    let path = place.path.display();
    let lost = "spools would be held in memory alone";
    match (&place.standing, place.holder) {
        (Standing::Denied(where_, why), _) => {
            let found = format!("{path} cannot be used ({}: {why}): {lost}", where_.display());
            check.problem(
                found,
                "let the user that runs scanwatch write there, or name another with --state-dir",
            )
        }
        (Standing::NoDirectory, _) => check.problem(
            format!("{path} cannot be used, for something else than a folder is in its place: {lost}"),
            "remove that, or name another with --state-dir",
        ),
        (Standing::Usable | Standing::ToBeMade, Some(pid)) => check
            .note(format!("{path} is in use by process {pid}: a scanwatch runs"))
            .advising("nothing; a second one needs another, by --state-dir"),
        (Standing::Usable, None) => check.ok(format!("{path} can be written")),
        (Standing::ToBeMade, None) => check.ok(format!("{path} is not there yet, and can be made")),
    }
}

/// Whether the disk holds what the spools may come to hold.
fn disk(place: &Place, found: &Room, spools: &[Spool]) -> Finding {
    let check = Check::of(Area::State, "disk");
    let rest =
        |spool: &Spool| spool.max.saturating_sub(spool.content.as_ref().map_or(0, |found| found.waiting));
    let wanted: u64 = spools.iter().map(rest).sum();
    let available = found.available_bytes;
    let of = format!("{} of {} are free", bytes(available), bytes(found.total_bytes));
    let path = place.path.display();
    if found.is_read_only {
        return check.problem(
            format!("the disk of {path} is mounted for reading alone"),
            "mount it for writing, or name another directory with --state-dir",
        );
    }
    let make_room = "make room, or name a directory on another disk with --state-dir";
    if available < ROOM_MIN {
        return check.problem(format!("the disk of {path} is full: {of}"), make_room);
    }
    if found.files_available == Some(0) {
        return check.problem(format!("the disk of {path} takes no more files"), make_room);
    }
    if available < wanted {
        return check.warning(
            format!("the disk of {path} does not hold what the spools may come to hold: {of}, and they may take {} more", bytes(wanted)),
            format!("{make_room}, or set a lower `spool_max_mib` in the sinks"),
        );
    }
    let spools = if wanted > 0 { format!("; spools may take {} more", bytes(wanted)) } else { String::new() };
    check.ok(format!("{of}{spools}"))
}

fn one_spool(spool: &Spool) -> Finding {
    let check = Check::about(Area::State, "spool", &spool.name);
    let content = match &spool.content {
        Ok(content) => content,
        Err(why) => {
            return check
                .note(format!("what waits in it does not show ({why})"))
                .advising("run doctor as root, or as the user that runs scanwatch");
        }
    };
    let limit = format!("of {} at most", bytes(spool.max));
    if content.waiting > spool.max / 2 {
        return check.warning(
            format!(
                "{} {limit} wait in the spool: once it is full, something is dropped",
                bytes(content.waiting)
            ),
            "bring the receiver back, or set a higher `spool_max_mib`",
        );
    }
    let refused = format!("{} were refused by the receiver, and put aside", bytes(content.refused));
    match (content.waiting, content.refused) {
        (0, 0) => check.ok(format!("nothing waits in the spool; {} are kept at most", bytes(spool.max))),
        (0, _) => {
            check.note(refused).advising("read dead-letters.jsonl in its folder: it says why; then remove it")
        }
        (waiting, refused_bytes) => {
            let more = if refused_bytes > 0 { format!("; {refused}") } else { String::new() };
            check
                .note(format!("{} {limit} wait in the spool{more}", bytes(waiting)))
                .advising("nothing while a scanwatch delivers; else see what the sink says")
        }
    }
}

#[cfg(test)]
mod tests;
