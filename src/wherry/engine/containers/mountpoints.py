"""Binds, volumes and tmpfs as the client writes them → resolved mount points. Pure.

Three spellings end up as `MountPoint`: `HostConfig.Binds` (`-v`), `HostConfig.Mounts` (`--mount`)
and `HostConfig.Tmpfs`; the image's and the request's `Volumes` become anonymous volumes where
nothing else is mounted.
"""

import posixpath
import re

import msgspec

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.mounts import BindOptions, Mount, TmpfsOptions, VolumeOptions
from wherry.engine.records import MountPoint
from wherry.engine.spec.mounts import PROPAGATIONS, tmpfs_options
from wherry.kit.errors import InvalidInput, Unsupported
from wherry.kit.ids import new_id

_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_MODES = frozenset(("rw", "ro", "z", "Z", "nocopy", *PROPAGATIONS))


def resolve(
    request: ContainerCreateRequest,
    inherited: tuple[MountPoint, ...] = (),
    recursive_readonly: bool = False,
) -> tuple[MountPoint, ...]:
    """All mount points of a merged request. Raises InvalidInput, Unsupported.

    `inherited` come from other containers (--volumes-from) and give way to what is asked for.
    """
    host = request.host_config
    points = [parse_bind(text, host.volume_driver) for text in host.binds or []]
    points += [from_mount(each, recursive_readonly) for each in host.mounts or []]
    if recursive_readonly:
        points = [_readonly_below(point) for point in points]
    points += [
        MountPoint("tmpfs", _destination(path), options=tmpfs_options(options))
        for path, options in (host.tmpfs or {}).items()
    ]
    _refuse_duplicates(points)
    taken = {point.destination for point in points}
    points += [point for point in inherited if point.destination not in taken]
    taken = {point.destination for point in points}
    for path in request.volumes or {}:
        destination = _destination(path)
        if destination not in taken:
            points.append(_anonymous(destination, host.volume_driver))
    return tuple(points)


def _readonly_below(point: MountPoint) -> MountPoint:
    """`-v X:Y:ro` since API 1.44."""
    if point.type != "bind" or point.by_mount or point.rw:
        return point
    return msgspec.structs.replace(point, recursive_readonly=True)


def parse_volumes_from(text: str) -> tuple[str, bool]:
    """`CONTAINER[:MODE]` → the container and whether it may write. Raises InvalidInput."""
    if not text:
        raise InvalidInput("volumes-from specification cannot be an empty string")
    ref, colon, mode = text.partition(":")
    words = mode.split(",") if colon else ["rw"]
    if not set(words) <= {"rw", "ro", "z", "Z"} or {"rw", "ro"} <= set(words):
        raise InvalidInput(f"invalid mode: {mode}")
    return ref, "ro" not in words


def inherit(points: tuple[MountPoint, ...], writable: bool) -> tuple[MountPoint, ...]:
    """Another container's mounts as they are taken over: nothing is copied into them again.

    A tmpfs is only inherited where it was asked for by --mount, as in dockerd.
    """
    return tuple(
        msgspec.structs.replace(point, rw=point.rw and writable, mode="", no_copy=True)
        for point in points
        if point.type != "tmpfs" or point.by_mount
    )


def parse_bind(text: str, driver: str = "") -> MountPoint:
    """`[SOURCE:]DESTINATION[:MODE]`. Raises InvalidInput with dockerd's text."""
    parts = text.split(":")
    if not text:
        raise InvalidInput(f"invalid volume specification: '{text}'")
    if len(parts) == 1:
        return _anonymous(_destination(parts[0]), driver)
    if len(parts) > 3 or not all(parts[:2]):
        raise InvalidInput(f"invalid volume specification: '{text}'")
    source = parts[0]
    kind = "bind" if source.startswith("/") else "volume"
    config = f"invalid volume specification: '{text}': invalid mount config for type \"{kind}\": "
    destination = _destination(parts[1], config)
    modes = frozenset(filter(None, parts[2].split(","))) if len(parts) == 3 else frozenset()
    mode = parts[2] if len(parts) == 3 else ""
    propagation = _checked_propagation(modes, mode)
    writable = "ro" not in modes
    if source.startswith("/"):
        if "nocopy" in modes:
            raise InvalidInput(f"{config}field VolumeOptions must not be specified")
        return MountPoint(
            "bind",
            destination,
            posixpath.normpath(source),
            propagation=propagation or "rprivate",
            create_source=True,
            mode=mode,
            rw=writable,
        )
    if not _VOLUME_NAME.fullmatch(source):
        raise _bad_name(source)
    return MountPoint(
        "volume",
        destination,
        name=source,
        driver=driver or "local",
        no_copy="nocopy" in modes,
        mode=mode or "z",
        rw=writable,
    )


def _bad_name(name: str) -> InvalidInput:
    return InvalidInput(
        f'create {name}: "{name}" includes invalid characters for a local volume name, '
        'only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host '
        "directory, use absolute path"
    )


def _checked_propagation(modes: frozenset[str], text: str) -> str:
    propagations = modes.intersection(PROPAGATIONS)
    if modes - _MODES or len(propagations) > 1 or {"ro", "rw"} <= modes:
        raise InvalidInput(f"invalid mode: {text}")
    return next(iter(propagations), "")


def _anonymous(destination: str, driver: str) -> MountPoint:
    return MountPoint(
        "volume", destination, name=new_id(), driver=driver or "local", anonymous=True
    )


def from_mount(wanted: Mount, recursive_readonly: bool = False) -> MountPoint:
    """`--mount`. Raises InvalidInput with dockerd's text, Unsupported."""
    if not wanted.target:
        raise InvalidInput(
            f'invalid mount config for type "{wanted.type}": field Target must not be empty'
        )
    destination = _destination(wanted.target, f'invalid mount config for type "{wanted.type}": ')
    if wanted.type == "bind":
        return _bind_mount(wanted, destination, recursive_readonly)
    if wanted.type == "volume":
        return _volume_mount(wanted, destination)
    if wanted.type == "tmpfs":
        if wanted.source:
            raise InvalidInput(
                'invalid mount config for type "tmpfs": field Source must not be specified'
            )
        return MountPoint(
            "tmpfs", destination, options=_tmpfs(wanted), rw=not wanted.read_only, by_mount=True
        )
    if wanted.type in ("image", "cluster"):
        raise Unsupported(f"mounts of type {wanted.type!r} are not offered by this engine")
    raise InvalidInput(f'invalid mount config for type "{wanted.type}": mount type unknown')


def _bind_mount(wanted: Mount, destination: str, recursive_readonly: bool) -> MountPoint:
    kind = 'invalid mount config for type "bind"'
    if not wanted.source:
        raise InvalidInput(f"{kind}: field Source must not be empty")
    if not wanted.source.startswith("/"):
        raise InvalidInput(
            f"{kind}: invalid mount path: '{wanted.source}' mount path must be absolute"
        )
    if wanted.volume_options is not None or wanted.tmpfs_options is not None:
        raise InvalidInput(f"{kind}: field VolumeOptions must not be specified")
    options = wanted.bind_options or BindOptions()
    propagation = options.propagation
    _check_recursion(wanted, options, kind)
    if propagation not in ("", *PROPAGATIONS):
        raise InvalidInput(f"{kind}: invalid propagation mode: {propagation}")
    return MountPoint(
        "bind",
        destination,
        posixpath.normpath(wanted.source),
        rw=not wanted.read_only,
        propagation=propagation or "rprivate",
        create_source=options.create_mountpoint,
        by_mount=True,
        recursive=not options.non_recursive,
        recursive_readonly=options.read_only_force_recursive
        or (recursive_readonly and not options.read_only_non_recursive),
        force_recursive_readonly=options.read_only_force_recursive,
    )


def _check_recursion(wanted: Mount, options: BindOptions, kind: str) -> None:
    if options.read_only_non_recursive and options.read_only_force_recursive:
        raise InvalidInput(
            f"{kind}: cannot set both ReadOnlyNonRecursive and ReadOnlyForceRecursive"
        )
    for on, name in (
        (options.read_only_non_recursive, "ReadOnlyNonRecursive"),
        (options.read_only_force_recursive, "ReadOnlyForceRecursive"),
    ):
        if on and not wanted.read_only:
            raise InvalidInput(f"{kind}: mount source must be read-only to use {name}")
    if options.read_only_force_recursive and options.propagation not in ("", "rprivate"):
        raise InvalidInput(
            f"{kind}: ReadOnlyForceRecursive requires bind propagation rprivate, "
            f"not {options.propagation}"
        )


def _volume_mount(wanted: Mount, destination: str) -> MountPoint:
    options = wanted.volume_options
    subpath = _subpath(options.subpath if options else "")
    driver = options.driver_config.name if options and options.driver_config else ""
    if not wanted.source and wanted.read_only:
        raise InvalidInput(
            'invalid mount config for type "volume": '
            "must not set ReadOnly mode when using anonymous volumes"
        )
    if not wanted.source:
        point = _anonymous(destination, driver)
    elif _VOLUME_NAME.fullmatch(wanted.source):
        point = MountPoint("volume", destination, name=wanted.source, driver=driver or "local")
    else:
        raise _bad_name(wanted.source)
    no_copy = bool(options and options.no_copy)
    return MountPoint(
        "volume",
        destination,
        name=point.name,
        driver=point.driver,
        anonymous=point.anonymous,
        rw=not wanted.read_only,
        subpath=subpath,
        volume_labels=(options.labels if options else None) or {},
        volume_options=_driver_options(options),
        no_copy=no_copy,
        mode="z",
        by_mount=True,
    )


def _subpath(path: str) -> str:
    clean = posixpath.normpath(path) if path else ""
    if clean == ".." or clean.startswith(("/", "../")):
        raise InvalidInput(
            'invalid mount config for type "volume": subpath must be a relative path within '
            "the volume"
        )
    return "" if clean == "." else clean


def _driver_options(options: VolumeOptions | None) -> dict[str, str]:
    config = options.driver_config if options else None
    return (config.options if config else None) or {}


def _tmpfs(wanted: Mount) -> tuple[str, ...]:
    options = wanted.tmpfs_options or TmpfsOptions()
    result = ["nosuid", "nodev", "noexec"]
    if options.size_bytes:
        result.append(f"size={options.size_bytes}")
    if options.mode:
        result.append(f"mode={options.mode:o}")
    if wanted.read_only:
        result.append("ro")
    result += ["=".join(pair) for pair in options.options or []]
    return tuple(result)


def _destination(path: str, context: str = "") -> str:
    if not path.startswith("/"):
        raise InvalidInput(f"{context}invalid mount path: '{path}' mount path must be absolute")
    clean = posixpath.normpath("/" + path.lstrip("/"))
    if clean == "/":
        raise InvalidInput(f"{context}invalid specification: destination can't be '/'")
    return clean


def _refuse_duplicates(points: list[MountPoint]) -> None:
    seen: set[str] = set()
    for point in points:
        if point.destination in seen:
            raise InvalidInput(f"Duplicate mount point: {point.destination}")
        seen.add(point.destination)
