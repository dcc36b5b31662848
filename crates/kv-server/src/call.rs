//! Commands that code runs rather than a client: requests from words, replies as frames, and custom commands on top of built-in ones.

use bytes::BytesMut;
use resp_codec::{Arg, Frame, FrameDecoder, Limits, RequestDecoder, Version, write};

use crate::command::{Args, Flags, Handler};
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::reply::Reply;

/// A request as a connection would have decoded it.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub(crate) buf: BytesMut,
    pub(crate) args: Vec<Arg>,
}

impl Words {
    pub(crate) fn new<A: AsRef<[u8]>>(command: impl IntoIterator<Item = A>) -> Result<Self> {
        let words: Vec<A> = command.into_iter().collect();
        let mut request = Self::default();
        write::array_header(&mut request.buf, words.len());
        for word in &words {
            write::bulk(&mut request.buf, word.as_ref());
        }
        let limits = Limits {
            elements: usize::MAX,
            bulk_bytes: usize::MAX,
            frame_bytes: usize::MAX,
            ..Limits::server()
        };
        let decoded = RequestDecoder::new(limits).decode(&mut request.buf, &mut request.args);
        match decoded {
            Ok(Some(_)) if !words.is_empty() => Ok(request),
            _ => Err(ReplyError::text("ERR no command")),
        }
    }
}

/// The reply that a handler wrote; an error reply is an error, and no reply is null.
pub(crate) fn reply(out: &[u8]) -> Result<Frame> {
    let mut decoder = FrameDecoder::new(Limits {
        elements: usize::MAX,
        bulk_bytes: usize::MAX,
        frame_bytes: usize::MAX,
        ..Limits::client()
    });
    match decoder.decode(out) {
        Ok(Some(frame)) => match frame.to_frame() {
            Frame::Error(text) => Err(ReplyError::text(
                String::from_utf8_lossy(&text).into_owned(),
            )),
            reply => Ok(reply),
        },
        _ => Ok(Frame::Null),
    }
}

impl Context<'_> {
    /// Runs a built-in command on the selected database as part of this one, and returns its reply as RESP2 has it.
    ///
    /// The built-in commands are there for handlers even where a server [takes them away](crate::Builder::without_builtin_commands) from its
    /// clients or replaces them, so a command of your own can extend the one whose name it bears. Blocking commands do not wait.
    /// Followers of the data see what the built-in command did, in place of the custom one.
    ///
    /// ```
    /// use kv_server::{Args, Command, Context, Flags, Keys, Result};
    ///
    /// /// `POP key`: the value of a string, which is removed.
    /// fn pop(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    ///     let value = cx.call([b"GETDEL", args.next()?])?;
    ///     cx.reply().frame(&value);
    ///     Ok(())
    /// }
    ///
    /// let row = Command::new("POP", 2, Flags::WRITE, Keys::ONE, pop);
    /// ```
    ///
    /// # Errors
    ///
    /// The error that the command replied; the error for unknown commands; an error for a command that belongs to a connection or administers
    /// the server (`SUBSCRIBE`, `SHUTDOWN`: those with the flag `noscript`).
    pub fn call<A: AsRef<[u8]>>(&mut self, command: impl IntoIterator<Item = A>) -> Result<Frame> {
        let request = Words::new(command)?;
        let args = Args::new(&request.buf, &request.args);
        let commands = self.shared.commands.clone();
        let name = args.peek().unwrap_or_default();
        let unknown = || ReplyError::text(format!("ERR unknown command '{}'", name.escape_ascii()));
        let mut row = commands.find_builtin(name).ok_or_else(unknown)?;
        let mut words = 1;
        if let Some(sub) = args.all().nth(1) {
            if let Some(found) = commands.find_sub(row, sub) {
                (row, words) = (found, 2);
            }
        }
        let found = commands.row(row);
        let flags = found.command.flags;
        let Handler::Builtin(handle) = found.command.handler else {
            return Err(unknown());
        };
        if flags.contains(Flags::NOSCRIPT) {
            return Err(ReplyError::text(
                "ERR This command is not allowed inside of a custom command",
            ));
        }
        if !found.command.accepts(request.args.len()) {
            return Err(ReplyError::Arity(found.full_name.clone().into()));
        }
        let mut out = BytesMut::new();
        let (mut wait, before) = (None, self.changes());
        let rewritten = self.shared.effects.rewritten();
        let mut inner = Context {
            db: self.db,
            others: self.others.reborrow(),
            out: Reply {
                buf: &mut out,
                version: Version::Resp2,
            },
            session: self.session,
            shared: self.shared,
            row,
            wait: &mut wait,
            now_us: self.now_us,
            nested: true,
            is_own_call: true,
        };
        let result = handle(args.skip(words), &mut inner);
        self.shared.crossed |= flags.contains(Flags::CROSS_DB);
        result?;
        let changed = self.changes() > before;
        if changed && self.shared.effects.is_as_sent(rewritten) {
            let words: Vec<&[u8]> = args.all().collect();
            self.propagate(&words);
        }
        reply(&out)
    }

    /// How much has changed so far, in any database.
    fn changes(&mut self) -> u64 {
        let dbs = self.others.with(self.db);
        dbs.map(|(_, db)| db.changes.count).sum()
    }

    /// Tells followers what a custom command did by itself, as the built-in command that repeats it.
    pub(crate) fn propagate_own(&mut self, command: &[&[u8]]) {
        if !self.shared.effects.are_followed() {
            return;
        }
        let row = self.shared.commands.row(self.row);
        if matches!(row.command.handler, Handler::Custom(_)) {
            self.propagate(command);
        }
    }
}
