#!/usr/bin/env bash
# Searches the capacity of a server limited to 0.25 cpu, and to 1 cpu: the two intervals must not overlap, and the
# limiting resource must be the server's CPU. In real containers; about a quarter of an hour.
#
# Usage: tests/long.sh capacity [BACKEND, default mariadb] [FOLDER for the records, default a temporary one]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

backend=${1:-mariadb}
folder=${2:-$(mktemp -d)}
hubmark=${CARGO_TARGET_DIR:-target}/release/hubmark

die() { echo "capacity.sh: $*" >&2; exit 1; }

cargo build --release --quiet --locked || die "it does not build"
mkdir -p "$folder"

# search CPUS: prints "LOWER UPPER" of the proven interval
search() {
  local record=$folder/$1-cpu.json text
  # A throttled container waits for up to a tenth of a second, so the objective is coarser than in the profile.
  text=$("$hubmark" run capacity-quick --out "$record" --set "backend=\"$backend\"" \
    --set "hub.limits.cpus=\"$1 cpus\"" --set 'workload.users="40..1600 step 25%"' \
    --set 'workload.duration="4 s"' --set 'workload.warmup="500 ms"' --set 'run.server_warmup="1 s"' \
    --set 'workload.objectives={ "delivery.p99" = "250 ms", lost = 0 }') || die "the search with $1 cpus failed"
  printf '%s\n' "$text" >&2
  grep -q "limited by: CPU of " <<<"$text" || die "with $1 cpus it is not the CPU that limits"
  sed -nE 's/^capacity of .*: ([0-9,]+) to ([0-9,]+) users \(95 %\)$/\1 \2/p' <<<"$text" | tr -d ,
}

read -r _ small_upper <<<"$(search 0.25)"
read -r large_lower _ <<<"$(search 1)"
[ -n "$small_upper" ] && [ -n "$large_lower" ] || die "an interval has one end only"
echo "0.25 cpu: fewer than $small_upper users; 1 cpu: at least $large_lower"
[ "$small_upper" -lt "$large_lower" ] || die "the intervals overlap"
