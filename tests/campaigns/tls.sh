#!/usr/bin/env bash
# The study's three quick profiles at their full length over TLS, on a rehearsed hub with an engine and certificates of
# its own; about half an hour.
#
# Usage: tests/long.sh tls
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

HUBMARK_TEST_FULL_LENGTH=1 cargo test --quiet --locked --test remote_hub -- --ignored --test-threads=1 the_three_studies
