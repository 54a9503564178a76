"""Images for comparing what a container sees: busybox with a script that tells all of it."""

import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from wherry.testing.images import Entry, busybox_files, folder, layer_tar, symlink

if TYPE_CHECKING:
    from tests.compat.pair import Daemon

PLAIN, RICH = "plain", "rich"
END = "== end"

PROBE = r"""#!/bin/sh
s() { echo "== $1"; }
v() { for f in "$@"; do echo "$f: $(cat $f 2>&1 | tr '\n' ' ')"; done; }
s status; grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Umask)' /proc/self/status
s init; tr '\0' ' ' </proc/1/cmdline; echo; v /proc/1/oom_score_adj /proc/self/oom_score_adj
s limits; cat /proc/self/limits
s umask; umask
s names; hostname; cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname
s hosts; cat /etc/hosts
s hostname; cat /etc/hostname
s resolv; cat /etc/resolv.conf
s env; tr '\0' '\n' </proc/$$/environ
s cwd; pwd; stat -c '%F %a %u:%g' .
s fds; for n in 0 1 2; do echo $n $(readlink /proc/$$/fd/$n); done; tty
s dev; cd /dev; find . | sort | while read -r f; do stat -c '%n %F %a %u:%g %t:%T %N' "$f"
 done; cd /
s mounts; cat /proc/self/mountinfo
s cgroups; cat /proc/self/cgroup
s namespaces; for n in cgroup ipc mnt net pid user uts; do
 echo "$n $(readlink /proc/$$/ns/$n)"; done
s sysctls; cd /proc/sys; v net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range
v net/ipv4/ip_forward net/core/somaxconn kernel/shmmax kernel/msgmax kernel/sem; cd /
v /proc/sys/net/ipv6/conf/*/disable_ipv6
s masked; for f in /proc/acpi /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/scsi \
 /proc/asound /proc/latency_stats /proc/timer_stats /sys/firmware /sys/devices/virtual/powercap; do
 stat -c '%n %F %a %t:%T' $f 2>&1; ls -A $f 2>&1 | wc -l; done
s readonly; for f in /proc/sys/kernel/domainname /proc/sysrq-trigger \
 /proc/irq/default_smp_affinity \
 /sys/kernel/mm/transparent_hugepage/enabled /file /tmp/file /dev/file /dev/shm/file; do
 ( : >>$f ) 2>/dev/null && echo "$f writable" || echo "$f not writable"; done
s memory; cd /sys/fs/cgroup/memory; v memory.limit_in_bytes memory.memsw.limit_in_bytes
v memory.soft_limit_in_bytes memory.swappiness memory.kmem.tcp.limit_in_bytes
v memory.oom_control | sed 's/oom_kill [0-9]*//'
s cpu; cd /sys/fs/cgroup/cpu; v cpu.shares cpu.cfs_quota_us cpu.cfs_period_us cpu.rt_runtime_us
v /sys/fs/cgroup/cpuset/cpuset.cpus /sys/fs/cgroup/cpuset/cpuset.mems
s pids; v /sys/fs/cgroup/pids/pids.max
s blkio; cd /sys/fs/cgroup/blkio; v blkio*weight* blkio.throttle.*_device
s devices; sort /sys/fs/cgroup/devices/devices.list; cd /
s addresses; ip -o addr 2>&1 | cut -d' ' -f2-; ip link | grep ether; ip route 2>&1
s processes; all=$(for p in /proc/[0-9]*; do
 tr '\0' ' ' <$p/cmdline | cut -c1-40; echo; done 2>/dev/null)
echo "$all" | sort -u
s places; for f in /work /new /etc/hosts /etc/hostname /etc/resolv.conf \
 /dev/shm /dev/mqueue /dev/pts \
 /data /data/file /data/dir /vol /tmpfs /tmpfs/a /sbin/docker-init /run /bound; do
 stat -c '%n %F %a %u:%g' $f 2>&1; done
s data; for d in /data /vol /bound; do
 find $d -exec stat -c '%n %F %a %u:%g %s' {} \; 2>&1 | sort; done
echo "== end"
exec sleep 1000
"""

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RICH_CHANGES = (
    "ENV A=from-image B=two",
    "EXPOSE 80/tcp 53/udp",
    "VOLUME /data",
    "WORKDIR /work/deep",
    "USER app:staff",
    "LABEL tier=web owner=image",
    'ENTRYPOINT ["/bin/sh"]',
    'CMD ["/probe"]',
)


def make(dockerd: "Daemon", wherry: "Daemon", folder_: Path) -> None:
    """Both images, made by dockerd and carried over with save and load, so that ids agree."""
    (folder_ / "probe.tar").write_bytes(archive())
    for name, changes in ((PLAIN, ('CMD ["/probe"]', f"ENV {PATH}")), (RICH, RICH_CHANGES)):
        options = [word for change in changes for word in ("-c", change)]
        dockerd.must("import", *options, f"{folder_}/probe.tar", name)
    dockerd.must("save", "-o", f"{folder_}/images.tar", PLAIN, RICH)
    wherry.must("load", "-i", f"{folder_}/images.tar")


def archive() -> bytes:
    """The root file system as a tar."""
    return layer_tar(files())


def files() -> dict[str, bytes | str | Entry]:
    """The root file system: users, a folder with content for volumes, the script."""
    passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\n"
    group = "root:x:0:\nstaff:x:50:\nwheel:x:10:app\naudio:x:29:app\napp:x:1001:\n"
    return {
        **busybox_files(),
        "etc": folder(),
        "etc/passwd": passwd,
        "etc/group": group,
        "probe": Entry(PROBE.encode(), 0o755),
        "notexec": Entry(b"data", 0o644),
        "data": Entry(mode=0o750, kind=tarfile.DIRTYPE, uid=7, gid=8),
        "data/file": Entry(b"content", 0o640, uid=7, gid=8),
        "data/dir": folder(0o700),
        "data/link": symlink("file"),
        "vol": folder(0o755),
    }
