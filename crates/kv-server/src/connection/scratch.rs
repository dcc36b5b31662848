//! Buffers that belong to a thread rather than to a connection, so that an idle connection holds none.

use std::cell::RefCell;

use bytes::BytesMut;

use crate::connection::batch::Batch;
use crate::connection::look_ahead;

/// One read brings in at most this much; several thousand small requests.
const READ_BYTES: usize = 64 * 1024;
/// An output buffer that grew beyond this is not kept.
const KEEP_BYTES: usize = 256 * 1024;

#[derive(Default)]
struct Scratch {
    batch: Option<Box<Batch>>,
    out: Option<BytesMut>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// An empty batch with room to read into.
pub(super) fn take_batch() -> Box<Batch> {
    let mut batch = SCRATCH
        .with_borrow_mut(|scratch| scratch.batch.take())
        .unwrap_or_default();
    if batch.buf.capacity() < READ_BYTES {
        batch.buf = BytesMut::with_capacity(READ_BYTES);
    }
    batch
}

/// Gives a batch back; its contents are gone.
pub(super) fn put_batch(mut batch: Box<Batch>) {
    batch.reset();
    if batch.buf.capacity() < READ_BYTES {
        look_ahead::put_back(batch);
    } else if batch.buf.capacity() <= KEEP_BYTES {
        SCRATCH.with_borrow_mut(|scratch| scratch.batch = Some(batch));
    }
}

/// An empty output buffer.
pub(super) fn take_out() -> BytesMut {
    SCRATCH
        .with_borrow_mut(|scratch| scratch.out.take())
        .unwrap_or_else(|| BytesMut::with_capacity(READ_BYTES))
}

/// Gives an output buffer back; its contents are gone.
pub(super) fn put_out(mut out: BytesMut) {
    out.clear();
    if (READ_BYTES..=KEEP_BYTES).contains(&out.capacity()) {
        SCRATCH.with_borrow_mut(|scratch| scratch.out = Some(out));
    }
}
