"""Options of mounts as attributes; what the calls say when they fail."""

import os

import pytest

from wherry.linux import mount
from wherry.linux.mount import Attributes


def test_the_last_of_contradicting_options_wins() -> None:
    attributes, rest = mount.split_options(("ro", "nosuid", "rw", "size=1m", "noatime"))
    assert attributes.set == mount.MOUNT_ATTR_NOSUID | mount.MOUNT_ATTR_NOATIME
    assert attributes.clear & mount.MOUNT_ATTR_RDONLY
    assert rest == ("size=1m",)


def test_access_times_exclude_each_other() -> None:
    attributes, _ = mount.split_options(("noatime", "strictatime"))
    assert attributes.set & mount.MOUNT_ATTR__ATIME == mount.MOUNT_ATTR_STRICTATIME
    assert attributes.clear & mount.MOUNT_ATTR_NOATIME


def test_attributes_are_never_set_and_cleared_at_once_but_for_access_times() -> None:
    for word in mount.ATTRIBUTES:
        attributes = Attributes().merged(mount.ATTRIBUTES[word])
        assert not attributes.set & attributes.clear & ~mount.MOUNT_ATTR__ATIME


def test_legacy_flags() -> None:
    wanted = mount.MOUNT_ATTR_RDONLY | mount.MOUNT_ATTR_NOEXEC
    assert mount.legacy_flags(wanted) == mount.MS_RDONLY | mount.MS_NOEXEC


def test_errors_name_call_and_path() -> None:
    with pytest.raises(OSError, match="umount") as caught:
        mount.umount2("/nowhere")
    assert caught.value.filename == "/nowhere"


def test_the_filesystem_is_known_by_descriptor() -> None:
    descriptor = os.open("/proc", os.O_PATH)
    try:
        assert mount.filesystem_type(descriptor) == mount.PROC_SUPER_MAGIC
    finally:
        os.close(descriptor)
