//! The one-byte message kind.

use std::fmt;

/// What a body holds. Every value is legal on the wire; the named ones have a meaning here.
///
/// Kinds below 128 are messages for people and programs; kinds from 128 on steer the connection itself and never
/// reach a handler (see [`control`](crate::control)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u8);

impl Kind {
    /// UTF-8 text.
    pub const TEXT: Self = Self(1);
    /// A picture, in whatever format the two ends agree on.
    pub const PICTURE: Self = Self(2);
    /// A voice recording.
    pub const VOICE: Self = Self(3);
    /// A video.
    pub const VIDEO: Self = Self(4);

    /// The first kind that belongs to the protocol and not to its users.
    pub const FIRST_CONTROL: Self = Self(128);

    /// Whether this kind steers the connection instead of carrying a message.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.0 >= Self::FIRST_CONTROL.0
    }

    /// The name of a named kind, such as `text`.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        use crate::control::kind as control;

        Some(match self {
            Self::TEXT => "text",
            Self::PICTURE => "picture",
            Self::VOICE => "voice",
            Self::VIDEO => "video",
            control::HELLO => "hello",
            control::MESSAGE => "message",
            control::ACK => "ack",
            control::PING => "ping",
            control::PONG => "pong",
            control::ERROR => "error",
            control::START => "start",
            control::CHUNK => "chunk",
            control::CREDIT => "credit",
            control::ABORT => "abort",
            control::GOODBYE => "goodbye",
            _ => return None,
        })
    }
}

/// Writes the name and the number, or the number alone: `text (1)`, `9`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_upper_half_is_control() {
        assert!(!Kind(0).is_control());
        assert!(!Kind(127).is_control());
        assert!(Kind(128).is_control());
        assert!(Kind(255).is_control());
    }

    #[test]
    fn shows_the_name_when_there_is_one() {
        assert_eq!(Kind::VIDEO.to_string(), "video (4)");
        assert_eq!(Kind(77).to_string(), "77");
    }
}
