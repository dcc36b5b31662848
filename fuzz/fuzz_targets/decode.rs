#![no_main]

#[path = "../../crates/resp-codec/tests/laws/mod.rs"]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::decode(data));
