"""GET /containers/{id}/json."""

import os

import msgspec

from wherry.dockerapi.container_answers import ContainerInspect, GraphDriver
from wherry.engine import storage
from wherry.engine.containers import answers, etc_files, links
from wherry.engine.engine import Engine
from wherry.engine.records import ContainerRecord
from wherry.kit.clock import rfc3339


async def inspect(engine: Engine, ref: str, size: bool = False) -> ContainerInspect:
    """Everything about one container. Raises NoSuchContainer."""
    container = engine.containers.find(ref)
    record = container.record
    writable = total = None
    if size:
        writable, total = await sizes(engine, record)
    command = [*(record.request.entrypoint or []), *(record.request.cmd or [])]
    paths = _paths(engine, record)
    return ContainerInspect(
        id=record.id,
        created=rfc3339(record.created),
        path=command[0],
        args=tuple(command[1:]),
        state=answers.state(record.state),
        image=record.image,
        resolv_conf_path=paths["/etc/resolv.conf"],
        hostname_path=paths["/etc/hostname"],
        hosts_path=paths["/etc/hosts"],
        log_path=log_path(engine, record),
        name=f"/{record.name}",
        restart_count=record.restart_count,
        driver=storage.driver_name(engine.snapshots),
        platform=record.platform,
        exec_ids=engine.execs.listed(container) or None,
        host_config=msgspec.structs.replace(
            record.request.host_config,
            links=links.shown(record),
        ),
        graph_driver=GraphDriver(
            name=storage.driver_name(engine.snapshots), data=_graph_data(engine, record)
        ),
        size_rw=writable,
        size_root_fs=total,
        mounts=tuple(answers.mount(point) for point in record.mounts if answers.listed(point)),
        config=record.request.config(),
        network_settings=answers.network_settings(record),
    )


def _paths(engine: Engine, record: ContainerRecord) -> dict[str, str]:
    """Where the files for /etc come from: the engine's own, or what the user mounts there."""
    folder = etc_files.place(engine, record)
    own = {f"/etc/{name}": os.path.join(folder, name) for name in etc_files.NAMES}
    mounted = {point.destination: point.source for point in record.mounts}
    return {path: mounted.get(path, source) for path, source in own.items()}


def log_path(engine: Engine, record: ContainerRecord) -> str:
    """The log file; only that of json-file is for others to read."""
    driver = record.request.host_config.log_config.type
    return "" if driver != "json-file" else engine.settings.folders.log(record.id)


async def sizes(engine: Engine, record: ContainerRecord) -> tuple[int, int]:
    """Bytes of the writable layer, and of all layers together."""
    usage = await engine.lanes.long(engine.snapshots.usage, record.id)
    image = engine.catalog.size_of(record.image)
    return usage.bytes, usage.bytes + image


def _graph_data(engine: Engine, record: ContainerRecord) -> dict[str, str]:
    """The mount in Docker's words: LowerDir, UpperDir, WorkDir."""
    names = {"lowerdir": "LowerDir", "upperdir": "UpperDir", "workdir": "WorkDir"}
    found: dict[str, str] = {}
    for mount in engine.snapshots.mounts(record.id):
        for option in mount.options:
            key, _, value = option.partition("=")
            if key.rstrip("+") in names:
                found.setdefault(names[key.rstrip("+")], value)
    return found
