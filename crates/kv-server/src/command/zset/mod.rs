//! Sorted set commands.

mod algebra;
mod blocking;
mod bounds;
mod member;
mod pop;
mod random;
mod range;
mod remove;
mod write;

use crate::command::{Command, Flags, KeySpec, Keys, row};
use crate::reply::Reply;
use crate::value::zset::Scored;

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = Flags::READONLY.and(Flags::FAST);
const READ_COUNTED: Flags = Flags::READONLY.and(Flags::MOVABLE_KEYS);
const WRITE: Flags = Flags::WRITE.and(Flags::DENYOOM);
const STORE_COUNTED: Flags = WRITE.and(Flags::MOVABLE_KEYS);
const ADD_FAST: Flags = WRITE.and(Flags::FAST);
const TAKE: Flags = Flags::WRITE;
const TAKE_FAST: Flags = Flags::WRITE.and(Flags::FAST);
const TAKE_COUNTED: Flags = Flags::WRITE.and(Flags::MOVABLE_KEYS);
const BLOCK_FAST: Flags = TAKE_FAST.and(Flags::BLOCKING);
const BLOCK_COUNTED: Flags = TAKE_COUNTED.and(Flags::BLOCKING);

const LOOK: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RO")]);
const UPDATE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW update")]);
const DELETE: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW delete")]);
const POP: Keys = Keys::new(&[KeySpec::range(1, 0, 1, "RW access delete")]);
const POP_ALL: Keys = Keys::new(&[KeySpec::range(1, -2, 1, "RW access delete")]);
const POP_COUNTED: Keys = Keys::new(&[KeySpec::counted(1, "RW access delete")]);
const POP_TIMED: Keys = Keys::new(&[KeySpec::counted(2, "RW access delete")]);
const COUNTED: Keys = Keys::new(&[KeySpec::counted(1, "RO access")]);
const STORE_ONE: Keys = Keys::new(&[
    KeySpec::range(1, 0, 1, "OW update"),
    KeySpec::range(2, 0, 1, "RO access"),
]);
const STORE: Keys = Keys::new(&[
    KeySpec::range(1, 0, 1, "OW update"),
    KeySpec::counted(2, "RO access"),
]);

#[rustfmt::skip] // a table reads best in columns
pub(super) const COMMANDS: &[Command] = &[
    row("BZMPOP",           -5, BLOCK_COUNTED, POP_TIMED,      blocking::bzmpop).docs("7.0.0", "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]", "Takes members from an end of the first sorted set that has any, and waits until one has.", "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped."),
    row("BZPOPMAX",         -3, BLOCK_FAST,    POP_ALL,        blocking::bzpopmax).docs("5.0.0", "key [key ...] timeout", "Takes the member with the highest score out of the first sorted set that has any, and waits until one has.", "O(log(N)) with N being the number of elements in the sorted set."),
    row("BZPOPMIN",         -3, BLOCK_FAST,    POP_ALL,        blocking::bzpopmin).docs("5.0.0", "key [key ...] timeout", "Takes the member with the lowest score out of the first sorted set that has any, and waits until one has.", "O(log(N)) with N being the number of elements in the sorted set."),
    row("ZADD",             -4, ADD_FAST,      UPDATE,         write::zadd).docs("1.2.0", "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]", "Adds members to a sorted set, which begins empty, or changes their scores.", "O(log(N)) for each item added, where N is the number of elements in the sorted set."),
    row("ZCARD",             2, READ_FAST,     LOOK,           member::zcard).docs("1.2.0", "key", "Counts the members of a sorted set.", "O(1)"),
    row("ZCOUNT",            4, READ_FAST,     Keys::READ_ONE, range::zcount).docs("2.0.0", "key min:double max:double", "Counts the members whose scores are within a range.", "O(log(N)) with N being the number of elements in the sorted set."),
    row("ZDIFF",            -3, READ_COUNTED,  COUNTED,        algebra::zdiff).docs("6.2.0", "numkeys key [key ...] [WITHSCORES]", "Returns the members of the first sorted set that are in none of the others.", "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set."),
    row("ZDIFFSTORE",       -4, STORE_COUNTED, STORE,          algebra::zdiffstore).docs("6.2.0", "destination numkeys key [key ...]", "Stores the members of the first sorted set that are in none of the others.", "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set."),
    row("ZINCRBY",           4, ADD_FAST,      Keys::ONE,      write::zincrby).docs("1.2.0", "key increment member", "Adds a number to the score of a member, which begins at 0.", "O(log(N)) where N is the number of elements in the sorted set."),
    row("ZINTER",           -3, READ_COUNTED,  COUNTED,        algebra::zinter).docs("6.2.0", "numkeys key [key ...] [WEIGHTS weight:integer [weight:integer ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]", "Returns the members that all of the sorted sets have.", "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set."),
    row("ZINTERCARD",       -3, READ_COUNTED,  COUNTED,        algebra::zintercard).docs("7.0.0", "numkeys key [key ...] [LIMIT limit:integer]", "Counts the members that all of the sorted sets have.", "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets."),
    row("ZINTERSTORE",      -4, STORE_COUNTED, STORE,          algebra::zinterstore).docs("2.0.0", "destination numkeys key [key ...] [WEIGHTS weight:integer [weight:integer ...]] [AGGREGATE <SUM | MIN | MAX>]", "Stores the members that all of the sorted sets have.", "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set."),
    row("ZLEXCOUNT",         4, READ_FAST,     Keys::READ_ONE, range::zlexcount).docs("2.8.9", "key min max", "Counts the members within a range of texts.", "O(log(N)) with N being the number of elements in the sorted set."),
    row("ZMPOP",            -4, TAKE_COUNTED,  POP_COUNTED,    pop::zmpop).docs("7.0.0", "numkeys key [key ...] <MIN | MAX> [COUNT count]", "Takes members from an end of the first sorted set that has any.", "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped."),
    row("ZMSCORE",          -3, READ_FAST,     Keys::READ_ONE, member::zmscore).docs("6.2.0", "key member [member ...]", "Returns the scores of several members.", "O(N) where N is the number of members being requested."),
    row("ZPOPMAX",          -2, TAKE_FAST,     POP,            pop::zpopmax).docs("5.0.0", "key [count]", "Takes the members with the highest scores out of a sorted set and returns them.", "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped."),
    row("ZPOPMIN",          -2, TAKE_FAST,     POP,            pop::zpopmin).docs("5.0.0", "key [count]", "Takes the members with the lowest scores out of a sorted set and returns them.", "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped."),
    row("ZRANDMEMBER",      -2, READ,          Keys::READ_ONE, random::zrandmember).docs("6.2.0", "key [count [WITHSCORES]]", "Returns random members of a sorted set.", "O(N) where N is the number of members returned").tips("nondeterministic_output"),
    row("ZRANGE",           -4, READ,          Keys::READ_ONE, range::zrange).docs("1.2.0", "key start:string stop:string [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]", "Returns the members within a range of ranks, scores or texts.", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned."),
    row("ZRANGEBYLEX",      -4, READ,          Keys::READ_ONE, range::zrangebylex).docs("2.8.9", "key min max [LIMIT offset count]", "Returns the members within a range of texts.", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).").deprecated("6.2.0", "`ZRANGE` with `BYLEX`"),
    row("ZRANGEBYSCORE",    -4, READ,          Keys::READ_ONE, range::zrangebyscore).docs("1.0.5", "key min:double max:double [WITHSCORES] [LIMIT offset count]", "Returns the members whose scores are within a range.", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).").deprecated("6.2.0", "`ZRANGE` with `BYSCORE`"),
    row("ZRANGESTORE",      -5, WRITE,         STORE_ONE,      range::zrangestore).docs("6.2.0", "dst:key src:key min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]", "Stores the members within a range of ranks, scores or texts.", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key."),
    row("ZRANK",            -3, READ_FAST,     Keys::READ_ONE, member::zrank).docs("2.0.0", "key member [WITHSCORE]", "Returns how many members come before one.", "O(log(N))"),
    row("ZREM",             -3, TAKE_FAST,     DELETE,         remove::zrem).docs("1.2.0", "key member [member ...]", "Takes members out of a sorted set.", "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed."),
    row("ZREMRANGEBYLEX",    4, TAKE,          DELETE,         remove::zremrangebylex).docs("2.8.9", "key min max", "Takes out the members within a range of texts.", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation."),
    row("ZREMRANGEBYRANK",   4, TAKE,          DELETE,         remove::zremrangebyrank).docs("2.0.0", "key start stop", "Takes out the members within a range of ranks.", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation."),
    row("ZREMRANGEBYSCORE",  4, TAKE,          DELETE,         remove::zremrangebyscore).docs("1.2.0", "key min:double max:double", "Takes out the members whose scores are within a range.", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation."),
    row("ZREVRANGE",        -4, READ,          Keys::READ_ONE, range::zrevrange).docs("1.2.0", "key start stop [WITHSCORES]", "Returns the members within a range of ranks, counted from the highest score.", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.").deprecated("6.2.0", "`ZRANGE` with `REV`"),
    row("ZREVRANGEBYLEX",   -4, READ,          Keys::READ_ONE, range::zrevrangebylex).docs("2.8.9", "key max min [LIMIT offset count]", "Returns the members within a range of texts, the last one first.", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).").deprecated("6.2.0", "`ZRANGE` with `REV` and `BYLEX`"),
    row("ZREVRANGEBYSCORE", -4, READ,          Keys::READ_ONE, range::zrevrangebyscore).docs("2.2.0", "key max:double min:double [WITHSCORES] [LIMIT offset count]", "Returns the members whose scores are within a range, the highest first.", "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).").deprecated("6.2.0", "`ZRANGE` with `REV` and `BYSCORE`"),
    row("ZREVRANK",         -3, READ_FAST,     Keys::READ_ONE, member::zrevrank).docs("2.0.0", "key member [WITHSCORE]", "Returns how many members come behind one.", "O(log(N))"),
    row("ZSCAN",            -3, READ,          Keys::READ_ONE, member::zscan).docs("2.8.0", "key cursor [MATCH pattern] [COUNT count]", "Walks over the members of a sorted set and their scores, some at a time.", "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.").tips("nondeterministic_output"),
    row("ZSCORE",            3, READ_FAST,     Keys::READ_ONE, member::zscore).docs("1.2.0", "key member", "Returns the score of a member.", "O(1)"),
    row("ZUNION",           -3, READ_COUNTED,  COUNTED,        algebra::zunion).docs("6.2.0", "numkeys key [key ...] [WEIGHTS weight:integer [weight:integer ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]", "Returns the members that any of the sorted sets has.", "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set."),
    row("ZUNIONSTORE",      -4, STORE_COUNTED, STORE,          algebra::zunionstore).docs("2.0.0", "destination numkeys key [key ...] [WEIGHTS weight:integer [weight:integer ...]] [AGGREGATE <SUM | MIN | MAX>]", "Stores the members that any of the sorted sets has.", "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set."),
];

/// The header of a reply of members: with their scores each is a pair, in RESP2 two elements.
fn header(members: usize, with_scores: bool, out: &mut Reply<'_>) {
    let flat = with_scores && !out.is_resp3();
    out.array(if flat {
        members.saturating_mul(2)
    } else {
        members
    });
}

fn write_member((member, score): Scored<'_>, with_scores: bool, out: &mut Reply<'_>) {
    if with_scores && out.is_resp3() {
        out.array(2);
    }
    out.item(member);
    if with_scores {
        out.score(score);
    }
}
