//! The port table of the running slot, and what was usual before.

use scanwatch_common::abi::{PORT_PAGES, PORTS_A_PAGE, PortPage};
use scanwatch_common::ports::PortKey;
use scanwatch_common::sketch::PortSketch;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::state::codec::{PortForm, PortSketchForm};

/// Slots in which the memory of a busy one fades by half: a week of hours.
pub const FADE_SLOTS: u64 = 7 * 24;
/// Sources a slot below which nothing is remembered.
const NOTHING: f64 = 0.5;

/// The busiest slot of a port so far, as far as it is remembered.
#[derive(Clone, Copy, Debug, Default)]
struct Past {
    sources: f32,
    slot: u32,
}

impl Past {
    fn is_faded(self, slot: u64) -> bool {
        self.usual(slot) < NOTHING
    }

    fn usual(self, slot: u64) -> f64 {
        let passed = slot.saturating_sub(u64::from(self.slot)) as f64;
        f64::from(self.sources) * (-passed / FADE_SLOTS as f64).exp2()
    }
}

/// Ports by page, in the memory they need: pages on which nothing happened have none.
#[derive(Clone, Debug)]
pub struct Table {
    /// Of the running slot.
    tried: Vec<Option<Box<PortPage>>>,
    pasts: Vec<Option<Box<[Past; PORTS_A_PAGE]>>>,
    /// All ports of the running slot together.
    everywhere: PortSketch,
}

impl Default for Table {
    fn default() -> Self {
        let empty = |_| None;
        Self {
            tried: (0..PORT_PAGES).map(empty).collect(),
            pasts: (0..PORT_PAGES).map(|_| None).collect(),
            everywhere: PortSketch::EMPTY,
        }
    }
}

/// As the table is written: what is empty is left out.
#[derive(Serialize, Deserialize)]
struct Written {
    tried: Vec<(PortForm, PortSketchForm)>,
    /// With sources and slot.
    pasts: Vec<(PortForm, f32, u32)>,
    everywhere: PortSketchForm,
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tried = self.all_tried().map(|(key, sketch)| (PortForm(key), PortSketchForm(*sketch)));
        let pages = self.pasts.iter().zip(0..).filter_map(|(page, number)| Some((page.as_ref()?, number)));
        let ports = pages.flat_map(|(page, number)| {
            page.iter().enumerate().map(move |(place, past)| (PortKey::at(number, place), past))
        });
        let pasts = ports.filter(|(_, past)| past.sources > 0.0);
        let written = Written {
            tried: tried.collect(),
            pasts: pasts.map(|(key, past)| (PortForm(key), past.sources, past.slot)).collect(),
            everywhere: PortSketchForm(self.everywhere),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { tried, pasts, everywhere } = Written::deserialize(deserializer)?;
        let mut table = Self::default();
        for (PortForm(key), PortSketchForm(sketch)) in tried {
            table.add(key, &sketch);
        }
        for (PortForm(key), sources, slot) in pasts {
            *table.past(key) = Past { sources, slot };
        }
        table.everywhere = everywhere.0;
        Ok(table)
    }
}

impl Table {
    /// Adds what was tried in the running slot.
    pub fn add(&mut self, key: PortKey, sketch: &PortSketch) {
        let page = self.tried[key.page() as usize].get_or_insert_with(|| Box::new(PortPage::EMPTY));
        page.ports[key.place()].merge(sketch);
        self.everywhere.merge(sketch);
    }

    /// What was tried on a port in the running slot.
    #[must_use]
    pub fn tried(&self, key: PortKey) -> PortSketch {
        self.tried[key.page() as usize].as_ref().map_or(PortSketch::EMPTY, |page| page.ports[key.place()])
    }

    /// Hosts that were tried on any port in the running slot.
    #[must_use]
    pub fn hosts(&self) -> f64 {
        self.everywhere.hosts().count
    }

    /// Every port that was tried in the running slot.
    pub fn all_tried(&self) -> impl Iterator<Item = (PortKey, &PortSketch)> {
        let pages = self.tried.iter().zip(0..).filter_map(|(page, number)| Some((page.as_ref()?, number)));
        let ports = pages.flat_map(|(page, number)| {
            page.ports.iter().enumerate().map(move |(place, sketch)| (PortKey::at(number, place), sketch))
        });
        ports.filter(|(_, sketch)| !sketch.is_empty())
    }

    /// Sources in the busiest slot of a port before the running one, which fade with time.
    #[must_use]
    pub fn usual(&self, key: PortKey, slot: u64) -> f64 {
        let page = self.pasts[key.page() as usize].as_ref();
        page.map_or(0.0, |page| page[key.place()].usual(slot))
    }

    /// Every port of which anything is remembered, with its busiest slot.
    pub fn all_usual(&self, slot: u64) -> impl Iterator<Item = (PortKey, f64)> {
        let pages = self.pasts.iter().zip(0..).filter_map(|(page, number)| Some((page.as_ref()?, number)));
        let ports = pages.flat_map(move |(page, number)| {
            let past = page.iter().enumerate();
            past.map(move |(place, past)| (PortKey::at(number, place), past.usual(slot)))
        });
        ports.filter(|(_, usual)| *usual >= NOTHING)
    }

    /// Remembers how many sources a port had in the slot.
    pub fn remember(&mut self, key: PortKey, sources: f64, slot: u64) {
        let past = self.past(key);
        if sources >= past.usual(slot) {
            // Counts are far below what the types hold; slots are counted from the first one.
            *past = Past { sources: sources as f32, slot: u32::try_from(slot).unwrap_or(u32::MAX) };
        }
    }

    fn past(&mut self, key: PortKey) -> &mut Past {
        let page =
            self.pasts[key.page() as usize].get_or_insert_with(|| Box::new([Past::default(); PORTS_A_PAGE]));
        &mut page[key.place()]
    }

    /// Begins another slot: nothing was tried in it.
    pub fn clear(&mut self) {
        self.tried.iter_mut().for_each(|page| *page = None);
        self.everywhere = PortSketch::EMPTY;
    }

    /// Gives the memory of faded pages back.
    pub fn sweep(&mut self, slot: u64) {
        for page in &mut self.pasts {
            let is_faded = page.as_deref().is_some_and(|pasts| pasts.iter().all(|past| past.is_faded(slot)));
            if is_faded {
                *page = None;
            }
        }
    }

    /// Bytes it takes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let tried = self.tried.iter().flatten().count() * size_of::<PortPage>();
        let pasts = self.pasts.iter().flatten().count() * size_of::<[Past; PORTS_A_PAGE]>();
        tried + pasts + 2 * PORT_PAGES * size_of::<usize>()
    }
}
