#!/usr/bin/env bash
# Every planned fault on every server at every moment, on a Docker engine; about 40 minutes.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
HUBMARK_FAULT_TABLE=full exec cargo test --locked --test fault_table the_whole_table -- --ignored --nocapture
