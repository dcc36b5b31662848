#![no_main]

#[path = "../../crates/framed-echo/tests/laws/mod.rs"]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::frames(data));
