//! What reading RDB data allocates, counted: never more than the bytes that are there justify.
//!
//! `cargo test -p kv-server --features fuzz --test rdb_memory`

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts what the calling thread allocates.
struct Counting;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to `System` unchanged; the counters are plain thread-local cells that allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get().saturating_add(layout.size()));
        PEAK.set(PEAK.get().max(LIVE.get()));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get().saturating_sub(layout.size()));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes alive at once while `data` is read, and what was read is written and read again.
fn peak(data: &[u8]) -> usize {
    LIVE.set(0);
    PEAK.set(0);
    kv_server::fuzz::rdb(data);
    PEAK.get()
}

/// What reading and writing may hold whatever the input: their buffers, the first piece of a long string, a table for
/// compression.
const ALWAYS: usize = 512 * 1024;

#[test]
fn a_few_bytes_cost_little_whatever_they_announce() {
    let lengths: [&[u8]; 4] = [
        b"\x80\x00\x10\x00\x00",                 // a million
        b"\x80\xff\xff\xff\xff",                 // 4 G
        b"\x81\x00\x00\x00\x10\x00\x00\x00\x00", // 64 G
        b"\x81\xff\xff\xff\xff\xff\xff\xff\xff", // the largest
    ];
    // What stands before the length makes it the length of the value, of a compressed string, of what that decompresses
    // to, or of the string in a node.
    let befores: [&[u8]; 5] = [b"", b"\xc3", b"\xc3\x05", b"\x01", b"\x02\x02"];
    for kind in 0..26_u8 {
        for len in lengths {
            for before in befores {
                let key = [kind, 1, b'k'];
                let file = [
                    b"REDIS0011",
                    &key[..],
                    before,
                    len,
                    b"a\xe0\xff\x00abcdefgh",
                ]
                .concat();
                let peak = peak(&file);
                assert!(peak <= ALWAYS, "{peak} bytes for {}", file.escape_ascii());
            }
        }
    }
}

#[test]
fn memory_grows_with_the_bytes_that_arrived() {
    // The costliest plain form: an element of one byte in the file is a vector, and the vector of them doubles.
    let elements = vec![0; 1_000_000];
    let file = [&b"REDIS0008\x01\x01k\x80\x00\x0f\x42\x40"[..], &elements].concat();
    let peak = peak(&file);
    println!("{} bytes for each byte", peak / file.len());
    assert!(
        peak <= ALWAYS + 128 * file.len(),
        "{peak} bytes for {}",
        file.len()
    );
}
