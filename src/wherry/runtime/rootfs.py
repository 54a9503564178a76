"""The container's file system tree: its root, mounts, devices, masks, and the step into it."""

import os
from typing import NamedTuple

from wherry.kit.errors import Unsupported
from wherry.linux import mount
from wherry.linux.mount import Attributes, Change
from wherry.linux.path import make_directories_in_root, open_in_root
from wherry.runtime.cgroup_mount import mount_cgroup
from wherry.runtime.copy_up import copy_tree
from wherry.runtime.devices import brings_own_dev, make_devices, make_links, wanted_devices
from wherry.runtime.errors import from_os_error
from wherry.runtime.masks import READONLY, make_paths_readonly, mask_paths
from wherry.runtime.mount_options import MountOptions, propagation_of, sort_options
from wherry.runtime.placing import place, place_kernel_filesystem
from wherry.runtime.sources import Sources, attribute_changes, cut_off, within_bundle
from wherry.runtime.spec_types import Mount, Spec
from wherry.runtime.trusted import HostFiles

_WITHOUT_READONLY_SUPERBLOCK = frozenset(
    ("proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "ramfs", "overlay")
)


class RootFs(NamedTuple):
    """What the steps below share."""

    spec: Spec
    bundle: str
    root_fd: int
    sources: Sources
    host: HostFiles


def attach_root(spec: Spec, bundle: str, sources: Sources) -> int:
    """Cut the propagation to the host and attach the root's tree; a descriptor on the new root.

    pivot_root wants the mount under the new root not to be shared. Where the tree cannot be
    attached at its own path (a user namespace may not reach it; a shared propagation is wanted),
    it is stacked on `/`.
    """
    flag, recursive = propagation_of(spec.linux.rootfs_propagation) or (mount.MS_SLAVE, True)
    mount.mount(None, "/", None, flag | mount.MS_REC)
    path = within_bundle(bundle, spec.root.path)
    if flag == mount.MS_SHARED:
        mount.mount(None, "/", None, mount.MS_PRIVATE)
        path = "/"
    del recursive
    try:
        mount.move_mount(sources.root, "", mount.AT_FDCWD, path)
    except PermissionError:
        mount.move_mount(sources.root, "", mount.AT_FDCWD, "/")
    for change in cut_off(spec.linux):
        mount.apply_change(sources.root, change)
    return sources.root


def mount_all(root: RootFs) -> None:
    """Every entry of `mounts` in order, then the devices. Errors name the destination."""
    for index, entry in enumerate(root.spec.mounts):
        try:
            _mount_entry(root, index, entry)
        except OSError as error:
            raise from_os_error(f"mount {entry.type} to {entry.destination}", error) from error
    if not brings_own_dev(root.spec):
        make_devices(root.root_fd, wanted_devices(root.spec), root.sources.devices)
        make_links(root.root_fd)


def _mount_entry(root: RootFs, index: int, entry: Mount) -> None:
    options = sort_options(entry.options)
    destination = "/" + entry.destination.lstrip("/")
    if options.remount:
        _remount(root.root_fd, destination, options)
    elif options.bind:
        source = root.sources.binds[index]
        place(
            root.root_fd,
            source.tree,
            destination,
            is_directory=source.is_directory,
            changes=source.changes,
        )
        _propagate(source.tree, options)
    elif entry.type in ("cgroup", "cgroup2"):
        mount_cgroup(root.root_fd, destination, options, root.spec.linux)
    else:
        _mount_filesystem(root, entry, destination, options)


def _remount(root_fd: int, destination: str, options: MountOptions) -> None:
    if options.data:
        raise Unsupported(f"mount {destination}: remount with {','.join(options.data)}")
    target = open_in_root(root_fd, destination, os.O_PATH)
    try:
        for change in attribute_changes(options):
            mount.apply_change(target, change)
        _propagate(target, options)
    finally:
        os.close(target)


def _propagate(tree: int, options: MountOptions) -> None:
    """After the move: a shared parent would have made the mount shared again."""
    for flag, recursive in options.propagation:
        mount.apply_change(tree, Change(propagation=flag, recursive=recursive))


def _mount_filesystem(root: RootFs, entry: Mount, destination: str, options: MountOptions) -> None:
    tree, changes = _create(root, entry, destination, options)
    try:
        if options.copy_up:
            _copy_up(root.root_fd, destination, tree)
        changes += attribute_changes(
            MountOptions(recursive_attributes=options.recursive_attributes)
        )
        if entry.type in ("proc", "sysfs"):
            place_kernel_filesystem(root.root_fd, tree, destination, changes)
        else:
            place(root.root_fd, tree, destination, is_directory=True, changes=changes)
        _propagate(tree, options)
        if options.readonly and options.copy_up:
            mount.apply_change(tree, READONLY)
    finally:
        os.close(tree)


def _create(
    root: RootFs, entry: Mount, destination: str, options: MountOptions
) -> tuple[int, tuple[Change, ...]]:
    """(A detached mount of the file system, changes to place it with).

    It is writable where something is still to be put into it.
    """
    attributes = options.attributes.set
    if destination == "/dev" or options.copy_up:
        attributes &= ~mount.MOUNT_ATTR_RDONLY
    data = options.data
    if options.readonly and entry.type not in _WITHOUT_READONLY_SUPERBLOCK:
        data = (*data, "ro")
    if entry.type == "tmpfs" and not any(word.startswith("mode=") for word in data):
        data = (*data, *_mode_of(root.root_fd, destination))
    if root.spec.linux.mount_label and entry.type in ("tmpfs", "devpts", "mqueue", "ramfs"):
        data = (*data, f"context={root.spec.linux.mount_label}")
    try:
        return mount.create(entry.type, entry.source or entry.type, data, attributes), ()
    except PermissionError:
        if entry.type not in ("proc", "sysfs"):
            raise
    return _bind_hosts_own(root, entry.type, attributes)


def _bind_hosts_own(root: RootFs, fstype: str, attributes: int) -> tuple[int, tuple[Change, ...]]:
    """The caller's /proc or /sys instead of a new one, which a user namespace may be refused.

    The kernel refuses where the outer one is partly covered ("too revealing"), and sysfs also
    where the network namespace belongs to somebody else.
    """
    if fstype == "proc":
        tree = mount.clone_tree(root.host.proc, "", recursive=True)
    else:
        tree = mount.clone_tree(mount.AT_FDCWD, "/sys", recursive=True)
    slave = Change(propagation=mount.MS_SLAVE, recursive=True)
    return tree, (slave, Change(Attributes(attributes), recursive=True))


def _mode_of(root_fd: int, destination: str) -> tuple[str, ...]:
    """A tmpfs takes over the mode of the directory under it, as runc's does."""
    try:
        directory = open_in_root(root_fd, destination, os.O_PATH | os.O_DIRECTORY)
    except OSError:
        return ()
    try:
        return (f"mode={os.fstat(directory).st_mode & 0o7777:04o}",)
    finally:
        os.close(directory)


def _copy_up(root_fd: int, destination: str, tree: int) -> None:
    made = make_directories_in_root(root_fd, destination)
    os.close(made)
    source = open_in_root(root_fd, destination, os.O_RDONLY | os.O_DIRECTORY)
    try:
        target = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=tree)
        try:
            copy_tree(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def make_working_directory(root_fd: int, path: str) -> None:
    """Make the working directory where it is missing, as runc does; what cannot be is said later.

    A read-only root, for one, leaves the error to the step that enters the directory.
    """
    try:
        os.close(make_directories_in_root(root_fd, path))
    except OSError:
        return


def protect(root: RootFs) -> None:
    """Read-only and masked paths, /dev and the root read-only where asked for."""
    linux = root.spec.linux
    make_paths_readonly(root.root_fd, linux.readonly_paths)
    mask_paths(root.root_fd, linux.masked_paths, root.host.null)
    for entry in root.spec.mounts:
        if os.path.normpath(entry.destination) == "/dev":
            options = sort_options(entry.options)
            if options.readonly and not options.bind:
                _make_readonly(root.root_fd, "/dev")
    if root.spec.root.readonly:
        mount.apply_change(root.root_fd, READONLY)


def _make_readonly(root_fd: int, path: str) -> None:
    target = open_in_root(root_fd, path, os.O_PATH)
    try:
        mount.apply_change(target, READONLY)
    finally:
        os.close(target)


def enter(root: RootFs, *, no_pivot: bool) -> None:
    """Make the new root ours and let the old one go (pivot_root(2), `.`, `.`)."""
    if no_pivot:
        os.fchdir(root.root_fd)
        mount.move_mount(root.root_fd, "", mount.AT_FDCWD, "/")
        os.chroot(".")
    else:
        _pivot(root.root_fd)
    os.chdir("/")
    final = propagation_of(root.spec.linux.rootfs_propagation)
    if final is not None:
        mount.mount(None, "/", None, final[0] | (mount.MS_REC if final[1] else 0))


def _pivot(root_fd: int) -> None:
    """Stack the old root on the new one, then let it go without the host noticing."""
    old = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fchdir(root_fd)
        mount.pivot_root(".", ".")
        os.fchdir(old)  # `.` would be the new root to mount(2), which must keep its propagation
        mount.mount(None, ".", None, mount.MS_SLAVE | mount.MS_REC)
        mount.umount2(".", mount.MNT_DETACH)
    finally:
        os.close(old)
