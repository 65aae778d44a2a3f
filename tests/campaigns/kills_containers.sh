#!/usr/bin/env bash
# A campaign of kills on a Docker engine: runs on real servers, each ended at a random moment by a signal (KILL, INT,
# TERM and HUP in turns). After each the record must be valid and hold every repetition that was told as finished, an end
# in order must leave no container, and after a kill `hubmark clean` must remove what is left.
#
# Usage: tests/long.sh kills_containers [COUNT, default 200] [SEED, default random]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

count=${1:-200}
seed=${2:-$RANDOM}
RANDOM=$seed
# Most moments of two short repetitions: image check, start, baseline, load, drain, removal.
longest=16000
hubmark=${CARGO_TARGET_DIR:-target}/debug/hubmark
backends=(mariadb kafka:4.4.0 kafka:2.8.0)

die() { echo "kills_containers.sh: $*" >&2; exit 1; }

cargo build --quiet --locked || die "it does not build"
bench=$(mktemp -d)
trap 'rm -rf "$bench"' EXIT
mkdir "$bench/tmp" "$bench/records"
export HUBMARK_TMP=$bench/tmp HUBMARK_RECORDS_DIR=$bench/records HUBMARK_STATE_DIR=$bench/state
export HUBMARK_CONFIG_DIR=$bench/config
load=(--set workload.users=5 --set workload.messages=20 --set run.baseline='"500 ms"' --set run.repetitions=5
  --set workload.arrival='{ distribution = "constant", mean = "50 ms" }')

seconds() { echo "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"; }
# Containers and networks of a run.
left() {
  docker ps --all --quiet --filter "label=hubmark.run=$1"
  docker network ls --quiet --filter "name=hubmark-$1"
}

declare -A sent=()
failures=0 repetitions=0 unbegun=0 swept=0
fail() {
  failures=$((failures + 1))
  echo "kill $kill ($signal after $delay ms on $backend): $*"
}
for ((kill = 1; kill <= count; kill++)); do
  signals=(KILL INT TERM HUP)
  signal=${signals[kill % ${#signals[@]}]}
  backend=${backends[RANDOM % ${#backends[@]}]}
  delay=$((RANDOM % longest))
  sent[$signal]=$((${sent[$signal]:-0} + 1))
  record=$HUBMARK_RECORDS_DIR/$kill.json
  timeout --foreground --preserve-status --signal "$signal" "$(seconds "$delay")" \
    "$hubmark" run study-latency-users-quick --set backend="\"$backend\"" "${load[@]}" --out "$record" \
    >"$bench/out" 2>"$bench/told"
  status=$?
  told=$(grep -c -E '^\[.* · (valid|suspect)' "$bench/told")
  case $signal:$status in
    # A run that was faster than the signal.
    *:0) ;;
    KILL:137 | INT:130 | TERM:130 | HUP:130) ;;
    # Before the run has taken its signals they do what they always do.
    TERM:143 | HUP:129) [ ! -e "$record" ] || fail "it ended with status $status" ;;
    *) fail "it ended with status $status: $(tail -n 3 "$bench/told")" ;;
  esac
  if [ ! -e "$record" ]; then
    unbegun=$((unbegun + 1))
    [ "$told" = 0 ] || fail "$told repetitions were finished, and there is no record"
    continue
  fi
  if rows=$("$hubmark" records show --format csv "$record" 2>"$bench/why"); then
    kept=$(grep -c -E ',(valid|suspect),' <<<"$rows")
    repetitions=$((repetitions + kept))
    [ "$kept" -ge "$told" ] || fail "$told repetitions were finished, the record holds $kept"
  else
    fail "the record is not valid: $(cat "$bench/why")"
    continue
  fi
  run=$(grep -o -m 1 '"run": *"[^"]*"' "$record" | cut -d'"' -f4)
  [ -n "$run" ] || die "no run in $record"
  if [ "$signal" != KILL ]; then
    [ -z "$(left "$run")" ] || fail "an end in order left $(left "$run")"
  else
    [ -z "$(left "$run")" ] || swept=$((swept + 1))
    "$hubmark" clean >"$bench/swept" 2>&1 || fail "clean failed: $(cat "$bench/swept")"
    for _ in {1..50}; do [ -z "$(left "$run")" ] && break; sleep 0.2; done
    [ -z "$(left "$run")" ] || fail "after clean there is $(left "$run")"
  fi
done
for signal in "${!sent[@]}"; do printf '%s × %s, ' "${sent[$signal]}" "$signal"; done
echo "seed $seed"
echo "$repetitions repetitions kept, $unbegun runs killed before their record began, $swept times leftovers swept"
echo "$((count - failures)) of $count kills without a fault"
[ "$failures" = 0 ]
