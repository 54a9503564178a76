#!/bin/busybox sh
# First program of the guest: the host's root over virtiofs, read-only, below a tmpfs.
B=/bin/busybox
$B mount -t devtmpfs devtmpfs /dev
$B mount -t proc proc /proc
$B mount -t sysfs sysfs /sys
for module in /mod/*; do $B insmod "$module"; done
$B mount -t virtiofs -o ro hostroot /lower || { echo "no virtiofs"; $B poweroff -f; }
$B mount -t tmpfs -o size=70% tmpfs /rw
$B mkdir /rw/upper /rw/work
$B mount -t overlay -o lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work overlay /new
for part in dev proc sys; do $B mount --move /$part /new/$part; done
$B mkdir -p /new/dev/pts /new/dev/shm
$B mount -t devpts -o mode=620,ptmxmode=666,gid=5 devpts /new/dev/pts
for part in dev/shm run mnt tmp; do $B mount -t tmpfs tmpfs /new/$part; done
$B chmod 1777 /new/tmp /new/dev/shm
$B ln -sf /proc/self/fd /new/dev/fd
$B ln -sf fd/0 /new/dev/stdin
$B ln -sf fd/1 /new/dev/stdout
$B ln -sf fd/2 /new/dev/stderr
$B mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /new/sys/fs/cgroup
for word in $($B cat /new/proc/cmdline); do
  case "$word" in guest.stage2=*) stage2=${word#guest.stage2=} ;; esac
done
exec $B switch_root /new /bin/sh "$stage2"
