//! Runs `selkie_fuzz::envelope`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| selkie_fuzz::envelope(bytes));
