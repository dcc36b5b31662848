//! One command on its way to the server: its name, its encoded arguments and its class.

mod body;

use std::borrow::Cow;
use std::fmt;
use std::iter::once;

use bytes::Bytes;
use resp_codec::{number, write};

use crate::arg::ToArgs;
use crate::class::Class;
use crate::connection::outgoing::Outgoing;
use crate::keys::{self, KEY};
use crate::table::{self, Row};
use body::{Body, COUNTED, LONGER, MAX_COUNTED, push_header};

/// The arguments of one command, already in their wire form.
///
/// Commands build it themselves; it is public so that [`ToArg`](crate::ToArg) can be implemented for types of your own.
#[derive(Clone)]
pub struct Request {
    name: Cow<'static, str>,
    /// What is known of the command. `None` if that was not looked up yet, or nothing is.
    row: Option<&'static Row>,
    /// `None` until it is asked for: it depends on the arguments.
    class: Option<Class>,
    /// Number of arguments, the name included.
    argc: usize,
    /// The array header, if it is short, and the arguments as bulk strings, without those in `shared`.
    body: Body,
    /// Long arguments of the caller's that are sent from where they are, each with the length of `body` it stands behind.
    shared: Vec<(usize, Bytes)>,
    /// The length of everything in `shared`.
    shared_len: usize,
    /// The length of `body` where options go that stand before arguments which are there already; 0 is its end.
    options_at: usize,
}

/// Arguments, and whole requests, from this length on are sent from where they are instead of being copied into the write
/// buffer.
pub(crate) const SHARED_FROM: usize = 8 * 1024;
/// The most that is reserved because the first element of a list is long.
const MAX_EXPECTED: usize = 64 * 1024;
/// The most that the array header of a request takes: `*`, 20 digits, CR LF.
const HEADER: usize = 23;

impl Request {
    /// A request of the command `name`, in upper case. Its class and its keys follow from the name and the arguments.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self::with_room(name.into(), 0)
    }

    /// A request with room for so many bytes of arguments, or for those of a short command.
    fn with_room(name: Cow<'static, str>, len: usize) -> Self {
        let mut body = Body::START;
        if len > 0 {
            let mut longer = Vec::with_capacity(LONGER + len.min(MAX_EXPECTED));
            longer.extend_from_slice(&body);
            body = Body::Open(longer);
        }
        body.push(name.as_bytes());
        Self {
            name,
            row: None,
            class: None,
            argc: 1,
            body,
            shared: Vec::new(),
            shared_len: 0,
            options_at: 0,
        }
    }

    /// A request of a command in the table; of a subcommand, with both of its words.
    pub(crate) fn of(row: &'static Row) -> Self {
        Self::of_about(row, 0)
    }

    /// The same, if its arguments are known to take about so many bytes.
    pub(crate) fn of_about(row: &'static Row, len: usize) -> Self {
        let mut request = Self::with_room(Cow::Borrowed(row.word()), len);
        request.row = Some(row);
        request.class = Some(row.class);
        if let Some(subcommand) = row.subcommand() {
            request.push(subcommand.as_bytes());
        }
        request
    }

    /// The command's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What may be done with it when the connection breaks.
    #[inline]
    #[must_use]
    pub fn class(&self) -> Class {
        self.class.unwrap_or_else(|| self.look_up_class())
    }

    /// It is complete: makes further calls of [`Self::class`] cheap, and sending a long one too.
    pub(crate) fn seal(&mut self) {
        self.class = Some(self.class());
        if let Body::Open(body) = &mut self.body {
            if body.len() >= SHARED_FROM {
                self.body = Body::Sealed(std::mem::take(body).into());
            }
        }
    }

    #[cold]
    fn look_up_class(&self) -> Class {
        self.row().map_or(Class::Write, |row| Class::of(row, self))
    }

    fn row(&self) -> Option<&'static Row> {
        self.row
            .or_else(|| table::find(&self.name, self.args().next()))
    }

    /// The keys among the arguments, as far as the command is known: what decides to which node of a cluster it goes.
    ///
    /// ```
    /// let mut request = kv_client::Request::new("ZUNIONSTORE");
    /// for arg in ["sum", "2", "a", "b"] {
    ///     request.push(arg.as_bytes());
    /// }
    /// assert_eq!(request.keys(), [b"sum", &b"a"[..], b"b"]);
    /// ```
    #[must_use]
    pub fn keys(&self) -> Vec<&[u8]> {
        match self.row() {
            None => Vec::new(),
            Some(row) if row.keys == KEY => self.args().take(1).collect(),
            Some(row) if row.keys.is_empty() => Vec::new(),
            Some(row) => {
                let argv: Vec<_> = once(self.name.as_bytes()).chain(self.args()).collect();
                keys::find(row.keys, &argv)
            }
        }
    }

    pub(crate) fn set_class(&mut self, class: Class) {
        self.class = Some(class);
    }

    /// The name for an error; of a subcommand, with both of its words if it is known.
    pub(crate) fn clone_name(&self) -> Cow<'static, str> {
        self.row
            .map_or_else(|| self.name.clone(), |row| Cow::Borrowed(row.name))
    }

    /// Appends one argument, copying it.
    pub fn push(&mut self, arg: &[u8]) {
        self.count();
        self.body.push(arg);
    }

    /// Appends one argument, sharing it if it is long.
    pub fn push_shared(&mut self, arg: &Bytes) {
        if arg.len() >= SHARED_FROM {
            self.share(arg.clone());
        } else {
            self.push(arg);
        }
    }

    /// Appends the decimal text of a number as one argument.
    pub fn push_i64(&mut self, arg: i64) {
        self.push(number::format_i64(arg, &mut [0; number::I64_LEN]));
    }

    /// Counts one more argument.
    #[inline]
    fn count(&mut self) {
        self.argc += 1;
        if self.argc <= MAX_COUNTED {
            self.body.count(self.argc);
        }
    }

    /// Appends a floating-point number as one argument: the shortest text that reads back the same, `inf`, `-inf` or `nan`.
    pub fn push_f64(&mut self, arg: f64) {
        self.push(format_f64(arg).as_bytes());
    }

    /// Appends how many arguments these are, and then them.
    pub(crate) fn push_counted(&mut self, args: impl ToArgs) {
        let mut counted = Self::new("");
        args.to_args(&mut counted);
        self.push_i64(i64::try_from(counted.argc - 1).unwrap_or(i64::MAX));
        args.to_args(self);
    }

    /// From now on [`Self::insert`] writes here.
    pub(crate) fn options_here(&mut self) {
        self.options_at = self.body.len();
    }

    /// Writes arguments where [`Self::options_here`] was called, behind those that were inserted before.
    pub(crate) fn insert(&mut self, args: impl ToArgs) {
        let at = match self.options_at {
            0 => self.body.len(),
            at => at,
        };
        let behind = self.body.open(0).split_off(at);
        let first_behind = self.shared.partition_point(|&(offset, _)| offset < at);
        let shared_behind = self.shared.split_off(first_behind);
        args.to_args(self);
        let inserted = self.body.len() - at;
        self.options_at = self.body.len();
        self.body.open(0).extend_from_slice(&behind);
        let moved = shared_behind.into_iter();
        self.shared
            .extend(moved.map(|(offset, arg)| (offset + inserted, arg)));
    }

    fn share(&mut self, arg: Bytes) {
        self.count();
        let body = self.body.open(0);
        push_header(body, arg.len());
        let at = body.len();
        body.extend_from_slice(b"\r\n");
        self.shared_len += arg.len();
        self.shared.push((at, arg));
    }

    /// An upper bound of the encoded length, within a few bytes of it.
    pub(crate) fn len(&self) -> usize {
        let header = if self.argc > MAX_COUNTED { HEADER } else { 0 };
        header + self.body.len() + self.shared_len
    }

    pub(crate) fn encode(&self, out: &mut Outgoing) {
        let mut done = 0;
        if self.argc > MAX_COUNTED {
            write::array_header(out.tail(), self.argc);
            done = COUNTED.len();
        }
        for (at, arg) in &self.shared {
            self.body.encode(done..*at, out);
            out.push_shared(arg.clone());
            done = *at;
        }
        self.body.encode(done..self.body.len(), out);
    }

    /// The wire form in one piece.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut out = Outgoing::default();
        self.encode(&mut out);
        out.to_vec()
    }

    /// The arguments behind the name.
    pub fn args(&self) -> impl Iterator<Item = &[u8]> {
        let mut at = COUNTED.len();
        let mut shared = self.shared.iter().peekable();
        std::iter::from_fn(move || {
            let rest = self.body.get(at..)?;
            let line = rest.iter().position(|&byte| byte == b'\n')? + 1;
            let text = std::str::from_utf8(rest.get(1..line - 2)?).ok()?;
            let len: usize = text.parse().ok()?;
            at += line;
            let arg = match shared.next_if(|(offset, _)| *offset == at) {
                Some((_, arg)) => arg,
                None => {
                    at += len;
                    self.body.get(at - len..at)?
                }
            };
            at += 2;
            Some(arg)
        })
        .skip(1)
    }
}

/// Never shows an argument: there are passwords among them.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("name", &self.name)
            .field("args", &(self.argc - 1))
            .finish_non_exhaustive()
    }
}

fn format_f64(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if number.is_nan() {
        return "nan".to_owned();
    }
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_an_array_of_bulk_strings() {
        let mut request = Request::new("SET");
        request.push(b"k\r\n");
        request.push_i64(-7);
        assert_eq!(
            request.to_vec(),
            b"*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$2\r\n-7\r\n"
        );
        assert_eq!(request.args().collect::<Vec<_>>(), [&b"k\r\n"[..], b"-7"]);
    }

    #[test]
    fn a_long_argument_stands_where_it_was_pushed() {
        let long = vec![b'x'; SHARED_FROM];
        let mut request = Request::new("MSET");
        request.push(b"a");
        request.push_shared(&Bytes::from(long.clone()));
        request.push(b"b");
        request.push(&long);

        let mut expected = b"*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$8192\r\n".to_vec();
        expected.extend_from_slice(&long);
        expected.extend_from_slice(b"\r\n$1\r\nb\r\n$8192\r\n");
        expected.extend_from_slice(&long);
        expected.extend_from_slice(b"\r\n");
        for sealed in [false, true] {
            assert_eq!(request.to_vec(), expected, "sealed: {sealed}");
            assert!(request.len() >= expected.len());
            assert_eq!(
                request.args().collect::<Vec<_>>(),
                [&b"a"[..], &long, b"b", &long]
            );
            request.seal();
        }
        request.push(b"c");
        assert_eq!(request.args().last(), Some(&b"c"[..]), "opened again");
    }

    #[test]
    fn a_request_reads_the_same_however_long_its_arguments_are() {
        for len in 0..200 {
            let key = vec![b'k'; len];
            let mut request = Request::new("GET");
            request.push(&key);
            let mut wire = format!("*2\r\n$3\r\nGET\r\n${len}\r\n").into_bytes();
            wire.extend_from_slice(&key);
            wire.extend_from_slice(b"\r\n");
            assert_eq!(request.to_vec(), wire, "{len} bytes");
            assert_eq!(request.args().collect::<Vec<_>>(), [&key[..]]);
            let short = matches!(request.body, Body::Short { .. });
            assert_eq!(short, len <= 90, "{len} bytes");
        }
    }

    #[test]
    fn a_long_request_is_sent_from_where_it_is() {
        let long = vec![b'x'; SHARED_FROM];
        let mut request = Request::new("SET");
        request.push(b"k");
        request.push(&long);
        request.seal();
        let mut out = Outgoing::default();
        request.encode(&mut out);
        assert_eq!(out.first().as_ptr(), request.body.as_ptr());
        assert_eq!(out.to_vec(), request.to_vec());
    }

    #[test]
    fn the_array_header_may_have_any_number_of_digits() {
        for argc in [9, 10, 123] {
            let mut request = Request::new("DEL");
            (1..argc).for_each(|_| request.push(b"k"));
            let header = format!("*{argc}\r\n$3\r\nDEL\r\n");
            let wire = header + &"$1\r\nk\r\n".repeat(argc - 1);
            assert_eq!(request.to_vec(), wire.as_bytes());
            assert!(request.len() >= wire.len());
            assert_eq!(request.args().count(), argc - 1);
        }
    }

    #[test]
    fn an_option_goes_where_it_belongs_also_between_long_arguments() {
        let long = Bytes::from(vec![b'x'; SHARED_FROM]);
        let mut request = Request::new("ZADD");
        request.push_shared(&long);
        request.options_here();
        request.push(b"1");
        request.push_shared(&long);
        request.insert("CH");
        request.insert(("GT", &long));
        request.push(b"end");
        let args = [&long[..], b"CH", b"GT", &long, b"1", &long, b"end"];
        assert_eq!(request.args().collect::<Vec<_>>(), args);
        let mut expected = Request::new("ZADD");
        args.iter().for_each(|arg| expected.push(arg));
        assert_eq!(request.to_vec(), expected.to_vec());
    }

    #[test]
    fn a_count_says_how_many_arguments_follow() {
        let mut request = Request::new("X");
        request.push_counted([("a", 1), ("b", 2)]);
        let args: Vec<_> = request.args().collect();
        assert_eq!(args, [b"4", b"a", b"1", b"b", b"2"]);
    }

    #[test]
    fn floating_point_numbers_use_the_words_the_server_knows() {
        for (number, text) in [
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (0.1, "0.1"),
            (3.0, "3"),
        ] {
            assert_eq!(format_f64(number), text);
        }
    }
}
