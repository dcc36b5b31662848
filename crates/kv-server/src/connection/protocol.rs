//! The server's side of the codec: limits before and after authentication, and the texts of protocol errors.

use bytes::BytesMut;
use resp_codec::{DecodeError, DecodeErrorKind as Kind, Limits, RequestDecoder, write};

use crate::error::ReplyError;
use crate::server::Inner;

/// What a connection may send before it has authenticated, as in Redis 7.
const UNAUTHENTICATED_ARGS: usize = 10;
const UNAUTHENTICATED_BULK_BYTES: usize = 16 * 1024;
/// Room for a request of which next to nothing has arrived, whatever it announces.
const ROOM_MIN: usize = 1024;
const ROOM_MAX: usize = 16 * 1024;

pub(super) fn decoder(server: &Inner, authenticated: bool) -> RequestDecoder {
    RequestDecoder::new(limits(server, authenticated)).nested(server.nested_requests)
}

/// The limits of a connection.
pub(super) fn limits(server: &Inner, authenticated: bool) -> Limits {
    let mut limits = server.request_limits;
    if !authenticated {
        limits.elements = UNAUTHENTICATED_ARGS;
        limits.bulk_bytes = UNAUTHENTICATED_BULK_BYTES;
    }
    limits
}

/// Room for the rest of a request: what it announces, but at most as much again as has arrived.
pub(super) fn room_for(have: usize, missing: usize) -> usize {
    have + missing.clamp(ROOM_MIN, ROOM_MAX.max(have))
}

/// Grows a buffer whose request is not complete.
pub(super) fn make_room(buf: &mut BytesMut, missing: usize) {
    let wanted = room_for(buf.len(), missing);
    if buf.capacity() < wanted {
        buf.reserve(wanted - buf.len());
    }
}

pub(super) fn internal_error(out: &mut BytesMut, command: String) {
    write::error(out, ReplyError::Internal(command).to_string().as_bytes());
}

/// Redis's text for a broken stream.
pub(super) fn reject(out: &mut BytesMut, error: &DecodeError, authenticated: bool) {
    let text = match error.kind() {
        Kind::ElementsLimit { .. } if !authenticated => {
            "unauthenticated multibulk length".to_owned()
        }
        Kind::BulkLimit { .. } if !authenticated => "unauthenticated bulk length".to_owned(),
        Kind::ElementsLimit { .. } => Kind::InvalidMultibulkLength.to_string(),
        Kind::BulkLimit { .. } => Kind::InvalidBulkLength.to_string(),
        kind => kind.to_string(),
    };
    write::error(out, format!("ERR Protocol error: {text}").as_bytes());
}
