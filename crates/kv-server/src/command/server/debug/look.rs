//! DEBUG OBJECT and HTSTATS: how values and tables are stored.

use std::fmt::Write;

use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::table::Stats;
use crate::persist;
use crate::value::{List, Value};

/// DEBUG OBJECT key
pub(super) fn object(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    /// The kind before a value in a payload, and the version and checksum behind it.
    const AROUND: usize = 1 + 10;
    let key = args.next()?;
    args.finish()?;
    let idle = cx.db.idle_seconds(key).ok_or(ReplyError::NoSuchKey)?;
    // Redis's clock of 24 bits.
    let lru = (cx.now_ms().div_euclid(1000) - i64::from(idle)) & 0xff_ffff;
    let entry = cx.db.peek(key).ok_or(ReplyError::NoSuchKey)?;
    let payload = persist::dump(entry, &cx.shared.config).unwrap_or_default();
    let mut line = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{lru} lru_seconds_idle:{idle}",
        entry.address(),
        entry.encoding(),
        payload.len().saturating_sub(AROUND),
    );
    if let Some(Value::List(List::Tree(tree))) = entry.value() {
        let nodes = tree.packs();
        #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
        let average = tree.len() as f64 / nodes.count.max(1) as f64;
        let limit = cx.shared.config.list.size;
        // Writing to a string cannot fail.
        let _ = write!(
            line,
            " ql_nodes:{} ql_avg_node:{average:.2} ql_listpack_max:{limit} ql_compressed:{} ql_uncompressed_size:{}",
            nodes.count,
            u8::from(tree.squeezed() > 0),
            nodes.bytes,
        );
    }
    cx.out.simple(&line);
    cx.db.close_list(key, 0..usize::MAX);
    Ok(())
}

/// DEBUG HTSTATS dbid \[full]
pub(super) fn htstats(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let number = args.integer()?;
    let full = args.take("FULL");
    args.finish()?;
    let index = cx
        .database(number)
        .map_err(|_| ReplyError::text("ERR Out of range database"))?;
    let db = match cx.others.get(index) {
        Some(db) => db,
        None => &mut *cx.db,
    };
    let mut text = "[Dictionary HT]\n".to_owned();
    describe(&mut text, &db.table_stats(), full);
    // When a key expires stands in its entry.
    let _ = writeln!(text, "[Expires HT]\n number of elements: {}", db.volatile());
    cx.out.text(&text);
    Ok(())
}

/// DEBUG HTSTATS-KEY key \[full]
pub(super) fn htstats_key(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let full = args.take("FULL");
    args.finish()?;
    let entry = cx.db.peek(key).ok_or(ReplyError::NoSuchKey)?;
    let stats = entry.value().and_then(Value::table_stats).ok_or_else(|| {
        ReplyError::text(
            "ERR The value stored at the specified key is not represented using an hash table",
        )
    })?;
    let mut text = String::new();
    describe(&mut text, &stats, full);
    cx.out.text(&text);
    Ok(())
}

fn describe(text: &mut String, stats: &Stats, full: bool) {
    let _ = writeln!(
        text,
        "Hash table 0 stats (main hash table):\n table size: {}\n number of elements: {}",
        stats.slots, stats.entries
    );
    if full {
        let _ = writeln!(
            text,
            " buckets: {}\n elements outside of their bucket: {}\n bytes: {}",
            stats.buckets, stats.overflowed, stats.bytes
        );
    }
}
