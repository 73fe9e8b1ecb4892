//! `cargo xtask soak`: the lab with everybody in it at random, floods, reloads and restarts, for as long as one wants; and
//! at the end whether every scan has its incident, nobody else has one, and scanwatch holds what it held.
//!
//! | module | what is there |
//! |---|---|
//! | [`catalogue`], [`scanners`] | scans drawn at random, and who makes them |
//! | [`quiet`], [`floods`] | who is not to be accused |
//! | [`keeper`], [`director`] | scanwatch itself, and what is done to it when |
//! | [`stage`], [`gate`], [`log`] | what the actors share |
//! | [`incidents`], [`judge`], [`meter`], [`remains`], [`table`] | what came of it |

mod catalogue;
mod director;
mod floods;
mod gate;
mod incidents;
mod judge;
mod keeper;
mod log;
mod meter;
mod quiet;
mod remains;
mod scanners;
mod stage;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use fastrand::Rng;

use self::catalogue::Catalogue;
use self::director::{Acted, Director, Plan};
use self::judge::Evidence;
use self::keeper::Keeper;
use self::quiet::{QUIET, Servers};
use self::scanners::Scanner;
use self::stage::Stage;
use self::table::Summary;
use crate::lab::{Host, Lab, Segment, Stop};
use crate::step::print;
use crate::workspace;

/// Programs that a soak runs, apart from scanwatch.
pub const PROGRAMS: &[&str] =
    &["ip", "ethtool", "nginx", "dnsmasq", "nmap", "masscan", "zmap", "hping3", "bpftool"];

/// What a soak is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// How long it lasts, seconds; the lab is built before.
    pub seconds: u64,
    /// Of the random choices; without one, any.
    pub seed: Option<u64>,
}

/// Soaks. Needs root, the built scanwatch and [`PROGRAMS`]. Leaves nothing behind but the run's files, also when it fails,
/// and after Ctrl-C.
///
/// # Errors
/// Also where something does not hold, all of which is named.
pub fn run(wanted: Wanted) -> Result<()> {
    let stop = Stop::on_signals()?;
    let seed = wanted.seed.unwrap_or_else(|| fastrand::u64(1..1_000_000));
    let folder = folder_of(seed)?;
    eprintln!("soak of {} s, seed {seed}; its files are in {}", wanted.seconds, folder.display());
    let result = soak(wanted.seconds, seed, &folder, &stop);
    result.with_context(|| format!("the files of this run are in {}", folder.display()))
}

/// A folder for the files of a run, empty.
fn folder_of(seed: u64) -> Result<PathBuf> {
    let folder = workspace::root().join("target/soak").join(seed.to_string());
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

fn soak(seconds: u64, seed: u64, folder: &Path, stop: &Stop) -> Result<()> {
    let plan = Plan::new(Duration::from_secs(seconds));
    let lab = Lab::builder().guests().stop(stop.clone()).build()?;
    let stage = Stage::new(folder, stop.clone())?;
    let mut rng = Rng::with_seed(seed);
    let keeper = Keeper::start(&lab, folder)?;
    let began = Instant::now();
    let director = Director::new(plan, keeper, &stage, rng.u64(..));
    let acted = with_actors(&lab, &stage, plan, &mut rng, || director.direct())?;
    let Acted { keeper, start, warm } = acted;
    eprintln!("{:>5} s  quiet", began.elapsed().as_secs());
    let (end, ended) = director::calm(keeper, plan, stop)?;
    tell(&Told { seed, took: began.elapsed(), plan, folder, stage: &stage, start, warm, end, ended })
}

/// What there is to judge.
struct Told<'a> {
    seed: u64,
    took: Duration,
    plan: Plan,
    folder: &'a Path,
    stage: &'a Stage,
    start: meter::Reading,
    warm: meter::Reading,
    end: meter::Reading,
    ended: keeper::Ended,
}

/// Prints the summary; fails where something does not hold.
fn tell(told: &Told<'_>) -> Result<()> {
    let Told { ended, stage, .. } = told;
    let scans = log::read(stage.scans.path())?;
    let incidents = incidents::of(&ended.records);
    let evidence = Evidence {
        scans: &scans,
        incidents: &incidents,
        kills: &ended.figures.kills,
        all_ended: told.plan.is_calm_long(),
    };
    let verdict = judge::judge(evidence);
    let summary = Summary {
        seed: told.seed,
        seconds: told.took.as_secs(),
        verdict: &verdict,
        incidents: &incidents,
        records: ended.records.len(),
        done: &stage.done(),
        figures: &ended.figures,
        start: told.start,
        warm: told.warm,
        end: told.end,
    };
    let table = summary.render();
    print(&table)?;
    let mut wrong = verdict.wrong.clone();
    if verdict.sorts.values().all(|tally| tally.found == 0) {
        wrong.push("nothing: no scan was made that could be found".to_owned());
    }
    wrong.extend(ended.figures.wrong.iter().cloned());
    wrong.extend(meter::growth(told.warm, told.end));
    wrong.extend(remains::left(&ended.held)?);
    let list = wrong.iter().fold(String::new(), |all, line| all + "WRONG  " + line + "\n");
    fs::write(told.folder.join("summary.txt"), format!("{table}{list}"))?;
    if !wrong.is_empty() {
        print(&format!("\n{list}"))?;
        bail!("{} things are not as they should be", wrong.len());
    }
    print("\nEvery scan has its incident, nobody else has one, and nothing grew or is left.\n")
}

/// Lets everybody act while `work` goes on, and no longer. All have gone when this returns.
fn with_actors<T>(
    lab: &Lab,
    stage: &Stage,
    plan: Plan,
    rng: &mut Rng,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let servers = Servers { web: v4(&lab.web), files: v4(&lab.files), infra: v4(&lab.infra) };
    let scanners = scanners(lab, plan, rng)?;
    let floods = [std::slice::from_ref(&lab.outside), strangers(lab).as_slice()].concat();
    thread::scope(|scope| {
        let mut actors = Vec::new();
        for scanner in scanners {
            actors.push(scope.spawn(move || scanner.act(stage)));
        }
        for quiet in QUIET {
            let (host, seed, servers) = (lab.machine(quiet.machine)?, rng.u64(..), &servers);
            actors.push(scope.spawn(move || quiet.act(stage, host, servers, seed)));
        }
        let (rhythm, seed, floods) = (floods::Rhythm::new(plan.is_short()), rng.u64(..), &floods);
        actors.push(scope.spawn(move || floods::act(stage, floods, rhythm, seed)));
        let result = work();
        stage.curtain.request();
        let joined: Vec<Result<()>> = actors
            .into_iter()
            .map(|actor| actor.join().unwrap_or_else(|_| Err(anyhow!("an actor panicked"))))
            .collect();
        let value = result?;
        joined.into_iter().collect::<Result<()>>()?;
        Ok(value)
    })
}

/// Every machine in wrong hands, inside and outside.
fn scanners(lab: &Lab, plan: Plan, rng: &mut Rng) -> Result<Vec<Scanner>> {
    const OFFICE: &[&str] =
        &["scanner", "camera", "desk1", "desk2", "desk3", "desk4", "desk5", "desk6", "desk7", "desk8"];
    const SERVERS: &[&str] = &["rack1", "rack2", "rack3"];
    const INTERNET: &[&str] = &["outside", "stranger1", "stranger2"];
    let mut scanners = Vec::new();
    for (names, segment) in
        [(OFFICE, Segment::Office), (SERVERS, Segment::Servers), (INTERNET, Segment::Internet)]
    {
        for name in names {
            scanners.push(Scanner {
                host: lab.machine(name)?.clone(),
                router: lab.router_mac(segment),
                catalogue: Catalogue::new(segment, rng.u64(..), plan.long_scan_s()),
                // One hardly rests; the others come now and then.
                pauses_s: plan.pauses_s(*name == "scanner"),
            });
        }
    }
    Ok(scanners)
}

fn strangers(lab: &Lab) -> Vec<Host> {
    lab.guests.iter().filter(|host| host.name().starts_with("stranger")).cloned().collect()
}

fn v4(host: &Host) -> Vec<std::net::IpAddr> {
    host.all_v4().iter().copied().map(Into::into).collect()
}
