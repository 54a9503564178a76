"""The container's /dev: nodes, links, ptmx (config-linux.md, Default Devices).

In a user namespace mknod is EPERM, so the host's nodes are bound there instead; which of the two
is done is the caller's decision, not a guess.
"""

import os
import stat

from wherry.kit.errors import InvalidInput
from wherry.linux import mount
from wherry.linux.path import make_directories_in_root, open_in_root
from wherry.runtime.placing import place
from wherry.runtime.spec_types import Device, Spec

DEFAULT = (
    Device("/dev/null", "c", 1, 3),
    Device("/dev/zero", "c", 1, 5),
    Device("/dev/full", "c", 1, 7),
    Device("/dev/random", "c", 1, 8),
    Device("/dev/urandom", "c", 1, 9),
    Device("/dev/tty", "c", 5, 0),
)
_LINKS = (
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
)
_KINDS = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}


def wanted_devices(spec: Spec) -> tuple[Device, ...]:
    """The default nodes and the configured ones; a configured one replaces a default."""
    devices = {device.path: device for device in DEFAULT}
    devices |= {device.path: device for device in spec.linux.devices}
    return tuple(devices.values())


def open_host_devices(devices: tuple[Device, ...]) -> dict[str, int]:
    """Detached binds of the host's nodes, by path, for where mknod is not allowed.

    Raises InvalidInput where the host has no such node.
    """
    trees: dict[str, int] = {}
    try:
        for device in devices:
            if device.type != "p":
                trees[device.path] = _clone_host_device(device)
    except BaseException:
        for tree in trees.values():
            os.close(tree)
        raise
    return trees


def _clone_host_device(device: Device) -> int:
    try:
        tree = mount.clone_tree(mount.AT_FDCWD, device.path, recursive=False)
    except FileNotFoundError as error:
        raise InvalidInput(
            f"device {device.path}: the host has none to bind, and mknod is not allowed "
            "in a user namespace"
        ) from error
    if os.fstat(tree).st_rdev != os.makedev(device.major, device.minor):
        os.close(tree)
        raise InvalidInput(f"device {device.path}: the host's node is another device")
    return tree


def make_devices(root_fd: int, devices: tuple[Device, ...], bound: dict[str, int] | None) -> None:
    """Make all nodes; `bound` are open_host_devices' trees, None means mknod."""
    for device in devices:
        if bound is not None and device.path in bound:
            private = (mount.Change(propagation=mount.MS_PRIVATE),)
            place(root_fd, bound[device.path], device.path, is_directory=False, changes=private)
        else:
            _make_node(root_fd, device)


def _make_node(root_fd: int, device: Device) -> None:
    """mknod in the real parent; an equal node that is there already is right."""
    parent_path, _, name = device.path.rpartition("/")
    parent = make_directories_in_root(root_fd, parent_path or "/")
    try:
        number = os.makedev(device.major, device.minor)
        try:
            os.mknod(name, _KINDS[device.type] | device.mode, number, dir_fd=parent)
        except FileExistsError:
            _check_existing(parent, name, device, number)
            return
        os.chown(name, device.uid, device.gid, dir_fd=parent, follow_symlinks=False)
        # no chmod: the umask is 0 here, and a chmod by name would follow what a rename put there
    except OSError as error:
        raise OSError(error.errno, f"mknod: {error.strerror}", device.path) from error
    finally:
        os.close(parent)


def _check_existing(parent: int, name: str, device: Device, number: int) -> None:
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    same_kind = stat.S_IFMT(status.st_mode) == _KINDS[device.type]
    if not same_kind or (device.type != "p" and status.st_rdev != number):
        raise InvalidInput(f"device {device.path}: something else lies there already")


def make_links(root_fd: int) -> None:
    """/dev/fd, stdin, stdout, stderr, ptmx; what the image brings is kept, but for ptmx."""
    directory = make_directories_in_root(root_fd, "/dev")
    try:
        for target, name in _LINKS:
            _make_link(directory, target, name)
        if _has_kcore(root_fd):
            _make_link(directory, "/proc/kcore", "core")
    finally:
        os.close(directory)


def _make_link(directory: int, target: str, name: str) -> None:
    try:
        os.symlink(target, name, dir_fd=directory)
    except FileExistsError:
        if name != "ptmx":
            return
        os.unlink(name, dir_fd=directory)  # the image's node would be another devpts'
        os.symlink(target, name, dir_fd=directory)


def _has_kcore(root_fd: int) -> bool:
    try:
        os.close(open_in_root(root_fd, "/proc/kcore", os.O_PATH | os.O_NOFOLLOW))
    except OSError:
        return False
    return True


def brings_own_dev(spec: Spec) -> bool:
    """Whether /dev is a bind mount: then its contents are the caller's business."""
    for entry in spec.mounts:
        is_bind = "bind" in entry.options or "rbind" in entry.options
        if is_bind and os.path.normpath(entry.destination) == "/dev":
            return True
    return False
