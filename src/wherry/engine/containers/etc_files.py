"""The files under /etc that the engine writes for a container."""

import os

from wherry.engine.engine import Engine
from wherry.engine.records import ContainerRecord, EndpointRecord
from wherry.engine.spec.bundle import hostname
from wherry.engine.spec.facts import Files
from wherry.kit.files import read_optional, write_atomic


def write(engine: Engine, record: ContainerRecord, places: tuple[EndpointRecord, ...]) -> Files:
    """Write them into the container's folder; blocking. Their paths on the host."""
    folder = engine.settings.folders.bundle(record.id)
    name = hostname(record)
    files = Files(*(os.path.join(folder, each) for each in ("hostname", "hosts", "resolv.conf")))
    host = record.request.host_config
    if host.network_mode.startswith("container:"):
        return _of_other(engine, host.network_mode.removeprefix("container:"), files)
    _put(files.hostname, f"{name}\n")
    _put(files.hosts, _hosts(name, places))
    _put(files.resolv_conf, (read_optional("/etc/resolv.conf") or b"").decode())
    return files


def _of_other(engine: Engine, ref: str, own: Files) -> Files:
    """A shared network means shared names."""
    folder = engine.settings.folders.bundle(engine.containers.find(ref).id)
    return own._replace(
        hosts=os.path.join(folder, "hosts"),
        hostname=os.path.join(folder, "hostname"),
        resolv_conf=os.path.join(folder, "resolv.conf"),
    )


def _put(path: str, text: str) -> None:
    """Written in place, so that a bind mount of a running container sees it too."""
    write_atomic(path, text.encode(), mode=0o644, durable=False)


def _hosts(name: str, places: tuple[EndpointRecord, ...]) -> str:
    lines = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    lines += [f"{place.address}\t{name}" for place in places if place.address]
    return "\n".join(lines) + "\n"
