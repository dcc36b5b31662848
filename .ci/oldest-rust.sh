#!/usr/bin/env bash
# The libraries build with the `rust-version` of Cargo.toml: with Debian's rustc 1.85, unpacked beside the build and not installed.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

stated=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
root=$PWD/target/oldest-rust
mkdir -p "$root"
if [ ! -x "$root/rustc" ]; then
    version=$(apt-cache madison rustc-web 2>/dev/null | awk '{ print $3 }' | grep "^$stated\." | head -1 || true)
    if [ -z "$version" ]; then
        echo "skipped: no Debian package has rustc $stated"
        exit 0
    fi
    (
        cd "$root"
        retry apt-get download -qq "rustc-web=$version" "libstd-rust-web-$stated=$version" "libstd-rust-web-dev=$version" libllvm19
        for package in *.deb; do dpkg -x "$package" root && rm "$package"; done
    )
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s/root/usr/lib/x86_64-linux-gnu exec %s/root/usr/bin/rustc "$@"\n' "$root" "$root" >"$root/rustc"
    chmod +x "$root/rustc"
fi
"$root/rustc" --version
RUSTC=$root/rustc CARGO_TARGET_DIR=$root/target cargo check --quiet -p resp-codec -p kv-server -p kv-client --features kv-client/derive,kv-client/tls -p portscan -p framed-echo
