#!/usr/bin/env bash
# A campaign of kills: runs on the built-in broker, each ended at a random moment by a signal
# (KILL, INT, TERM and HUP in turns), beside one run that must live through all of it. After each kill the record
# must hold every repetition that was told as finished, and after `hubmark clean` nothing may be left
# but what the living run needs. Then the run is gone on with until the next kill: what was finished
# before must still be there, repetition for repetition.
#
# Usage: tests/long.sh kills [COUNT, default 200] [SEED, default random]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

# Most moments of a run of short repetitions: its start, and a few of its repetitions.
longest=2500
# shellcheck source=tests/setup/kills.sh
source tests/setup/kills.sh
export DOCKER_HOST=unix:///nonexistent/engine.sock

living=
finish() {
  [ -z "$living" ] || { kill -TERM "$living" && wait "$living"; } 2>/dev/null
  rm -rf "$bench"
}
trap finish EXIT

load=(--set workload.users=5 --set run.baseline='"0 s"'
  --set workload.arrival='{ distribution = "constant", mean = "20 ms" }')

# What belongs to servers: their folders, and the processes that work in them.
folders() { find "$HUBMARK_TMP" -mindepth 1 -maxdepth 1 | sort; }
processes() {
  local link
  for link in /proc/[0-9]*/cwd; do
    case $(readlink "$link" 2>/dev/null) in
      "$HUBMARK_TMP"/*) link=${link#/proc/} && echo "${link%/cwd}" ;;
    esac
  done | sort
}

"$hubmark" run first-look "${load[@]}" --set workload.messages=10000000 --out "$bench/living.json" \
  >"$bench/living.out" 2>&1 &
living=$!
for _ in {1..600}; do
  grep -q ': load ' "$bench/living.out" && break
  sleep 0.1
done
grep -q ': load ' "$bench/living.out" || die "the living run does not start: $(cat "$bench/living.out")"
spared_folders=$(folders)
spared_processes=$(processes)

# The finished repetitions of a record, a line each.
finished() { "$hubmark" records show --format csv "$1" 2>"$bench/why" | grep -E ',(valid|suspect),' | sort; }

resumed=0
for ((kill = 1; kill <= count; kill++)); do
  killed first-look "${load[@]}" --set workload.messages=3 --set run.repetitions=500
  # Without a record there is nothing to keep.
  kept || true
  case $signal:$status in
    KILL:137 | INT:130 | TERM:130 | HUP:130) ;;
    # Before the run has taken its signals they do what they always do.
    INT:* | TERM:143 | HUP:129) [ ! -e "$record" ] || fail "it ended with status $status" ;;
    *) fail "it ended with status $status: $(tail -n 3 "$bench/told")" ;;
  esac
  if [ "$signal" != KILL ] && [ "$(folders)" != "$spared_folders" ]; then
    fail "an end in order left folders: $(folders)"
  fi

  # Gone on with, and killed once more: nothing that was finished before is lost or changed.
  if [ -e "$record" ]; then
    finished "$record" >"$bench/before"
    timeout --foreground --preserve-status --signal KILL "$(seconds "$((RANDOM % longest))")" \
      "$hubmark" run --resume "$record" >/dev/null 2>"$bench/told"
    finished "$record" >"$bench/after"
    lost=$(comm -23 "$bench/before" "$bench/after" | wc -l)
    [ "$lost" = 0 ] || fail "$lost finished repetitions are lost after it was gone on with: $(cat "$bench/told")"
    resumed=$((resumed + $(wc -l <"$bench/after") - $(wc -l <"$bench/before")))
  fi

  "$hubmark" clean >"$bench/swept" 2>/dev/null || fail "clean failed: $(cat "$bench/swept")"
  swept=$((swept + $(grep -c '^removed' "$bench/swept")))
  [ "$(folders)" = "$spared_folders" ] || fail "folders after clean: $(folders)"
  [ "$(processes)" = "$spared_processes" ] || fail "processes after clean: $(processes)"
  kill -0 "$living" 2>/dev/null || die "the living run has ended: $(cat "$bench/living.out")"
done

# Saves that were cut short leave a file that is cleaned away once it is old.
unfinished=$(find "$HUBMARK_RECORDS_DIR" -name '.hubmark-*' -printf x -exec touch -d '10 minutes ago' {} + | wc -c)
"$hubmark" clean >/dev/null 2>&1
[ -z "$(find "$HUBMARK_RECORDS_DIR" -name '.hubmark-*')" ] || { signal=KILL delay=any; fail "unfinished saves are left"; }

ended "$resumed further repetitions after going on," \
  "$repetitions repetitions kept, $unbegun runs killed before their record began, $swept leftovers swept, $unfinished saves cut short"
