#!/usr/bin/env bash
# Tests every planned and unplanned fault, on every server, in every phase, on a Docker engine and on a simulated remote
# hub; about two hours. After a failed row the others still run.
#
# Usage: tests/long.sh faults [SEED, default random]
#
# HUBMARK_FAULT_ROWS selects the rows whose names contain one of its parts, separated by commas; for example
# HUBMARK_FAULT_ROWS='cut for good on kafka,on mariadb at Drain'
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
seed=${1:-$RANDOM}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
HUBMARK_FAULT_TABLE=full HUBMARK_FAULT_SEED=$seed cargo test --locked --no-fail-fast --test containers -- \
  --ignored --nocapture --test-threads=1 planned_faults:: accidents:: accidents_remote:: 2>&1 | tee "$log" || status=1
echo "== seed $seed"
grep -E 'without a fault$' "$log"
exit "$status"
