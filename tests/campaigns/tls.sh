#!/usr/bin/env bash
# Runs the study's three quick profiles at full length over TLS, on a simulated remote hub with a separate engine and
# certificates; about half an hour.
#
# Usage: tests/long.sh tls
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

HUBMARK_TEST_FULL_LENGTH=1 cargo test --quiet --locked --test containers -- --ignored --test-threads=1 remote_hub::studies::the_three_studies
