//! One target: its seeds, its run, and what it leaves.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::FOLDER;
use super::outcome::{Crash, Outcome, Statistics, edges_and_features};
use crate::step::run_logged;
use crate::workspace;

/// The environment variable by which a target writes its seeds instead of fuzzing.
const SEEDS_VARIABLE: &str = "SCANWATCH_FUZZ_SEEDS";

/// Memory that an input may make a target take: tables, corpus and coverage take a third of it.
const MEMORY_MIB_MAX: u32 = 512;
/// An input that takes longer than this is a find. Generous: the machine may be busy.
const INPUT_S_MAX: u32 = 30;
/// Longest input, bytes: some hundred frames, or a large configuration.
const INPUT_BYTES_MAX: u32 = 16_384;
/// What a run may take beyond its time.
const RUN_SLACK: Duration = Duration::from_mins(10);
/// Longest time for seeds, for minimising, or for one input.
const OTHER_LIMIT: Duration = Duration::from_mins(20);

/// A fuzz target that is built.
pub(super) struct Target {
    pub(super) name: String,
    program: PathBuf,
    folder: PathBuf,
}

/// The folder in which cargo-fuzz left the programs: it names the target explicitly.
pub(super) fn binaries(build_dir: &Path) -> Result<PathBuf> {
    let entries =
        fs::read_dir(build_dir).with_context(|| format!("{} cannot be read", build_dir.display()))?;
    let mut folders = entries.flatten().map(|entry| entry.path().join("release"));
    folders
        .find(|folder| folder.join("parser").is_file())
        .with_context(|| format!("cargo-fuzz left no programs in {}", workspace::shown(build_dir)))
}

impl Target {
    pub(super) fn new(name: &str, binaries: &Path) -> Self {
        let folder = workspace::root().join(FOLDER);
        Self { name: name.to_owned(), program: binaries.join(name), folder }
    }

    fn place(&self, kind: &str) -> PathBuf {
        self.folder.join(kind).join(&self.name)
    }

    fn log(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}-{kind}.log", self.name))
    }

    /// Shows one input to the target, whose output goes to the terminal.
    pub(super) fn show(&self, input: &Path) -> Result<()> {
        let status = Command::new(&self.program)
            .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
            .arg(format!("-timeout={INPUT_S_MAX}"))
            .arg(input)
            .status()
            .with_context(|| format!("{} cannot be run", workspace::shown(&self.program)))?;
        if !status.success() {
            bail!("{} breaks a promise of {} ({status}): see above", input.display(), self.name);
        }
        Ok(())
    }

    /// Seeds, runs for `seconds`, and minimises.
    pub(super) fn fuzz(&self, seconds: u64) -> Result<Outcome> {
        self.write_seeds()?;
        let [corpus, artifacts] = ["corpus", "artifacts"].map(|kind| self.place(kind));
        for folder in [&corpus, &artifacts] {
            fs::create_dir_all(folder)
                .with_context(|| format!("{} cannot be made", workspace::shown(folder)))?;
        }
        let begun = Instant::now();
        let log = self.log("run");
        let whole = self.run(seconds, &log, &corpus, &artifacts)?;
        let took = begun.elapsed();
        let text = fs::read(&log).with_context(|| format!("{} cannot be read", workspace::shown(&log)))?;
        let text = String::from_utf8_lossy(&text);
        let crash = (!whole).then(|| Crash::of(&self.name, &text, &log));
        let statistics = Statistics::of(&text)
            .with_context(|| format!("libFuzzer gave no figures; see {}", workspace::shown(&log)));
        let (edges, features) = match &crash {
            // What is minimised is run, so a crash among the seeds would come again.
            Some(_) => edges_and_features(&text).unwrap_or_default(),
            None => self.minimise(&corpus)?,
        };
        let executions = match (statistics, &crash) {
            (Ok(statistics), _) => statistics.executions,
            (Err(_), Some(_)) => 0,
            (Err(error), None) => return Err(error),
        };
        let (files, bytes) = size_of(&corpus)?;
        Ok(Outcome { name: self.name.clone(), took, executions, files, bytes, edges, features, crash })
    }

    fn write_seeds(&self) -> Result<()> {
        let seeds = self.place("seeds");
        if seeds.exists() {
            fs::remove_dir_all(&seeds)?;
        }
        let mut target = Command::new(&self.program);
        target.env(SEEDS_VARIABLE, &seeds);
        run_logged(&mut target, &self.log("seeds"), OTHER_LIMIT)
    }

    /// Runs for so long; false where an input was found that breaks a promise.
    fn run(&self, seconds: u64, log: &Path, corpus: &Path, artifacts: &Path) -> Result<bool> {
        let file =
            File::create(log).with_context(|| format!("{} cannot be written", workspace::shown(log)))?;
        let mut target = Command::new(&self.program);
        target
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
            .arg(format!("-timeout={INPUT_S_MAX}"))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args(["-print_final_stats=1", "-use_value_profile=1"])
            .arg(corpus)
            .arg(self.place("seeds"))
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let mut child =
            target.spawn().with_context(|| format!("{} cannot be run", workspace::shown(&self.program)))?;
        let limit = Duration::from_secs(seconds) + RUN_SLACK;
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status.success());
            }
            if begun.elapsed() > limit {
                child.kill()?;
                child.wait()?;
                bail!(
                    "it did not end within {} s and was stopped; see {}",
                    limit.as_secs(),
                    workspace::shown(log)
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Keeps of corpus and seeds the smallest inputs that reach everything; the edges and features they reach.
    fn minimise(&self, corpus: &Path) -> Result<(u64, u64)> {
        let least = self.place("minimised");
        if least.exists() {
            fs::remove_dir_all(&least)?;
        }
        fs::create_dir_all(&least)?;
        let log = self.log("minimise");
        let mut target = Command::new(&self.program);
        target.args(["-merge=1"]).arg(format!("-max_len={INPUT_BYTES_MAX}"));
        target.arg(&least).arg(corpus).arg(self.place("seeds"));
        run_logged(&mut target, &log, OTHER_LIMIT)?;
        fs::remove_dir_all(corpus)?;
        fs::rename(&least, corpus)?;
        let text = fs::read(&log)?;
        edges_and_features(&String::from_utf8_lossy(&text))
            .with_context(|| format!("libFuzzer did not say what is reached; see {}", workspace::shown(&log)))
    }
}

/// Files of a folder, and their bytes.
fn size_of(folder: &Path) -> Result<(usize, u64)> {
    let mut size = (0, 0);
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        size = (size.0 + 1, size.1 + entry?.metadata()?.len());
    }
    Ok(size)
}
