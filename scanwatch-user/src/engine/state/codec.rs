//! How what serde does not know is written: types of the crate shared with the kernel, and maps whose keys are no text.
//!
//! Each module here is named in a `#[serde(with = …)]`.

use std::collections::BTreeMap;

use scanwatch_common::abi::{Address, Outcome, Side, Technique};
use scanwatch_common::ports::{PortKey, Ports};
use scanwatch_common::sketch::{PortSketch, Sketch};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Maps, as lists of key and value.
pub mod map {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<'a, M, S>(map: &'a M, serializer: S) -> Result<S::Ok, S::Error>
    where
        &'a M: IntoIterator<Item: Serialize>,
        S: Serializer,
    {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, M, D>(deserializer: D) -> Result<M, D::Error>
    where
        M: IntoIterator + FromIterator<<M as IntoIterator>::Item>,
        M::Item: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<M::Item>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// Maps by the hash of a pair and its technique.
pub mod by_hash {
    use super::{BTreeMap, Deserialize, Deserializer, Serialize, Serializer, Technique};

    type Map<V> = BTreeMap<(u64, Technique), V>;

    pub fn serialize<V: Serialize, S: Serializer>(map: &Map<V>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.iter().map(|((hash, technique), value)| (hash, *technique as u8, value)))
    }

    pub fn deserialize<'de, V, D>(deserializer: D) -> Result<Map<V>, D::Error>
    where
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        let entries = Vec::<(u64, u8, V)>::deserialize(deserializer)?.into_iter();
        let known = entries
            .filter_map(|(hash, number, value)| Some(((hash, Technique::from_number(number)?), value)));
        Ok(known.collect())
    }
}

/// Maps by port.
pub mod by_port {
    use super::{BTreeMap, Deserialize, Deserializer, PortForm, PortKey, Serialize, Serializer};

    type Map<V> = BTreeMap<PortKey, V>;

    pub fn serialize<V: Serialize, S: Serializer>(map: &Map<V>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.iter().map(|(key, value)| (PortForm(*key), value)))
    }

    pub fn deserialize<'de, V, D>(deserializer: D) -> Result<Map<V>, D::Error>
    where
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        let entries = Vec::<(PortForm, V)>::deserialize(deserializer)?.into_iter();
        Ok(entries.map(|(form, value)| (form.0, value)).collect())
    }
}

/// A type written as another, which it may fail to be made of.
macro_rules! written_as {
    ($module:ident, $type:ty, $form:ty, $write:expr, $read:expr) => {
        #[doc = concat!("`", stringify!($type), "`, written as `", stringify!($form), "`.")]
        pub mod $module {
            #[allow(clippy::wildcard_imports)]
            use super::*;

            pub fn serialize<S: Serializer>(value: &$type, serializer: S) -> Result<S::Ok, S::Error> {
                let form: $form = $write(value);
                form.serialize(serializer)
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                $read(<$form>::deserialize(deserializer)?)
                    .ok_or_else(|| D::Error::custom(concat!("no ", stringify!($type))))
            }
        }
    };
}

written_as!(technique, Technique, u8, |value: &Technique| *value as u8, Technique::from_number);
written_as!(outcome, Outcome, u8, |value: &Outcome| *value as u8, |number: u8| {
    Outcome::ALL.get(usize::from(number)).copied()
});
written_as!(side, Side, bool, |value: &Side| *value == Side::Internal, |is_internal| {
    Some(if is_internal { Side::Internal } else { Side::External })
});
written_as!(
    sketches,
    Box<[Sketch; 3]>,
    Vec<SketchForm>,
    |sketches: &[Sketch; 3]| sketches.map(SketchForm).to_vec(),
    |forms: Vec<SketchForm>| {
        let sketches: Vec<Sketch> = forms.into_iter().map(|form| form.0).collect();
        <[Sketch; 3]>::try_from(sketches).ok().map(Box::new)
    }
);
written_as!(sketch, Sketch, SketchForm, |sketch: &Sketch| SketchForm(*sketch), |form: SketchForm| Some(
    form.0
));
written_as!(
    port_sketch,
    PortSketch,
    PortSketchForm,
    |sketch: &PortSketch| PortSketchForm(*sketch),
    |form: PortSketchForm| Some(form.0)
);

written_as!(
    by_service,
    BTreeMap<u8, Sketch>,
    Vec<(u8, SketchForm)>,
    |map: &BTreeMap<u8, Sketch>| map.iter().map(|(key, sketch)| (*key, SketchForm(*sketch))).collect(),
    |forms: Vec<(u8, SketchForm)>| Some(forms.into_iter().map(|(key, form)| (key, form.0)).collect())
);
written_as!(
    sketch_by_port,
    BTreeMap<PortKey, PortSketch>,
    Vec<(PortForm, PortSketchForm)>,
    |map: &BTreeMap<PortKey, PortSketch>| {
        map.iter().map(|(key, sketch)| (PortForm(*key), PortSketchForm(*sketch))).collect()
    },
    |forms: Vec<(PortForm, PortSketchForm)>| {
        Some(forms.into_iter().map(|(key, sketch)| (key.0, sketch.0)).collect())
    }
);

/// A sketch, written as hexadecimal digits up to its last byte that is not zero.
#[derive(Clone, Copy, Debug)]
pub struct SketchForm(pub Sketch);

impl Serialize for SketchForm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.0.blocks.iter().flat_map(|block| block.registers.iter().chain(&block.bitmap));
        serializer.collect_str(&to_hex(bytes))
    }
}

impl<'de> Deserialize<'de> for SketchForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// What no register can hold would be read past the end of a table.
        const RANK_MAX: u8 = 49;
        let bytes = from_hex::<{ size_of::<Sketch>() }>(&String::deserialize(deserializer)?)
            .ok_or_else(|| D::Error::custom("no sketch"))?;
        let mut sketch = Sketch::EMPTY;
        let mut rest = &bytes[..];
        for block in &mut sketch.blocks {
            for part in [&mut block.registers[..], &mut block.bitmap[..]] {
                let (mine, others) = rest.split_at(part.len());
                part.copy_from_slice(mine);
                rest = others;
            }
            block.registers.iter_mut().for_each(|rank| *rank = RANK_MAX.min(*rank));
        }
        Ok(Self(sketch))
    }
}

/// A port's sketch, written in the same way.
#[derive(Clone, Copy, Debug)]
pub struct PortSketchForm(pub PortSketch);

impl Serialize for PortSketchForm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&to_hex(&self.0.bytes()))
    }
}

impl<'de> Deserialize<'de> for PortSketchForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = from_hex(&String::deserialize(deserializer)?);
        bytes.map(|bytes| Self(PortSketch::of(bytes))).ok_or_else(|| D::Error::custom("no port sketch"))
    }
}

/// A port, written as a list of its transport's number and its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortForm(pub PortKey);

impl Serialize for PortForm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.0.transport as u8, self.0.port).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PortForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (transport, port) = <(u8, u16)>::deserialize(deserializer)?;
        let transport = match transport {
            0 => Ports::Tcp,
            1 => Ports::Udp,
            other => return Err(D::Error::custom(format!("no transport {other}"))),
        };
        Ok(Self(PortKey { transport, port }))
    }
}

// The 16 bytes as one number are shorter than a list of them.
written_as!(address, Address, u128, |address: &Address| u128::from_be_bytes(*address), |number: u128| Some(
    number.to_be_bytes()
));

fn to_hex<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::new();
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    // Whole bytes: the last digit of one may well be a zero.
    let kept = text.trim_end_matches('0').len().next_multiple_of(2);
    text.truncate(kept);
    text
}

/// So many bytes, zeros behind those that are written.
fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let digits = text.as_bytes();
    // Signs are read as part of a number.
    if !digits.iter().all(u8::is_ascii_hexdigit) || !digits.len().is_multiple_of(2) || digits.len() > 2 * N {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(digits.chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sketches_are_read_as_they_were_written_full_or_empty() {
        for count in [0, 1, 7, 300, 100_000_u64] {
            let mut sketch = Sketch::EMPTY;
            let mut port = PortSketch::EMPTY;
            for n in 0..count {
                let hash =
                    n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(21).wrapping_mul(0xd6e8_feb8_6659_fd93);
                sketch.insert(hash);
                port.insert(hash, !hash);
                port.answer(hash.rotate_left(9));
            }
            let text = serde_json::to_string(&(SketchForm(sketch), PortSketchForm(port))).unwrap();
            let (again, port_again): (SketchForm, PortSketchForm) = serde_json::from_str(&text).unwrap();
            assert_eq!((again.0, port_again.0), (sketch, port), "{count} elements");
        }
        assert_eq!(serde_json::to_string(&SketchForm(Sketch::EMPTY)).unwrap(), "\"\"");
    }

    #[test]
    fn what_is_no_sketch_is_refused() {
        for text in ["\"0\"", "\"zz\"", "\"+1\"", "\"ä\"", "7"] {
            assert!(serde_json::from_str::<PortSketchForm>(text).is_err(), "{text}");
        }
        let long = format!("\"{}\"", "11".repeat(513));
        assert!(serde_json::from_str::<SketchForm>(&long).is_err());
        let high = serde_json::from_str::<SketchForm>("\"ff\"").unwrap();
        assert!(high.0.estimate().count.is_finite());
    }
}
