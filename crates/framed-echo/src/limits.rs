//! How long a body may be, kind by kind.

use crate::Kind;

/// The longest body accepted of each kind, in bytes.
///
/// The limit is looked up as soon as the header is complete, before a byte of the body is kept.
///
/// | kind | default |
/// |---|---|
/// | text (1) | 1 MiB |
/// | picture (2) | 16 MiB |
/// | voice (3) | 64 MiB |
/// | video (4) | 1 GiB |
/// | control (128 and above) | 128 KiB |
/// | any other | 1 MiB |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One entry a kind: looking a limit up is one load.
    max: [u32; 256],
}

impl Limits {
    /// The same limit for every message kind; control kinds keep theirs.
    #[must_use]
    pub fn same(max_bytes: u32) -> Self {
        let mut limits = Self::default();
        limits.max[..usize::from(Kind::FIRST_CONTROL.0)].fill(max_bytes);
        limits
    }

    /// Replaces the limit of one kind.
    #[must_use]
    pub fn with(mut self, kind: Kind, max_bytes: u32) -> Self {
        self.max[usize::from(kind.0)] = max_bytes;
        self
    }

    /// Replaces the limit of all control kinds.
    #[must_use]
    pub(crate) fn with_control(mut self, max_bytes: u32) -> Self {
        self.max[usize::from(Kind::FIRST_CONTROL.0)..].fill(max_bytes);
        self
    }

    /// The longest body accepted of this kind, in bytes.
    #[must_use]
    pub fn of(&self, kind: Kind) -> u32 {
        self.max[usize::from(kind.0)]
    }
}

impl Default for Limits {
    fn default() -> Self {
        const KIB: u32 = 1024;
        const MIB: u32 = 1024 * KIB;

        let mut max = [MIB; 256];
        max[usize::from(Kind::PICTURE.0)] = 16 * MIB;
        max[usize::from(Kind::VOICE.0)] = 64 * MIB;
        max[usize::from(Kind::VIDEO.0)] = 1024 * MIB;
        max[usize::from(Kind::FIRST_CONTROL.0)..].fill(128 * KIB);
        Self { max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_limit_for_all_leaves_control_frames_alone() {
        let limits = Limits::same(10).with(Kind::VIDEO, 500);
        assert_eq!(limits.of(Kind::TEXT), 10);
        assert_eq!(limits.of(Kind(99)), 10);
        assert_eq!(limits.of(Kind::VIDEO), 500);
        assert_eq!(limits.of(Kind(200)), 128 * 1024);
    }
}
