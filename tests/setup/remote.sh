#!/usr/bin/env bash
# A remote hub rehearsed on this machine: a network namespace with its own address, Docker engine and sshd, as another
# machine would have them. Runs in the foreground and lives as long as its standard input is open, so that it cannot
# outlive whoever started it; then everything is removed. Needs root.
#
# Usage: remote.sh DIR      DIR gets the data and the keys; it must be empty or of an earlier rehearsal
#
# Prints one line when it is ready:  ready ADDRESS
#   ssh -i DIR/ssh/id -o UserKnownHostsFile=DIR/ssh/known root@ADDRESS      ports 22 and 2222; also as guest, who may
#                                                                           not use the engine
#   DIR/run/docker.sock      the engine's socket, which is /var/run/docker.sock there
#   port 9 of ADDRESS        drops every packet
set -euo pipefail

dir=$(mkdir -p "$1" && cd "$1" && pwd)
state=/run/hubmark-remote
PATH=$PATH:/usr/sbin:/sbin

fail() { echo "remote: $*" >&2; exit 1; }
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || fail "a rehearsed hub needs root, or sudo without a password"
  exec sudo -n bash "$0" "$dir"
fi
for tool in ip nsenter unshare docker dockerd sshd ssh-keygen iptables; do
  command -v "$tool" >/dev/null || fail "missing: $tool"
done

# remove NAME: everything of one rehearsal; nothing of it may be there any more
remove() {
  local pid
  if pid=$(cat "$state/$1/inside" 2>/dev/null) && [ "$(readlink "/proc/$pid/ns/net" 2>/dev/null)" = "$(cat "$state/$1/space")" ]; then
    # the first process of a space for processes: with it end all others, containers included
    kill -KILL "$pid" 2>/dev/null || true
    for _ in $(seq 100); do [ -e "/proc/$pid" ] || break; sleep 0.1; done
  fi
  ip netns del "$1" 2>/dev/null || true
  ip link del "${1/hubmark-/}" 2>/dev/null || true
  rm -rf "${state:?}/$1"
}

mkdir -p "$state"
exec 8>"$state/lock"
flock 8
# what rehearsals left behind that were killed
for old in "$state"/hubmark-pi*; do
  [ -d "$old" ] || continue
  pid=$(cat "$old/script" 2>/dev/null) && [ -n "$pid" ] && grep -qs remote.sh "/proc/$pid/cmdline" || remove "${old##*/}"
done
for number in $(seq 0 200); do
  name=hubmark-pi$number
  [ -d "$state/$name" ] || break
done
mkdir "$state/$name"
echo $$ >"$state/$name/script"
flock -u 8
exec 8>&-
finish() { remove "$name"; rm -rf "$dir/data" "$dir/exec" "$dir/run"; }
trap finish EXIT
trap 'exit 1' INT TERM HUP

near=10.98.$number.1 far=10.98.$number.2
ip netns add "$name" 2>/dev/null || { ip netns del "$name" && ip netns add "$name"; }
ip link del "pi$number" 2>/dev/null || true
ip link add "pi$number" type veth peer name eth0 netns "$name"
ip addr add "$near/24" dev "pi$number"
ip link set "pi$number" up
ip -n "$name" addr add "$far/24" dev eth0
ip -n "$name" link set eth0 up
ip -n "$name" link set lo up
ip -n "$name" route add default via "$near"

mkdir -p "$dir/ssh" "$dir/run/sshd" "$dir/data" "$dir/exec"
[ -f "$dir/ssh/host" ] || {
  ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/host"
  ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/id"
  cp "$dir/ssh/id.pub" "$dir/ssh/authorized"
  # sshd reads it as whoever logs in
  chmod 644 "$dir/ssh/authorized"
}
key=$(cut -d' ' -f1,2 "$dir/ssh/host.pub")
printf '%s %s\n[%s]:2222 %s\n' "$far" "$key" "$far" "$key" >"$dir/ssh/known"
# a user of the hub alone, who may log in and not use its engine
{ cat /etc/passwd; echo "guest:x:61999:61999::/tmp:/bin/sh"; } >"$dir/run/passwd"
{ cat /etc/shadow; echo "guest:*:19000:0:99999:7:::"; } >"$dir/run/shadow"
chmod 644 "$dir/run/passwd"
chmod 600 "$dir/run/shadow"
# the folder above may be closed to others
authorized=/run/hubmark-authorized

# inside: /run is the hub's own; the engine and sshd end with the first process
inside='
  set -eu
  mount --bind "$1/run" /run
  mount --bind /run/passwd /etc/passwd
  mount --bind /run/shadow /etc/shadow
  mkdir -p /run/sshd
  install -m 644 "$1/ssh/authorized" '"$authorized"'
  hostname hubmark-pi
  sysctl -qw net.ipv4.ip_forward=1 2>/dev/null || echo 1 >/proc/sys/net/ipv4/ip_forward
  iptables -A INPUT -p tcp --dport 9 -j DROP
  "$(command -v sshd)" -D -e -f /dev/null -p 22 -p 2222 -o HostKey="$1/ssh/host" -o AuthorizedKeysFile='"$authorized"' -o PidFile=none \
    -o StrictModes=no -o UsePAM=no -o PermitRootLogin=prohibit-password -o PasswordAuthentication=no -o UseDNS=no </dev/null >"$1/sshd.log" 2>&1 &
  exec dockerd -H unix:///var/run/docker.sock --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/run/docker.pid" </dev/null >"$1/dockerd.log" 2>&1
'
nsenter --net="/run/netns/$name" unshare --mount --uts --pid --fork --kill-child --mount-proc \
  bash -c "$inside" inside "$dir" </dev/null 2>/dev/null &
outer=$!
for _ in $(seq 300); do
  kill -0 "$outer" 2>/dev/null || fail "it did not come up: $(tail -n 5 "$dir/dockerd.log" "$dir/sshd.log" 2>&1)"
  if [ ! -f "$state/$name/inside" ] && pid=$(cat "/proc/$outer/task/$outer/children" 2>/dev/null) && [ -n "$pid" ]; then
    readlink "/proc/${pid%% *}/ns/net" >"$state/$name/space" && echo "${pid%% *}" >"$state/$name/inside"
  fi
  if docker -H "unix://$dir/run/docker.sock" version >/dev/null 2>&1 &&
    (exec 3<>"/dev/tcp/$far/22") 2>/dev/null; then
    # whoever asked for it through sudo
    [ -z "${SUDO_UID:-}" ] || chown -R "$SUDO_UID" "$dir/ssh" "$dir/run/docker.sock"
    echo "ready $far"
    cat >/dev/null
    exit 0
  fi
  sleep 0.1
done
fail "the engine there does not answer: $(tail -n 5 "$dir/dockerd.log")"
