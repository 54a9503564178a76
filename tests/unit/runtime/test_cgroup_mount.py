"""/proc/self/cgroup."""

from wherry.runtime.cgroup_mount import parse_own_cgroups


def test_hybrid_and_unified() -> None:
    text = "12:cpu,cpuacct:/a\n1:name=systemd:/b:c\n0::/d\n"
    assert parse_own_cgroups(text) == ([("cpu,cpuacct", "/a"), ("name=systemd", "/b:c")], "/d")
    assert parse_own_cgroups("0::/x\n") == ([], "/x")
    assert parse_own_cgroups("3:cpu:/\n") == ([("cpu", "/")], None)
