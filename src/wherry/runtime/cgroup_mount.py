"""The cgroup file system inside a container: v2 as one mount, v1 and hybrid as one a controller."""

import os

from wherry.linux import mount
from wherry.linux.mount import Attributes, Change
from wherry.linux.path import open_in_root
from wherry.linux.process import read_small
from wherry.runtime.mount_options import MountOptions
from wherry.runtime.placing import place
from wherry.runtime.spec_types import Linux

_ROOT = "/sys/fs/cgroup"


def parse_own_cgroups(text: str) -> tuple[list[tuple[str, str]], str | None]:
    """/proc/self/cgroup → ([(v1 controllers, path)], v2 path or None) (cgroups(7))."""
    version_1: list[tuple[str, str]] = []
    version_2: str | None = None
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers:
            version_1.append((controllers, path))
        else:
            version_2 = path
    return version_1, version_2


def mount_cgroup(root_fd: int, destination: str, options: MountOptions, linux: Linux) -> None:
    """Mount what the machine has; called once we are in our cgroup and its namespace.

    With a cgroup namespace the container's own cgroup is the root it sees; without, its own
    directory of each hierarchy is bound.
    """
    version_1, version_2 = parse_own_cgroups(read_small("/proc/self/cgroup"))
    own_namespace = linux.namespace("cgroup") is not None
    if not version_1:
        tree = _version_2_tree(version_2 or "/", own_namespace)
        _finish(root_fd, tree, destination, options.attributes)
        return
    _mount_version_1(root_fd, destination, options, version_1, own_namespace)


def _version_2_tree(path: str, own_namespace: bool) -> int:
    try:
        if own_namespace:
            return mount.create("cgroup2", "cgroup", ())
    except OSError as error:
        if not isinstance(error, PermissionError) and error.errno != 16:  # EBUSY
            raise
    inside = "/" if own_namespace else path
    return mount.clone_tree(mount.AT_FDCWD, _ROOT + inside.rstrip("/"), recursive=False)


def _finish(root_fd: int, tree: int, destination: str, attributes: Attributes) -> None:
    try:
        changes = (Change(propagation=mount.MS_PRIVATE), Change(attributes))
        place(root_fd, tree, destination, is_directory=True, changes=changes)
    finally:
        os.close(tree)


def _mount_version_1(
    root_fd: int,
    destination: str,
    options: MountOptions,
    hierarchies: list[tuple[str, str]],
    own_namespace: bool,
) -> None:
    safe = mount.MOUNT_ATTR_NOSUID | mount.MOUNT_ATTR_NODEV | mount.MOUNT_ATTR_NOEXEC
    folder = mount.create("tmpfs", "tmpfs", ("mode=755",), safe)
    try:
        place(root_fd, folder, destination, is_directory=True)
        for controllers, path in hierarchies:
            tree = _version_1_tree(controllers, path, own_namespace)
            if tree is None:
                continue
            name = controllers.removeprefix("name=")
            _finish(root_fd, tree, f"{destination}/{name}", options.attributes)
            _link_controllers(root_fd, destination, name)
        if options.readonly:
            mount.apply_change(folder, Change(Attributes(mount.MOUNT_ATTR_RDONLY)))
    finally:
        os.close(folder)


def _version_1_tree(controllers: str, path: str, own_namespace: bool) -> int | None:
    """A mount of the hierarchy as the container shall see it; None where the host has none."""
    name = controllers.removeprefix("name=")
    if own_namespace:
        word = f"name={name}" if controllers.startswith("name=") else controllers
        words = tuple(word.split(",")) if "=" not in word else ("none", word)
        try:
            return mount.create("cgroup", "cgroup", words)
        except PermissionError:
            path = "/"  # a user namespace that does not own the cgroup namespace
    try:
        return mount.clone_tree(
            mount.AT_FDCWD, f"{_ROOT}/{name}{path.rstrip('/')}", recursive=False
        )
    except FileNotFoundError:
        return None


def _link_controllers(root_fd: int, destination: str, name: str) -> None:
    """`cpu` → `cpu,cpuacct`: joint controllers are also found by their single names."""
    parts = name.split(",")
    if len(parts) == 1:
        return
    directory = open_in_root(root_fd, destination, os.O_PATH | os.O_DIRECTORY)
    try:
        for part in parts:
            os.symlink(name, part, dir_fd=directory)
    finally:
        os.close(directory)
