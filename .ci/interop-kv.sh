#!/usr/bin/env bash
# kv-server under real programs: redis-cli and redis-benchmark, and the life of the process.
# Needs redis-tools; uses the release build of the example. Prints what it does, fails at the first difference.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

cargo build --release --quiet --example kv-server
server=$PWD/target/release/examples/kv-server
dir=$work
at_exit() { "$server" stop --pidfile "$dir/pid" >/dev/null 2>&1 || true; }
logs=("$dir"/{log,pipe,bench})
port=$(free_port)
cli=(timeout 600 redis-cli -p "$port")

is_stopped() { ! "$server" status --pidfile "$dir/pid" >/dev/null; }

"$server" start --port "$port" --pidfile "$dir/pid" --dir "$dir" --save "" --logfile "$dir/log"
expect "a second start is refused" 1 "$("$server" start --port "$port" --pidfile "$dir/pid" >/dev/null 2>&1; echo $?)"
expect "status" 0 "$("$server" status --pidfile "$dir/pid" >/dev/null; echo $?)"

expect "redis-cli, RESP2 and RESP3" "OK bar bar" "$(printf 'SET foo bar\nGET foo\nHELLO 3\nGET foo\n' | "${cli[@]}" | grep -xE 'OK|bar' | xargs)"
expect "redis-cli -3, a map" "1# \"port\" => \"$port\"" "$("${cli[@]}" -3 --no-raw CONFIG GET port)"
expect "quotes and binary" 'a"b\x00\n' "$(printf 'SET q "a\\"b\\x00\\n"\nGET q\n' | "${cli[@]}" --no-raw | tail -1 | sed 's/^"//; s/"$//; s/\\"/"/')"

# One million SETs through --pipe.
awk 'BEGIN { for (i = 0; i < 1000000; i++) { k = sprintf("key:%07d", i); printf "*3\r\n$3\r\nSET\r\n$11\r\n%s\r\n$8\r\n%08d\r\n", k, i } }' | "${cli[@]}" --pipe >"$dir/pipe"
expect "--pipe, a million SETs" "errors: 0, replies: 1000000" "$(tail -1 "$dir/pipe")"
expect "DBSIZE" 1000002 "$("${cli[@]}" DBSIZE)"
expect "--scan finds every key" 1000000 "$("${cli[@]}" --scan --pattern 'key:*' | sort -u | wc -l)"
expect "--bigkeys" 1000002 "$("${cli[@]}" --bigkeys | sed -n 's/^Sampled \([0-9]*\) keys in the keyspace!$/\1/p')"
expect "--latency" 1 "$("${cli[@]}" --latency --raw 2>/dev/null | tr '\r' '\n' | grep -cE '^[0-9]+ [0-9]+ [0-9.]+ [0-9]+$' | awk '{ print ($1 > 0) }')"
expect "FLUSH" OK "$("${cli[@]}" FLUSH)"
expect "DBSIZE after it" 0 "$("${cli[@]}" DBSIZE)"

# redis-benchmark, its default list.
for test in ping_inline ping_mbulk set get incr lpush rpush lpop rpop sadd hset spop zadd zpopmin lrange_100 lrange_300 lrange_500 lrange_600 mset; do
    timeout 600 redis-benchmark -p "$port" -t "$test" -n 20000 -P 16 -q >"$dir/bench" 2>&1
    expect "redis-benchmark $test" 0 "$(grep -ciE 'error|ERR ' "$dir/bench" || true)"
done

# A dump that the next start loads, expiries included.
"${cli[@]}" SET kept yes PX 100000000 >/dev/null
expect "SAVE" OK "$("${cli[@]}" SAVE)"
"$server" restart --port "$port" --pidfile "$dir/pid" --dir "$dir" --save "" --logfile "$dir/log"
expect "a restart loads the dump" yes "$("${cli[@]}" GET kept)"
expect "with expiries" 1 "$(("$("${cli[@]}" PTTL kept)" > 0))"
expect "SHUTDOWN ends the process" "" "$("${cli[@]}" SHUTDOWN NOSAVE)"
await is_stopped
expect "stop without a server" "not running" "$("$server" stop --pidfile "$dir/pid")"

# What cannot be saved is not lost by a signal.
mkdir "$dir/data"
"$server" start --port "$port" --pidfile "$dir/pid" --dir "$dir/data" --save "3600 1" --logfile "$dir/log"
"${cli[@]}" SET kept yes >/dev/null
mv "$dir/data" "$dir/moved"
kill "$(cat "$dir/pid")"
await grep -q 'the server goes on' "$dir/log"
expect "SIGTERM without a place to save to" yes "$("${cli[@]}" GET kept)"
mv "$dir/moved" "$dir/data"
kill "$(cat "$dir/pid")"
await is_stopped
expect "SIGTERM saves" 1 "$(find "$dir/data" -name dump.rdb -size +0 | wc -l)"

expect "an unknown option is refused" 1 "$("$server" --no-such-option 1 >/dev/null 2>&1; echo $?)"
expect "appendonly yes is refused" 1 "$("$server" --appendonly yes >/dev/null 2>&1; echo $?)"
expect "-v" "Redis server v=7.2" "$("$server" -v | cut -c1-18)"
