# What campaigns of kills have in common; sourced at the root of the tree with COUNT and SEED as arguments. The campaign
# sets `longest`, the last moment of a kill in milliseconds, and may set `backend`.
# shellcheck shell=bash disable=SC2034 # most of it is for the campaign
count=${1:-200}
seed=${2:-$RANDOM}
RANDOM=$seed
hubmark=${CARGO_TARGET_DIR:-target}/debug/hubmark
signals=(KILL INT TERM HUP)

die() { echo "${0##*/}: $*" >&2; exit 1; }

cargo build --quiet --locked || die "it does not build"
bench=$(mktemp -d)
mkdir "$bench/tmp" "$bench/records"
export HUBMARK_TMP=$bench/tmp HUBMARK_RECORDS_DIR=$bench/records HUBMARK_STATE_DIR=$bench/state
export HUBMARK_CONFIG_DIR=$bench/config

declare -A sent=()
failures=0 repetitions=0 unbegun=0 swept=0
fail() {
  failures=$((failures + 1))
  echo "kill $kill ($signal after $delay ms${backend:+ on $backend}): $*"
}
seconds() { echo "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"; }

# killed ARGUMENT...: a run, ended at a random moment by the signal whose turn it is
killed() {
  signal=${signals[kill % ${#signals[@]}]}
  # To timeout, 0 means never.
  delay=$((1 + RANDOM % longest))
  sent[$signal]=$((${sent[$signal]:-0} + 1))
  record=$HUBMARK_RECORDS_DIR/$kill.json
  timeout --foreground --preserve-status --signal "$signal" "$(seconds "$delay")" \
    "$hubmark" run "$@" --out "$record" >"$bench/out" 2>"$bench/told"
  status=$?
  told=$(grep -c -E '^\[.* · (valid|suspect)' "$bench/told")
}

# kept: what was told as finished must be in the record, if there is one; fails where nothing can be read
kept() {
  local rows kept
  if [ ! -e "$record" ]; then
    unbegun=$((unbegun + 1))
    [ "$told" = 0 ] || fail "$told repetitions were finished, and there is no record"
    return 1
  fi
  rows=$("$hubmark" records show --format csv "$record" 2>"$bench/why") ||
    { fail "the record is not valid: $(cat "$bench/why")"; return 1; }
  kept=$(grep -c -E ',(valid|suspect),' <<<"$rows")
  repetitions=$((repetitions + kept))
  [ "$kept" -ge "$told" ] || fail "$told repetitions were finished, the record holds $kept"
}

# ended: prints what was done; fails where a kill has shown a fault
ended() {
  for signal in "${!sent[@]}"; do printf '%s × %s, ' "${sent[$signal]}" "$signal"; done
  echo "seed $seed"
  printf '%s\n' "$@"
  echo "$((count - failures)) of $count kills without a fault"
  [ "$failures" = 0 ]
}
