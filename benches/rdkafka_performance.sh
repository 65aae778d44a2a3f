#!/usr/bin/env bash
# Builds librdkafka's own load tool from the sources and library that hubmark is built with, and
# prints its path. Needs a release build (`cargo build --release`) and a C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
newest() { find target/release/build -name "$1" -printf '%T@ %p\n' | sort -rn | head -n 1 | cut -d' ' -f2; }
# The build script works on a copy of librdkafka's sources, with its configuration in place.
built=$(dirname "$(dirname "$(newest librdkafka.a)")")
out=target/release/rdkafka_performance
libraries=()
for library in librdkafka.a libzstd.a libz.a; do
  path=$(newest "$library")
  [ -n "$path" ] && libraries+=("$path")
done
cc -O2 -w -I"$built/src" "$built/examples/rdkafka_performance.c" "${libraries[@]}" \
  -lpthread -ldl -lm -lrt -o "$out"
echo "$out"
