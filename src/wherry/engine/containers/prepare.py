"""Everything between "start this" and the monitor: user, files, devices, config.json. Blocking.

The result is a `LaunchRequest`; nothing is running and nothing is mounted yet.
"""

import json
import os
import shutil
from collections.abc import Mapping

import msgspec

from wherry.dockerapi.host_config import LogConfig as LogSettings
from wherry.engine import host_devices, rootfs, users
from wherry.engine.containers import etc_files, links, log_options, propagation
from wherry.engine.engine import Engine
from wherry.engine.records import ContainerRecord, EndpointRecord
from wherry.engine.spec import bundle
from wherry.engine.spec.facts import Facts, Joined, User
from wherry.kit.errors import InvalidInput, PreconditionFailed
from wherry.kit.files import write_atomic
from wherry.kit.units import parse_size
from wherry.linux.mount import Mount
from wherry.linux.path import make_directories_in_root, open_in_root
from wherry.monitor import id_watch
from wherry.monitor.protocol import LaunchRequest, LogConfig

FILE_LIMIT = 4 << 20
"""Bytes of /etc/passwd and /etc/group that are read; an image may hold anything."""
_INIT = ("docker-init", "tini-static", "tini", "catatonit")


def prepared(
    engine: Engine, record: ContainerRecord, places: tuple[EndpointRecord, ...], joined: Joined
) -> LaunchRequest:
    """Raises InvalidInput (no such user, device, bind source), PreconditionFailed."""
    mounts = engine.snapshots.mounts(record.id)
    with rootfs.opened(mounts) as root:
        user = resolved_user(root, record)
        if record.request.working_dir:
            _make_working_directory(root, record.request.working_dir)
    _make_bind_sources(record)
    propagation.check(record.mounts)
    linked = links.linked(engine, record)
    files = etc_files.write(engine, record, places, links.host_entries(linked))
    if record.request.host_config.init:
        files = files._replace(init=init_program())
    facts = Facts(
        host=engine.host,
        user=bundle.effective_user(user, engine.host.ids),
        joined=joined,
        files=files,
        devices=host_devices.of(record.request.host_config),
        linked=tuple(links.environment(record.name, linked)),
        ids_socket=_ids_socket(engine, record),
    )
    folder = engine.settings.folders.bundle(record.id)
    spec = _with_devices(engine, record, bundle.runtime_spec(_with_numbers(record), facts))
    data = json.dumps(spec).encode()
    write_atomic(os.path.join(folder, "config.json"), data, durable=False)
    return _launch_request(engine, record, mounts_of=mounts, folder=folder)


def _with_devices(
    engine: Engine, record: ContainerRecord, spec: dict[str, object]
) -> dict[str, object]:
    """Device requests (--gpus, CDI) put into the specification. Raises InvalidInput."""
    requests = record.request.host_config.device_requests
    if not requests:
        return spec
    from wherry.engine import cdi

    known = cdi.offered(engine.settings.cdi_folders)
    edits = cdi.edits_of(cdi.wanted(requests, known), known)
    return cdi.applied(spec, edits, make_nodes=engine.host.ids == "real")


def _make_working_directory(root: int, path: str) -> None:
    try:
        os.close(make_directories_in_root(root, path))
    except (NotADirectoryError, FileExistsError) as error:
        raise InvalidInput(f"Cannot mkdir: {path} is not a directory") from error


def _with_numbers(record: ContainerRecord) -> ContainerRecord:
    host = host_devices.numbered(record.request.host_config)
    return msgspec.structs.replace(
        record, request=msgspec.structs.replace(record.request, host_config=host)
    )


def _launch_request(
    engine: Engine, record: ContainerRecord, *, mounts_of: tuple[Mount, ...], folder: str
) -> LaunchRequest:
    request = record.request
    host = request.host_config
    height, width = host.console_size
    shared = any(point.propagation in ("shared", "rshared") for point in record.mounts)
    return LaunchRequest(
        container_id=record.id,
        exec_dir=engine.settings.folders.exec_dir(record.id),
        bundle=folder,
        rootfs_mounts=mounts_of,
        runtime=_foreign_runtime(engine, record),
        log=log_config(engine, record),
        tty=request.tty,
        open_stdin=request.open_stdin,
        stdin_once=request.stdin_once,
        propagation="rshared" if shared else "rslave",
        own_pid_namespace=host.pid_mode == "",
        one_id=bool(_ids_socket(engine, record)),
        console_size=(width, height),
        filter_cache=engine.settings.folders.filters,
    )


def _foreign_runtime(engine: Engine, record: ContainerRecord) -> tuple[str, ...]:
    """The command line of a runtime that is not our own."""
    return dict(engine.settings.runtimes).get(record.runtime, ())


def _ids_socket(engine: Engine, record: ContainerRecord) -> str:
    """Where changes of identity are made; empty: they are answered by the filter alone.

    runc and crun change their own identity under the filter, while nobody can answer yet.
    """
    if engine.host.ids != "single" or _foreign_runtime(engine, record):
        return ""
    return id_watch.socket_path(engine.settings.folders.exec_dir(record.id))


def log_config(engine: Engine, record: ContainerRecord, *, sending: bool = True) -> LogConfig:
    """Where and how output is kept, and whereto it is sent on. Raises InvalidInput.

    `sending` False: for a reader, who does not mind that a server is gone.
    """
    log = record.request.host_config.log_config
    options = log.config or {}
    attrs = log_options.attributes(options, record)
    prefix = "cache-" if log.type in log_options.REMOTE else ""
    size = options.get(f"{prefix}max-size", "")
    _check_size(size)
    return LogConfig(
        path=engine.settings.folders.log(record.id),
        driver=_kept_by(log.type, options),
        max_size=-1 if size == "-1" else parse_size(size) if size else engine.settings.log_max_size,
        max_file=_count(options.get(f"{prefix}max-file", str(engine.settings.log_max_files))),
        compress=options.get(f"{prefix}compress", "true") == "true",
        attrs=tuple(sorted(attrs.items())),
        remote=log_options.remote(log, record, attrs) if sending else (),
    )


def _kept_by(driver: str, options: Mapping[str, str]) -> str:
    """What is kept here of a log: all, a copy, or nothing."""
    if driver not in log_options.REMOTE:
        return driver
    return "none" if log_options.keeps_nothing(LogSettings(driver, dict(options))) else "local"


def _check_size(text: str) -> None:
    if text in ("", "-1"):
        return
    try:
        parse_size(text)
    except InvalidInput as error:
        raise InvalidInput(f"failed to initialize logging driver: {error}") from error


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise InvalidInput("failed to initialize logging driver: max-file cannot be less than 1")
    return int(text)


def resolved_user(root: int, record: ContainerRecord, user: str | None = None) -> User:
    """The user of the container, or another one, by the image's own files."""
    text = record.request.user if user is None else user
    add = record.request.host_config.group_add or []
    return users.resolve(text, read_text(root, "etc/passwd"), read_text(root, "etc/group"), add)


def read_text(root: int, path: str) -> str:
    """A file of the image, empty where there is none; never more than FILE_LIMIT."""
    try:
        descriptor = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
    with open(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o170000 != 0o100000:
            return ""
        return file.read(FILE_LIMIT).decode(errors="replace")


def _make_bind_sources(record: ContainerRecord) -> None:
    for point in record.mounts:
        if point.type == "bind" and not os.path.exists(point.source):
            if not point.create_source:
                raise InvalidInput(
                    'invalid mount config for type "bind": '
                    f"bind source path does not exist: {point.source}"
                )
            os.makedirs(point.source, exist_ok=True)


def init_program() -> str:
    """A static init program of the host's. Raises PreconditionFailed where there is none."""
    for name in _INIT:
        path = shutil.which(name, path="/usr/libexec/docker:/usr/libexec/podman:/usr/bin:/usr/sbin")
        if path:
            return path
    raise PreconditionFailed(
        "--init needs an init program on the host: install docker-init, tini or catatonit "
        "(Debian: apt-get install tini)"
    )
