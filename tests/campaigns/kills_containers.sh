#!/usr/bin/env bash
# Kills runs on real servers of a Docker engine, each at a random time, by the signals KILL, INT, TERM and HUP in turn.
# After each the record must be valid and contain every repetition that was reported as finished; a clean end must leave
# no container, and after a kill `hubmark clean` must remove the leftovers.
#
# Usage: tests/long.sh kills_containers [COUNT, default 200] [SEED, default random]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

# Covers most phases of two short repetitions: image check, start, baseline, load, drain, removal.
longest=16000
backends=(mariadb kafka:4.4.0 kafka:2.8.0)
# shellcheck source=tests/setup/kills.sh
source tests/setup/kills.sh
trap 'rm -rf "$bench"' EXIT
load=(--set workload.users=5 --set workload.messages=20 --set run.baseline='"500 ms"' --set run.repetitions=5
  --set workload.arrival='{ distribution = "constant", mean = "50 ms" }')

# left RUN: prints the containers and networks of a run.
left() {
  docker ps --all --quiet --filter "label=hubmark.run=$1"
  docker network ls --quiet --filter "name=hubmark-$1"
}

for ((kill = 1; kill <= count; kill++)); do
  backend=${backends[RANDOM % ${#backends[@]}]}
  run_and_kill study-latency-users-quick --set backend="\"$backend\"" "${load[@]}"
  case $signal:$status in
    # The run ended before the signal.
    *:0) ;;
    KILL:137 | INT:130 | TERM:130 | HUP:130) ;;
    # Before the run handles signals, they have their default effect.
    TERM:143 | HUP:129) [ ! -e "$record" ] || fail "it ended with status $status" ;;
    *) fail "it ended with status $status: $(tail -n 3 "$bench/progress")" ;;
  esac
  check_record || continue
  run=$(grep -o -m 1 '"run": *"[^"]*"' "$record" | cut -d'"' -f4)
  [ -n "$run" ] || die "no run in $record"
  if [ "$signal" != KILL ]; then
    [ -z "$(left "$run")" ] || fail "a clean end left $(left "$run")"
  else
    [ -z "$(left "$run")" ] || swept=$((swept + 1))
    "$hubmark" clean >"$bench/swept" 2>&1 || fail "clean failed: $(cat "$bench/swept")"
    for _ in {1..50}; do [ -z "$(left "$run")" ] && break; sleep 0.2; done
    [ -z "$(left "$run")" ] || fail "after clean there remains $(left "$run")"
  fi
done
summary "$repetitions repetitions saved, $unbegun runs killed before their record began, $swept times leftovers removed"
