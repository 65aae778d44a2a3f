#!/usr/bin/env bash
# Kills runs on the built-in broker, each at a random time, by the signals KILL, INT, TERM and HUP in turn, beside one
# run that must survive all kills. After each kill the record must contain every repetition that was reported as
# finished, and after `hubmark clean` only the resources of the surviving run may remain. Then the killed run is resumed
# and killed again: every repetition that was finished before must still be in the record, unchanged.
#
# Usage: tests/long.sh kills [COUNT, default 200] [SEED, default random]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

# Covers most phases of a run with short repetitions: its start, and a few of its repetitions.
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

# The servers' folders, and the processes that work in them.
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

# finished RECORD: prints the finished repetitions of a record, a line each.
finished() { "$hubmark" records show --format csv "$1" 2>"$bench/why" | grep -E ',(valid|suspect),' | sort; }

resumed=0
for ((kill = 1; kill <= count; kill++)); do
  run_and_kill first-look "${load[@]}" --set workload.messages=3 --set run.repetitions=500
  # Without a record there is nothing to check.
  check_record || true
  case $signal:$status in
    KILL:137 | INT:130 | TERM:130 | HUP:130) ;;
    # Before the run handles signals, they have their default effect.
    INT:* | TERM:143 | HUP:129) [ ! -e "$record" ] || fail "it ended with status $status" ;;
    *) fail "it ended with status $status: $(tail -n 3 "$bench/progress")" ;;
  esac
  if [ "$signal" != KILL ] && [ "$(folders)" != "$spared_folders" ]; then
    fail "a clean end left folders: $(folders)"
  fi

  # Resume the run and kill it once more: no repetition that was finished before is lost or changed.
  if [ -e "$record" ]; then
    finished "$record" >"$bench/before"
    timeout --foreground --preserve-status --signal KILL "$(seconds "$((RANDOM % longest))")" \
      "$hubmark" run --resume "$record" >/dev/null 2>"$bench/progress"
    finished "$record" >"$bench/after"
    lost=$(comm -23 "$bench/before" "$bench/after" | wc -l)
    [ "$lost" = 0 ] || fail "$lost finished repetitions are lost after resuming: $(cat "$bench/progress")"
    resumed=$((resumed + $(wc -l <"$bench/after") - $(wc -l <"$bench/before")))
  fi

  "$hubmark" clean >"$bench/swept" 2>/dev/null || fail "clean failed: $(cat "$bench/swept")"
  swept=$((swept + $(grep -c '^removed' "$bench/swept")))
  [ "$(folders)" = "$spared_folders" ] || fail "folders after clean: $(folders)"
  [ "$(processes)" = "$spared_processes" ] || fail "processes after clean: $(processes)"
  kill -0 "$living" 2>/dev/null || die "the living run has ended: $(cat "$bench/living.out")"
done

# Interrupted saves leave a file, which `hubmark clean` removes once it is old.
unfinished=$(find "$HUBMARK_RECORDS_DIR" -name '.hubmark-*' -printf x -exec touch -d '10 minutes ago' {} + | wc -c)
"$hubmark" clean >/dev/null 2>&1
[ -z "$(find "$HUBMARK_RECORDS_DIR" -name '.hubmark-*')" ] || { signal=KILL delay=any; fail "unfinished saves are left"; }

summary "$resumed further repetitions after resuming," \
  "$repetitions repetitions saved, $unbegun runs killed before their record began, $swept leftovers removed, $unfinished saves interrupted"
