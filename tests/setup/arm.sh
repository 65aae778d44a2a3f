#!/usr/bin/env bash
# Makes and boots an emulated arm64 Debian machine (qemu-system-aarch64) that is booted as a Raspberry Pi ships: memory
# cgroup off, memory pressure not counted, an ondemand clock. It has Docker and sshd, and is reached in a network namespace
# of its own as raspberrypi.local. Needs root, Debian or a derivative, 10 GB of disk, and time: about half an hour before
# the first boot, two minutes for each boot. Everything lies in HUBMARK_ARM_DIR [default: ~/.cache/hubmark-arm].
#
# Usage: arm.sh STEP...      packages base tree disk up image, in this order; then down, pause, cont, clean
#        arm.sh all          all steps up to image that are not done yet
#        arm.sh in CMD...    runs CMD where the hub is seen: ssh://pi@raspberrypi.local
#        arm.sh ssh CMD...   runs CMD on the hub
#        arm.sh vitals [MILLIDEGREES [THROTTLE_BITS]]    lays a Pi's sensors over the hub's /sys
set -euo pipefail

dir=${HUBMARK_ARM_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/hubmark-arm}
cmdline=${HUBMARK_ARM_CMDLINE:-psi=0 apparmor=0 cgroup_disable=memory}
memory=${HUBMARK_ARM_MEMORY:-4096}
suite=bookworm
model='Raspberry Pi 4 Model B Rev 1.4'
name=raspberrypi user=pi
space=hubmark-arm tap=hubmark-arm0 near=10.97.0.1 far=10.97.0.2
PATH=$PATH:/usr/sbin:/sbin

say() { echo "arm: $*" >&2; }
fail() { say "$*"; exit 1; }
[ "$(id -u)" = 0 ] || fail "the emulated hub needs root"
mkdir -p "$dir"

# mirror SUITE: prints the mirror of a suite that this machine's own apt uses.
mirror() {
  # shellcheck disable=SC2016 # apt's own placeholders
  apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Origin: Debian' |
    awk -v suite="$1" '$2 == suite { print $1; exit }'
}

packages() {
  apt-get install -y -q --no-install-recommends qemu-system-arm qemu-utils qemu-user-static ipxe-qemu debootstrap \
    device-tree-compiler e2fsprogs iproute2 openssh-client >"$dir/packages.log" 2>&1 || fail "see $dir/packages.log"
  # arm64 programs run here by the user emulator, for debootstrap's second stage.
  local formats=/proc/sys/fs/binfmt_misc
  [ -e $formats/register ] || mount -t binfmt_misc none $formats
  [ -e $formats/qemu-aarch64 ] || printf '%s' ':qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:F' >$formats/register
}

# carry TREE: gives a tree this machine's mirrors and certificates.
carry() {
  mkdir -p "$1/usr/local/share/ca-certificates" "$1/etc/apt/apt.conf.d"
  cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/" 2>/dev/null || true
  apt-config dump | grep -E '^Acquire::(https?|Check-|Retries|ForceIPv)' >"$1/etc/apt/apt.conf.d/90machine" ||
    rm -f "$1/etc/apt/apt.conf.d/90machine"
  local part
  for part in "$suite" "$suite-updates" "$suite-security"; do
    [ -z "$(mirror "$part")" ] || echo "deb $(mirror "$part") $part main"
  done >"$1/etc/apt/sources.list"
}

# base: a minimal tree, and the archive of the container image made of it.
base() {
  local log=$dir/base.log
  rm -rf "$dir/base" "$dir/slim"
  nice debootstrap --arch=arm64 --variant=minbase --include=ca-certificates --foreign "$suite" "$dir/base" \
    "$(mirror "$suite")" >"$log" 2>&1 || fail "see $log"
  nice chroot "$dir/base" /debootstrap/debootstrap --second-stage >>"$log" 2>&1 || fail "see $log"
  carry "$dir/base"
  nice chroot "$dir/base" update-ca-certificates >>"$log" 2>&1
  cp -a "$dir/base" "$dir/slim"
  printf 'path-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\npath-exclude /usr/share/locale/*\n' \
    >"$dir/slim/etc/dpkg/dpkg.cfg.d/slim"
  # shellcheck disable=SC2016 # expanded inside the tree
  nice chroot "$dir/slim" sh -eu -c '
    printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
    apt-get clean
    rm -rf /var/lib/apt/lists/* /var/log/* /tmp/* /etc/hostname /usr/share/man/* /usr/share/doc/*
    : >/etc/resolv.conf'
  tar -C "$dir/slim" --one-file-system --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' \
    -czf "$dir/base.tar.gz" .
  rm -rf "$dir/slim"
}

# tree: the machine's own file system: kernel, sshd, Docker, and a user in the group docker.
tree() {
  local tree=$dir/tree
  rm -rf "$tree"
  cp -a "$dir/base" "$tree"
  cp /etc/resolv.conf "$tree/etc/resolv.conf"
  echo "$name" >"$tree/etc/hostname"
  printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" >"$tree/etc/hosts"
  printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
  chmod +x "$tree/usr/sbin/policy-rc.d"
  # A small initrd: copying the usual thousand modules takes a quarter of an hour under the user emulator.
  mkdir -p "$tree/etc/initramfs-tools/conf.d" "$tree/usr/share/initramfs-tools/modules.d"
  printf 'MODULES=list\nFSTYPE=ext4\n' >"$tree/etc/initramfs-tools/conf.d/hub"
  printf '%s\n' virtio_pci virtio_blk virtio_mmio virtio_net ext4 >"$tree/usr/share/initramfs-tools/modules.d/hub"
  mount -t proc proc "$tree/proc"
  # shellcheck disable=SC2064 # the present value
  trap "umount '$tree/proc'" EXIT
  nice chroot "$tree" sh -eu -c '
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends systemd-sysv dbus udev kmod initramfs-tools linux-image-arm64 \
      openssh-server docker.io iptables iproute2 sudo procps' >"$dir/tree.log" 2>&1 || fail "see $dir/tree.log"
  umount "$tree/proc"
  trap - EXIT
  rm -f "$tree/usr/sbin/policy-rc.d"
  chroot "$tree" sh -eu -c "
    useradd -m -s /bin/bash -G docker,sudo $user
    echo '$user ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/pi
    apt-get clean
    rm -rf /var/lib/apt/lists/*"
  [ -f "$dir/key" ] || ssh-keygen -q -t ed25519 -N '' -C hubmark-arm -f "$dir/key"
  install -D -m 600 "$dir/key.pub" "$tree/home/$user/.ssh/authorized_keys"
  chroot "$tree" chown -R "$user:$user" "/home/$user"
  # By their addresses, not their order: the cable to this machine, and QEMU's network to the outside.
  printf '[Match]\nMACAddress=52:54:00:97:00:02\n[Network]\nAddress=%s/24\nLinkLocalAddressing=no\n' "$far" \
    >"$tree/etc/systemd/network/10-cable.network"
  printf '[Match]\nMACAddress=52:54:00:97:00:03\n[Network]\nDHCP=ipv4\n' >"$tree/etc/systemd/network/20-out.network"
  printf 'nameserver 10.0.2.3\n' >"$tree/etc/resolv.conf"
  printf '/dev/vda / ext4 defaults,noatime 0 1\n' >"$tree/etc/fstab"
  chroot "$tree" systemctl enable systemd-networkd serial-getty@ttyAMA0 >/dev/null 2>&1 || true
  chroot "$tree" systemctl disable systemd-networkd-wait-online >/dev/null 2>&1 || true
  chroot "$tree" systemctl mask apt-daily.timer apt-daily-upgrade.timer man-db.timer >/dev/null 2>&1 || true
}

disk() {
  cp "$dir"/tree/boot/vmlinuz-* "$dir/vmlinuz"
  cp "$dir"/tree/boot/initrd.img-* "$dir/initrd"
  rm -f "$dir/disk"
  mkfs.ext4 -q -F -L rootfs -d "$dir/tree" "$dir/disk" 12G
}

# device_tree: the emulated board's device tree, with a Pi's model and a place for its firmware.
device_tree() {
  local tree=$dir/pi.dtb
  qemu-system-aarch64 -M "virt,gic-version=2,dumpdtb=$tree" -cpu cortex-a72 -smp 2 -m "$memory" -display none >/dev/null 2>&1
  fdtput -t s "$tree" / model "$model"
  fdtput -c "$tree" /soc /soc/firmware
  fdtput -t s "$tree" /soc compatible simple-bus
  fdtput -t x "$tree" /soc '#address-cells' 1
  fdtput -t x "$tree" /soc '#size-cells' 1
  fdtput "$tree" /soc ranges
  fdtput -t s "$tree" /soc/firmware compatible stand-in,firmware
}

up() {
  [ ! -f "$dir/pid" ] || ! kill -0 "$(cat "$dir/pid")" 2>/dev/null || return 0
  ip netns list | grep -qw "$space" || ip netns add "$space"
  ip -n "$space" link set lo up
  ip -n "$space" link show "$tap" >/dev/null 2>&1 || ip tuntap add "$tap" mode tap
  device_tree
  nice -n 19 qemu-system-aarch64 -M virt,gic-version=2 -cpu cortex-a72 -smp 2 -m "$memory" -dtb "$dir/pi.dtb" \
    -accel tcg,thread=multi,tb-size=512 -kernel "$dir/vmlinuz" -initrd "$dir/initrd" \
    -append "root=/dev/vda rw console=ttyAMA0 net.ifnames=0 $cmdline" \
    -drive if=none,id=d,file="$dir/disk",format=raw,cache=writeback,discard=unmap -device virtio-blk-pci,drive=d \
    -netdev tap,id=cable,ifname="$tap",script=no,downscript=no \
    -device virtio-net-pci,netdev=cable,mac=52:54:00:97:00:02,romfile= \
    -netdev user,id=out -device virtio-net-pci,netdev=out,mac=52:54:00:97:00:03,romfile= \
    -device virtio-rng-pci -display none -serial "file:$dir/console.log" -pidfile "$dir/pid" -daemonize
  # QEMU keeps its end of the cable; its other network stays outside of the namespace.
  ip link set "$tap" netns "$space" 2>/dev/null || true
  ip -n "$space" addr replace "$near/24" dev "$tap"
  ip -n "$space" link set "$tap" up
  for _ in $(seq 300); do
    ip netns exec "$space" ssh-keyscan -T 5 "$far" >"$dir/known_hosts" 2>/dev/null && [ -s "$dir/known_hosts" ] && break
    sleep 2
  done
  [ -s "$dir/known_hosts" ] || fail "no sshd on the hub; see $dir/console.log"
  for _ in $(seq 100); do on_hub docker version >/dev/null 2>&1 && return; sleep 3; done
  fail "no Docker engine on the hub; see $dir/console.log"
}

on_hub() {
  ip netns exec "$space" ssh -i "$dir/key" -o UserKnownHostsFile="$dir/known_hosts" -o BatchMode=yes \
    -o ConnectTimeout=60 "$user@$far" "$@"
}

# inside CMD...: runs CMD in the namespace, with a ~/.ssh that has the hub's key.
inside() {
  mkdir -p "/etc/netns/$space" "$dir/ssh" "$HOME/.ssh"
  chmod 700 "$dir/ssh"
  printf '127.0.0.1 localhost\n%s %s.local %s\n' "$far" "$name" "$name" >"/etc/netns/$space/hosts"
  cp "$dir/key" "$dir/ssh/id_ed25519"
  sed "s/^$far/$far,$name.local,$name/" "$dir/known_hosts" >"$dir/ssh/known_hosts"
  # shellcheck disable=SC2016 # expanded in the namespace
  exec ip netns exec "$space" sh -c 'mount --bind "$1" "$HOME/.ssh" && shift && exec "$@"' sh "$dir/ssh" "$@"
}

image() {
  on_hub docker image inspect "debian:$suite-slim" >/dev/null 2>&1 && return
  on_hub "zcat | docker import -c 'CMD [\"bash\"]' -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' - debian:$suite-slim" \
    <"$dir/base.tar.gz"
}

vitals() {
  on_hub sudo sh -eu -s -- "${1:-48312}" "${2:-0}" <<'SENSORS'
over() { mountpoint -q "$1" || mount -t tmpfs -o size=256k,mode=755 pi "$1"; }
put() { mkdir -p "${1%/*}"; printf '%s\n' "$2" >"$1"; }
zone=/sys/class/thermal
over $zone
put $zone/thermal_zone0/type cpu-thermal
put $zone/thermal_zone0/temp "$1"
firmware=/sys/devices/platform/soc/soc:firmware
if [ -d $firmware ]; then over $firmware; put $firmware/get_throttled "$2"; fi
clock=/sys/devices/system/cpu/cpu0
over $clock
put $clock/cpufreq/scaling_governor ondemand
put $clock/cpufreq/cpuinfo_max_freq 1800000
put $clock/cpufreq/scaling_cur_freq 1800000
SENSORS
}

down() {
  [ -f "$dir/pid" ] || return 0
  on_hub sudo poweroff || true
  for _ in $(seq 60); do kill -0 "$(cat "$dir/pid")" 2>/dev/null || break; sleep 1; done
  ! kill -KILL "$(cat "$dir/pid")" 2>/dev/null || say "the hub did not power off and was ended"
  rm -f "$dir/pid"
  ip -n "$space" link del "$tap" 2>/dev/null || true
}

pause() { kill -STOP "$(cat "$dir/pid")"; }
cont() { kill -CONT "$(cat "$dir/pid")"; }

clean() {
  down
  ip netns del "$space" 2>/dev/null || true
  rm -rf "/etc/netns/$space" "$dir"
}

[ $# -gt 0 ] || { sed -n '2,/^set/{s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
case $1 in
  in) shift; inside "$@" ;;
  ssh) shift; on_hub "$@"; exit ;;
  vitals) shift; vitals "$@"; exit ;;
  all)
    packages
    [ -f "$dir/base.tar.gz" ] || base
    [ -f "$dir/tree/home/$user/.ssh/authorized_keys" ] || tree
    [ -f "$dir/disk" ] || disk
    up
    image
    exit
    ;;
esac
for step; do
  case $step in
    packages | base | tree | disk | up | image | down | pause | cont | clean) ;;
    *) fail "no step $step" ;;
  esac
  began=$SECONDS
  "$step"
  say "$step: $((SECONDS - began)) s"
done
