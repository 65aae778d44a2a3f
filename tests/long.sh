#!/usr/bin/env bash
# Runs tests that take too long for tests/all.sh: one campaign, or all of them.
#
# Usage: tests/long.sh [CAMPAIGN [ARGUMENT...]]
#   kills [COUNT [SEED]]  random kills of runs on the built-in broker; none loses a finished repetition
#   faults [SEED]         every planned and unplanned fault, on every server, in every phase (needs a Docker engine, ~2 h)
#   kills_containers [COUNT [SEED]]  the same kills of runs on a Docker engine
#   tls                   the study's quick profiles at full length over TLS, on a simulated remote hub (~30 min)
#   sweep [COUNT]         2,000 short repetitions on the built-in broker: none costs more than those before it (~30 min)
#   capacity [BACKEND]    the capacity of a server limited to 0.25 cpu and to 1 cpu (needs a Docker engine)
#   codec [CASES]         random bytes, splits and losses against Kafka's codec and one user's protocol (~15 min)
#   fuzz [EXECUTIONS [TARGET...]]  fuzz targets of the client, the built-in broker, profiles and records (~1 h)
#   aa [PAIRS]            40 pairs of equal runs on the built-in broker: compare sees no more differences than
#                         chance explains (~15 min)
#   arm [STEP...]         an emulated arm64 hub as a Pi ships, over SSH: doctor, images, both servers (root, hours)
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
