"""Bind sources and the root file system as detached mounts, taken in the caller's namespaces.

They are taken before any namespace is left: with the caller's rights (in a new user namespace
the way to the source may be barred) and from the caller's mount table (a stage that was made
earlier would miss later mounts). `open_tree` (kernel 5.2) needs no path of the container.
"""

import os
import stat
from typing import NamedTuple

from wherry.kit.errors import InvalidInput, NotFound, Unsupported
from wherry.linux import mount
from wherry.linux.libc import is_missing
from wherry.linux.mount import Attributes, Change
from wherry.linux.namespace import IdMap
from wherry.runtime import foreign_tree
from wherry.runtime.devices import brings_own_dev, open_host_devices, wanted_devices
from wherry.runtime.errors import from_os_error
from wherry.runtime.idmaps import user_namespace_with
from wherry.runtime.mount_options import MountOptions, sort_options
from wherry.runtime.spec_types import Linux, Mount, Spec

_SHARING = ("shared", "rshared")


class BindSource(NamedTuple):
    """A detached mount, whether it is a directory, and what is set on it when it is placed."""

    tree: int
    is_directory: bool
    changes: tuple[Change, ...]


class Sources(NamedTuple):
    """The root file system's tree, bind sources by index in `mounts`, host devices by path.

    `devices` is None where nodes are made by mknod.
    """

    root: int
    binds: dict[int, BindSource]
    devices: dict[str, int] | None

    def descriptors(self) -> list[int]:
        """All of them, for whoever closes them."""
        binds = [source.tree for source in self.binds.values()]
        return [self.root, *binds, *(self.devices or {}).values()]


def open_sources(spec: Spec, bundle: str, *, bind_devices: bool) -> Sources:
    """Take everything that comes from the host. Raises NotFound, Unsupported, …

    `bind_devices` takes the host's device nodes as well, for where mknod is not allowed.
    """
    root_path = within_bundle(bundle, spec.root.path)
    root = _clone(root_path, recursive=True, what="root.path")
    opened: dict[int, BindSource] = {}
    sources = Sources(root, opened, {} if bind_devices else None)
    try:
        if sources.devices is not None and not brings_own_dev(spec):
            sources.devices.update(open_host_devices(wanted_devices(spec)))
        for index, entry in enumerate(spec.mounts):
            options = sort_options(entry.options)
            if options.bind and not options.remount:
                opened[index] = _open_bind(entry, options, spec.linux, bundle)
    except BaseException:
        close_sources(sources)
        raise
    return sources


def close_sources(sources: Sources) -> None:
    """Let go of all that was not moved into place."""
    for descriptor in sources.descriptors():
        os.close(descriptor)


def within_bundle(bundle: str, path: str) -> str:
    """An absolute path; a relative one begins at the bundle."""
    return path if path.startswith("/") else os.path.join(bundle, path)


def _open_bind(entry: Mount, options: MountOptions, linux: Linux, bundle: str) -> BindSource:
    what = f"mount {entry.destination}"
    path = within_bundle(bundle, entry.source)
    tree = _clone(path, recursive=options.recursive, what=what)
    try:
        _apply_idmap(tree, entry, options, linux)
        is_directory = stat.S_ISDIR(os.fstat(tree).st_mode)
        return BindSource(tree, is_directory, (*cut_off(linux), *attribute_changes(options)))
    except BaseException as error:
        os.close(tree)
        if isinstance(error, OSError):
            raise from_os_error(what, error) from error
        raise


def _clone(path: str, *, recursive: bool, what: str) -> int:
    try:
        if foreign_tree.is_foreign(path):
            return foreign_tree.clone(path, recursive=recursive)
        return mount.clone_tree(mount.AT_FDCWD, path, recursive=recursive)
    except FileNotFoundError as error:
        raise NotFound(f"{what}: bind source {path} does not exist") from error
    except OSError as error:
        if is_missing(error):
            raise Unsupported("mounts need open_tree(2), kernel 5.2 or newer") from error
        raise from_os_error(what, error) from error


def cut_off(linux: Linux) -> tuple[Change, ...]:
    """What keeps mounts in the container from the host, unless the configuration shares them."""
    if linux.rootfs_propagation in _SHARING:
        return ()
    return (Change(propagation=mount.MS_SLAVE, recursive=True),)


def attribute_changes(options: MountOptions) -> tuple[Change, ...]:
    """A mount's attributes; the mount's own take precedence over recursive ones."""
    changes = (
        Change(options.recursive_attributes, recursive=True),
        Change(options.attributes),
    )
    return tuple(change for change in changes if change.attributes != Attributes())


def _apply_idmap(tree: int, entry: Mount, options: MountOptions, linux: Linux) -> None:
    if not options.idmap and not entry.uid_maps:
        return
    uid_maps, gid_maps = _mount_maps(entry, linux)
    namespace_fd = user_namespace_with(uid_maps, gid_maps)
    try:
        mount.mount_setattr(
            tree,
            Attributes(mount.MOUNT_ATTR_IDMAP),
            recursive=options.idmap == "ridmap",
            userns_fd=namespace_fd,
        )
    except OSError as error:
        if is_missing(error):
            raise Unsupported("idmapped mounts need mount_setattr(2), kernel 5.12") from error
        raise
    finally:
        os.close(namespace_fd)


def _mount_maps(entry: Mount, linux: Linux) -> tuple[tuple[IdMap, ...], tuple[IdMap, ...]]:
    if entry.uid_maps:
        return entry.uid_maps, entry.gid_maps
    if linux.uid_maps:
        return linux.uid_maps, linux.gid_maps
    raise InvalidInput(
        f"mount {entry.destination}: idmap without uidMappings, and the container has none either"
    )
