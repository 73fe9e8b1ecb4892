//! Whether a program needs a dynamic linker, by its ELF program headers (System V ABI, chapter 5).

/// Where a 64-bit ELF file says where its program headers are, how long one is, and how many there are.
const PROGRAM_HEADERS_AT: usize = 32;
const HEADER_LENGTH_AT: usize = 54;
const HEADER_COUNT_AT: usize = 56;
/// The header that names the dynamic linker.
const PT_INTERP: u32 = 3;

/// True of a 64-bit little-endian ELF program that names no dynamic linker.
pub(super) fn is_static(file: &[u8]) -> bool {
    kinds(file).is_some_and(|kinds| !kinds.is_empty() && !kinds.contains(&PT_INTERP))
}

/// The kind of each program header; `None` where this is no such file.
fn kinds(file: &[u8]) -> Option<Vec<u32>> {
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let start = usize::try_from(u64::from_le_bytes(bytes(file, PROGRAM_HEADERS_AT)?)).ok()?;
    let length = usize::from(u16::from_le_bytes(bytes(file, HEADER_LENGTH_AT)?));
    let count = usize::from(u16::from_le_bytes(bytes(file, HEADER_COUNT_AT)?));
    (0..count)
        .map(|number| bytes(file, start.checked_add(number * length)?).map(u32::from_le_bytes))
        .collect()
}

fn bytes<const N: usize>(file: &[u8], at: usize) -> Option<[u8; N]> {
    file.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file with program headers of these kinds.
    fn program(kinds: &[u32]) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01".to_vec();
        file.resize(64, 0);
        file[PROGRAM_HEADERS_AT] = 64;
        file[HEADER_LENGTH_AT] = 56;
        file[HEADER_COUNT_AT] = kinds.len() as u8;
        for kind in kinds {
            file.extend(kind.to_le_bytes());
            file.extend([0; 52]);
        }
        file
    }

    #[test]
    fn a_program_that_names_a_dynamic_linker_is_not_static() {
        assert!(is_static(&program(&[6, 1, 1, 2])));
        assert!(!is_static(&program(&[6, PT_INTERP, 1, 1, 2])));
    }

    #[test]
    fn what_is_no_program_is_not_static() {
        assert!(!is_static(b""));
        assert!(!is_static(b"#!/bin/sh\n"));
        assert!(!is_static(&program(&[])));
        let mut cut = program(&[1, 2]);
        cut.truncate(100);
        assert!(!is_static(&cut));
    }
}
