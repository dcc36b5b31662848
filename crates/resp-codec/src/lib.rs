//! RESP2 and RESP3, the Redis serialization protocol, as a resumable, bounded tokio-util codec.

#![forbid(unsafe_code)]
