#!/usr/bin/env bash
# Compares pairs of equal runs (A/A) on the built-in broker with `hubmark compare`, which must not see a difference
# between a run and itself more often than its level of 5 % allows: of the mean delivery in at most 2 of 40 pairs, and of
# all metrics together in at most 5 % of the comparisons. The two runs of a pair take place at the same time, so that
# a machine that becomes slower meanwhile does so for both. The script prints the machine's load.
#
# Usage: tests/long.sh aa [PAIRS, default 40] [FOLDER for the records, default a temporary one]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

pairs=${1:-40}
hubmark=${HUBMARK:-${CARGO_TARGET_DIR:-target}/debug/hubmark}
judged=delivery.mean
# With fewer than eight repetitions the rank test must agree.
repetitions=6

die() { echo "${0##*/}: $*" >&2; exit 1; }

[ "$pairs" -ge 1 ] || die "PAIRS must be at least 1"
[ -n "${HUBMARK:-}" ] || cargo build --quiet --locked || die "it does not build"
bench=$(mktemp -d)
trap 'rm -rf "$bench"' EXIT
records=${2:-$bench/records}
mkdir -p "$bench/tmp" "$records" || die "no folder for the records"
export HUBMARK_TMP=$bench/tmp HUBMARK_RECORDS_DIR=$records HUBMARK_STATE_DIR=$bench/state
export HUBMARK_CONFIG_DIR=$bench/config DOCKER_HOST=unix:///nonexistent/engine.sock

# measure FILE SEED: the same run each time; a pair has one seed, and so one schedule.
measure() {
  "$hubmark" run first-look -q --out "$1" --set run.seed="$2" --set run.repetitions="$repetitions" \
    --set workload.users=100 --set workload.messages=10 --set run.baseline='"100 ms"' \
    --set workload.arrival='{ distribution = "poisson", mean = "100 ms" }' >"$1.out" 2>&1 ||
    die "a run failed: $(tail -n 3 "$1.out")"
}

for ((pair = 1; pair <= pairs; pair++)); do
  measure "$records/$pair-a.json" "$pair" &
  first=$!
  (measure "$records/$pair-b.json" "$pair") || exit 1
  wait "$first" || exit 1
  "$hubmark" compare "$records/$pair-a.json" "$records/$pair-b.json" --format csv >"$bench/pair" ||
    die "pair $pair was not compared"
  # The first column, the point's name, is quoted because it has commas.
  sed -E '1d; s/^"[^"]*",/point,/' "$bench/pair" | awk -F, -v pair="$pair" '{ print pair, $2, $14 }' >>"$bench/all"
  awk -v pair="$pair" '$1 == pair && ($3 == "higher" || $3 == "lower") { print "pair " $1 ": " $2 " " $3 }' "$bench/all"
  read -r load _ </proc/loadavg
  [ $((pair % 10)) != 0 ] || echo "$pair pairs, load of the machine $load"
done

awk -v judged="$judged" -v pairs="$pairs" '
  $3 == "higher" || $3 == "lower" || $3 == "not" { compared++; of[$2]++ }
  $3 == "higher" || $3 == "lower" { seen++; differs[$2]++ }
  END {
    for (metric in of) printf "  %s: %d of %d\n", metric, differs[metric], of[metric] | "sort"
    close("sort")
    printf "%s: a difference in %d of %d pairs\n", judged, differs[judged], pairs
    printf "all metrics: %d of %d comparisons, %.1f %%\n", seen, compared, 100 * seen / compared
    exit !(of[judged] == pairs && differs[judged] <= 2 * pairs / 40 && seen <= 0.05 * compared)
  }' "$bench/all" || die "more differences than chance explains"
