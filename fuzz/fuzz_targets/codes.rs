//! Runs `selkie_fuzz::codes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| selkie_fuzz::codes(bytes));
