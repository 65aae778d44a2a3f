# Reads a hub for hubmark: its facts once, then its counters each second. Every line is
# PATH:TEXT; a line with a single dot ends a block.
# $1: the folder with the hub's /proc and /sys. $2: seconds to read; without it, read forever.
cd "$1/" || exit 1
export LC_ALL=C
cpu=sys/devices/system/cpu/cpu0/cpufreq
tree=sys/firmware/devicetree/base

grep -aHs '' $tree/model $tree/cpus/cpu@0/compatible \
  sys/class/dmi/id/sys_vendor sys/class/dmi/id/product_name \
  proc/sys/kernel/osrelease proc/sys/kernel/random/boot_id proc/1/mountinfo \
  $cpu/scaling_governor $cpu/cpuinfo_max_freq \
  sys/class/thermal/thermal_zone*/type sys/class/thermal/thermal_zone*/trip_point_*_t* \
  sys/class/hwmon/hwmon*/name \
  sys/block/*/dev sys/block/*/*/dev sys/block/*/device/model sys/block/*/device/name
grep -aHs -m1 '^model name' proc/cpuinfo
grep -aHs -m1 '^KernelPageSize' proc/self/smaps
# 32 writes of 4 KiB, each synchronised to the disk before the next.
dd if=/dev/zero of=/hubmark-fsync bs=4096 count=32 oflag=dsync 2>&1 | sed -n 's/^/fsync:/p'
rm -f /hubmark-fsync

# Cost: one grep and one sleep each second; globs are expanded once.
set -- "$2" proc/stat proc/meminfo proc/vmstat proc/pressure/memory proc/pressure/io proc/diskstats \
  sys/class/thermal/thermal_zone*/temp sys/class/hwmon/hwmon*/temp1_input \
  sys/class/hwmon/hwmon*/in0_lcrit_alarm $cpu/cpuinfo_cur_freq $cpu/scaling_cur_freq \
  sys/devices/platform/soc*/*firmware/get_throttled sys/devices/platform/soc*firmware/get_throttled
left=$1
shift
second=0
sample() {
  grep -aHsE '^(cpu |Mem|pswp|some |-?[0-9a-fx]+$| *[0-9]+ +[0-9]+ [a-z])' "$@"
  [ $((second % 10)) -ne 0 ] || df -Pk / | sed -n '2s/^/df:/p'
  echo .
}
sample "$@"
while [ "$left" != 0 ]; do
  sleep 1
  second=$((second + 1))
  sample "$@" || exit
  [ -z "$left" ] || left=$((left - 1))
done
