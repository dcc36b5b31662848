//! The reply writer: straight into the connection's output buffer, in the connection's protocol version.

use bytes::BytesMut;
use resp_codec::{Frame, Version, write};

use crate::error::ReplyError;
use crate::value::Item;

/// Writes one reply. Aggregates are a header followed by their elements.
#[derive(Debug)]
pub struct Reply<'a> {
    pub(crate) buf: &'a mut BytesMut,
    pub(crate) version: Version,
}

impl Reply<'_> {
    /// The version that this connection speaks.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn is_resp3(&self) -> bool {
        matches!(self.version, Version::Resp3)
    }

    /// `+OK`.
    pub fn ok(&mut self) {
        self.buf.extend_from_slice(b"+OK\r\n");
    }

    /// A simple string.
    pub fn simple(&mut self, text: &str) {
        write::simple_string(self.buf, text.as_bytes());
    }

    /// An error; the text begins with its code.
    pub fn error(&mut self, error: &ReplyError) {
        write::error(self.buf, error.to_string().as_bytes());
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, n: i64) {
        write::integer(self.buf, n);
    }

    /// A length or count, as an integer.
    #[inline]
    pub fn len(&mut self, n: usize) {
        write::integer(self.buf, i64::try_from(n).unwrap_or(i64::MAX));
    }

    /// A number that is never negative, as an integer.
    pub(crate) fn unsigned(&mut self, n: u64) {
        self.integer(i64::try_from(n).unwrap_or(i64::MAX));
    }

    /// 1 or 0.
    pub fn flag(&mut self, yes: bool) {
        self.integer(yes.into());
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, data: &[u8]) {
        write::bulk(self.buf, data);
    }

    /// A bulk string, or null.
    #[inline]
    pub fn bulk_or_null(&mut self, data: Option<&[u8]>) {
        match data {
            Some(data) => self.bulk(data),
            None => self.null(),
        }
    }

    /// A bulk string that holds a decimal number.
    pub fn bulk_integer(&mut self, n: i64) {
        write::bulk_i64(self.buf, n);
    }

    /// An element of a collection, as a bulk string.
    #[inline]
    pub(crate) fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Int(number) => self.bulk_integer(number),
            Item::Text(text) => self.bulk(text),
        }
    }

    /// Null: `$-1` in RESP2.
    #[inline]
    pub fn null(&mut self) {
        write::null(self.buf, self.version);
    }

    /// The null that stands for an aggregate: `*-1` in RESP2.
    pub fn null_array(&mut self) {
        write::null_array(self.buf, self.version);
    }

    /// An array of `len` elements follows.
    pub fn array(&mut self, len: usize) {
        write::array_header(self.buf, len);
    }

    /// A map of `pairs` follows; in RESP2 an array of twice as many elements.
    pub fn map(&mut self, pairs: usize) {
        write::map_header(self.buf, self.version, pairs);
    }

    /// A set of `len` elements follows; in RESP2 an array.
    pub fn set(&mut self, len: usize) {
        write::set_header(self.buf, self.version, len);
    }

    /// A push of `len` elements follows; in RESP2 an array.
    pub fn push(&mut self, len: usize) {
        write::push_header(self.buf, self.version, len);
    }

    /// A double; in RESP2 a bulk string.
    pub fn double(&mut self, n: f64) {
        write::double(self.buf, self.version, n);
    }

    /// A score: a double, in RESP2 a bulk string.
    #[inline]
    pub(crate) fn score(&mut self, score: f64) {
        match whole(score).filter(|_| !self.is_resp3()) {
            Some(number) => self.bulk_integer(number),
            None => self.double(score),
        }
    }

    /// A score as a bulk string in either version.
    pub(crate) fn bulk_score(&mut self, score: f64) {
        match whole(score) {
            Some(number) => self.bulk_integer(number),
            None => write::double(self.buf, Version::Resp2, score),
        }
    }

    /// A boolean; in RESP2 1 or 0.
    pub fn boolean(&mut self, yes: bool) {
        write::boolean(self.buf, self.version, yes);
    }

    /// Text for people (`INFO`, `CLIENT LIST`): a verbatim string, in RESP2 a bulk string.
    pub fn text(&mut self, text: &str) {
        write::verbatim(self.buf, self.version, b"txt", text.as_bytes());
    }

    /// What `CONTAINER HELP` answers: a line or two for each subcommand.
    pub(crate) fn help(&mut self, container: &str, lines: &[&str]) {
        self.array(lines.len() + 3);
        self.simple(&format!(
            "{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
        ));
        lines.iter().for_each(|line| self.simple(line));
        self.simple("HELP");
        self.simple("    Print this help.");
    }

    /// Where the next frame will stand, for [`put_before`](Self::put_before).
    pub(crate) fn position(&self) -> usize {
        self.buf.len()
    }

    /// Writes something before what was written from `position` on: the header of an aggregate whose length is known now.
    pub(crate) fn put_before(&mut self, position: usize, write: impl FnOnce(&mut Self)) {
        let end = self.buf.len();
        write(self);
        let len = self.buf.len() - end;
        self.buf[position..].rotate_right(len);
    }

    /// A frame, in the form that this connection's version has for it.
    pub fn frame(&mut self, frame: &Frame) {
        frame.write(self.buf, self.version);
    }

    /// A frame that is encoded already.
    pub fn raw(&mut self, frame: &[u8]) {
        self.buf.extend_from_slice(frame);
    }
}

/// A double that is an integer and is written as one, quicker.
#[inline]
fn whole(number: f64) -> Option<i64> {
    /// Well within what a double holds exactly.
    const MAX: f64 = 1e15;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    let integer = number as i64;
    let is_whole = number.abs() <= MAX && integer as f64 == number;
    // -0 has a sign.
    (is_whole && (integer != 0 || number.is_sign_positive())).then_some(integer)
}
