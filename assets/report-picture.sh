#!/usr/bin/env bash
# assets/report-picture.sh RECORD: draws the README's picture of a report, from a real record.
set -euo pipefail
cd "$(dirname "$0")/.."

record=${1:?usage: assets/report-picture.sh RECORD}
hubmark=${HUBMARK:-target/debug/hubmark}
bench=$(mktemp -d)
trap 'rm -rf "$bench"' EXIT

"$hubmark" report "$record" --out "$bench/report" >/dev/null
chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
  --disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars \
  --user-data-dir="$bench/browser" --blink-settings=preferredColorScheme=1 \
  --window-size=1000,1480 --screenshot="$PWD/assets/report.png" "file://$bench/report/index.html" 2>/dev/null
echo "assets/report.png: $(stat -c %s assets/report.png) bytes"
