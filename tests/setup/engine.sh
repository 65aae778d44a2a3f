#!/usr/bin/env bash
# Provides a Docker engine: returns at once if one answers, else installs and starts Debian's.
# Respects DOCKER_HOST; never starts an engine on another machine.
set -euo pipefail

host=${DOCKER_HOST:-unix:///var/run/docker.sock}
socket=${host#unix://}
log=/var/log/dockerd.log

fail() { echo "engine: $*" >&2; exit 1; }

answers() {
  if [ "$host" != "$socket" ] && command -v curl >/dev/null; then
    curl -fs -m 3 --unix-socket "$socket" http://engine/_ping >/dev/null 2>&1
  else
    command -v docker >/dev/null && timeout 5 docker version >/dev/null 2>&1
  fi
}

# running PIDFILE NAME: whether the file identifies a live process of that name, not a zombie or another process with a
# reused number.
running() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] &&
    awk -v name="($2)" '$2 == name && $3 != "Z" { live = 1 } END { exit !live }' "/proc/$pid/stat" 2>/dev/null
}

# settle PIDFILE NAME: waits until a starting or stopping process answers or has ended, then removes a stale pid file:
# a daemon that finds its own stale file refuses to start.
settle() {
  for _ in $(seq 100); do
    running "$1" "$2" || break
    answers && return
    sleep 0.1
  done
  running "$1" "$2" || "${root[@]}" rm -f "$1"
}

answers && command -v docker >/dev/null && exit 0

[ "$host" != "$socket" ] || fail "no engine answers at DOCKER_HOST=$host; start it there or unset DOCKER_HOST"
if [ -S "$socket" ] && [ ! -w "$socket" ]; then
  fail "this user may not use $socket; add it to the group docker and log in again"
fi

root=()
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || fail "no Docker engine at $socket, and neither root nor sudo without a password to start one"
  root=(sudo)
fi

missing=()
command -v docker >/dev/null || missing+=(docker.io)
command -v dockerd >/dev/null || answers || missing+=(docker.io)
command -v iptables >/dev/null || [ -x /usr/sbin/iptables ] || answers || missing+=(iptables)
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || fail "missing: ${missing[*]}; install Docker for this system by hand"
  echo "engine: installing ${missing[*]}" >&2
  {
    "${root[@]}" apt-get update -qq &&
      "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  } >&2 || fail "apt-get could not install: ${missing[*]}"
fi

answers && exit 0
if [ -d /run/systemd/system ]; then
  "${root[@]}" systemctl start docker || fail "systemctl start docker failed; see: journalctl -u docker"
  for _ in $(seq 100); do answers && exit 0; sleep 0.1; done
  fail "the docker service runs but $socket does not answer"
fi

for _ in 1 2 3; do
  settle /var/run/docker.pid dockerd
  answers && exit 0
  settle /var/run/docker/containerd/containerd.pid containerd
  # shellcheck disable=SC2016 # expanded by the inner shell, as root
  "${root[@]}" setsid sh -c 'exec dockerd -H "$1" </dev/null >>"$2" 2>&1' dockerd "unix://$socket" "$log" &
  starter=$!
  for _ in $(seq 450); do
    answers && exit 0
    kill -0 "$starter" 2>/dev/null || break
    sleep 0.1
  done
done
"${root[@]}" tail -n 20 "$log" >&2
fail "dockerd did not start; its last log lines are above, the whole log is $log"
