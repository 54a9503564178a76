"""The files under /etc that the engine writes for a container."""

import os

from wherry.engine.engine import Engine
from wherry.engine.records import ContainerRecord, EndpointRecord
from wherry.engine.spec import bundle
from wherry.engine.spec.facts import Files
from wherry.kit.files import read_optional, write_atomic
from wherry.network import resolv

NAMES = ("hostname", "hosts", "resolv.conf")


def write(engine: Engine, record: ContainerRecord, places: tuple[EndpointRecord, ...]) -> Files:
    """Write them into the container's folder; blocking. Their paths on the host."""
    folder = place(engine, record)
    if record.request.host_config.network_mode.startswith("container:"):
        return Files(*(os.path.join(folder, name) for name in NAMES))
    texts = (
        resolv.hostname_file(bundle.hostname(record)),
        _hosts(record, places),
        _resolv_conf(record),
    )
    for name, text in zip(NAMES, texts, strict=True):
        write_atomic(os.path.join(folder, name), text.encode(), mode=0o644, durable=False)
    return Files(*(os.path.join(folder, name) for name in NAMES))


def place(engine: Engine, record: ContainerRecord) -> str:
    """The folder that has them: a shared network means shared names."""
    owner = record.request.host_config.network_mode.partition("container:")[2]
    return engine.settings.folders.bundle(owner or record.id)


def _hosts(record: ContainerRecord, places: tuple[EndpointRecord, ...]) -> str:
    host = record.request.host_config
    gateway = next((place.gateway for place in places if place.gateway), "")
    extra = [resolv.parse_extra_host(text, gateway) for text in host.extra_hosts or []]
    if host.network_mode == "host":
        return resolv.host_mode_hosts(_text("/etc/hosts"), extra)
    name, domain = bundle.hostname(record), record.request.domainname
    short, _, rest = f"{name}.{domain}".strip(".").partition(".")
    return resolv.hosts(
        extra,
        addresses=[place.address for place in places if place.address],
        hostname=short,
        domain=rest,
    )


def _resolv_conf(record: ContainerRecord) -> str:
    host = record.request.host_config
    systemd = read_optional(resolv.SYSTEMD_RESOLV_CONF)
    source = resolv.host_resolv_conf(
        _text(resolv.RESOLV_CONF), systemd.decode(errors="replace") if systemd else None
    )
    if host.network_mode == "host" and not (host.dns or host.dns_search or host.dns_options):
        return source
    return resolv.resolv_conf(
        source,
        dns=host.dns or (),
        search=host.dns_search or (),
        dns_options=host.dns_options or (),
    )


def _text(path: str) -> str:
    return (read_optional(path) or b"").decode(errors="replace")
