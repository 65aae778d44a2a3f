# Functions of the kill campaigns; sourced at the root of the tree with COUNT and SEED as arguments. The campaign sets
# `longest`, the latest time of a kill in milliseconds, and may set `backend`.
# shellcheck shell=bash disable=SC2034 # the campaign uses most variables
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

# run_and_kill ARGUMENT...: starts a run and ends it at a random time by the next signal.
run_and_kill() {
  signal=${signals[kill % ${#signals[@]}]}
  # timeout interprets 0 as never.
  delay=$((1 + RANDOM % longest))
  sent[$signal]=$((${sent[$signal]:-0} + 1))
  record=$HUBMARK_RECORDS_DIR/$kill.json
  timeout --foreground --preserve-status --signal "$signal" "$(seconds "$delay")" \
    "$hubmark" run "$@" --out "$record" >"$bench/out" 2>"$bench/progress"
  status=$?
  reported=$(grep -c -E '^\[.* · (valid|suspect)' "$bench/progress")
}

# check_record: every repetition that was reported as finished must be in the record, if there is one; fails if no record
# can be read.
check_record() {
  local rows saved
  if [ ! -e "$record" ]; then
    unbegun=$((unbegun + 1))
    [ "$reported" = 0 ] || fail "$reported repetitions were finished, and there is no record"
    return 1
  fi
  rows=$("$hubmark" records show --format csv "$record" 2>"$bench/why") ||
    { fail "the record is not valid: $(cat "$bench/why")"; return 1; }
  saved=$(grep -c -E ',(valid|suspect),' <<<"$rows")
  repetitions=$((repetitions + saved))
  [ "$saved" -ge "$reported" ] || fail "$reported repetitions were finished, the record contains $saved"
}

# summary LINE...: prints the counts and these lines; fails if a kill revealed a fault.
summary() {
  for signal in "${!sent[@]}"; do printf '%s × %s, ' "${sent[$signal]}" "$signal"; done
  echo "seed $seed"
  printf '%s\n' "$@"
  echo "$((count - failures)) of $count kills without a fault"
  [ "$failures" = 0 ]
}
