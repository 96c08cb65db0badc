#!/usr/bin/env bash
# What 200 MB of output cost in a run, against the same command under bash with its output in a file: benches/output.sh [ROUNDS]
#
# Each round measures all kinds one after the other, so that a slow minute is everybody's; the medians count. The cost of a run without
# output is measured too: it does not grow with the output, and is what remains when the ratio is near 1.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-15}

cargo build --quiet --release --bin runbook
target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
runbook=$target/release/runbook
# On the disk of the build: a folder in memory would compare nothing.
dir=$(mktemp -d "$target/output.XXXXXX")
trap 'rm -rf "$dir"' EXIT

# 22,222,222 lines of nine bytes.
flood='seq 10000000 32222221'
bytes=199999998
printf 'swordfish-swordfish' > "$dir/token"
book() { # NAME SCRIPT [SECRETS]
    printf 'schema: runbook/v1\nid: %s\ntitle: Output\n%ssteps:\n  - {id: flood, run: "%s"}\n' "$1" "${3:-}" "$2" > "$dir/$1.yaml"
}
book nothing 'true'
book flood "$flood"
book masked "$flood" "secrets: {token: {file: $dir/token}}"$'\n'

now_us() { echo "${EPOCHREALTIME/[.,]/}"; }
timed() { # KIND COMMAND...
    local kind=$1 start
    shift
    start=$(now_us)
    "$@"
    echo $(($(now_us) - start)) >> "$dir/$kind.times"
}
with_bash() { bash -c "set -euo pipefail; $flood" > "$dir/plain.out"; }
with_runbook() {
    "$runbook" --state "$dir/state" exec "$dir/$1.yaml" --output plain 2> "$dir/said" || { cat "$dir/said" >&2; exit 1; }
}
check() { # FILE
    local size
    size=$(stat -c %s "$1")
    [ "$size" -eq "$bytes" ] || { echo "$1 has $size bytes, not $bytes" >&2; exit 1; }
}
median_us() { sort -n "$dir/$1.times" | sed -n "$(((rounds + 1) / 2))p"; }

for ((round = 0; round < rounds; round++)); do
    timed bash with_bash
    check "$dir/plain.out"
    timed nothing with_runbook nothing
    rm -rf "$dir/state"
    for kind in flood masked; do
        timed "$kind" with_runbook "$kind"
        check "$dir"/state/runs/*/logs/flood.1.out
        rm -rf "$dir/state"
    done
    rm "$dir/plain.out"
done

base=$(median_us bash)
awk -v rounds="$rounds" -v bash="$base" -v nothing="$(median_us nothing)" -v flood="$(median_us flood)" -v masked="$(median_us masked)" 'BEGIN {
    printf "median of %d rounds, 200 MB of output\n", rounds
    printf "  bash -c … > file               %7.1f ms\n", bash / 1000
    printf "  runbook exec                   %7.1f ms  %+.1f %%\n", flood / 1000, 100 * (flood / bash - 1)
    printf "  of that, a run without output  %7.1f ms; the output alone %+.1f %%\n", nothing / 1000, 100 * ((flood - nothing) / bash - 1)
    printf "  runbook exec, output masked    %7.1f ms  %+.1f %%\n", masked / 1000, 100 * (masked / bash - 1)
}'
