//! Numbers as people read them.

/// A number of things.
pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A size, in the largest unit of which there is one: rounded down, as room is never more than there is.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [(u32, &str); 4] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    for (shift, unit) in UNITS {
        let whole = bytes >> shift;
        if whole >= 10 {
            return format!("{whole} {unit}");
        }
        if whole > 0 {
            let tenths = (bytes >> (shift - 10) & 1_023) * 10 / 1_024;
            return if tenths == 0 { format!("{whole} {unit}") } else { format!("{whole}.{tenths} {unit}") };
        }
    }
    counted(bytes, "byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_fits_and_are_never_rounded_up() {
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(1_023), "1023 bytes");
        assert_eq!(bytes(1_024), "1 KiB");
        assert_eq!(bytes((64 << 20) - 1), "63 MiB");
        assert_eq!(bytes(3 << 29), "1.5 GiB");
        assert_eq!(bytes((2 << 40) - 1), "1.9 TiB");
        assert_eq!(bytes(u64::MAX), "16777215 TiB");
    }
}
