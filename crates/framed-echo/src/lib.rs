//! Length-framed binary messages: codec, echo and relay server, client.

#![forbid(unsafe_code)]
