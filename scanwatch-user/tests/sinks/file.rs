//! `type = "file"`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use scanwatch::policy::{FilePlan, SinkPlan, SpoolPlan, TransportPlan};
use scanwatch::sink::transport::{Fate, Transport};
use scanwatch::sink::{Envelope, Format, Message, Observer, transport};
use tempfile::TempDir;

use crate::compliance::{self, Receiver, Tells};

/// A folder that is there, or not.
struct Folder {
    root: TempDir,
    rotate_bytes: u64,
}

impl Folder {
    fn new(rotate_bytes: u64) -> Self {
        Self { root: tempfile::tempdir().unwrap(), rotate_bytes }
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("log/alerts.json")
    }
}

impl Receiver for Folder {
    fn plan(&self) -> TransportPlan {
        let rotate_age = Some(Duration::from_hours(1));
        TransportPlan::File(FilePlan {
            path: self.path(),
            rotate_bytes: self.rotate_bytes,
            rotate_age,
            keep: 1_000,
        })
    }

    fn tells(&self) -> Tells {
        Tells::Receipts
    }

    fn start(&mut self) {
        let away = self.root.path().join("away");
        if away.exists() {
            fs::rename(away, self.path().parent().unwrap()).unwrap();
        } else {
            fs::create_dir(self.path().parent().unwrap()).unwrap();
        }
    }

    fn stop(&mut self) {
        fs::rename(self.path().parent().unwrap(), self.root.path().join("away")).unwrap();
    }

    fn received(&mut self) -> Vec<String> {
        let folder = self.path().parent().unwrap().to_owned();
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let number =
            |path: &PathBuf| path.extension().and_then(|end| end.to_str()?.parse().ok()).unwrap_or(0u32);
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort_by_key(|path| std::cmp::Reverse(number(path)));
        let all: String = paths.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect();
        // What is being written may not have come to its end.
        let whole = &all[..all.rfind('\n').map_or(0, |end| end + 1)];
        whole.lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_file_does_what_every_sink_must() {
    compliance::complies(&mut Folder::new(1 << 30));
}

#[test]
fn a_file_that_is_rotated_all_the_time_does_as_well() {
    compliance::complies(&mut Folder::new(20_000));
}

fn envelopes(count: u32) -> Vec<Envelope> {
    let observer = Observer::on("gw1");
    let records = compliance::records(count);
    let messages = records.iter().map(Message::from);
    messages.map(|message| Envelope::new(&message, Format::Text.write(&message, &observer))).collect()
}

fn of(plan: FilePlan) -> Box<dyn Transport> {
    transport::of(&SinkPlan {
        name: "file".to_owned(),
        format: Format::Text,
        template: None,
        spool: SpoolPlan::default(),
        transport: TransportPlan::File(plan),
    })
}

#[tokio::test]
async fn old_files_are_numbered_and_the_oldest_is_removed_and_all_are_for_the_group_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts");
    let mut file = of(FilePlan { path: path.clone(), rotate_bytes: 1, rotate_age: None, keep: 2 });
    let envelopes = envelopes(5);
    for envelope in &envelopes {
        assert_eq!(file.deliver(std::slice::from_ref(envelope)).await.fates, [Fate::Taken]);
    }
    let mut names: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["alerts", "alerts.1", "alerts.2"]);
    for (name, envelope) in names.iter().zip(envelopes.iter().rev()) {
        let text = fs::read(folder.path().join(name)).unwrap();
        assert_eq!(text.strip_suffix(b"\n").unwrap(), envelope.payload);
        assert_eq!(fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777, 0o640);
    }
}

#[tokio::test]
async fn a_file_that_was_moved_aside_is_written_anew_once_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts");
    let mut file = of(FilePlan { path: path.clone(), rotate_bytes: 1 << 30, rotate_age: None, keep: 2 });
    let envelopes = envelopes(3);
    file.deliver(&envelopes[..1]).await;
    fs::rename(&path, folder.path().join("moved")).unwrap();
    file.deliver(&envelopes[1..2]).await;
    assert!(!path.exists(), "until it is told, it writes on");
    file.reopen().await;
    file.deliver(&envelopes[2..]).await;
    assert_eq!(fs::read_to_string(folder.path().join("moved")).unwrap().lines().count(), 2);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn a_file_that_is_old_makes_room_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts");
    let rotate_age = Some(Duration::from_millis(50));
    let mut file = of(FilePlan { path: path.clone(), rotate_bytes: 1 << 30, rotate_age, keep: 2 });
    let envelopes = envelopes(3);
    file.deliver(&envelopes[..1]).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    file.deliver(&envelopes[1..2]).await;
    assert!(folder.path().join("alerts.1").exists());
}
