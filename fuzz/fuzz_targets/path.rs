//! Runs `selkie_fuzz::path`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| selkie_fuzz::path(bytes));
