//! The kernel programs' own messages reach the agent's log. Needs root, and two processors.

#[path = "../../scanwatch-common/tests/build/mod.rs"]
mod build;
mod support;

use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::thread;

use build::{ether, ipv4, tcp};
use log::{Level, LevelFilter, Log, Metadata, Record};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use scanwatch::kernel::{Kernel, Mode, Options};
use scanwatch_common::counters::Counter;
use support::net::{Sender, Veth, in_namespace, inside};
use support::{admitting, count};

/// Keeps what is logged.
struct Memory(Mutex<Vec<(Level, String)>>);

static MEMORY: Memory = Memory(Mutex::new(Vec::new()));

impl Log for Memory {
    fn enabled(&self, _: &Metadata) -> bool {
        true
    }

    fn log(&self, record: &Record) {
        self.0.lock().expect("the memory").push((record.level(), record.args().to_string()));
    }

    fn flush(&self) {}
}

/// Rounds of sending until two processors have met; a few do, as a rule.
const ROUNDS_MAX: u32 = 500;
const FRAMES: u32 = 4_000;

/// With room for one cell, a processor that wants one while another is about to write to it finds none: the only way
/// in which a least-recently-used map refuses.
#[test]
fn a_refused_cell_is_logged_once_an_epoch_and_names_interface_and_remedy() {
    log::set_logger(&MEMORY).expect("the first logger");
    log::set_max_level(LevelFilter::Info);
    in_namespace(async || {
        let mut policy = admitting();
        policy.limits.cells_internal = 1;
        let mut kernel = Kernel::load(&policy, Options::default()).expect("the object is loaded");
        let mut logger = kernel.logger().expect("the reader of the messages");
        let veths = ["one", "two"].map(Veth::new);
        let indices = veths.each_ref().map(|veth| veth.index);
        for veth in &veths {
            kernel.attach_by(&veth.name, veth.index, Mode::XdpNativeFrags).expect("attached");
        }
        let mut senders = veths.map(Veth::into_sender);
        let refused =
            |kernel: &Kernel| count(&kernel.counters().expect("the counters"), Counter::CellRefused);
        let processors = processors();
        let mut rounds = 0;
        while refused(&kernel) == 0 {
            assert!(
                rounds < ROUNDS_MAX,
                "no cell was refused in {rounds} rounds of {FRAMES} frames on two processors"
            );
            send_from_both(&mut senders, &processors, rounds);
            rounds += 1;
        }
        logger.flush();
        let messages = MEMORY.0.lock().expect("the memory").clone();
        println!("{} refused, {rounds} rounds: {messages:?}", refused(&kernel));
        let expected = indices.map(|index| {
            (Level::Warn, format!("no room for another cell on interface {index}: raise limits.cells_*"))
        });
        assert!(!messages.is_empty(), "nothing was logged");
        assert!(messages.iter().all(|message| expected.contains(message)), "{messages:?}");
        assert!(messages.len() <= processors.len(), "more than one a processor: {messages:?}");
    });
}

/// The processors this process may run on.
fn processors() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).expect("the processors");
    let all: Vec<usize> = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false)).collect();
    assert!(all.len() >= 2, "this test needs two processors, and may use {all:?}");
    all
}

/// Each sender on a processor of its own, all frames from sources of their own.
fn send_from_both(senders: &mut [Sender; 2], processors: &[usize], round: u32) {
    thread::scope(|scope| {
        for ((number, sender), cpu) in (0..).zip(senders).zip(processors) {
            let first = (round * 2 + number) * FRAMES;
            scope.spawn(move || {
                let mut own = CpuSet::new();
                own.set(*cpu).expect("a processor's number");
                sched_setaffinity(Pid::from_raw(0), &own).expect("a thread bound to its processor");
                let frames: Vec<Vec<u8>> =
                    (first..first + FRAMES).map(|source| syn(inside(source))).collect();
                sender.send(&frames);
            });
        }
    });
}

fn syn(source: Ipv4Addr) -> Vec<u8> {
    ether().carry(ipv4(source, [10, 0, 1, 7]).carry(tcp(40_000, 22)))
}
