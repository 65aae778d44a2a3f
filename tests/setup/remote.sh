#!/usr/bin/env bash
# Simulates a remote hub on this machine: a network namespace with its own address, Docker engine and sshd, as another
# machine would have them. Runs in the foreground until its standard input is closed, so that it ends with the process
# that started it; then removes everything. Needs root.
#
# Usage: remote.sh DIR      DIR gets the data and the keys; it must be empty or that of an earlier simulation
#
# Commands on its standard input, one a line, each answered by `done` when the hub is up again:
#   restart-engine           stops the engine cleanly and starts it again, as an upgrade does
#   reboot                   kills all processes of the hub at once, as a power cut does, and starts it again
# Prints one line when it is ready:  ready ADDRESS
#   ssh -i DIR/ssh/id -o UserKnownHostsFile=DIR/ssh/known root@ADDRESS      ports 22 and 2222; also as guest, who may
#                                                                           not use the engine
#   DIR/run/docker.sock      the engine's socket, which is /var/run/docker.sock on the hub
#   tcp://ADDRESS:2376       the same engine over TLS, with DIR/tls/good (ca.pem, cert.pem, key.pem). DIR/tls/expired,
#                            DIR/tls/foreign (of another authority) and DIR/tls/wrong (expects another engine) are
#                            refused, DIR/tls/keyless and DIR/tls/mixed are unusable. The engine's certificate does not
#                            cover another address of the hub, which ends in .3
#   port 9 of ADDRESS        drops every packet
set -euo pipefail

dir=$(mkdir -p "$1" && cd "$1" && pwd)
state=/run/hubmark-remote
PATH=$PATH:/usr/sbin:/sbin

fail() { echo "remote: $*" >&2; exit 1; }
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || fail "the simulated hub needs root, or sudo without a password"
  exec sudo -n bash "$0" "$dir"
fi
for tool in ip nsenter unshare docker dockerd sshd ssh-keygen openssl iptables; do
  command -v "$tool" >/dev/null || fail "missing: $tool"
done

# remove NAME: removes everything of one simulation, whatever of it still exists.
remove() {
  local pid
  if pid=$(cat "$state/$1/inside" 2>/dev/null) && [ "$(readlink "/proc/$pid/ns/net" 2>/dev/null)" = "$(cat "$state/$1/space")" ]; then
    # The first process of the process namespace: all others end with it, including containers.
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
# Remove the leftovers of killed simulations.
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
ip -n "$name" addr add "10.98.$number.3/24" dev eth0
ip -n "$name" link set eth0 up
ip -n "$name" link set lo up
ip -n "$name" route add default via "$near"

mkdir -p "$dir/ssh" "$dir/run/sshd" "$dir/data" "$dir/exec"
[ -f "$dir/ssh/host" ] || {
  ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/host"
  ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/id"
  cp "$dir/ssh/id.pub" "$dir/ssh/authorized"
  # sshd reads it as the user who logs in.
  chmod 644 "$dir/ssh/authorized"
}
key=$(cut -d' ' -f1,2 "$dir/ssh/host.pub")
printf '%s %s\n[%s]:2222 %s\n' "$far" "$key" "$far" "$key" >"$dir/ssh/known"
# authority NAME: creates a certificate authority.
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
    -keyout "$1-key.pem" -out "$1.pem" 2>/dev/null
}
# certificate NAME AUTHORITY USAGE SAN FROM TO: creates a certificate signed by the authority.
certificate() {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
    -keyout "$1-key.pem" -out "$1.csr" 2>/dev/null
  printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nserial=serial\n[p]\ncommonName=supplied\n' >ca.conf
  printf 'extendedKeyUsage=%s\nsubjectAltName=%s\n' "$3" "$4" >"$1.ext"
  : >index
  openssl ca -batch -notext -config ca.conf -policy p -md sha256 -rand_serial -cert "$2.pem" -keyfile "$2-key.pem" \
    -startdate "$5" -enddate "$6" -extfile "$1.ext" -in "$1.csr" -out "$1.pem" 2>ca.log || fail "$(cat ca.log)"
}
# folder NAME AUTHORITY CERTIFICATE: creates a folder with the files that Docker's own tools expect.
folder() {
  mkdir -p "$1"
  cp "$2.pem" "$1/ca.pem"
  cp "$3.pem" "$1/cert.pem"
  cp "$3-key.pem" "$1/key.pem"
}
mkdir -p "$dir/tls"
(
  cd "$dir/tls"
  from=$(date -u -d yesterday +%Y%m%d000000Z) to=$(date -u -d '2 days' +%Y%m%d000000Z)
  authority ours
  authority theirs
  certificate engine ours serverAuth "IP:$far,DNS:hubmark-pi" "$from" "$to"
  certificate client ours clientAuth DNS:client "$from" "$to"
  certificate late ours clientAuth DNS:late 20200101000000Z 20200102000000Z
  certificate stranger theirs clientAuth DNS:stranger "$from" "$to"
  folder good ours client
  folder expired ours late
  folder foreign ours stranger
  folder wrong theirs client
  folder keyless ours client
  rm keyless/key.pem
  folder mixed ours client
  cp stranger-key.pem mixed/key.pem
)

# A user who exists only on the hub, may log in, and may not use the engine.
{ cat /etc/passwd; echo "guest:x:61999:61999::/tmp:/bin/sh"; } >"$dir/run/passwd"
{ cat /etc/shadow; echo "guest:*:19000:0:99999:7:::"; } >"$dir/run/shadow"
chmod 644 "$dir/run/passwd"
chmod 600 "$dir/run/shadow"
# Other users may have no access to the folder of the data.
authorized=/run/hubmark-authorized

# inside: starts the hub's processes; /run is private to the hub; the engine and sshd end with the first process.
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
  # Restart an engine that ends, as a service manager would.
  while :; do
    dockerd -H unix:///var/run/docker.sock -H tcp://0.0.0.0:2376 --tlsverify --tlscacert "$1/tls/ours.pem" \
      --tlscert "$1/tls/engine.pem" --tlskey "$1/tls/engine-key.pem" --data-root "$1/data" --exec-root "$1/exec" \
      --pidfile "$1/run/docker.pid" </dev/null >>"$1/dockerd.log" 2>&1 || true
    sleep 0.5
  done
'
boot() {
  rm -rf "$dir/exec" "$dir/run"/docker* "$state/$name/inside"
  mkdir -p "$dir/exec"
  nsenter --net="/run/netns/$name" unshare --mount --uts --pid --fork --kill-child --mount-proc \
    bash -c "$inside" inside "$dir" </dev/null 2>/dev/null &
  outer=$!
}
# up: waits until engine and sshd answer.
up() {
  for _ in $(seq 300); do
    kill -0 "$outer" 2>/dev/null || fail "the hub did not start: $(tail -n 5 "$dir/dockerd.log" "$dir/sshd.log" 2>&1)"
    if [ ! -f "$state/$name/inside" ] && pid=$(cat "/proc/$outer/task/$outer/children" 2>/dev/null) && [ -n "$pid" ]; then
      readlink "/proc/${pid%% *}/ns/net" >"$state/$name/space" && echo "${pid%% *}" >"$state/$name/inside"
    fi
    if docker -H "unix://$dir/run/docker.sock" version >/dev/null 2>&1 &&
      (exec 3<>"/dev/tcp/$far/22") 2>/dev/null; then
      # Give the keys to the user who called sudo.
      [ -z "${SUDO_UID:-}" ] || chown -R "$SUDO_UID" "$dir/ssh" "$dir/tls" "$dir/run/docker.sock"
      return
    fi
    sleep 0.1
  done
  fail "the engine there does not answer: $(tail -n 5 "$dir/dockerd.log")"
}
boot
up
echo "ready $far"
while read -r command; do
  first=$(cat "$state/$name/inside")
  case $command in
    restart-engine)
      engine=$(cat "$dir/run/docker.pid")
      nsenter --target "$first" --pid --mount bash -c "kill -TERM $engine"
      for _ in $(seq 300); do
        [ "$(cat "$dir/run/docker.pid" 2>/dev/null || echo "$engine")" = "$engine" ] || break
        sleep 0.1
      done
      ;;
    reboot)
      kill -KILL "$first"
      wait "$outer" 2>/dev/null || true
      boot
      ;;
    *) fail "no such command: $command" ;;
  esac
  up
  echo "done"
done
exit 0
