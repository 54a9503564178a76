"""Finding the hierarchies, from texts of real machines."""

from wherry.linux.cgroup.layout import Hierarchy, Layout, detect, parse

V2_MOUNTS = """\
24 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
"""

HYBRID_MOUNTS = """\
31 25 0:27 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
32 31 0:28 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate
33 31 0:29 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd
35 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw shared:16 - cgroup cgroup rw,cpu,cpuacct
34 31 0:32 / /mnt/odd\\040name rw - cgroup cgroup rw,memory
36 31 0:32 / /sys/fs/cgroup/memory rw shared:15 - cgroup cgroup rw,memory
"""
HYBRID_PLACES = """\
4:memory:/user.slice
3:cpu,cpuacct:/
2:pids:/nowhere/mounted
1:name=systemd:/user.slice/session-1.scope
0::/user.slice/session-1.scope
"""


def test_unified() -> None:
    assert parse(V2_MOUNTS, "0::/system.slice/a.service\n") == Layout(
        (), Hierarchy(2, frozenset(), "/sys/fs/cgroup", "system.slice/a.service")
    )


def test_hybrid() -> None:
    layout = parse(HYBRID_MOUNTS, HYBRID_PLACES)
    assert layout.v1 == (
        Hierarchy(1, frozenset({"memory"}), "/sys/fs/cgroup/memory", "user.slice"),
        Hierarchy(1, frozenset({"cpu", "cpuacct"}), "/sys/fs/cgroup/cpu,cpuacct", ""),
        Hierarchy(
            1,
            frozenset({"name=systemd"}),
            "/sys/fs/cgroup/systemd",
            "user.slice/session-1.scope",
        ),
    )
    assert layout.unified is not None
    assert layout.unified.mountpoint == "/sys/fs/cgroup/unified"


def test_a_controller_is_found_in_either_version() -> None:
    unified = Hierarchy(2, frozenset({"hugetlb"}), "/u", "")
    memory = Hierarchy(1, frozenset({"memory"}), "/m", "")
    layout = Layout((memory,), unified)
    assert layout.of("memory") is memory
    assert layout.of("hugetlb") is unified
    assert layout.of("rdma") is None
    assert Layout((memory,), None).of("hugetlb") is None


def test_inside_a_container_the_mount_is_a_part_of_the_hierarchy() -> None:
    mounts = "36 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    assert parse(mounts, "4:memory:/docker/abc\n").v1[0].own == ""
    assert parse(mounts, "4:memory:/docker/abc/below\n").v1[0].own == "below"
    assert parse(mounts, "4:memory:/docker/abcd\n").v1[0].own == ""


def test_nothing_mounted() -> None:
    assert parse("24 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "0::/\n") == Layout((), None)


def test_a_space_in_a_mount_point() -> None:
    mounts = "34 31 0:32 / /mnt/odd\\040name rw - cgroup cgroup rw,memory\n"
    assert parse(mounts, "4:memory:/\n").v1[0].mountpoint == "/mnt/odd name"


def test_this_machine() -> None:
    layout = detect()
    assert layout.unified is None or layout.unified.version == 2
    assert all(hierarchy.controllers for hierarchy in layout.v1)
