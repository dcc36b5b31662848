//! HELLO and AUTH: protocol version and identity.

use resp_codec::{Version, number};

use crate::command::Args;
use crate::command::connection::client::check_name;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::version::REDIS_VERSION;

/// The only user until there are access control lists.
pub(in crate::command) const DEFAULT_USER: &[u8] = b"default";

pub(super) fn auth(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let first = args.next()?;
    let (user, password) = match args.remaining() {
        0 if !cx.shared.config.requires_auth() => return Err(ReplyError::NoPassword),
        0 => (DEFAULT_USER, first),
        _ => (first, args.next()?),
    };
    args.finish()?;
    authenticate(cx, user, password)?;
    cx.out.ok();
    Ok(())
}

pub(super) fn hello(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let version = match args.remaining() {
        0 => None,
        _ => Some(protocol_version(args.next()?)?),
    };
    let (mut credentials, mut name) = (None, None);
    while let Some(option) = args.peek() {
        if args.remaining() > 2 && args.take("AUTH") {
            credentials = Some((args.next()?, args.next()?));
        } else if args.remaining() > 1 && args.take("SETNAME") {
            name = Some(check_name(args.next()?)?);
        } else {
            let option = String::from_utf8_lossy(option);
            return Err(ReplyError::text(format!(
                "ERR Syntax error in HELLO option '{option}'"
            )));
        }
    }
    if let Some((user, password)) = credentials {
        authenticate(cx, user, password)?;
    }
    if !cx.session.authenticated && cx.shared.config.requires_auth() {
        return Err(ReplyError::HelloWithoutAuth);
    }
    if let Some(name) = name {
        cx.session.name = name.to_vec();
    }
    if let Some(version) = version {
        cx.session.version = version;
        cx.out.version = version;
        cx.shared.pubsub.version_changed(cx.session);
    }
    cx.out.map(7);
    cx.out.bulk(b"server");
    cx.out.bulk(b"redis");
    cx.out.bulk(b"version");
    cx.out.bulk(REDIS_VERSION.as_bytes());
    cx.out.bulk(b"proto");
    cx.out.integer(if cx.out.is_resp3() { 3 } else { 2 });
    cx.out.bulk(b"id");
    cx.out.unsigned(cx.session.id);
    cx.out.bulk(b"mode");
    cx.out.bulk(b"standalone");
    cx.out.bulk(b"role");
    cx.out.bulk(b"master");
    cx.out.bulk(b"modules");
    cx.out.array(0);
    Ok(())
}

fn protocol_version(arg: &[u8]) -> Result<Version> {
    match number::parse_i64(arg) {
        Some(2) => Ok(Version::Resp2),
        Some(3) => Ok(Version::Resp3),
        Some(_) => Err(ReplyError::NoProto),
        None => Err(ReplyError::text(
            "ERR Protocol version is not an integer or out of range",
        )),
    }
}

fn authenticate(cx: &mut Context<'_>, user: &[u8], password: &[u8]) -> Result {
    let accepted = user == DEFAULT_USER
        && match &cx.shared.config.requirepass {
            Some(expected) => equal_in_constant_time(expected, password),
            None => true,
        };
    if !accepted {
        return Err(ReplyError::WrongPass);
    }
    cx.session.authenticated = true;
    Ok(())
}

/// Compares without telling by the time it takes how much of a guess is right.
fn equal_in_constant_time(expected: &[u8], given: &[u8]) -> bool {
    let mut difference = usize::from(expected.len() != given.len());
    for (at, &byte) in given.iter().enumerate() {
        let wanted = expected.get(at).copied().unwrap_or_default();
        difference |= usize::from(byte ^ wanted);
    }
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_equal_only_if_every_byte_is() {
        for (expected, given, equal) in [
            ("secret", "secret", true),
            ("secret", "secre", false),
            ("secret", "secrets", false),
            ("secret", "Secret", false),
            ("secret", "", false),
            ("secret", "secret\0", false),
        ] {
            assert_eq!(
                equal_in_constant_time(expected.as_bytes(), given.as_bytes()),
                equal,
                "{given:?}"
            );
        }
    }
}
