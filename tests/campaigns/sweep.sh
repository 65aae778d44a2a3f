#!/usr/bin/env bash
# A sweep of many short repetitions on the built-in broker: what a repetition costs hubmark must not grow with those
# before it. Compares bytes written, processor time and wall time per repetition of the first and the last tenth, each
# from the counters of the run's process, and prints what reading the record takes during and after the run.
#
# Usage: tests/long.sh sweep [COUNT, default 2000]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

count=${1:-2000}
hubmark=${HUBMARK:-${CARGO_TARGET_DIR:-target}/debug/hubmark}
# Largest growth of a cost from the first to the last tenth, in percent; the machine's own noise is below it.
tolerance=50

die() { echo "${0##*/}: $*" >&2; exit 1; }

[ "$count" -ge 100 ] || die "COUNT must be at least 100"
[ -n "${HUBMARK:-}" ] || cargo build --quiet --locked || die "it does not build"
bench=$(mktemp -d)
mkdir "$bench/tmp" "$bench/records"
export HUBMARK_TMP=$bench/tmp HUBMARK_RECORDS_DIR=$bench/records HUBMARK_STATE_DIR=$bench/state
export HUBMARK_CONFIG_DIR=$bench/config DOCKER_HOST=unix:///nonexistent/engine.sock
record=$bench/records/sweep.json
run=
trap '[ -z "$run" ] || kill -KILL "$run" 2>/dev/null; rm -rf "$bench"' EXIT

# read_record WHEN: prints the time and the peak memory of showing the record.
read_record() {
  local started finished
  started=$(date +%s%N)
  "$hubmark" records show --format csv "$record" >"$bench/rows" || die "the record cannot be read $1"
  finished=$(date +%s%N)
  echo "$1: $(($(wc -l <"$bench/rows") - 1)) repetitions, $(stat -c %s "$record") bytes, read in $(((finished - started) / 1000000)) ms"
}

"$hubmark" run first-look --set workload.users=3 --set workload.messages=3 --set run.baseline='"0 s"' \
  --set workload.arrival='{ distribution = "constant", mean = "5 ms" }' --set run.repetitions="$count" \
  --out "$record" >"$bench/out" 2>"$bench/progress" &
run=$!

# Counters after each tenth: repetitions, bytes written, ticks of processor time, milliseconds.
finished() { grep -c -E '^\[.* · (valid|suspect|failed)' "$bench/progress"; }
counters() {
  local fields
  read -r -a fields <"/proc/$run/stat" || return 1
  echo "$(finished) $(sed -n 's/^wchar: //p' "/proc/$run/io") $((fields[13] + fields[14])) $(($(date +%s%N) / 1000000))"
}
marks=()
for ((tenth = 0; tenth <= 10; tenth++)); do
  # The last mark is taken before the end, when the process can still be read.
  until [ "$(finished)" -ge $((tenth < 10 ? tenth * count / 10 : count - 5)) ]; do
    kill -0 "$run" 2>/dev/null || die "the run has ended: $(tail -n 3 "$bench/progress")"
    sleep 0.2
  done
  marks+=("$(counters)")
  [ "$tenth" != 5 ] || read_record "during the run"
done
wait "$run" || die "the run failed: $(tail -n 3 "$bench/progress")"
run=
read_record "after the run"
grep -q "$count of $count repetitions" "$bench/out" || die "repetitions are missing: $(head -n 1 "$bench/out")"
! grep -q '"journal"' "$record" || die "the finished record still has a journal"
[ "$(find "$bench/records" -type f | wc -l)" = 1 ] || die "files are left beside the record"

# per_repetition FIELD TENTH: the cost of a repetition in a tenth, times 1000.
per_repetition() {
  local before after
  read -r -a before <<<"${marks[$2 - 1]}"
  read -r -a after <<<"${marks[$2]}"
  echo $(((after[$1] - before[$1]) * 1000 / (after[0] - before[0])))
}
status=0
for cost in "1 bytes written" "2 ticks of processor time" "3 ms"; do
  first=$(per_repetition "${cost%% *}" 1) last=$(per_repetition "${cost%% *}" 10)
  echo "${cost#* } per 1000 repetitions: $first in the first tenth, $last in the last"
  [ "$last" -le $((first + first * tolerance / 100)) ] || { echo "  it grows" && status=1; }
done
exit "$status"
