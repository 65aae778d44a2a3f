#!/usr/bin/env bash
# Property tests of Kafka's codec and of one user's protocol with many cases: mutated and cut answers, any split of
# the incoming bytes, any order of answers and losses.
#
# Usage: tests/long.sh codec [CASES]
set -euo pipefail
cd "$(dirname "$0")/../.."

cases=${1:-2000000}
for tests in kafka::codec::tests::mutated wire::tests::frames_survive; do
  PROPTEST_CASES=$cases cargo test --locked --lib -- "$tests"
done
# A case of these is a whole story of up to sixty steps.
PROPTEST_CASES=$((cases / 20)) cargo test --locked --lib -- producer::tests::every_message producer::tests::answers
# All tests of the codec with compression by zstd, which a default build does not have: a second build, so not quick.
cargo test --locked --lib --features zstd -- kafka::codec::
echo "codec: $cases cases each"
