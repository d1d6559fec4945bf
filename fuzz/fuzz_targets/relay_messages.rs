//! Runs `selkie_fuzz::relay_messages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| selkie_fuzz::relay_messages(bytes));
