//! Integers of any width inside of a byte string, at any bit.

/// An integer of a bit field: `i8`, `u63`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    signed: bool,
    /// From 1 to 64, to 63 without sign.
    width: u8,
}

/// What becomes of a number that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// Its lower bits.
    Wrap,
    /// The nearest one that fits.
    Saturate,
    /// Nothing is written.
    Fail,
}

/// A field at any bit reaches over so many bytes at most.
const SPAN: usize = 9;

impl Field {
    /// `None` for a width that there is not: 64 bits without sign would not fit into a reply.
    pub(crate) fn new(signed: bool, width: i64) -> Option<Self> {
        let max = if signed { 64 } else { 63 };
        let width = u8::try_from(width).ok()?;
        (1..=max).contains(&width).then_some(Self { signed, width })
    }

    pub(crate) fn width(self) -> u8 {
        self.width
    }

    fn mask(self) -> u64 {
        u64::MAX >> (64 - self.width)
    }

    fn range(self) -> (i128, i128) {
        let bits = self.width;
        if self.signed {
            (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
        } else {
            (0, (1 << bits) - 1)
        }
    }

    /// The lower bits of a number, as a number of this field.
    fn wrap(self, bits: u64) -> i64 {
        let unused = 64 - self.width;
        if self.signed {
            signed(bits << unused) >> unused
        } else {
            signed(bits & self.mask())
        }
    }

    /// Reads the number at a bit; what is behind the end is 0.
    pub(crate) fn read(self, bytes: &[u8], at: u64) -> i64 {
        let mut window = [0; 16];
        let byte = usize::try_from(at / 8).unwrap_or(usize::MAX);
        let there = bytes.get(byte..).unwrap_or_default();
        let len = there.len().min(SPAN);
        window[..len].copy_from_slice(&there[..len]);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the field's bits are the lower ones"
        )]
        let bits = (u128::from_be_bytes(window) >> self.shift(at)) as u64;
        self.wrap(bits)
    }

    /// Writes a number at a bit, with all of its bits inside of the string.
    pub(crate) fn write(self, bytes: &mut [u8], at: u64, number: i64) {
        let mut window = [0; 16];
        let byte = usize::try_from(at / 8).unwrap_or(usize::MAX);
        let there = bytes.get_mut(byte..).unwrap_or_default();
        let len = there.len().min(SPAN);
        window[..len].copy_from_slice(&there[..len]);
        let shift = self.shift(at);
        let bits = u128::from(unsigned(number) & self.mask()) << shift;
        let others = u128::from_be_bytes(window) & !(u128::from(self.mask()) << shift);
        let window = (others | bits).to_be_bytes();
        there[..len].copy_from_slice(&window[..len]);
    }

    /// How far the field's last bit is from the end of a window of 128 bits.
    fn shift(self, at: u64) -> u32 {
        let before = u32::try_from(at % 8).unwrap_or(0);
        128 - before - u32::from(self.width)
    }

    /// A number that SET gives, as it is written: bits if there is no sign. `None` if it does not fit and must not be written.
    pub(crate) fn fit(self, number: i64, overflow: Overflow) -> Option<i64> {
        let exact = if self.signed {
            i128::from(number)
        } else {
            i128::from(unsigned(number))
        };
        self.limit(exact, unsigned(number), overflow)
    }

    /// The sum of a number of this field and any other.
    pub(crate) fn add(self, number: i64, more: i64, overflow: Overflow) -> Option<i64> {
        let exact = i128::from(number) + i128::from(more);
        self.limit(exact, unsigned(number.wrapping_add(more)), overflow)
    }

    fn limit(self, exact: i128, bits: u64, overflow: Overflow) -> Option<i64> {
        let (min, max) = self.range();
        if (min..=max).contains(&exact) {
            return Some(self.wrap(bits));
        }
        match overflow {
            Overflow::Wrap => Some(self.wrap(bits)),
            Overflow::Saturate => i64::try_from(exact.clamp(min, max)).ok(),
            Overflow::Fail => None,
        }
    }
}

/// The same bits with a sign.
fn signed(bits: u64) -> i64 {
    i64::from_ne_bytes(bits.to_ne_bytes())
}

/// The same bits without a sign.
fn unsigned(number: i64) -> u64 {
    u64::from_ne_bytes(number.to_ne_bytes())
}
