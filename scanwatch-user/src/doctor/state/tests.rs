use std::fs;

use super::*;
use crate::config;
use crate::doctor::finding::Verdict;

const MIB: u64 = 1 << 20;

fn place() -> Place {
    let room = Room {
        available_bytes: 900 * MIB,
        total_bytes: 1_000 * MIB,
        files_available: Some(1_000),
        is_read_only: false,
    };
    let path = PathBuf::from("/var/lib/scanwatch");
    Place { path, standing: Standing::Usable, room: Some(room), holder: None }
}

fn spool_with(waiting: u64, refused: u64) -> Spool {
    Spool { name: "siem".to_owned(), max: 64 * MIB, content: Ok(Content { waiting, refused }) }
}

fn judged(place: Place, spools: Vec<Spool>) -> Vec<Finding> {
    judge(&Facts { place: Some(place), spools })
}

fn verdict_of_disk(available_bytes: u64, change: impl FnOnce(&mut Room)) -> Verdict {
    let mut place = place();
    if let Some(room) = &mut place.room {
        room.available_bytes = available_bytes;
        change(room);
    }
    judged(place, vec![spool_with(0, 0)])[1].verdict
}

#[test]
fn a_directory_with_room_is_ok() {
    let findings = judged(place(), vec![spool_with(0, 0)]);
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:?}");
    assert_eq!(findings[1].found, "900 MiB of 1000 MiB are free; spools may take 64 MiB more");
    let made = Place { standing: Standing::ToBeMade, ..place() };
    assert_eq!(judged(made, Vec::new())[0].verdict, Verdict::Ok);
}

#[test]
fn a_directory_without_rights_is_a_problem_and_what_is_in_the_way_is_named() {
    let standing = Standing::Denied("/var/lib".into(), "Permission denied (os error 13)".to_owned());
    let finding = judged(Place { standing, ..place() }, Vec::new()).remove(0);
    assert_eq!(finding.verdict, Verdict::Problem);
    assert_eq!(
        finding.found,
        "/var/lib/scanwatch cannot be used (/var/lib: Permission denied (os error 13)): spools would be held in \
         memory alone"
    );
    assert!(finding.advice.unwrap().contains("let the user that runs scanwatch write there"));
    let file = judged(Place { standing: Standing::NoDirectory, ..place() }, Vec::new()).remove(0);
    assert_eq!(file.verdict, Verdict::Problem);
}

#[test]
fn a_directory_that_a_scanwatch_has_is_no_obstacle_and_the_process_is_named() {
    let finding = judged(Place { holder: Some(4_711), ..place() }, Vec::new()).remove(0);
    assert_eq!(finding.verdict, Verdict::Note);
    assert!(finding.found.contains("in use by process 4711"), "{}", finding.found);
}

#[test]
fn a_disk_that_does_not_hold_what_spools_may_take_is_a_warning_and_a_full_one_a_problem() {
    assert_eq!(verdict_of_disk(64 * MIB, |_| ()), Verdict::Ok);
    assert_eq!(verdict_of_disk(63 * MIB, |_| ()), Verdict::Warning);
    assert_eq!(verdict_of_disk(MIB - 1, |_| ()), Verdict::Problem);
    assert_eq!(verdict_of_disk(900 * MIB, |room| room.files_available = Some(0)), Verdict::Problem);
    assert_eq!(verdict_of_disk(900 * MIB, |room| room.files_available = None), Verdict::Ok);
    assert_eq!(verdict_of_disk(900 * MIB, |room| room.is_read_only = true), Verdict::Problem);
}

#[test]
fn what_lies_in_a_spool_needs_no_more_room() {
    let mut place = place();
    place.room.as_mut().unwrap().available_bytes = 40 * MIB;
    assert_eq!(judged(place.clone(), vec![spool_with(20 * MIB, 0)])[1].verdict, Verdict::Warning);
    assert_eq!(judged(place, vec![spool_with(24 * MIB, 0)])[1].verdict, Verdict::Ok);
}

#[test]
fn what_waits_is_noted_and_a_spool_half_full_is_a_warning() {
    let spool = |waiting, refused| one_spool(&spool_with(waiting, refused));
    assert_eq!(spool(0, 0).verdict, Verdict::Ok);
    assert_eq!(spool(MIB, 0).found, "1 MiB of 64 MiB at most wait in the spool");
    assert_eq!(spool(MIB, 0).verdict, Verdict::Note);
    assert_eq!(spool(33 * MIB, 0).verdict, Verdict::Warning);
    let refused = spool(0, 2_048);
    assert_eq!(refused.verdict, Verdict::Note);
    assert!(refused.advice.unwrap().contains("dead-letters.jsonl"));
    assert!(spool(MIB, 2_048).found.ends_with("2 KiB were refused by the receiver, and put aside"));
    let hidden = Spool { content: Err("denied".to_owned()), ..spool_with(0, 0) };
    assert_eq!(one_spool(&hidden).verdict, Verdict::Note);
}

#[test]
fn without_a_directory_it_is_said_what_ends_with_the_process() {
    let findings = judge(&Facts { place: None, spools: Vec::new() });
    assert_eq!((findings.len(), findings[0].verdict), (1, Verdict::Note));
    assert!(findings[0].advice.as_ref().unwrap().contains("--state-dir"));
}

/// A configuration with one sink, whose state is kept there.
fn policy_at(directory: &Path) -> Policy {
    let text = format!(
        "[state]\ndirectory = {:?}\n[[sink]]\nname = \"siem\"\ntype = \"stdout\"\n",
        directory.display().to_string()
    );
    config::parse(&text, "a.toml").unwrap()
}

#[test]
fn what_lies_on_disk_is_found_and_nothing_is_made_by_looking() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("a/b");
    let place_of = |path: &Path| gather(&policy_at(path)).place.unwrap();
    assert_eq!(place_of(&missing).standing, Standing::ToBeMade);
    assert!(place_of(&missing).room.is_some());
    assert!(!folder.path().join("a").exists());

    let spool = state::spools(folder.path()).join("siem");
    fs::create_dir_all(&spool).unwrap();
    fs::write(spool.join("0000000000000001.seg"), [0; 100]).unwrap();
    fs::write(spool.join("0000000000000002.seg"), [0; 20]).unwrap();
    fs::write(spool.join("dead-letters.jsonl"), [0; 7]).unwrap();
    fs::write(spool.join("ledger"), [0; 192]).unwrap();
    let facts = gather(&policy_at(folder.path()));
    assert_eq!(facts.place.as_ref().unwrap().standing, Standing::Usable);
    assert_eq!(facts.spools[0].content, Ok(Content { waiting: 120, refused: 7 }));
    assert!(!folder.path().join(state::LOCK).exists());

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(place_of(&file).standing, Standing::NoDirectory);
    assert_eq!(place_of(&file.join("below")).standing, Standing::NoDirectory);
}

#[test]
fn a_scanwatch_that_has_the_directory_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let _held = state::StateDirectory::open(folder.path()).unwrap();
    assert_eq!(gather(&policy_at(folder.path())).place.unwrap().holder, Some(std::process::id()));
}
