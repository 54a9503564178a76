"""Every flag of `docker run` on dockerd 20.10 and on our engine: inspect and the inside agree."""

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat import comparing
from tests.compat.comparing import PEER, Row
from tests.compat.pair import Pair, missing
from tests.compat.probe_image import PLAIN, RICH

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(180),
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]

IDENTITY = r"""

-u 1000
-u app
-u app:staff
-u 1000:50
-u 5:6
-u 0:10
-u :10
-u nosuch
-u app:nosuch
--group-add wheel
--group-add wheel --group-add 77
--group-add nosuch
-u app --group-add staff
--cap-drop all
--cap-drop ALL --cap-add chown --cap-add CAP_NET_ADMIN
--cap-add SYS_PTRACE
--cap-add NOSUCH
--cap-drop MKNOD -u app
--security-opt no-new-privileges
--security-opt no-new-privileges:false
--security-opt seccomp=unconfined
--security-opt label=disable
--security-opt systempaths=unconfined
--security-opt apparmor=unconfined
--security-opt nosuch=1
--security-opt nosuch
--userns host
"""

NAMES = r"""
-h box
-h box.example.org
-h box --domainname example.org
--hostname in_valid
-e A=b -e C=
-e HOME=/tmp -e PATH=/bin
-e HOSTNAME=mine
-w /new/work
-w /data
-w relative
--label a=b --label c
-l a=1 -l a=2
--annotation a=b
--stop-signal SIGINT
--stop-signal 9
--stop-signal NOSUCH
--stop-timeout 3
--stop-timeout -1
--init
--init=false
-i
-t
-it
--add-host db:10.0.0.9
--add-host gateway:host-gateway
--add-host bad
--dns 1.1.1.1 --dns 9.9.9.9
--dns-search example.org
--dns-opt ndots:3
--dns-option timeout:1 --dns 1.2.3.4 --dns-search .
--dns nosuch
--no-healthcheck
--expose 80 --expose 53/udp
--expose 7000-7002
--expose bad
--rm
--rm --restart always
--restart always
--restart unless-stopped
--restart on-failure:3
--restart no
--restart sometimes
--restart always:3
--log-opt max-size=1m --log-opt max-file=2
--log-opt nosuch=1
--log-opt max-size=bad
--log-opt max-file=0 --log-opt max-size=1m
--log-opt labels=a --label a=b
--log-driver nosuch
--name ../x
--platform linux/amd64
--platform linux/nosuch
--runtime nosuch
--isolation default
--isolation hyperv
--attach stdout
--cidfile SHARED/nosuch/x
"""

LIMITS = r"""
-m 64m
-m 64m --memory-swap 64m
-m 64m --memory-swap 128m --memory-swappiness 10
-m 64m --memory-swap -1
-m 64m --memory-reservation 32m
-m 1m
-m 64m --memory-swap 32m
--memory-swap 64m
--memory-reservation 32m
--memory-reservation 1m
-m 32m --memory-reservation 64m
--memory-swappiness 0
--memory-swappiness 101
--memory nonsense
-m 64m --oom-kill-disable
--oom-kill-disable
--kernel-memory 32m
--oom-score-adj 500
--oom-score-adj -1001
-c 512
-c 1
--cpus 0.5
--cpus 1000
--cpus -1
--cpu-period 50000 --cpu-quota 25000
--cpu-quota 50000
--cpu-period 10
--cpu-quota 10
--cpus 1 --cpu-quota 5000
--cpus 1 --cpu-period 50000
--cpuset-cpus 0
--cpuset-cpus 0-1 --cpuset-mems 0
--cpuset-cpus 99
--cpuset-cpus x
--cpuset-mems 9
--cpuset-mems y
--cpu-rt-period 1000
--pids-limit 50
--pids-limit -1
--pids-limit 0
--device-read-bps /dev/vda:1mb
--device-write-bps /dev/vda:2mb --device-read-iops /dev/vda:100 --device-write-iops /dev/vda:200
--device-read-bps /dev/nosuch:1mb
--ulimit nofile=100:200
--ulimit nproc=64 --ulimit core=-1
--ulimit nosuch=1
--ulimit nofile=200:100
--cgroup-parent /pair-parent
--cgroupns private
--cgroupns host
--cgroupns nosuch
--shm-size 8m
--shm-size 0
--shm-size nonsense
--device /dev/fuse
--device /dev/null:/dev/mine:r
--device /dev/zero:/dev/mine
--device /dev/net:/dev/mynet
--device /dev/nosuch
--device /etc/passwd
--device /dev/null:/dev/x:q
--device-cgroup-rule "c 42:* rmw"
--device-cgroup-rule "a *:* rwm"
--device-cgroup-rule bad
--sysctl net.ipv4.ip_forward=0
--sysctl net.core.somaxconn=99 --sysctl kernel.shmmax=1000000
--sysctl net.ipv4.ip_unprivileged_port_start=1024
--sysctl kernel.nosuch=1
--sysctl kernel.hostname=x
--sysctl vm.swappiness=1
"""

PLACES = r"""
--read-only
--read-only --tmpfs /tmp
--tmpfs /tmpfs
--tmpfs /tmpfs:size=1m,mode=700,uid=5
--tmpfs /tmpfs:rw,exec,size=10%
--tmpfs /tmpfs:nosuch
--tmpfs relative
-v /vol
-v /data
-v named:/data
-v named2:/data:nocopy
-v named3:/data:ro
-v named4:/new/deep
-v SHARED/bind:/bound
-v SHARED/bind:/bound:ro
-v SHARED/made:/bound
-v SHARED/bind:/bound:rshared
-v SHARED/bind:/bound:rslave
-v SHARED/bind:/bound:z
-v SHARED/bind:/bound:nosuch
-v SHARED/bind:/bound:ro,rw
-v SHARED/bind:/bound:nocopy
-v SHARED/bind:relative
-v SHARED/bind:/
-v a:b:c:d
-v in/valid:/x
-v SHARED/file:/etc/hosts
-v SHARED/file:/etc/resolv.conf:ro
-v SHARED/file:/new/file
-v SHARED/bind:/bound -v /bound
-v SHARED/bind:/bound -v SHARED/bind:/bound
-v SHARED/bind:/dev/shm
-v SHARED/bind:/data/dir -v named5:/data
--mount type=bind,src=SHARED/bind,dst=/bound
--mount type=bind,src=SHARED/bind,dst=/bound,readonly
--mount type=bind,src=SHARED/bind,dst=/bound,bind-propagation=rslave
--mount type=bind,src=SHARED/bind,dst=/bound,bind-propagation=nosuch
--mount type=bind,src=SHARED/nosuch,dst=/bound
--mount type=bind,src=relative,dst=/bound
--mount type=volume,dst=/data
--mount type=volume,src=named6,dst=/data,volume-nocopy
--mount type=volume,src=named7,dst=/vol,ro
--mount type=volume,src=named8,dst=/vol,volume-label=a=b
--mount type=volume,src=named9,dst=/vol,volume-driver=nosuch
--mount type=tmpfs,dst=/tmpfs
--mount type=tmpfs,dst=/tmpfs,tmpfs-size=1m,tmpfs-mode=700
--mount type=tmpfs,dst=/tmpfs,readonly
--mount type=tmpfs,src=x,dst=/tmpfs
--mount type=nosuch,dst=/x
--mount type=bind,src=SHARED/bind,dst=relative
--volume-driver local -v named10:/vol
--volume-driver nosuch -v named11:/vol
--storage-opt size=1g
"""

NAMESPACES = r"""
--ipc host
--ipc none
--ipc private
--ipc shareable
--ipc container:peer
--ipc container:loner
--ipc container:nosuch
--ipc nosuch
--pid container:peer
--pid container:nosuch
--pid nosuch
--uts host
--uts nosuch
--uts host -h box
--network none
--network bridge
--network default
--network container:peer
--network container:nosuch
--network nosuch
--network container:peer -h box
--network container:peer -p 80:80
--network container:peer --dns 1.1.1.1
--network container:peer --add-host a:1.2.3.4
--network container:peer --mac-address 02:42:00:00:00:01
--network container:peer --expose 80
--network none -h box --add-host db:10.0.0.9
--network none --dns 1.1.1.1
--network none --mac-address 02:42:00:00:00:01
--mac-address 02:42:00:00:00:05
--mac-address bad
--ip bad
--network-alias x
-p 8001:80
-p 127.0.0.1:8002:80/tcp -p 8002:53/udp
-p 8003-8005:8003-8005
-p 99999:80
-p 80:99999
-p 8001:80 -p 8001:81
-p nonsense
"""

WORDS = r"stderr|State\.Error"
HOST_LINKS = r"view\.(addresses|sysctls)\..*"

SPECIAL = [
    Row("", RICH),
    Row("-e A=mine -e C=c -l tier=db", RICH),
    Row("-u root -w /", RICH),
    Row("-v /vol -v named12:/data", RICH),
    # the mode of what is below, which runc sets by chmod, is a mount option here
    Row("--tmpfs /data", RICH, but=r"view\.mounts\./data"),
    Row("--tmpfs /data", but=r"view\.mounts\./data"),
    # health checks are a later issue: kept and shown, not yet run
    Row("--health-cmd true --health-interval 60s", but=r"State\.Health\..*"),
    # dockerd knows no capability newer than 5.8
    Row("--privileged -u app", but=r"view\.status\.CapBnd"),
    # dockerd's weight is not offered by this kernel; bfq's, which does the same, is
    Row("--blkio-weight 300", but=r"HostConfig.BlkioWeight|stderr|view\.blkio\..*bfq.*"),
    # a relative parent begins at the root, not at the daemon's own group
    Row("--cgroup-parent pair-parent/below", but=r"view\.cgroups\..*"),
    # the host's own links
    Row("--network host", but=HOST_LINKS),
    Row("--network host -h box", but=HOST_LINKS),
    Row("--network host -p 80:80", but=HOST_LINKS),
    # what the kernel refuses is told in our words
    Row("--ulimit memlock=-1:-1", but=WORDS),
    Row("--cpus .001", but=WORDS),
    Row("--cpu-shares -5", but=WORDS),
    Row("--cpu-rt-runtime 1000", but=WORDS),
    Row("--network host --sysctl net.ipv4.ip_forward=1", but=WORDS),
    # we know the network from creation on
    Row("--ip 172.17.0.77", but=r"NetworkSettings\.Networks\.bridge\.NetworkID"),
    Row("--expose 99", RICH),
    Row("--entrypoint /probe", RICH),
    Row("--entrypoint ''", RICH, "/probe"),
    Row("", RICH, "/probe x"),
    Row("", PLAIN, "/nosuch"),
    Row("", PLAIN, "nosuch"),
    Row("", PLAIN, "/notexec"),
    Row("", PLAIN, "/data"),
    Row("--init", PLAIN, "/nosuch", view=False),
    Row("--entrypoint /bin/sh", view=False),
    Row("-u 4294967295", but="stderr|State.Error"),
    Row("--entrypoint nosuch"),
    # what we find at the start, dockerd mounts for and finds at creation
    Row("-w /probe", but="(?!exit|stderr).*"),
    Row("", "nosuch:image"),
    Row("", "BAD"),
    Row("", "plain@sha256:00"),
    # the host's processes are not the same at two moments
    Row("--pid host", but=r"view\.processes\..*"),
    # free ports of the host are chosen anew
    Row("-P", RICH, but=r"NetworkSettings\.Ports\..*HostPort"),
    Row("-p 80", but=r"NetworkSettings\.Ports\..*HostPort"),
    Row("-p 127.0.0.1::80", but=r"NetworkSettings\.Ports\..*HostPort"),
    Row("--log-driver none", view=False),
    Row("--log-driver local", view=False),
]


def _rows() -> Iterator[Row]:
    for table in (IDENTITY, NAMES, LIMITS, PLACES, NAMESPACES):
        yield from (Row(line) for line in table.split("\n")[1:-1])
    yield from SPECIAL


ROWS = list(_rows())


@pytest.fixture(scope="module")
def prepared(daemons: Pair) -> Iterator[Pair]:
    """With a container to share namespaces with, and paths to bind."""
    (daemons.shared / "bind/inner").mkdir(parents=True)
    (daemons.shared / "bind/file").write_text("bound\n")
    (daemons.shared / "file").write_text("1.2.3.4 from-the-host\n")
    for daemon in daemons.both:
        daemon.must("run", "-d", "--name", PEER, "--ipc", "shareable", PLAIN, "sleep", "10000")
        daemon.must("run", "-d", "--name", "loner", "--ipc", "private", PLAIN, "sleep", "10000")
    yield daemons
    for daemon in daemons.both:
        daemon.must("rm", "-f", PEER, "loner")
    _remove_parents()


def _remove_parents() -> None:
    """The groups of --cgroup-parent stay, as dockerd leaves them."""
    top = Path("/sys/fs/cgroup")
    found = [each for depth in range(1, 5) for each in top.glob("*/" * depth + "pair-parent")]
    for each in found:
        for group in (each / "below", each):
            with contextlib.suppress(OSError):  # not there, or another session's
                group.rmdir()


def _title(row: Row) -> str:
    return " ".join([row.flags, *[row.image] * (row.image != PLAIN), row.command]).strip() or "-"


@pytest.mark.parametrize("row", ROWS, ids=_title)
def test_the_same_as_dockerd(prepared: Pair, row: Row) -> None:
    assert "\n".join(comparing.compare(prepared, row)) == ""


def test_no_row_is_written_twice() -> None:
    assert len({shlex.join(row.words) for row in ROWS}) == len(ROWS)
