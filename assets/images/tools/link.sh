#!/bin/sh
# link.sh BITS: limits the rate of this network's link to the outside, in both directions, in bits a
# second. Prints the rates that the kernel then enforces, in bytes a second: out, then in.
#
# Outgoing packets are shaped on the interface. Incoming packets are redirected to another interface
# (ifb) and shaped where they leave it.
set -eu
rate=$1
interface=$(ip -o route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
[ -n "$interface" ] || { echo "there is no link to the outside" >&2; exit 1; }
# The bucket must suffice for a tick of the slowest kernel (100 Hz) and for a few packets.
burst=$((rate / 8 / 100))
[ "$burst" -ge 16384 ] || burst=16384
shape() { tc qdisc replace dev "$1" root tbf rate "${rate}bit" burst "${burst}b" latency 50ms; }

shape "$interface"
ip link add ifb0 type ifb
ip link set ifb0 up
tc qdisc add dev "$interface" handle ffff: ingress
tc filter add dev "$interface" parent ffff: protocol all u32 match u32 0 0 \
  action mirred egress redirect dev ifb0
shape ifb0

for shaped in "$interface" ifb0; do
  tc -j qdisc show dev "$shaped" | sed -n 's/.*"kind":"tbf"[^}]*"rate":\([0-9]*\).*/\1/p'
done
