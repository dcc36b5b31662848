//! The arguments of one request, as a cursor with typed getters.

use resp_codec::{Arg, number};

use crate::error::{ReplyError, Result};

/// The arguments behind the name of a command (and of its subcommand), slices of the connection's read buffer.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    buf: &'a [u8],
    args: &'a [Arg],
    /// The next argument; `at <= args.len()`.
    at: usize,
}

impl<'a> Args<'a> {
    pub(crate) fn new(buf: &'a [u8], args: &'a [Arg]) -> Self {
        Self { buf, args, at: 0 }
    }

    /// Leaves out the first `n`.
    pub(crate) fn skip(mut self, n: usize) -> Self {
        self.at = (self.at + n).min(self.args.len());
        self
    }

    /// How many arguments are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.args.len() - self.at
    }

    /// The next argument.
    ///
    /// # Errors
    ///
    /// [`ReplyError::Syntax`] if there is none.
    #[expect(
        clippy::should_implement_trait,
        reason = "it returns a Result; the iterator is `rest`"
    )]
    pub fn next(&mut self) -> Result<&'a [u8]> {
        let arg = self.args.get(self.at).ok_or(ReplyError::Syntax)?;
        self.at += 1;
        Ok(arg.of(self.buf))
    }

    /// The next argument, which stays where it is.
    #[must_use]
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.args.get(self.at).map(|arg| arg.of(self.buf))
    }

    /// Whether the next argument is a whole RESP frame rather than text: an integer, null, array or map inside of a request.
    ///
    /// Only servers with [`nested_requests`](crate::Builder::nested_requests) accept such requests.
    #[must_use]
    pub fn next_is_frame(&self) -> bool {
        self.args.get(self.at).is_some_and(|arg| arg.is_frame())
    }

    /// Takes the next argument if it is this word, in any case.
    pub fn take(&mut self, word: &str) -> bool {
        let found = self
            .peek()
            .is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
        self.at += usize::from(found);
        found
    }

    /// The next argument as an integer.
    ///
    /// # Errors
    ///
    /// [`ReplyError::NotInteger`], [`ReplyError::Syntax`] if there is none.
    pub fn integer(&mut self) -> Result<i64> {
        number::parse_i64(self.next()?).ok_or(ReplyError::NotInteger)
    }

    /// The next argument as an integer in a range that the error names.
    pub(crate) fn integer_in(&mut self, min: i64, max: i64) -> Result<i64> {
        Some(self.integer()?)
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| ReplyError::outside(min, max))
    }

    /// The next argument as an integer of at least `min`, or this error.
    pub(crate) fn count(&mut self, min: i64, error: ReplyError) -> Result<usize> {
        let number = number::parse_i64(self.next()?).filter(|&number| number >= min);
        number
            .and_then(|number| usize::try_from(number).ok())
            .ok_or(error)
    }

    /// `numkeys key [key ...]`, with something behind it.
    pub(crate) fn counted_keys(&mut self) -> Result<Vec<&'a [u8]>> {
        let few = ReplyError::text("ERR numkeys should be greater than 0");
        let number = self.count(1, few)?;
        if number >= self.remaining() {
            return Err(ReplyError::Syntax);
        }
        (0..number).map(|_| self.next()).collect()
    }

    /// `[COUNT count]` as the end of the arguments; 1 without it.
    pub(crate) fn last_count(&mut self) -> Result<usize> {
        if self.remaining() == 0 {
            return Ok(1);
        }
        if self.remaining() == 1 || !self.take("COUNT") {
            return Err(ReplyError::Syntax);
        }
        let few = ReplyError::text("ERR count should be greater than 0");
        let count = self.count(1, few)?;
        self.finish()?;
        Ok(count)
    }

    /// The next argument as a float; `nan` is refused.
    ///
    /// # Errors
    ///
    /// [`ReplyError::NotFloat`], [`ReplyError::Syntax`] if there is none.
    pub fn float(&mut self) -> Result<f64> {
        number::parse_f64(self.next()?)
            .filter(|n| !n.is_nan())
            .ok_or(ReplyError::NotFloat)
    }

    /// How many words the whole request has.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.args.len()
    }

    /// Takes what is left.
    pub fn rest(&mut self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let buf = self.buf;
        let left = &self.args[self.at..];
        self.at = self.args.len();
        left.iter().map(move |arg| arg.of(buf))
    }

    /// All arguments from the name of the command on, whatever has been taken.
    pub(crate) fn all(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let buf = self.buf;
        self.args.iter().map(move |arg| arg.of(buf))
    }

    /// Fails if anything is left.
    ///
    /// # Errors
    ///
    /// [`ReplyError::Syntax`].
    pub fn finish(&self) -> Result {
        if self.remaining() == 0 {
            Ok(())
        } else {
            Err(ReplyError::Syntax)
        }
    }
}
