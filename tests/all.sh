#!/usr/bin/env bash
# Runs all checks: formatting, lints, the quick tests, and the tests on real servers in containers.
# Installs missing packages where it can (Debian, root or sudo). The last line is `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

passed=0
failed=0
# Tests that failed and passed when they were run once more, alone.
repeated=()
log=$(mktemp)
trap 'rm -f "$log"' EXIT

die() { echo "all.sh: $*" >&2; exit 1; }

# rustup's proxies exist even if the tool is not installed, hence --version.
for tool in "cargo" "cargo fmt" "cargo clippy"; do
  $tool --version >/dev/null 2>&1 || die "missing: $tool (rustup component add rustfmt clippy)"
done

# Packages that the build needs beside Rust (librdkafka and its libraries are built from C and C++ sources), the
# database server that the local hub starts as a child process, the programs of the simulated remote hub, and the
# check of the spelling.
missing=()
command -v g++ >/dev/null || missing+=(g++)
command -v make >/dev/null || missing+=(make)
PATH=$PATH:/usr/sbin command -v mariadbd >/dev/null || missing+=(mariadb-server-core)
# mariadb-install-db needs it; Debian ships it with the client's programs.
command -v my_print_defaults >/dev/null || missing+=(mariadb-client-core)
command -v ssh >/dev/null || missing+=(openssh-client)
command -v openssl >/dev/null || missing+=(openssl)
PATH=$PATH:/usr/sbin command -v sshd >/dev/null || missing+=(openssh-server)
PATH=$PATH:/usr/sbin:/sbin command -v ip >/dev/null || missing+=(iproute2)
command -v codespell >/dev/null || missing+=(codespell)
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || die "missing: ${missing[*]} (Debian's names; install them by hand)"
  root=()
  if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || die "missing: ${missing[*]}, and neither root nor sudo without a password to install them"
    root=(sudo)
  fi
  echo "all.sh: installing ${missing[*]}" >&2
  {
    "${root[@]}" apt-get update -qq &&
      "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  } >&2 || die "apt-get could not install: ${missing[*]}"
fi

# A browser, to test the report's page; without one the test is skipped with a message.
if ! command -v chromium >/dev/null && ! command -v google-chrome >/dev/null && command -v apt-get >/dev/null; then
  echo "all.sh: installing chromium" >&2
  root=()
  [ "$(id -u)" = 0 ] || root=(sudo -n)
  {
    "${root[@]}" apt-get update -qq &&
      "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
  } >&2 || echo "all.sh: no chromium: the report's page is not tested" >&2
fi

# check NAME COMMAND...: runs one check, which passes or fails.
check() {
  local name=$1
  shift
  echo "== $name"
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "== $name: FAILED"
  fi
}

# suite NAME CARGO-ARGUMENTS...: runs tests and adds cargo's counts; a test program that dies before its summary counts as
# one failure. A machine that gives its time to others fails a test of real servers now and then: up to three failed tests
# are run once more, alone, and one that passes then is named on the last lines.
suite() {
  local name=$1 status sums failed_here names
  shift
  echo "== $name"
  cargo test --locked --no-fail-fast "$@" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  sums=$(awk '/^test result: / { p += $4; f += $6 } END { print p + 0, f + 0 }' "$log")
  passed=$((passed + ${sums% *}))
  failed_here=${sums#* }
  mapfile -t names < <(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log" | sort -u)
  if [ "$failed_here" -gt 0 ] && [ "$failed_here" -le 3 ] && [ "${#names[@]}" = "$failed_here" ]; then
    echo "== $name: once more, alone: ${names[*]}"
    local arguments=("${@//--test-threads=2/--test-threads=1}")
    case " $* " in *" -- "*) ;; *) arguments+=(-- --test-threads=1) ;; esac
    if cargo test --locked --no-fail-fast "${arguments[@]}" --exact "${names[@]}" 2>&1 | tee "$log" &&
      [ "$(awk '/^test result: / { p += $4 } END { print p + 0 }' "$log")" = "$failed_here" ]; then
      passed=$((passed + failed_here))
      repeated+=("${names[@]}")
      return
    fi
  fi
  failed=$((failed + failed_here))
  if [ "$status" != 0 ] && [ "$failed_here" = 0 ]; then
    failed=$((failed + 1))
    echo "== $name: FAILED (cargo test ended with status $status)"
  fi
}

check "formatting" cargo fmt --check
check "spelling" codespell --quiet-level 3
check "lints" cargo clippy --all-targets --locked -- -D warnings
suite "tests"

echo "== Docker engine and base image"
if bash tests/setup/engine.sh && bash tests/setup/base.sh; then
  # Each container test keeps one or two servers busy; more than two tests at a time would cause time-outs.
  suite "container tests" -- --ignored --test-threads=2
else
  failed=$((failed + 1))
  echo "== container tests: FAILED (not run: see above for what is missing)"
fi

[ ${#repeated[@]} = 0 ] || printf 'passed only when run again, alone: %s\n' "${repeated[@]}"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
