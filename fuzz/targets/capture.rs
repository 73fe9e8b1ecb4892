//! See `scanwatch_fuzz::captures`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: scanwatch_fuzz::seeds::write_where_asked(scanwatch_fuzz::captures::seeds),
    |input: &[u8]| scanwatch_fuzz::captures::check(input)
);
