#!/usr/bin/env bash
# Fuzzes the client of Kafka's protocol, the built-in broker, and the readers of profiles and records: each target of
# `fuzz/` for so many executions, from the committed seeds and what earlier campaigns found. Needs a C++ compiler for
# libFuzzer; the code that is fuzzed is compiled with coverage (`fuzz/instrument.sh`), all else as usual. No process may
# have more than 4 GB of address space: what reserves memory for announced sizes aborts, which is a finding.
#
# Usage: tests/long.sh fuzz [EXECUTIONS of each target, default 2000000] [TARGET...]
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

executions=${1:-2000000}
[ $# -eq 0 ] || shift
mapfile -t all < <(sed -n 's/^name = "\(.*\)"$/\1/p' fuzz/Cargo.toml | grep -v '^hubmark-fuzz$')
targets=("${@:-${all[@]}}")
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
address_space_kb=4000000

RUSTC_WRAPPER=$PWD/fuzz/instrument.sh FUZZ_TARGETS="${all[*]}" \
  cargo build --quiet --locked --manifest-path fuzz/Cargo.toml --bins || { echo "${0##*/}: it does not build" >&2; exit 1; }
failed=0 executed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for target in "${targets[@]}"; do
  corpus=fuzz/corpus/$target seeds=fuzz/seeds/$target artifacts=fuzz/artifacts/$target/
  mkdir -p "$corpus" "$artifacts"
  [ "$target" != profiles ] || seeds=profiles
  started=$SECONDS
  (
    ulimit -v "$address_space_kb"
    exec "$CARGO_TARGET_DIR/debug/$target" "$corpus" "$seeds" -runs="$executions" -max_len=8192 -timeout=10 \
      -artifact_prefix="$artifacts" -print_final_stats=1
  ) >"$log" 2>&1
  status=$?
  count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  executed=$((executed + ${count:-0}))
  kept=$(find "$corpus" -type f | wc -l)
  if [ "$status" = 0 ]; then
    echo "$target: ${count:-0} executions in $((SECONDS - started)) s, $kept inputs kept"
  else
    failed=$((failed + 1))
    echo "$target: a finding after $((SECONDS - started)) s"
    grep -A 2 -E 'panicked|memory allocation|ERROR|Test unit written' "$log" | head -n 12
  fi
done
echo "fuzz: $executed executions, $failed of ${#targets[@]} targets with findings"
[ "$failed" = 0 ]
