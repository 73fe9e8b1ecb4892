//! The kernel's programs and the host's tables, given the same frames and the same time.

use std::collections::BTreeMap;
use std::net::IpAddr;

use scanwatch::host_tables::HostTables;
use scanwatch::kernel::{Kernel, NoveltyRing, Options};
use scanwatch::policy::Policy;
use scanwatch_common::abi::{Cell, CellKey, Novelty, Settings, Side};
use scanwatch_common::counters::Counter;
use scanwatch_common::observe::{Passage, observe};
use scanwatch_common::ports::PortKey;
use scanwatch_common::sketch::{Hasher, PortSketch};

use crate::support::{LOOPBACK, host_tables, require_root};

/// Shortest frame that `BPF_PROG_TEST_RUN` takes: an Ethernet header. What is shorter only the host can be given.
pub const FRAME_MIN: usize = 14;
/// Longest frame that it puts into one buffer, a page less what the kernel needs around it. Behind that, programs see
/// nothing; headers that begin there are for the host alone.
const FRAME_MAX: usize = 3_500;
/// At the TC hook `BPF_PROG_TEST_RUN` wants a whole IP header, too, where the frame's type is IP.
const IPV4_MIN: usize = FRAME_MIN + 20;
const IPV6_MIN: usize = FRAME_MIN + 40;

const START_NS: u64 = 1_000_000_000;
const STEP_NS: u64 = 1_000_003;

/// The program that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    Xdp,
    Tc,
    /// What goes out, having come in by the interface of this index, or 0.
    Egress {
        came_in_by: u32,
    },
}

impl Hook {
    fn passage(self) -> Passage {
        match self {
            Self::Xdp | Self::Tc => Passage::IN,
            Self::Egress { came_in_by: 0 } => Passage::OUT,
            Self::Egress { .. } => Passage::THROUGH,
        }
    }
}

/// Both sides. They are compared at every frame, so that the first difference is named with its frame.
pub struct Twins {
    kernel: Kernel,
    rings: [NoveltyRing; 2],
    host: HostTables,
    hook: Hook,
    frames: usize,
    cells: usize,
    novelties: usize,
    ports: usize,
}

impl Twins {
    /// Two sides under this policy that have seen nothing.
    pub fn new(policy: &Policy, hook: Hook) -> Self {
        Self::hashing(policy, hook, Settings::DEFAULT.hasher)
    }

    /// The same with other hashes.
    pub fn hashing(policy: &Policy, hook: Hook, hasher: Hasher) -> Self {
        require_root();
        let kernel = Kernel::load(policy, Options { hasher }).expect("the programs are loaded");
        let rings = [Side::Internal, Side::External].map(|side| kernel.ring(side).expect("a ring"));
        let host = host_tables(policy, hasher);
        Self { kernel, rings, host, hook, frames: 0, cells: 0, novelties: 0, ports: 0 }
    }

    /// Makes these the addresses of a host that forwards: it may stand there for others.
    pub fn forward(&mut self, addresses: &[IpAddr]) {
        let whole: Vec<(IpAddr, u8)> =
            addresses.iter().map(|address| (*address, if address.is_ipv4() { 32 } else { 128 })).collect();
        let learned = self.kernel.learn_from(LOOPBACK, &whole, true).expect("the addresses are learned");
        assert!(
            learned.inside.is_empty(),
            "they lie in the policy's zones, which both sides have: {learned:?}"
        );
        self.host.set_translating(learned.forwarding);
    }

    /// Shows a frame to both sides; the counters that it raised on both. Frames that the kernel runs no program on are
    /// shown to neither.
    pub fn see(&mut self, frame: &[u8]) -> Vec<Counter> {
        if !(self.length_min(frame)..=FRAME_MAX).contains(&frame.len()) {
            return Vec::new();
        }
        let now_ns = START_NS + self.frames as u64 * STEP_NS;
        self.frames += 1;
        let before = self.host_counters();
        self.host.control.clock_ns = now_ns;
        observe(frame, LOOPBACK, self.hook.passage(), &mut self.host);
        self.kernel.set_clock(now_ns).expect("the clock is set");
        match self.hook {
            Hook::Xdp => self.kernel.run(frame),
            Hook::Tc => self.kernel.run_tc(frame),
            Hook::Egress { came_in_by } => self.kernel.run_egress(frame, came_in_by),
        }
        .unwrap_or_else(|error| panic!("{error}\n{}", self.describe(frame)));
        self.compare_counters(frame);
        self.compare_novelties(frame);
        raised(&before, &self.host_counters())
    }

    fn length_min(&self, frame: &[u8]) -> usize {
        match (self.hook, frame.get(12..FRAME_MIN)) {
            (Hook::Tc | Hook::Egress { .. }, Some([0x08, 0x00])) => IPV4_MIN,
            (Hook::Tc | Hook::Egress { .. }, Some([0x86, 0xdd])) => IPV6_MIN,
            _ => FRAME_MIN,
        }
    }

    /// Ends the epoch on both sides and compares the cells.
    pub fn end_epoch(&mut self) {
        self.kernel.flip().expect("the copies are flipped");
        let mut drained = BTreeMap::new();
        let take = |cell: scanwatch::kernel::DrainedCell| {
            let twice = drained.insert((cell.side as u8, cell.key), *cell.cell);
            assert!(twice.is_none(), "drained twice: {:?}", cell.key);
        };
        self.kernel.drain(take).expect("the cells are drained");
        let expected: BTreeMap<(u8, CellKey), Cell> =
            self.host.end_epoch().into_iter().map(|(side, key, cell)| ((side as u8, key), cell)).collect();
        let keys = |cells: &BTreeMap<(u8, CellKey), Cell>| cells.keys().copied().collect::<Vec<_>>();
        assert_eq!(keys(&drained), keys(&expected), "keys of the kernel's and of the host's cells");
        for (key, cell) in &expected {
            let kernels = &drained[key];
            assert_eq!(kernels.facts, cell.facts, "facts of {key:?}");
            assert!(kernels == cell, "the sketches of {key:?} differ");
        }
        self.cells += expected.len();
        self.compare_ports();
        self.compare_memory();
    }

    /// Doors, flows, serving sockets and first contacts, whole.
    fn compare_memory(&self) {
        let kernels = self.kernel.memory().expect("what the programs remember is read");
        for side in [Side::Internal, Side::External] {
            assert!(
                kernels.doors[side as usize] == self.host.door_sets(side),
                "doorkeepers of {side:?} sources"
            );
        }
        assert!(kernels.flows == self.host.flow_lines(), "UDP flows");
        assert!(kernels.serving == self.host.serving_lines(), "sockets that serve");
        assert!(kernels.first == self.host.first_contacts(), "what was tried first");
    }

    fn compare_ports(&mut self) {
        let mut kernels: Vec<(PortKey, PortSketch)> = Vec::new();
        self.kernel
            .drain_ports(|key, sketch| kernels.push((key, *sketch)))
            .expect("the port table is drained");
        let hosts = self.host.take_ports();
        assert_eq!(kernels, hosts, "port tables of the kernel and of the host");
        self.ports += hosts.len();
    }

    /// Ends the epoch, and fails unless there was something to compare: cells, and records.
    pub fn finish(mut self) {
        self.end_epoch();
        let Self { hook, frames, cells, novelties, ports, .. } = &self;
        println!("{hook:?}: {frames} frames, {cells} cells, {novelties} records, {ports} ports");
        assert!(self.cells > 0 && self.novelties > 0, "nothing was compared");
        let lost = self.host.counter(Counter::RingLost) + self.host.counter(Counter::CellRefused);
        assert_eq!(lost, 0, "the tables were too small for this test");
    }

    /// Fails unless each of these counters was raised since the beginning.
    pub fn require<'a>(&self, counters: impl IntoIterator<Item = &'a Counter>) {
        let never = counters.into_iter().filter(|counter| self.host.counter(**counter) == 0);
        let names: Vec<&str> = never.map(|counter| counter.name()).collect();
        assert!(names.is_empty(), "no frame raised {names:?}");
    }

    fn compare_counters(&self, frame: &[u8]) {
        let kernels = self.kernel.counters().expect("the counters are read");
        let hosts = self.host_counters();
        let differ: Vec<String> = kernels
            .iter()
            .zip(hosts)
            .filter(|((_, kernel), host)| kernel != host)
            .map(|((counter, kernel), host)| format!("{}: kernel {kernel}, host {host}", counter.name()))
            .collect();
        assert!(differ.is_empty(), "{}\n{}", differ.join("; "), self.describe(frame));
    }

    fn compare_novelties(&mut self, frame: &[u8]) {
        let mut kernels: Vec<Novelty> = Vec::new();
        for ring in &mut self.rings {
            ring.read(usize::MAX, |novelty| kernels.push(*novelty));
        }
        let hosts: Vec<Novelty> = std::iter::from_fn(|| self.host.next_novelty()).collect();
        assert_eq!(kernels, hosts, "records of the kernel and of the host\n{}", self.describe(frame));
        self.novelties += hosts.len();
    }

    fn host_counters(&self) -> Vec<u64> {
        Counter::ALL.iter().map(|counter| self.host.counter(*counter)).collect()
    }

    fn describe(&self, frame: &[u8]) -> String {
        format!("at frame {} by {:?}, {} bytes: {frame:02x?}", self.frames, self.hook, frame.len())
    }
}

fn raised(before: &[u64], after: &[u64]) -> Vec<Counter> {
    let risen = Counter::ALL.iter().zip(before).zip(after).filter(|((_, before), after)| after > before);
    risen.map(|((counter, _), _)| *counter).collect()
}
