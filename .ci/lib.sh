# What the scripts beside this one share; each sources it first. It changes to the root of the workspace.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null # nobody is asked anything

# The folder that a script works in; it goes with the script, which shows its logs first if it fails. A script may have an
# `at_exit`, which runs before that.
work=$(mktemp -d)
logs=() # files in it that say why something failed

finish() {
    local status=$? log
    if declare -F at_exit >/dev/null; then at_exit; fi
    if [ "$status" != 0 ]; then
        for log in ${logs[@]+"${logs[@]}"}; do
            if [ -s "$log" ]; then
                printf -- '-- the end of %s\n' "${log##*/}"
                tail -n 100 "$log"
            fi
        done >&2
    fi
    rm -rf "$work"
}
trap finish EXIT

expect() { # expect WHAT EXPECTED ACTUAL
    if [ "$2" != "$3" ]; then
        printf 'FAILED %s\n  expected: %s\n  got:      %s\n' "$1" "$2" "$3" >&2
        exit 1
    fi
    printf 'ok %s\n' "$1"
}

await() { # await COMMAND...: until it succeeds, for five minutes at most
    local end=$((SECONDS + 300))
    until "$@"; do
        if [ "$SECONDS" -gt "$end" ]; then
            printf 'FAILED waiting for: %s\n' "$*" >&2
            exit 1
        fi
        sleep 0.05
    done
}
export -f await

retry() { # retry COMMAND...: what asks a mirror or a registry, which fail now and then
    local pause
    for pause in 5 15 30 60; do
        if "$@"; then return; fi
        printf 'once more in %s s: %s\n' "$pause" "$*" >&2
        sleep "$pause"
    done
    "$@"
}

free_port() { # one that nobody has, below those that the system gives to outgoing connections
    local port
    for port in $(shuf -i 21000-31999); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}
