//! Programs of which several run at a time, each with its output in one piece.
//!
//! Most tests that need root wait: for silence, for the end of an epoch, for a receiver that was killed. Beside them there is
//! time for what keeps processors busy.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sched::{CloneFlags, unshare};

use crate::step::output;

/// Where a job runs, and so beside what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a network namespace of its own, beside anything: neither interfaces nor ports are shared.
    Apart,
    /// On the machine as it is, one such job at a time: for what builds, reaches a network, or installs.
    Machine,
}

/// A program to run.
pub(super) struct Job {
    pub name: String,
    pub place: Place,
    pub command: Command,
}

/// A job that has ended.
pub(super) struct Done {
    pub name: String,
    pub passed: bool,
    pub took: Duration,
    /// From the beginning of all jobs to its end.
    pub ended: Duration,
}

/// Runs `jobs` by so many `workers`, in their order within a place; output goes to files in `folder`, and to the terminal
/// as each ends. They have ended in the order of the result.
pub(super) fn run(jobs: Vec<Job>, workers: usize, folder: &Path) -> Result<Vec<Done>> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let queue = Queue::of(jobs);
    let ended = Mutex::new(Vec::new());
    let begun = Instant::now();
    let work = || {
        while let Some(job) = queue.take() {
            let place = job.place;
            let done = job.run(folder, begun);
            queue.give_back(place);
            let mut ended = lock(&ended);
            eprint!("{}", done.1);
            ended.push(done.0);
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    Ok(ended.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Jobs that nobody has begun.
struct Queue(Mutex<Waiting>);

struct Waiting {
    apart: VecDeque<Job>,
    machine: VecDeque<Job>,
    is_machine_taken: bool,
}

impl Queue {
    fn of(jobs: Vec<Job>) -> Self {
        let (apart, machine): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| job.place == Place::Apart);
        Self(Mutex::new(Waiting { apart: apart.into(), machine: machine.into(), is_machine_taken: false }))
    }

    /// The next job: of the machine where it is free, for these are what everybody waits for in the end.
    fn take(&self) -> Option<Job> {
        let mut waiting = lock(&self.0);
        if !waiting.is_machine_taken
            && let Some(job) = waiting.machine.pop_front()
        {
            waiting.is_machine_taken = true;
            return Some(job);
        }
        waiting.apart.pop_front()
    }

    fn give_back(&self, place: Place) {
        if place == Place::Machine {
            lock(&self.0).is_machine_taken = false;
        }
    }
}

impl Job {
    /// Runs it to its end; what is to be said of it.
    fn run(self, folder: &Path, begun: Instant) -> (Done, String) {
        let log = folder.join(self.name.replace(['/', ' '], "-")).with_extension("log");
        let started = Instant::now();
        let result = run_at(self.place, self.command, &log);
        let took = started.elapsed();
        let text = fs::read(&log).unwrap_or_default();
        let why = result.as_ref().err().map(|error| format!("{}: {error:#}\n", self.name));
        let said = format!(
            "\n== {} ({:.1} s)\n{}{}",
            self.name,
            took.as_secs_f64(),
            String::from_utf8_lossy(&text),
            why.unwrap_or_default()
        );
        (Done { name: self.name, passed: result.is_ok(), took, ended: begun.elapsed() }, said)
    }
}

/// Runs `command` at its place, with all that it says in the file `log`.
fn run_at(place: Place, mut command: Command, log: &Path) -> Result<()> {
    let file = File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let name = command.get_program().to_string_lossy().into_owned();
    let mut run = || command.status().with_context(|| format!("{name} cannot be run"));
    let status = match place {
        Place::Machine => run()?,
        // Of a thread that ends with the job: a namespace is a thread's, and what it starts has it.
        Place::Apart => thread::scope(|scope| {
            let job = scope.spawn(|| leave_machine().and_then(|()| run()));
            job.join().unwrap_or_else(|_| Err(anyhow!("its thread panicked")))
        })?,
    };
    if !status.success() {
        bail!("{status}");
    }
    Ok(())
}

/// Moves this thread, and what it starts, into a network namespace with nothing but a loopback interface that is up.
///
/// The names of namespaces stay common to all: labs have names of their own, and remove what a killed one has left.
fn leave_machine() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).context("no network namespace: are you root?")?;
    output(Command::new("ip").args(["link", "set", "lo", "up"])).map(drop)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn shell(name: &str, script: &str) -> Job {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Job { name: name.to_owned(), place: Place::Machine, command }
    }

    fn job(name: &str, place: Place) -> Job {
        Job { place, ..shell(name, "") }
    }

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("xtask-jobs-{}-{name}", std::process::id()))
    }

    #[test]
    fn one_job_at_a_time_has_the_machine_and_others_run_beside_it() {
        let queue = Queue::of(vec![
            job("apart", Place::Apart),
            job("first", Place::Machine),
            job("second", Place::Machine),
        ]);
        let take = || queue.take().map(|job| job.name);
        assert_eq!(take().as_deref(), Some("first"));
        assert_eq!(take().as_deref(), Some("apart"));
        assert_eq!(take(), None);
        queue.give_back(Place::Apart);
        assert_eq!(take(), None);
        queue.give_back(Place::Machine);
        assert_eq!(take().as_deref(), Some("second"));
    }

    #[test]
    fn a_job_that_fails_is_told_and_keeps_no_other_from_running() {
        let folder = folder("fail");
        let jobs = vec![shell("a/b c", "echo said; exit 3"), shell("next", "true")];
        let done = run(jobs, 2, &folder).unwrap();
        let said = fs::read_to_string(folder.join("a-b-c.log"));
        fs::remove_dir_all(&folder).unwrap();
        let told: Vec<_> = done.iter().map(|done| (done.name.as_str(), done.passed)).collect();
        assert_eq!(told, [("a/b c", false), ("next", true)]);
        assert_eq!(said.unwrap(), "said\n");
    }

    #[test]
    fn a_program_that_is_not_there_fails_its_job_alone() {
        let folder = folder("missing");
        let missing = Job { command: Command::new("no-such-program-anywhere"), ..shell("missing", "") };
        let done = run(vec![missing, shell("next", "true")], 1, &folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(done.iter().map(|done| done.passed).collect::<Vec<_>>(), [false, true]);
    }
}
