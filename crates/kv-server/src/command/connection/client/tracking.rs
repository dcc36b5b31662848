//! What CLIENT says about client-side caching, which no connection has turned on.

use crate::command::Args;
use crate::context::Context;
use crate::error::Result;

pub(super) fn getredir(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.integer(-1);
    Ok(())
}

pub(super) fn trackinginfo(_args: Args<'_>, cx: &mut Context<'_>) -> Result {
    cx.out.map(3);
    cx.out.bulk(b"flags");
    cx.out.set(1);
    cx.out.bulk(b"off");
    cx.out.bulk(b"redirect");
    cx.out.integer(-1);
    cx.out.bulk(b"prefixes");
    cx.out.array(0);
    Ok(())
}
