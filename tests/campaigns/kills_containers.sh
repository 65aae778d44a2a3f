#!/usr/bin/env bash
# A campaign of kills on a Docker engine: runs on real servers, each ended at a random moment by a signal (KILL, INT,
# TERM and HUP in turns). After each the record must be valid and hold every repetition that was told as finished, an end
# in order must leave no container, and after a kill `hubmark clean` must remove what is left.
#
# Usage: tests/long.sh kills_containers [COUNT, default 200] [SEED, default random]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

# Most moments of two short repetitions: image check, start, baseline, load, drain, removal.
longest=16000
backends=(mariadb kafka:4.4.0 kafka:2.8.0)
# shellcheck source=tests/setup/kills.sh
source tests/setup/kills.sh
trap 'rm -rf "$bench"' EXIT
load=(--set workload.users=5 --set workload.messages=20 --set run.baseline='"500 ms"' --set run.repetitions=5
  --set workload.arrival='{ distribution = "constant", mean = "50 ms" }')

# Containers and networks of a run.
left() {
  docker ps --all --quiet --filter "label=hubmark.run=$1"
  docker network ls --quiet --filter "name=hubmark-$1"
}

for ((kill = 1; kill <= count; kill++)); do
  backend=${backends[RANDOM % ${#backends[@]}]}
  killed study-latency-users-quick --set backend="\"$backend\"" "${load[@]}"
  case $signal:$status in
    # A run that was faster than the signal.
    *:0) ;;
    KILL:137 | INT:130 | TERM:130 | HUP:130) ;;
    # Before the run has taken its signals they do what they always do.
    TERM:143 | HUP:129) [ ! -e "$record" ] || fail "it ended with status $status" ;;
    *) fail "it ended with status $status: $(tail -n 3 "$bench/told")" ;;
  esac
  kept || continue
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
ended "$repetitions repetitions kept, $unbegun runs killed before their record began, $swept times leftovers swept"
