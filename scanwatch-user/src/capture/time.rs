//! From a capture's units of time to nanoseconds since the Unix epoch.

/// Nanoseconds in a second.
pub(super) const SECOND_NS: u64 = 1_000_000_000;

/// How an interface of a pcapng section counts time: `if_tsresol` and `if_tsoffset`
/// (draft-ietf-opsawg-pcapng, 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Units {
    resolution: Resolution,
    offset_s: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// Nanoseconds in a unit.
    Coarse(u64),
    /// Units in a nanosecond.
    Fine(u64),
    /// Units in a second, as a power of two.
    Binary(u32),
    /// Units so short that no 64 bits of them make a nanosecond.
    Vanishing,
}

impl Units {
    /// Microseconds, which hold where an interface says nothing.
    pub const DEFAULT: Self = Self { resolution: Resolution::Coarse(1_000), offset_s: 0 };

    /// The exponent of `if_tsresol`: negative power of ten, or of two where its highest bit is set.
    pub fn set_resolution(&mut self, tsresol: u8) {
        let exponent = u32::from(tsresol & 0x7f);
        self.resolution = match exponent {
            _ if tsresol & 0x80 != 0 => Resolution::Binary(exponent),
            0..=9 => Resolution::Coarse(10_u64.pow(9 - exponent)),
            10..=28 => Resolution::Fine(10_u64.pow(exponent - 9)),
            _ => Resolution::Vanishing,
        };
    }

    /// Seconds that are added to every time.
    pub fn set_offset(&mut self, offset_s: i64) {
        self.offset_s = offset_s;
    }

    /// Nanoseconds since the Unix epoch; times before 1970 and after 2554 become the nearest that can be written.
    #[inline]
    pub fn to_ns(self, units: u64) -> u64 {
        if let (Resolution::Coarse(unit_ns), 0) = (self.resolution, self.offset_s) {
            return units.saturating_mul(unit_ns);
        }
        let units = i128::from(units);
        let second = i128::from(SECOND_NS);
        let time = match self.resolution {
            Resolution::Coarse(unit_ns) => units * i128::from(unit_ns),
            Resolution::Fine(per_ns) => units / i128::from(per_ns),
            Resolution::Binary(exponent) => (units * second) >> exponent,
            Resolution::Vanishing => 0,
        };
        let time = time + i128::from(self.offset_s) * second;
        u64::try_from(time.max(0)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ns(tsresol: u8, offset_s: i64, units: u64) -> u64 {
        let mut as_told = Units::DEFAULT;
        as_told.set_resolution(tsresol);
        as_told.set_offset(offset_s);
        as_told.to_ns(units)
    }

    #[test]
    fn units_are_microseconds_where_nothing_is_said() {
        assert_eq!(Units::DEFAULT.to_ns(1_500_000_000_000_001), 1_500_000_000_000_001_000);
    }

    #[test]
    fn decimal_and_binary_resolutions_are_converted_exactly() {
        assert_eq!(ns(0, 0, 7), 7 * SECOND_NS);
        assert_eq!(ns(3, 0, 1_001), 1_001_000_000);
        assert_eq!(ns(9, 0, 1_500_000_000_123_456_789), 1_500_000_000_123_456_789);
        assert_eq!(ns(12, 0, 7_123_456_789_012), 7_123_456_789);
        assert_eq!(ns(0x80, 0, 7), 7 * SECOND_NS);
        assert_eq!(ns(0x8a, 0, 3 * 512), 1_500_000_000);
        assert_eq!(ns(0xa0, 0, 5 << 31), 2_500_000_000);
    }

    #[test]
    fn an_offset_shifts_times_either_way_and_stops_at_the_epoch() {
        assert_eq!(ns(6, 100, 1), 100 * SECOND_NS + 1_000);
        assert_eq!(ns(6, -1, 3_000_000), 2 * SECOND_NS);
        assert_eq!(ns(6, -4, 3_000_000), 0);
        assert_eq!(ns(6, i64::MAX, u64::MAX), u64::MAX);
        assert_eq!(ns(6, i64::MIN, u64::MAX), 0);
    }

    #[test]
    fn no_resolution_overflows() {
        for tsresol in 0..=u8::MAX {
            let unit_ns = ns(tsresol, 0, 1);
            let most = ns(tsresol, 0, u64::MAX);
            assert!(unit_ns <= most, "resolution {tsresol:#x}");
        }
        assert_eq!(ns(0, 0, u64::MAX), u64::MAX);
        assert_eq!(ns(127, 3, u64::MAX), 3 * SECOND_NS);
        assert_eq!(ns(0xff, 3, u64::MAX), 3 * SECOND_NS);
    }
}
