#!/usr/bin/env bash
# What takes too long for tests/all.sh: a campaign by its name, or all of them.
#
# Usage: tests/long.sh [CAMPAIGN [ARGUMENT...]]
#   kills [COUNT [SEED]]  random kills of runs on the built-in broker; none loses a finished repetition
#   faults [SEED]         every fault by plan and by accident on every server at every moment (Docker engine, ~2 h)
#   kills_containers [COUNT [SEED]]  the same kills of runs on a Docker engine
#   tls                   the study's quick profiles at full length over TLS, on a rehearsed hub (~30 min)
#   capacity [BACKEND]    the capacity of a server limited to 0.25 cpu and to 1 cpu (needs a Docker engine)
set -uo pipefail
cd "$(dirname "$0")" || exit 1

if [ $# -gt 0 ]; then
  campaign=campaigns/$1.sh
  shift
  [ -e "$campaign" ] || { sed -n '2,/^set/{s/^# \{0,1\}//p}' long.sh >&2; exit 2; }
  exec bash "$campaign" "$@"
fi
status=0
for campaign in campaigns/*.sh; do
  echo "== $campaign"
  bash "$campaign" || status=1
done
exit "$status"
