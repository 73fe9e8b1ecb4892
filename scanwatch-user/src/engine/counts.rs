//! Distinct pairs, hosts and ports, in the memory they need: a short list of set bits, or three whole sketches.
//!
//! Most sources touch a handful of hosts, and three sketches of 512 bytes for each of their cells and windows would be
//! a hundred times what they say. A list holds the very same bits, so nothing changes when it is turned into sketches,
//! and both give the same estimate.

use scanwatch_common::sketch::{Estimate, Sketch};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::codes::{Codes, codes_of, codes_of_sketch, set};
use super::state::codec::SketchForm;

/// What is counted. The number is the place among the sketches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Distinct (host, port) pairs.
    Pairs = 0,
    /// Distinct hosts.
    Hosts = 1,
    /// Distinct ports.
    Ports = 2,
}

impl Part {
    /// All parts, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Pairs, Self::Hosts, Self::Ports];
}

/// Codes beyond which sketches are kept: 640 bytes against 1,536, and short enough to insert into.
const LIST_MAX: usize = 320;
/// Distinct counts of pairs, hosts and ports; mergeable, and equal to the kernel's sketches bit by bit.
#[derive(Clone, Debug)]
pub struct Counts(Form);

#[derive(Clone, Debug)]
enum Form {
    List(Codes),
    Sketches(Box<[Sketch; 3]>),
}

impl Default for Counts {
    fn default() -> Self {
        Self(Form::List(Codes::default()))
    }
}

impl Counts {
    /// Counts that are sketches from the start: for unions, which are short-lived and often large.
    #[must_use]
    pub fn whole() -> Self {
        Self(Form::Sketches(Box::new([Sketch::EMPTY; 3])))
    }

    /// Adds an element by its hash. True where anything changed.
    pub fn insert(&mut self, part: Part, hash: u64) -> bool {
        match &mut self.0 {
            Form::Sketches(sketches) => sketches[part as usize].insert(hash),
            Form::List(list) => {
                let [bit, register] = codes_of(part, hash);
                let changed = list.add(bit) | list.add(register);
                self.shorten();
                changed
            }
        }
    }

    /// Adds everything `other` holds. True where anything changed.
    pub fn merge(&mut self, other: &Self) -> bool {
        Part::ALL.into_iter().fold(false, |changed, part| self.merge_part(part, other) | changed)
    }

    /// Adds what `other` holds of one part. True where anything changed.
    pub fn merge_part(&mut self, part: Part, other: &Self) -> bool {
        match &other.0 {
            Form::Sketches(sketches) => self.merge_sketch(part, &sketches[part as usize]),
            Form::List(theirs) => self.merge_codes(part, theirs.of(part).iter().copied()),
        }
    }

    /// Adds what a sketch holds to one part. True where anything changed.
    pub fn merge_sketch(&mut self, part: Part, sketch: &Sketch) -> bool {
        // Each element is two codes at most.
        if matches!(&self.0, Form::List(list) if list.all().len() + 2 * bits_of(sketch) as usize > LIST_MAX) {
            self.widen();
        }
        match &mut self.0 {
            Form::List(_) => self.merge_codes(part, codes_of_sketch(part, sketch)),
            Form::Sketches(sketches) => {
                let mine = &mut sketches[part as usize];
                let before = *mine;
                mine.merge(sketch);
                *mine != before
            }
        }
    }

    fn merge_codes(&mut self, part: Part, codes: impl Iterator<Item = u16>) -> bool {
        let mut changed = false;
        match &mut self.0 {
            Form::List(list) => codes.for_each(|code| changed |= list.add(code)),
            Form::Sketches(sketches) => {
                let sketch = &mut sketches[part as usize];
                codes.for_each(|code| changed |= set(part, sketch, code));
            }
        }
        self.shorten();
        changed
    }

    /// Turns a list that has become too long into sketches.
    fn shorten(&mut self) {
        if matches!(&self.0, Form::List(list) if list.all().len() > LIST_MAX) {
            self.widen();
        }
    }

    fn widen(&mut self) {
        self.0 = Form::Sketches(Box::new(Part::ALL.map(|part| self.sketch(part))));
    }

    /// One part as a sketch.
    #[must_use]
    pub fn sketch(&self, part: Part) -> Sketch {
        match &self.0 {
            Form::Sketches(sketches) => sketches[part as usize],
            Form::List(list) => {
                let mut sketch = Sketch::EMPTY;
                for code in list.of(part) {
                    set(part, &mut sketch, *code);
                }
                sketch
            }
        }
    }

    /// Distinct elements of one part.
    #[must_use]
    pub fn estimate(&self, part: Part) -> Estimate {
        self.sketch(part).estimate()
    }

    /// Set bits of linear counting: nearly the count where it is small, and cheap to read.
    #[must_use]
    pub fn bits(&self, part: Part) -> u32 {
        match &self.0 {
            Form::Sketches(sketches) => bits_of(&sketches[part as usize]),
            Form::List(list) => list.bits(part),
        }
    }

    /// True where an element was added, or, rarely, others that together look like it.
    #[must_use]
    pub fn contains(&self, part: Part, hash: u64) -> bool {
        match &self.0 {
            Form::Sketches(sketches) => !sketches[part as usize].clone().insert(hash),
            Form::List(list) => codes_of(part, hash).into_iter().all(|code| list.holds(code)),
        }
    }

    /// True where every element of a sketch is in this part.
    #[must_use]
    pub fn covers(&self, part: Part, sketch: &Sketch) -> bool {
        let mine = self.sketch(part);
        let mut both = mine;
        both.merge(sketch);
        both == mine
    }

    /// Elements of one part that `base` lacks.
    #[must_use]
    pub fn beyond(&self, part: Part, base: &Self) -> f64 {
        let base = base.sketch(part);
        let mut both = base;
        both.merge(&self.sketch(part));
        (both.estimate().count - base.estimate().count).max(0.0)
    }

    /// Share of one part's elements that `base` holds as well, 0 to 1; 0 where there are none.
    #[must_use]
    pub fn share_in(&self, part: Part, base: &Self) -> f64 {
        let count = self.estimate(part).count;
        if count <= 0.0 { 0.0 } else { (1.0 - self.beyond(part, base) / count).clamp(0.0, 1.0) }
    }

    /// Takes out what `other` holds, as far as both are lists.
    pub fn subtract(&mut self, other: &Self) {
        if let (Form::List(mine), Form::List(theirs)) = (&mut self.0, &other.0) {
            mine.subtract(theirs);
        }
    }

    /// True where nothing is counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Form::List(list) => list.all().is_empty(),
            Form::Sketches(sketches) => sketches.iter().all(Sketch::is_empty),
        }
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::List(list) => list.heap_bytes(),
            Form::Sketches(_) => size_of::<[Sketch; 3]>(),
        }
    }
}

/// As counts are written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written {
    List(Vec<u16>),
    Sketches(Box<[SketchForm; 3]>),
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match &self.0 {
            Form::List(list) => Written::List(list.all().to_vec()),
            Form::Sketches(sketches) => Written::Sketches(Box::new(sketches.map(SketchForm))),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::List(codes) => {
                let mut list = Codes::default();
                for code in codes {
                    list.add(code);
                }
                let mut counts = Self(Form::List(list));
                counts.shorten();
                counts
            }
            Written::Sketches(sketches) => Self(Form::Sketches(Box::new(sketches.map(|form| form.0)))),
        })
    }
}

fn bits_of(sketch: &Sketch) -> u32 {
    sketch.blocks.iter().flat_map(|block| block.bitmap).map(u8::count_ones).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use scanwatch_common::sketch::Hasher;

    fn hash(n: u64) -> u64 {
        Hasher::new(1).endpoint(&u128::from(n).to_be_bytes()).host()
    }

    /// Counts and, beside them, the sketches they must equal.
    fn both(elements: &[(u8, u64)]) -> (Counts, [Sketch; 3]) {
        let mut counts = Counts::default();
        let mut sketches = [Sketch::EMPTY; 3];
        for (part, hash) in elements {
            let part = Part::ALL[usize::from(*part)];
            let changed = sketches[part as usize].insert(*hash);
            assert_eq!(counts.insert(part, *hash), changed);
        }
        (counts, sketches)
    }

    fn elements(most: usize) -> impl Strategy<Value = Vec<(u8, u64)>> {
        // Few high bits make high ranks frequent.
        let hash = (any::<u64>(), 0..40u32).prop_map(|(hash, zeros)| hash & (u64::MAX >> zeros));
        proptest::collection::vec((0..3u8, hash), 0..most)
    }

    proptest! {
        #[test]
        fn lists_and_sketches_hold_the_same(elements in elements(400)) {
            let (counts, sketches) = both(&elements);
            for part in Part::ALL {
                prop_assert_eq!(counts.sketch(part), sketches[part as usize]);
                prop_assert_eq!(counts.estimate(part), sketches[part as usize].estimate());
            }
        }

        #[test]
        fn merging_is_the_same_in_every_form(a in elements(300), b in elements(300)) {
            let (mut merged, mut sketches) = both(&a);
            let (other, theirs) = both(&b);
            let mut by_sketch = merged.clone();
            let mut changed = false;
            for part in Part::ALL {
                let before = sketches[part as usize];
                sketches[part as usize].merge(&theirs[part as usize]);
                changed |= sketches[part as usize] != before;
                by_sketch.merge_sketch(part, &theirs[part as usize]);
            }
            prop_assert_eq!(merged.merge(&other), changed);
            prop_assert!(!merged.merge(&other), "a second time changes nothing");
            for part in Part::ALL {
                prop_assert_eq!(merged.sketch(part), sketches[part as usize]);
                prop_assert_eq!(by_sketch.sketch(part), sketches[part as usize]);
                prop_assert!(merged.covers(part, &theirs[part as usize]));
            }
        }

        #[test]
        fn what_is_taken_out_is_still_in_the_union(a in elements(60), b in elements(60)) {
            let ((mut older, _), (newer, _)) = (both(&a), both(&b));
            let mut union = newer.clone();
            union.merge(&older);
            older.subtract(&newer);
            let mut again = newer.clone();
            again.merge(&older);
            for part in Part::ALL {
                prop_assert_eq!(again.sketch(part), union.sketch(part));
            }
            older.subtract(&union);
            prop_assert!(older.is_empty());
        }

        #[test]
        fn what_was_added_is_contained(a in elements(300)) {
            let (counts, _) = both(&a);
            for (part, hash) in &a {
                prop_assert!(counts.contains(Part::ALL[usize::from(*part)], *hash));
            }
        }
    }

    #[test]
    fn absent_elements_are_not_contained_while_few_are_counted() {
        let mut counts = Counts::default();
        (0..50).for_each(|n| {
            counts.insert(Part::Hosts, hash(n));
        });
        let taken = (50..1_050).filter(|n| counts.contains(Part::Hosts, hash(*n))).count();
        assert!(taken < 30, "{taken} of 1000 strangers were taken for known");
        assert!(!counts.contains(Part::Ports, hash(1)), "parts are apart");
    }

    #[test]
    fn shares_and_surplus_are_read_from_unions() {
        let range = |range: std::ops::Range<u64>| {
            let mut counts = Counts::default();
            range.for_each(|n| {
                counts.insert(Part::Pairs, hash(n));
            });
            counts
        };
        let (a, b) = (range(0..100), range(75..500));
        assert!((a.share_in(Part::Pairs, &b) - 0.25).abs() < 0.1);
        assert!((a.beyond(Part::Pairs, &b) - 75.0).abs() < 10.0);
        assert!(a.share_in(Part::Pairs, &Counts::default()) < 0.01);
        assert!(Counts::default().share_in(Part::Pairs, &a) < 0.01);
    }

    #[test]
    fn a_few_elements_take_a_few_bytes() {
        let mut counts = Counts::default();
        for part in Part::ALL {
            counts.insert(part, 0x1234_5678_9abc_def0);
        }
        assert_eq!(counts.heap_bytes(), 0);
        assert_eq!(size_of::<Counts>(), 24);
    }
}
