//! ACL: who may do what. There is one user, `default`, who may do everything; `requirepass` is its password.

use std::io::Read;

use crate::command::connection::DEFAULT_USER;
use crate::command::{Args, Command, Flags, Keys, category_names, row};
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::sha256::hex_sha256;

const ADMIN: Flags = Flags::ADMIN
    .and(Flags::NOSCRIPT)
    .and(Flags::LOADING)
    .and(Flags::STALE);
const ANYBODY: Flags = Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE);

#[rustfmt::skip] // a table reads best in columns
pub(super) const SUBCOMMANDS: &[Command] = &[
    row("CAT", -2, ANYBODY, Keys::NONE, cat)
        .docs("6.0.0", "[category]", "Lists the categories, or the commands of one.", "O(1) since the categories and commands are a fixed set."),
    row("GENPASS", -2, ANYBODY, Keys::NONE, genpass)
        .docs("6.0.0", "[bits:integer]", "Returns a random password.", "O(1)"),
    row("GETUSER", 3, ADMIN, Keys::NONE, getuser)
        .docs("6.0.0", "username", "Returns what a user may do.", "O(N). Where N is the number of password, command and pattern rules that the user has."),
    row("HELP", 2, Flags::LOADING.and(Flags::STALE), Keys::NONE, help)
        .docs("6.0.0", "", "Lists the subcommands.", "O(1)"),
    row("LIST", 2, ADMIN, Keys::NONE, list)
        .docs("6.0.0", "", "Returns the rules of all users.", "O(N). Where N is the number of configured users."),
    row("USERS", 2, ADMIN, Keys::NONE, users)
        .docs("6.0.0", "", "Lists the names of all users.", "O(N). Where N is the number of configured users."),
    row("WHOAMI", 2, ANYBODY, Keys::NONE, whoami)
        .docs("6.0.0", "", "Returns the name of the connection's user.", "O(1)"),
];

fn whoami(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.bulk(DEFAULT_USER);
    Ok(())
}

fn users(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.array(1);
    cx.out.bulk(DEFAULT_USER);
    Ok(())
}

/// The user's password as ACL shows passwords, if there is one.
fn password(cx: &Context<'_>) -> Option<String> {
    let password = cx.shared.config.requirepass.as_deref();
    password.map(hex_sha256)
}

fn list(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    let password = password(cx).map_or_else(|| "nopass".to_owned(), |hash| format!("#{hash}"));
    cx.out.array(1);
    cx.out
        .bulk(format!("user default on {password} sanitize-payload ~* &* +@all").as_bytes());
    Ok(())
}

fn getuser(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    if args.next()? != DEFAULT_USER {
        cx.out.null();
        return Ok(());
    }
    let password = password(cx);
    let mut flags = vec!["on"];
    if password.is_none() {
        flags.push("nopass");
    }
    flags.push("sanitize-payload");
    cx.out.map(6);
    cx.out.bulk(b"flags");
    cx.out.set(flags.len());
    flags.iter().for_each(|flag| cx.out.bulk(flag.as_bytes()));
    cx.out.bulk(b"passwords");
    cx.out.array(password.iter().len());
    password
        .iter()
        .for_each(|hash| cx.out.bulk(hash.as_bytes()));
    for (name, value) in [("commands", "+@all"), ("keys", "~*"), ("channels", "&*")] {
        cx.out.bulk(name.as_bytes());
        cx.out.bulk(value.as_bytes());
    }
    cx.out.bulk(b"selectors");
    cx.out.array(0);
    Ok(())
}

/// ACL CAT \[category]
fn cat(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let Some(wanted) = args.peek() else {
        cx.out.array(category_names().len());
        category_names().for_each(|name| cx.out.bulk(name.as_bytes()));
        return Ok(());
    };
    args.next()?;
    if args.remaining() > 0 {
        return Err(ReplyError::subcommand_syntax(&args));
    }
    let is_wanted = |name: &str| name.as_bytes().eq_ignore_ascii_case(wanted);
    if !category_names().any(is_wanted) {
        let wanted = String::from_utf8_lossy(wanted);
        return Err(ReplyError::text(format!(
            "ERR Unknown category '{wanted:.128}'"
        )));
    }
    let commands = cx.shared.commands.clone();
    let found: Vec<&str> = commands
        .iter()
        .filter(|(_, row)| row.subcommands.is_empty() && row.categories().any(is_wanted))
        .map(|(_, row)| &*row.full_name)
        .collect();
    cx.out.array(found.len());
    found.iter().for_each(|name| cx.out.bulk(name.as_bytes()));
    Ok(())
}

/// ACL GENPASS \[bits]
fn genpass(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    const BITS_MAX: i64 = 4096;
    let bits = match args.remaining() {
        0 => 256,
        1 => args.integer()?,
        _ => return Err(ReplyError::subcommand_syntax(&args)),
    };
    if !(1..=BITS_MAX).contains(&bits) {
        return Err(ReplyError::text(format!(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to {BITS_MAX}"
        )));
    }
    let digits = usize::try_from(bits).unwrap_or(0).div_ceil(4);
    let mut secret = vec![0; digits.div_ceil(2)];
    fill_with_secrets(&mut secret)
        .map_err(|error| ReplyError::text(format!("ERR no random bytes: {error}")))?;
    let mut password: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    password.truncate(digits);
    cx.out.bulk(password.as_bytes());
    Ok(())
}

/// Random bytes that nobody can guess; those of the server's own generator can be repeated.
fn fill_with_secrets(to: &mut [u8]) -> std::io::Result<()> {
    std::fs::File::open("/dev/urandom")?.read_exact(to)
}

fn help(_: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.help(
        "ACL",
        &[
            "CAT [<category>]",
            "    List the categories, or the commands of <category>.",
            "GENPASS [<bits>]",
            "    Return a random password of <bits> bits (default: 256), in hexadecimal.",
            "GETUSER <username>",
            "    Return what a user may do.",
            "LIST",
            "    Return the rules of all users.",
            "USERS",
            "    List the names of all users.",
            "WHOAMI",
            "    Return the name of this connection's user.",
        ],
    );
    Ok(())
}
