"""Device nodes of the host, looked up for --device and --privileged. Blocking."""

import os
import stat
from typing import TypeVar

import msgspec

from wherry.dockerapi.host_config import DeviceMapping, HostConfig, ThrottleDevice, WeightDevice
from wherry.engine.spec.facts import Device
from wherry.kit.errors import InvalidInput

_OWN = frozenset(("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
                  "/dev/console", "/dev/ptmx"))  # fmt: skip
_SKIPPED = ("/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/fd", "/dev/.lxc", "/dev/.lxd-mounts")


def of(host: HostConfig) -> tuple[Device, ...]:
    """All devices of a container. Raises InvalidInput with dockerd's text."""
    if host.privileged:
        return tuple(_tree("/dev", "/dev", "rwm"))
    found: list[Device] = []
    for mapping in host.devices or []:
        found += _mapped(mapping)
    return tuple(found)


def _mapped(mapping: DeviceMapping) -> list[Device]:
    path = mapping.path_on_host
    target = mapping.path_in_container or path
    access = mapping.cgroup_permissions or "rwm"
    if not set(access) <= set("rwm"):
        raise InvalidInput(f"invalid device mode: {access}")
    real = os.path.realpath(path)
    if os.path.isdir(real):
        return _tree(real, target, access)
    device = _device(real, target, access)
    if device is None:
        raise InvalidInput(
            f'error gathering device information while adding custom device "{path}": '
            + ("not a device node" if os.path.exists(real) else "no such file or directory")
        )
    return [device]


def _tree(path: str, target: str, access: str) -> list[Device]:
    found = []
    pending = [path]  # no recursion: a folder may be deeper than Python's stack
    while pending:
        for source in _entries(pending.pop(), pending):
            inside = os.path.join(target, os.path.relpath(source, path))
            device = None if source in _OWN else _device(source, inside, access)
            if device is not None:
                found.append(device)
    return found


def _entries(folder: str, folders: list[str]) -> list[str]:
    """The paths in a folder; those of folders are added to `folders` instead."""
    found = []
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # it has gone, or its path is too long for the kernel
        return []
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            found.append(entry.path)
        elif entry.path not in _SKIPPED:
            folders.append(entry.path)
    return found


def _device(path: str, target: str, access: str) -> Device | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if not (stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)):
        return None
    return Device(
        path=path,
        target=target,
        kind="c" if stat.S_ISCHR(status.st_mode) else "b",
        major=os.major(status.st_rdev),
        minor=os.minor(status.st_rdev),
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        access=access,
    )


def numbered(host: HostConfig) -> HostConfig:
    """Limits of block devices with `major:minor` in the paths' places. Raises InvalidInput."""
    fields = ("weight_device", "device_read_bps", "device_write_bps", "device_read_iops",
              "device_write_iops")  # fmt: skip
    changes = {f"blkio_{field}": _numbers(getattr(host, f"blkio_{field}")) for field in fields}
    return msgspec.structs.replace(host, **changes)


D = TypeVar("D", WeightDevice, ThrottleDevice)


def _numbers(devices: list[D] | None) -> list[D] | None:
    return devices and [
        msgspec.structs.replace(device, path=_number(device.path)) for device in devices
    ]


def _number(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError as error:
        raise InvalidInput(f"stat {path}: {os.strerror(error.errno or 0).lower()}") from error
    if not stat.S_ISBLK(status.st_mode):
        raise InvalidInput(f"{path} is not a block device")
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
