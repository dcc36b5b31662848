//! CLIENT KILL and CLIENT UNBLOCK: what one connection does to others.

use resp_codec::number;

use crate::command::Args;
use crate::command::connection::client::filter::ClientType;
use crate::command::connection::hello::DEFAULT_USER;
use crate::connection::session::Session;
use crate::context::Context;
use crate::error::{ReplyError, Result};

/// The connections for which every given option holds.
#[derive(Debug, Default)]
struct Filter<'a> {
    id: Option<u64>,
    kind: Option<ClientType>,
    addr: Option<&'a [u8]>,
    local_addr: Option<&'a [u8]>,
    keep_me: bool,
}

impl<'a> Filter<'a> {
    fn parse(mut args: Args<'a>) -> Result<Self> {
        let mut filter = Self {
            keep_me: true,
            ..Self::default()
        };
        while args.remaining() > 1 {
            if args.take("ID") {
                filter.id = Some(client_id(args.next()?)?);
            } else if args.take("TYPE") {
                filter.kind = Some(ClientType::parse(&mut args)?);
            } else if args.take("ADDR") {
                filter.addr = Some(args.next()?);
            } else if args.take("LADDR") {
                filter.local_addr = Some(args.next()?);
            } else if args.take("USER") {
                // Every connection is the default user's.
                let user = args.next()?;
                if user != DEFAULT_USER {
                    let user = String::from_utf8_lossy(user);
                    return Err(ReplyError::text(format!("ERR No such user '{user}'")));
                }
            } else if args.take("SKIPME") {
                filter.keep_me = if args.take("YES") {
                    true
                } else if args.take("NO") {
                    false
                } else {
                    return Err(ReplyError::Syntax);
                };
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        args.finish()?;
        Ok(filter)
    }

    fn matches(&self, session: &Session) -> bool {
        self.id.is_none_or(|id| session.id == id)
            && self.kind.is_none_or(|kind| ClientType::of(session) == kind)
            && self
                .addr
                .is_none_or(|addr| session.origin.addr.as_bytes() == addr)
            && self
                .local_addr
                .is_none_or(|addr| session.origin.local_addr.as_bytes() == addr)
    }
}

pub(super) fn kill(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let old_form = args.remaining() == 1;
    let filter = if old_form {
        Filter {
            addr: Some(args.next()?),
            ..Filter::default()
        }
    } else {
        Filter::parse(args)?
    };
    let others: Vec<_> = cx
        .shared
        .clients
        .iter()
        .filter(|session| filter.matches(session))
        .map(|session| session.id)
        .collect();
    let mut killed = others.len();
    for id in others {
        cx.disconnect(id);
    }
    if !filter.keep_me && filter.matches(cx.session) {
        cx.session.closing = true;
        killed += 1;
    }
    if !old_form {
        cx.out.len(killed);
    } else if killed > 0 {
        cx.out.ok();
    } else {
        return Err(ReplyError::text("ERR No such client"));
    }
    Ok(())
}

pub(super) fn unblock(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let id = args.next()?;
    let error = match args.remaining() {
        0 => None,
        1 if args.take("TIMEOUT") => None,
        1 if args.take("ERROR") => Some(ReplyError::Unblocked),
        1 => {
            return Err(ReplyError::text(
                "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            ));
        }
        _ => return Err(ReplyError::subcommand_syntax(&args)),
    };
    let id = number::parse_i64(id).ok_or(ReplyError::NotInteger)?;
    let ended = u64::try_from(id).is_ok_and(|id| cx.end_wait(id, error.as_ref()));
    cx.out.flag(ended);
    Ok(())
}

fn client_id(arg: &[u8]) -> Result<u64> {
    number::parse_i64(arg)
        .and_then(|id| u64::try_from(id).ok())
        .filter(|&id| id > 0)
        .ok_or_else(|| ReplyError::text("ERR client-id should be greater than 0"))
}
