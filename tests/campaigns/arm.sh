#!/usr/bin/env bash
# Plays an operator's first day with a Raspberry Pi as it ships, on an emulated arm64 hub over SSH: doctor, images built
# there, MariaDB and both Kafkas with few users, a fault, a footprint; then the same MariaDB with the memory cgroup
# on. Hours, most of them building images. The emulated hub stays up and is kept for the next time.
#
# Usage: tests/long.sh arm [STEP...]      doctor images servers fault footprint cgroup left [default: all]
#        tests/setup/arm.sh clean         removes the emulated hub
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
arm=tests/setup/arm.sh
hub=ssh://pi@raspberrypi.local
patience='20 min'
out=${HUBMARK_ARM_OUT:-$(mktemp -d)}
status=0

cargo build --release --locked || exit 1
program=$(cargo metadata --format-version 1 --no-deps | grep -o '"target_directory":"[^"]*"' | cut -d'"' -f4)/release/hubmark
export HUBMARK_RECORDS_DIR=$out/records HUBMARK_STATE_DIR=$out/state HUBMARK_CONFIG_DIR=$out/config

# hubmark ARG...: runs the program where the hub is seen; the output goes to the screen and to $out/last.
hubmark() { bash "$arm" in "$program" "$@" 2>&1 | tee "$out/last"; return "${PIPESTATUS[0]}"; }
# expects TEXT...: fails the campaign unless the last output has every text.
expects() {
  local text
  for text; do
    grep -qF -- "$text" "$out/last" || { echo "arm: MISSING in the output: $text" >&2; status=1; }
  done
}
# refuses TEXT...: fails the campaign if the last output has one of the texts.
refuses() {
  local text
  for text; do
    ! grep -qF -- "$text" "$out/last" || { echo "arm: WRONG in the output: $text" >&2; status=1; }
  done
}
# measure NAME BACKEND ARG...: a short latency run with few users.
measure() {
  local name=$1 backend=$2
  shift 2
  hubmark run study-latency-users-quick --set "backend=$backend" --set "hub.engine=$hub" --set "hub.timeout=$patience" \
    --set workload.users=5 --set workload.messages=20 --set run.repetitions=1 --out "$out/$name.json" "$@"
  [ $? -lt 2 ] || status=1
}

doctor() {
  # Before the first image, what was not looked at must not be called ok.
  hubmark doctor --hub "$hub" --hub-timeout "$patience"
  expects 'memory cgroup' 'cgroup_enable=memory' 'API'
  refuses 'no thermometer' 'an unknown disk'
}

images() {
  local backend
  for backend in mariadb kafka:4.4.0 kafka:2.8.0; do
    hubmark profiles copy study-latency-users-quick "$out/$backend.toml" >/dev/null
    sed -i "s/^backend = .*/backend = \"$backend\"/" "$out/$backend.toml"
    hubmark images build "$out/$backend.toml" --hub "$hub" --hub-timeout "$patience" || status=1
  done
  bash "$arm" vitals 82000
  hubmark doctor --hub "$hub" --hub-timeout "$patience"
  expects 'at its limit of' 'psi=1' 'ondemand'
  bash "$arm" vitals
}

servers() {
  local backend
  for backend in mariadb kafka:4.4.0 kafka:2.8.0; do
    measure "${backend/:/-}" "$backend"
    # The kernel counts no container's writes, and says nothing about waits for memory.
    expects 'memory cgroup is off' 'hub disk' 'memory pressure' 'lost 0'
    refuses 'ledger-contradiction'
  done
}

fault() {
  cat >"$out/fault.toml" <<PROFILE
name = "arm-fault"
backend = "mariadb"
[hub]
engine = "$hub"
timeout = "$patience"
[workload]
kind = "latency"
users = 5
messages = 40
[[fault]]
at = "5 s"
for = "3 s"
kind = "pause"
PROFILE
  hubmark run "$out/fault.toml" --out "$out/fault.json"
  expects 'by plan mariadb was paused'
}

footprint() {
  hubmark footprint mariadb --hub "$hub" --hub-timeout "$patience" --out "$out/footprint.json"
  expects "hub's disk per payload byte" 'counts no container'
}

cgroup() {
  bash "$arm" down
  HUBMARK_ARM_CMDLINE='psi=1 apparmor=0 cgroup_enable=memory cgroup_memory=1' bash "$arm" up
  bash "$arm" vitals
  measure mariadb-cgroup mariadb
  refuses 'memory cgroup is off' 'memory pressure'
  bash "$arm" down
  bash "$arm" up
}

left() {
  hubmark clean --hub "$hub" --hub-timeout "$patience" || status=1
  [ -z "$(bash "$arm" ssh docker ps -aq --filter label=hubmark.run)" ] || { echo "arm: containers are left" >&2; status=1; }
}

bash "$arm" all || exit 1
[ $# -gt 0 ] || set -- doctor images servers fault footprint cgroup left
for step; do
  case $step in
    doctor | images | servers | fault | footprint | cgroup | left) ;;
    *) echo "arm: no step $step" >&2; exit 2 ;;
  esac
  echo "== arm: $step"
  began=$SECONDS
  "$step"
  echo "== arm: $step took $((SECONDS - began)) s"
done
echo "== arm: records and outputs are in $out"
exit "$status"
