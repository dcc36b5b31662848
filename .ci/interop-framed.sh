#!/usr/bin/env bash
# The framed-echo programs with peers that share no code with them: clients and a server that are written with nothing but Python's
# `struct` and `socket`, as the protocol's tutorial has them; the relay killed with -9; captures made by tcpdump and tshark.
#
# Needs: python3, redis-server. For captures: tcpdump, tshark, unshare; left out without them. Takes the folder of the
# built examples as its argument, or builds them.
set -euo pipefail
programs=${1:+$(realpath "$1")}
source "$(dirname "$0")/lib.sh"

if [ -z "$programs" ]; then
    cargo build -q -p examples --example framed-echo-server --example framed-echo-client --example chat --example frame-dump
    programs=$PWD/target/debug/examples
fi
for tool in python3 redis-server; do
    command -v "$tool" >/dev/null || { echo "interop-framed: skipped, $tool is missing"; exit 0; }
done

pids=()
at_exit() { kill "${pids[@]}" 2>/dev/null || true; }
logs=("$work"/{redis.log,chat4,server.out,tcpdump.err,tshark.err})
export work programs

client() { timeout 120 "$programs/framed-echo-client" --wait 60 "$@"; }
chat() { timeout 120 "$programs/chat" "$@"; }
export -f client

# start NAME COMMAND...: runs a server in the background and sets `pid`, and `address` to where it says that it listens.
start() {
    local name=$1
    shift
    mkfifo "$work/$name.out"
    "$@" >"$work/$name.out" &
    pid=$!
    pids+=("$pid")
    exec {out}<"$work/$name.out"
    if ! read -rt 120 -u "$out" line; then
        printf 'FAILED %s does not say where it listens\n' "$name" >&2
        exit 1
    fi
    address=${line#listening on }
    rm "$work/$name.out"
}

cat >"$work/tutorial.py" <<'PYTHON'
"""The tutorial's protocol in Python, with its bugs corrected: lengths count bytes, and reads are whole."""
import socket, struct

REQUEST, REPLY = struct.Struct("!IIBI"), struct.Struct("!IBI")

def connect(address):
    host, port = address.rsplit(":", 1)
    stream = socket.create_connection((host.strip("[]"), int(port)), timeout=60)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream

def request(body, kind=1, sender=10000000, receiver=10000001):
    body = body.encode() if isinstance(body, str) else body
    return REQUEST.pack(sender, receiver, kind, len(body)) + body

def exactly(stream, count):
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        if not piece:
            raise EOFError(f"{count - len(data)} of {count} bytes are missing")
        data += piece
    return data

def reply(stream):
    sender, kind, length = REPLY.unpack(exactly(stream, REPLY.size))
    return sender, kind, exactly(stream, length)
PYTHON
export PYTHONPATH=$work

# -- echo

start echo "$programs/framed-echo-server" --bind 127.0.0.1:0
echo_pid=$pid
python3 - "$address" <<'PYTHON'
import sys, struct
from tutorial import *

s = connect(sys.argv[1])
# The bytes themselves, once.
s.sendall(bytes.fromhex("00989680 00989681 01 00000005 68656c6c6f"))
assert exactly(s, 14).hex(" ") == "00 98 96 80 01 00 00 00 05 68 65 6c 6c 6f"

for text in ["hello", "", "你好,世界", "👋🏽 🇨🇳", "two\r\nlines"]:
    s.sendall(request(text))
    assert reply(s) == (10000000, 1, text.encode()), text
print("ok a Python client: its lines come back, of all scripts")

for byte in request("byte by byte, 你好"):
    s.sendall(bytes([byte]))
assert reply(s)[2].decode() == "byte by byte, 你好"
s.sendall(request("one") + request("two") + request("three")[:7])
assert [reply(s)[2] for _ in range(2)] == [b"one", b"two"]
s.sendall(request("three")[7:])
assert reply(s)[2] == b"three"
print("ok a Python client: byte by byte, several in one write, a header in two")

for kind in [2, 3, 4, 5, 0, 127]:
    s.sendall(request(b"\x00\xff", kind) + request("in sync"))
    assert reply(s) == (10000000, kind, b"\x00\xff"), kind
    assert reply(s)[2] == b"in sync"
print("ok a Python client: pictures, voice, video and unknown kinds leave nothing in the stream")

body = bytes(range(256)) * 8 * 1024  # 2 MiB of text, which is over its limit
s.sendall(request(body))
sender, kind, text = reply(s)
assert (sender, kind) == (0, 133) and b"too-long" in text, (sender, kind, text)
s.sendall(request("in sync"))
assert reply(s)[2] == b"in sync"
s.sendall(struct.pack("!IIBI", 1, 2, 1, 0xFFFFFFFF))
assert reply(s)[1] == 133
print("ok a Python client: a body over its limit is refused, and the stream goes on")

s = connect(sys.argv[1])
s.sendall(request("last words") + request("cut off")[:-3])
s.shutdown(socket.SHUT_WR)
assert reply(s)[2] == b"last words" and s.recv(1) == b""
print("ok a Python client: half-closed, it still gets what it is owed")
PYTHON

expect "framed-echo-client: lines are sent, replies printed" "$(printf 'hello\n你好 👋')" \
    "$(printf 'hello\n你好 👋\n' | client "$address")"
head -c 300000 /dev/urandom >"$work/picture.png"
expect "framed-echo-client --send" "<picture (2) of 300000 bytes>" "$(client "$address" --send "$work/picture.png")"

kill -INT "$echo_pid"
status=0
wait "$echo_pid" 2>/dev/null || status=$?
expect "the server drains and exits" 0 "$status"

start terminated "$programs/framed-echo-server" --bind 127.0.0.1:0
kill -TERM "$pid"
status=0
wait "$pid" 2>/dev/null || status=$?
expect "SIGTERM does the same" 0 "$status"

# The tutorial's server in Python, with our client.
cat >"$work/server.py" <<'PYTHON'
import socket
from tutorial import *

listener = socket.create_server(("127.0.0.1", 0))
print("listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
stream, _ = listener.accept()
try:
    while True:
        sender, receiver, kind, length = REQUEST.unpack(exactly(stream, REQUEST.size))
        body = exactly(stream, length)
        assert (sender, receiver, kind) == (10000000, 10000001, 1), (sender, receiver, kind)
        stream.sendall(REPLY.pack(sender, kind, len(body)) + body)
except EOFError as end:
    assert "13 of 13" in str(end), end
PYTHON
start server python3 "$work/server.py"
expect "framed-echo-client with a server in Python" "$(printf 'one\n你好')" "$(printf 'one\n你好\n' | client "$address")"
wait "$pid"
echo "ok its bytes are the tutorial's, to the last"

# -- relay

start relay "$programs/framed-echo-server" --bind 127.0.0.1:0 --relay
python3 - "$address" <<'PYTHON'
import sys
from tutorial import *

alice = connect(sys.argv[1])
alice.sendall(request("are you there?", sender=1, receiver=2) + request("here", sender=1, receiver=1))
assert reply(alice) == (1, 1, b"here")  # so the relay has the first one too
bob = connect(sys.argv[1])
bob.sendall(request("I am", sender=2, receiver=1))
assert reply(alice) == (2, 1, b"I am")
assert reply(bob) == (1, 1, b"are you there?")
print("ok two Python clients: the relay delivers, and keeps what is for somebody away")
PYTHON
expect "chat: a line for somebody away is kept" "* 4 is away; kept" "$(echo 'see you 明天' | chat "$address" --id 3 --to 4)"
mkfifo "$work/typed"
chat "$address" --id 4 --to 3 <"$work/typed" >"$work/chat4" &
chatting=$!
exec {typed}>"$work/typed"
await grep -q 明天 "$work/chat4"
expect "chat: it arrives later" "3> see you 明天" "$(cat "$work/chat4")"
exec {typed}>&-
wait "$chatting"

# -- kill -9, with an inbox in Redis

redis=$(free_port)
redis-server --port "$redis" --bind 127.0.0.1 --save "" --appendonly no --daemonize no >"$work/redis.log" 2>&1 &
pids+=($!)
await grep -q 'Ready to accept connections' "$work/redis.log"
start first "$programs/framed-echo-server" --bind 127.0.0.1:0 --relay --inbox "redis://127.0.0.1:$redis"
expect "chat: kept in Redis" "* 6 is away; kept" "$(echo 'survives' | chat "$address" --id 5 --to 6)"
kill -9 "$pid"
start second "$programs/framed-echo-server" --bind 127.0.0.1:0 --relay --inbox "redis://127.0.0.1:$redis"
python3 - "$address" <<'PYTHON'
import sys
from tutorial import *

bob = connect(sys.argv[1])
bob.sendall(request("hello", sender=6, receiver=6))
assert reply(bob) == (5, 1, b"survives")
print("ok kill -9: a Python client gets what the relay before had kept")
PYTHON

# -- frame-dump

start proxied "$programs/framed-echo-server" --bind 127.0.0.1:0
start proxy "$programs/frame-dump" --listen 127.0.0.1:0 --to "$address" --record "$work/session"
proxy_out=$out
expect "a client through frame-dump" "through" "$(echo through | client "$address")"
for pattern in 'connected' 'request sender=10000000 receiver=10000001 kind=text (1) length=7 "through"' 'reply sender=10000000 kind=text (1) length=7 "through"' 'closed'; do
    read -rt 120 -u "$proxy_out" line || { echo "FAILED frame-dump does not show $pattern"; exit 1; }
    [[ $line == *"$pattern"* ]] || { echo "FAILED frame-dump shows $pattern, got $line"; exit 1; }
done
expect "frame-dump of what it has recorded" '00000000 reply sender=10000000 kind=text (1) length=7 "through"' \
    "$("$programs/frame-dump" --replies "$work/session.1.replies")"

if command -v tcpdump >/dev/null && command -v tshark >/dev/null && unshare --net true 2>/dev/null; then
    unshare --net bash -euo pipefail <<'INSIDE'
ip link set lo up
"$programs/framed-echo-server" --bind 127.0.0.1:8888 >"$work/server.out" 2>&1 &
server=$!
tcpdump -i lo -U --immediate-mode -w "$work/lo.pcap" port 8888 2>"$work/tcpdump.err" &
tcpdump=$!
tshark -q -i any -f 'port 8888' -w "$work/any.pcapng" 2>"$work/tshark.err" &
tshark=$!
trap 'kill $server $tcpdump $tshark 2>/dev/null || true' EXIT
await grep -q 'listening on' "$work/server.out"
await grep -q 'listening on' "$work/tcpdump.err"
await [ -s "$work/any.pcapng" ]
# Lines go through until both captures have some: a tool may say that it is ready before it is.
both_have_captured() {
    echo "captured 你好" | client 127.0.0.1:8888 >/dev/null
    grep -q captured "$work/lo.pcap" && grep -q captured "$work/any.pcapng"
}
await both_have_captured
kill -INT $tcpdump $tshark
wait $tcpdump $tshark
for capture in lo.pcap any.pcapng; do
    "$programs/frame-dump" "$work/$capture" >"$work/shown"
    for line in 'request sender=10000000 receiver=10000001 kind=text (1) length=15 "captured 你好"' 'reply sender=10000000 kind=text (1) length=15 "captured 你好"'; do
        grep -qF "$line" "$work/shown" || { echo "FAILED $capture lacks $line"; cat "$work/shown"; exit 1; }
    done
    echo "ok frame-dump $capture"
done
INSIDE
else
    echo "left out: captures (tcpdump, tshark or network namespaces are missing)"
fi
echo "interop-framed: passed"
