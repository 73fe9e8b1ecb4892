//! The kernel object: loading it, telling it the policy, flipping and draining its copies, reading its counters.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};

use aya::maps::{Array, Map, MapData, PerCpuArray, RingBuf};
use aya::programs::{SchedClassifier, TestRun, TestRunOptions, TestRunResult, Xdp};
use aya::util::KernelVersion;
use aya::{Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use scanwatch_common::abi::{Control, KeyedCell, ServiceTable, Settings, Side, VERSION};
use scanwatch_common::counters::Counter;
use scanwatch_common::ports::PortKey;
use scanwatch_common::sketch::{Hasher, PortSketch};

use super::arena::{Arena, DrainedCell};
use super::attach::{EGRESS_PROGRAM, Hold, TC_PROGRAM, running};
use super::error::KernelError;
use super::grace;
use super::learned::Zones;
use super::pod::Raw;
use super::ports::PortTable;
use super::ring::NoveltyRing;
use super::zones::Room;
use crate::policy::Policy;

/// The kernel programs, built with this agent.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/scanwatch.o"));

/// Oldest kernel that is supported, as major and minor version.
pub const KERNEL_MIN: (u8, u8) = (6, 1);

/// Where `struct __sk_buff` of `linux/bpf.h` has `ingress_ifindex`; the kernel takes the rest for zero.
const INGRESS_IFINDEX_AT: usize = 36;

/// How to load.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Makes every hash.
    pub hasher: Hasher,
}

/// Hashes that are the same each time; what is to hold against attackers has a key of its own.
impl Default for Options {
    fn default() -> Self {
        Self { hasher: Settings::DEFAULT.hasher }
    }
}

/// The loaded object and what is attached of it.
pub struct Kernel {
    pub(super) ebpf: Ebpf,
    pub(super) holds: HashMap<u32, Vec<Hold>>,
    pub(super) zones: Zones,
    control: Array<MapData, Raw<Control>>,
    pub(super) state: Control,
    arena: Arena,
    ports: PortTable,
    pub(super) settings: Settings,
}

impl Kernel {
    /// Loads the object and gives it the policy. Nothing is attached yet.
    pub fn load(policy: &Policy, options: Options) -> Result<Self, KernelError> {
        Self::load_object(OBJECT, &[], policy, options)
    }

    /// The object that [`Kernel::load`] loads, an ELF file.
    #[must_use]
    pub fn object() -> &'static [u8] {
        OBJECT
    }

    /// Loads another object that has the same maps, as [`Kernel::load`], with these words in its constants of these names.
    pub fn load_object(
        object: &[u8],
        constants: &[(&str, &[u32])],
        policy: &Policy,
        options: Options,
    ) -> Result<Self, KernelError> {
        check_version(running())?;
        let settings = Settings { hasher: options.hasher, ..policy.settings() };
        let mut loader = EbpfLoader::new();
        Arena::size(&mut loader, &settings);
        let room = Room::beside(policy.zone_prefixes().len())?;
        for (name, size) in room.maps() {
            loader.map_max_entries(name, size);
        }
        let raw = Raw(settings);
        loader.override_global("SETTINGS", &raw, true);
        for (name, words) in constants {
            loader.override_global(name, *words, true);
        }
        let mut ebpf = loader.load(object)?;
        let zones = Zones::fill(&ebpf, room, policy)?;
        fill_services(&mut ebpf, policy)?;
        let control = Array::try_from(Map::Array(second(&ebpf, "CONTROL")?))?;
        let arena = Arena::of(&ebpf, &settings)?;
        let ports = PortTable::of(&ebpf)?;
        let mut kernel = Self {
            ebpf,
            holds: HashMap::new(),
            zones,
            control,
            state: Control::default(),
            arena,
            ports,
            settings,
        };
        kernel.state.activate(0, &settings);
        kernel.tell()?;
        Ok(kernel)
    }

    /// Cells there is room for in an epoch, by the number of the side.
    #[must_use]
    pub const fn cells_max(&self) -> [u32; 2] {
        self.settings.cells
    }

    /// Tells the programs [`Self::state`].
    pub(super) fn tell(&mut self) -> Result<(), KernelError> {
        Ok(self.control.set(0, Raw(self.state), 0)?)
    }

    /// Ends the epoch: programs write to the other copy from now on. Blocks for some 20 milliseconds, until those that
    /// had begun with the old copy are done with it, so that [`Kernel::drain`] finds it at rest.
    pub fn flip(&mut self) -> Result<(), KernelError> {
        self.end_epoch()?;
        grace::wait();
        Ok(())
    }

    /// Tells the programs to write to the other copy, and does not wait.
    pub(super) fn end_epoch(&mut self) -> Result<(), KernelError> {
        self.state.activate(self.state.active ^ 1, &self.settings);
        self.state.tick = self.state.tick.wrapping_add(1);
        self.tell()
    }

    /// Takes every cell out of the copy that is not written to, internal sources first, in the order in which the cells came
    /// to be.
    pub fn drain(&mut self, take: impl FnMut(DrainedCell<'_>)) -> Result<(), KernelError> {
        self.arena.drain(self.state.active ^ 1, take)
    }

    /// The cell with this number of the copy that is not written to, which stays there: what draining is measured against.
    pub fn idle_cell(&self, side: Side, number: u32) -> Result<KeyedCell, KernelError> {
        self.arena.look_up(self.state.active ^ 1, side, number)
    }

    /// Takes the sketches of all ports that outsiders did something to out of the copy that is not written to, in the order
    /// of the ports.
    pub fn drain_ports(&mut self, take: impl FnMut(PortKey, &PortSketch)) -> Result<(), KernelError> {
        self.ports.drain(self.state.active ^ 1, take)
    }

    /// Makes the packet's time the clock, nanoseconds; 0 gives the kernel its own clock back.
    pub fn set_clock(&mut self, now_ns: u64) -> Result<(), KernelError> {
        self.state.clock_ns = now_ns;
        self.tell()
    }

    /// The ring of novelties of one side; there is one reader.
    pub fn ring(&self, side: Side) -> Result<NoveltyRing, KernelError> {
        let name = match side {
            Side::Internal => "NOVELTIES_INTERNAL",
            Side::External => "NOVELTIES_EXTERNAL",
        };
        let ring = RingBuf::try_from(Map::RingBuf(second(&self.ebpf, name)?))?;
        NoveltyRing::new(ring).map_err(|error| KernelError::of("read the novelty ring", &error))
    }

    /// The reader of the kernel programs' own messages.
    pub fn logger(&mut self) -> Result<EbpfLogger<&'static dyn log::Log>, KernelError> {
        EbpfLogger::init(&mut self.ebpf).map_err(|error| KernelError::Refused {
            what: "read the kernel programs' messages",
            detail: error.to_string(),
        })
    }

    /// Every counter, summed over CPUs, in the order of [`Counter::ALL`].
    pub fn counters(&self) -> Result<Vec<(Counter, u64)>, KernelError> {
        let map = self.ebpf.map("COUNTERS").ok_or_else(|| missing("COUNTERS"))?;
        let counters: PerCpuArray<_, u64> = PerCpuArray::try_from(map)?;
        Counter::ALL
            .iter()
            .map(|counter| Ok((*counter, counters.get(&(*counter as u32), 0)?.iter().sum())))
            .collect()
    }

    /// Runs the XDP program on one frame by `BPF_PROG_TEST_RUN`, as if it came in by the loopback interface.
    ///
    /// The kernel refuses frames shorter than an Ethernet header.
    pub fn run(&mut self, frame: &[u8]) -> Result<(), KernelError> {
        let program: &mut Xdp = self.loaded("scanwatch_xdp")?.try_into()?;
        run(program, frame, None)
    }

    /// The same with the TC program.
    pub fn run_tc(&mut self, frame: &[u8]) -> Result<(), KernelError> {
        let program: &mut SchedClassifier = self.loaded(TC_PROGRAM)?.try_into()?;
        run(program, frame, None)
    }

    /// The same with the program for what goes out; `came_in_by` is the index of the interface by which the frame came
    /// in, 0 for a frame of this host's own.
    pub fn run_egress(&mut self, frame: &[u8], came_in_by: u32) -> Result<(), KernelError> {
        let program: &mut SchedClassifier = self.loaded(EGRESS_PROGRAM)?.try_into()?;
        let mut context = [0; INGRESS_IFINDEX_AT + 4];
        context[INGRESS_IFINDEX_AT..].copy_from_slice(&came_in_by.to_ne_bytes());
        run(program, frame, Some(&context))
    }
}

fn run(
    program: &impl for<'a> TestRun<Opts<'a> = TestRunOptions<'a>, Result = TestRunResult>,
    frame: &[u8],
    context: Option<&[u8]>,
) -> Result<(), KernelError> {
    let options = TestRunOptions { data_in: Some(frame), ctx_in: context, ..TestRunOptions::new() };
    match program.test_run(options) {
        Ok(_) => Ok(()),
        Err(error) => Err(KernelError::of("run a program on a frame", &error)),
    }
}

/// Whether a kernel of this version is new enough; one that does not tell its version is judged by what it accepts.
fn check_version(found: Option<KernelVersion>) -> Result<(), KernelError> {
    let (major, minor) = KERNEL_MIN;
    match found {
        Some(found) if found < KernelVersion::new(major, minor, 0) => {
            Err(KernelError::TooOld { found: found.to_string(), needed: format!("{major}.{minor}") })
        }
        _ => Ok(()),
    }
}

fn fill_services(ebpf: &mut Ebpf, policy: &Policy) -> Result<(), KernelError> {
    let mut services: Array<_, Raw<ServiceTable>> = Array::try_from(map_mut(ebpf, "SERVICES")?)?;
    services.set(0, Raw(*policy.service_table()), 0)?;
    Ok(())
}

pub(super) fn map_mut<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Map, KernelError> {
    ebpf.map_mut(name).ok_or_else(|| missing(name))
}

/// A map under a second descriptor. The object keeps the first: programs that are loaded later refer to it by number.
pub(super) fn second(ebpf: &Ebpf, name: &'static str) -> Result<MapData, KernelError> {
    Ok(MapData::from_fd(descriptor(ebpf, name)?)?)
}

fn missing(name: &str) -> KernelError {
    KernelError::Refused {
        what: "use the kernel object",
        detail: format!("it has no map {name} (layout version {VERSION}); build scanwatch anew"),
    }
}

pub(super) fn descriptor(ebpf: &Ebpf, name: &str) -> Result<OwnedFd, KernelError> {
    let (Map::HashMap(data) | Map::Array(data) | Map::RingBuf(data)) =
        ebpf.map(name).ok_or_else(|| missing(name))?
    else {
        return Err(missing(name));
    };
    data.fd().as_fd().try_clone_to_owned().map_err(|error| KernelError::of("keep a map open", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_is_refused_with_the_version_that_is_needed() {
        let error = check_version(Some(KernelVersion::new(5, 15, 0))).expect_err("too old");
        assert_eq!(error.to_string(), "Linux 5.15.0 is too old: scanwatch needs Linux 6.1 or newer");
        assert!(check_version(Some(KernelVersion::new(6, 1, 0))).is_ok());
        assert!(check_version(Some(KernelVersion::new(7, 0, 0))).is_ok());
        assert!(check_version(None).is_ok());
    }
}
