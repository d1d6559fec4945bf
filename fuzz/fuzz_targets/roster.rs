//! Runs `selkie_fuzz::roster`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| selkie_fuzz::roster(bytes));
