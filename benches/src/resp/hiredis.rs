//! hiredis, through `hiredis.c`.

use std::{
    ffi::{c_char, c_long, c_void},
    ptr::NonNull,
};

use super::{Parser, Workload};

unsafe extern "C" {
    fn shim_allocations() -> usize;
    fn shim_reader() -> *mut c_void;
    fn shim_decode(reader: *mut c_void, piece: *const c_char, len: usize) -> c_long;
}

/// Allocations of the whole process so far, C's included.
#[must_use]
pub fn allocations() -> usize {
    // SAFETY: reads a counter; the comparison runs on one thread.
    unsafe { shim_allocations() }
}

/// `redisReaderGetReply`: values. The reader lives as long as the process.
#[derive(Debug)]
pub struct Hiredis {
    reader: NonNull<c_void>,
}

impl Default for Hiredis {
    fn default() -> Self {
        // SAFETY: takes nothing, returns a reader or null.
        Self {
            reader: NonNull::new(unsafe { shim_reader() }).expect("out of memory"),
        }
    }
}

impl Parser for Hiredis {
    fn name(&self) -> &'static str {
        "hiredis"
    }

    fn pass(&mut self, workload: &Workload) -> usize {
        let mut frames = 0;
        for piece in workload.wire.chunks(workload.piece) {
            // SAFETY: the reader is valid and used by this thread alone; the piece is valid for its length and copied.
            let decoded =
                unsafe { shim_decode(self.reader.as_ptr(), piece.as_ptr().cast(), piece.len()) };
            frames += usize::try_from(decoded).expect("well-formed");
        }
        frames
    }
}
