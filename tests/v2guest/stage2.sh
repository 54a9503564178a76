#!/bin/sh
# Second program of the guest, on the host's root: modules, cgroups, then the job.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
export PATH HOME
here=$(dirname "$0")
cache=$here/../../.cache/v2guest
busybox=$(command -v busybox)
mkdir -p /run/lock /run/guest /lib/modules
mount --bind "$cache/modules/lib/modules" /lib/modules
cp "$busybox" /run/guest/modprobe && chmod 755 /run/guest/modprobe
echo /run/guest/modprobe > /proc/sys/kernel/modprobe
for module in virtio_console veth bridge virtio_blk tun; do /run/guest/modprobe $module 2>/dev/null; done
mkdir /sys/fs/cgroup/init
echo $$ > /sys/fs/cgroup/init/cgroup.procs
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
  echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control
done
ip link set lo up 2>/dev/null
hostname guest
port() { # the device of a named virtio-serial port
  for name in /sys/class/virtio-ports/*/name; do
    [ "$(cat "$name")" = "$1" ] && { echo "/dev/$(basename "$(dirname "$name")")"; return; }
  done
}
job=$(sed -n 's/.*guest\.job=\([^ ]*\).*/\1/p' /proc/cmdline)
sh "$job" < /dev/null > "$(port out)" 2>&1
echo $? > "$(port rc)"
sync
busybox poweroff -f
