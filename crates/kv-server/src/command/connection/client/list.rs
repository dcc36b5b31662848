//! CLIENT LIST and CLIENT INFO: a line for each connection.

use std::fmt::Write;

use resp_codec::{Version, number};

use crate::command::Args;
use crate::command::connection::client::filter::ClientType;
use crate::command::connection::hello::DEFAULT_USER;
use crate::connection::session::{Multi, Session};
use crate::context::Context;
use crate::error::{ReplyError, Result};

pub(super) fn info(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let mut text = String::new();
    describe(&mut text, cx.session, cx);
    cx.out.text(&text);
    Ok(())
}

pub(super) fn list(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let mut text = String::new();
    if args.remaining() > 1 && args.take("ID") {
        let mut ids = Vec::with_capacity(args.remaining());
        for id in args.rest() {
            let id =
                number::parse_i64(id).ok_or_else(|| ReplyError::text("ERR Invalid client ID"))?;
            ids.extend(u64::try_from(id).ok());
        }
        for id in ids {
            let session = if id == cx.session.id {
                Some(&*cx.session)
            } else {
                cx.shared.clients.get(id)
            };
            if let Some(session) = session {
                describe(&mut text, session, cx);
            }
        }
    } else {
        let wanted = match args.remaining() {
            0 => None,
            2 if args.take("TYPE") => Some(ClientType::parse(&mut args)?),
            _ => return Err(ReplyError::Syntax),
        };
        for session in cx.sessions() {
            if wanted.is_none_or(|wanted| ClientType::of(session) == wanted) {
                describe(&mut text, session, cx);
            }
        }
    }
    cx.out.text(&text);
    Ok(())
}

/// The line of one connection, in the format of Redis 7.2.
fn describe(text: &mut String, session: &Session, cx: &Context<'_>) {
    let seconds_since = |then_ms: i64| (cx.now_ms() - then_ms).max(0) / 1000;
    let multi = session.multi.as_ref();
    let unsent = session.peer.waiting_bytes();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "id={id} addr={addr} laddr={local_addr} fd={fd} name={name} age={age} idle={idle} flags={flags} db={db} \
         sub={sub} psub={psub} ssub={ssub} multi={multi} qbuf={qbuf} qbuf-free={qbuf_free} argv-mem=0 multi-mem={multi_mem} \
         rbs=0 rbp=0 obl=0 oll={oll} omem={omem} tot-mem={tot_mem} events={events} cmd={cmd} user={user} redir={redir} \
         resp={resp} lib-name={lib_name} lib-ver={lib_ver}",
        id = session.id,
        addr = session.origin.addr,
        local_addr = session.origin.local_addr,
        fd = session.origin.fd,
        name = String::from_utf8_lossy(&session.name),
        age = seconds_since(session.created_ms),
        idle = seconds_since(session.peer.active_ms()),
        flags = flags(session, cx),
        db = session.db,
        sub = session.subscriptions.channels.len(),
        psub = session.subscriptions.patterns.len(),
        ssub = session.subscriptions.shard_channels.len(),
        multi = multi.map_or_else(|| "-1".to_owned(), |multi| multi.queue.len().to_string()),
        qbuf = session.query_bytes,
        qbuf_free = session.query_room,
        multi_mem = multi.map_or(0, Multi::memory),
        oll = u8::from(unsent > 0),
        omem = unsent,
        tot_mem = session.memory() + session.query_room + unsent,
        events = if unsent > 0 { "rw" } else { "r" },
        cmd = session
            .last_command
            .map_or("NULL", |row| &cx.shared.commands.row(row).full_name),
        user = String::from_utf8_lossy(DEFAULT_USER),
        redir = match &session.tracking {
            Some(mode) => mode.redirect.unwrap_or(0).to_string(),
            None => "-1".to_owned(),
        },
        resp = if session.version == Version::Resp3 {
            3
        } else {
            2
        },
        lib_name = String::from_utf8_lossy(&session.lib_name),
        lib_ver = String::from_utf8_lossy(&session.lib_version),
    );
}

/// `N`, or a letter for each state.
fn flags(session: &Session, cx: &Context<'_>) -> String {
    let blocked = session.blocked.is_some() || session.postponed;
    let tracking = session.tracking.as_deref();
    let letters = [
        ('O', cx.shared.monitors.contains_key(&session.id)),
        ('P', session.is_subscriber()),
        ('x', session.multi.is_some()),
        ('b', blocked),
        ('t', tracking.is_some()),
        ('R', tracking.is_some_and(|mode| mode.broken)),
        ('B', tracking.is_some_and(|mode| mode.prefixes.is_some())),
        ('d', session.peer.is_touched()),
        ('c', session.closing),
        ('U', session.origin.is_unix),
        ('e', session.no_evict),
        ('T', session.no_touch),
    ];
    let set: String = letters
        .into_iter()
        .filter_map(|(letter, on)| on.then_some(letter))
        .collect();
    if set.is_empty() { "N".to_owned() } else { set }
}
