"""Id maps and raw forks; what needs rights is in the system tests."""

import os

import pytest

from wherry.linux import namespace
from wherry.linux.namespace import IdMap


def test_maps_as_the_kernel_writes_them() -> None:
    assert str(IdMap(0, 1000, 1)) == "0 1000 1"
    assert all(isinstance(line, IdMap) for line in namespace.read_map())


def test_names_of_flags() -> None:
    assert namespace.names_of(namespace.CLONE_NEWPID | namespace.CLONE_NEWNET) == "net,pid"


def test_a_failing_call_names_the_namespaces() -> None:
    descriptor = os.open("/dev/null", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match=r"setns\(net\)"):
            namespace.setns(descriptor, namespace.CLONE_NEWNET)
    finally:
        os.close(descriptor)


def test_a_plain_fork() -> None:
    pid = namespace.fork()
    if pid == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_a_raw_fork_that_fails_leaves_python_working() -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="clone3"):
        namespace.fork(cgroup_fd=2**20)
    assert os.listdir("/proc/self/fd") == before


def test_inodes_tell_namespaces_apart() -> None:
    assert namespace.inode_of("self", "net") == namespace.inode_of(os.getpid(), "net")
    assert namespace.inode_of("self", "net") != namespace.inode_of("self", "mnt")
