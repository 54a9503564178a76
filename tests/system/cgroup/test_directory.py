"""Control files of cgroups that go away."""

import os

import pytest

from wherry.linux.cgroup.directory import read_control
from wherry.linux.cgroup.layout import Layout

pytestmark = pytest.mark.root


def test_a_file_whose_cgroup_was_removed_is_gone(layout: Layout) -> None:
    hierarchy = layout.of("pids")
    assert hierarchy is not None
    folder = f"{hierarchy.mountpoint}/wherry-test-gone-{os.getpid()}"
    os.mkdir(folder)
    descriptor = os.open(f"{folder}/cgroup.procs", os.O_RDONLY)
    try:
        assert read_control(descriptor) == b""
        os.rmdir(folder)
        with pytest.raises(FileNotFoundError):
            read_control(descriptor)
    finally:
        os.close(descriptor)
