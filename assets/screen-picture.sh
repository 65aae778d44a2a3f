#!/usr/bin/env bash
# The README's picture of the screen, from the program itself: assets/screen-picture.sh
set -euo pipefail
cd "$(dirname "$0")/.."

HUBMARK_PICTURE="$PWD/assets/screen.svg" cargo test --test picture -- --ignored the_screen_of_a_run_is_drawn
echo "assets/screen.svg: $(stat -c %s assets/screen.svg) bytes"
