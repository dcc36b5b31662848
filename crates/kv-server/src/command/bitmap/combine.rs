//! BITOP.

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::notify::Class;
use crate::value::bits::{self, Operation};

/// BITOP AND | OR | XOR | NOT destkey key \[key ...]
pub(super) fn bitop(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let operation = if args.take("AND") {
        Operation::And
    } else if args.take("OR") {
        Operation::Or
    } else if args.take("XOR") {
        Operation::Xor
    } else if args.take("NOT") {
        Operation::Not
    } else {
        return Err(ReplyError::Syntax);
    };
    let destination = args.next()?;
    if operation == Operation::Not && args.remaining() != 1 {
        return Err(ReplyError::text(
            "ERR BITOP NOT must be called with a single source key.",
        ));
    }
    let keys: Vec<_> = args.rest().collect();
    for key in &keys {
        cx.db.string(key)?;
    }
    let db = &*cx.db;
    let strings: Vec<_> = keys
        .iter()
        .map(|key| db.view_string(key).unwrap_or_default())
        .collect();
    let result = bits::combine(operation, &strings);
    let len = result.len();
    if len > 0 {
        cx.db.store_edited(destination, result);
        cx.db.changed(Class::STRING, "set", destination);
    } else {
        cx.remove(destination);
    }
    cx.out.len(len);
    Ok(())
}
