#!/usr/bin/env bash
# assets/screen-picture.sh: draws the README's picture of the screen, with the program itself.
set -euo pipefail
cd "$(dirname "$0")/.."

HUBMARK_PICTURE="$PWD/assets/screen.svg" cargo test --test program -- --ignored screen_picture::the_screen_of_a_run_is_drawn
echo "assets/screen.svg: $(stat -c %s assets/screen.svg) bytes"
