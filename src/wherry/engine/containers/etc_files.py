"""The files under /etc that the engine writes for a container."""

import os
from collections.abc import Iterable, Sequence

from wherry.engine.engine import Engine
from wherry.engine.records import ContainerRecord, EndpointRecord
from wherry.engine.spec import bundle
from wherry.engine.spec.facts import Files
from wherry.kit.files import read_optional, write_atomic
from wherry.network import resolv

NAMES = ("hostname", "hosts", "resolv.conf")


def write(
    engine: Engine,
    record: ContainerRecord,
    places: tuple[EndpointRecord, ...],
    linked: Sequence[tuple[str, str]] = (),
) -> Files:
    """Write them into the container's folder; blocking. Their paths on the host.

    `linked`: (names, address) of containers that it is linked to.
    """
    folder = place(engine, record)
    if record.request.host_config.network_mode.startswith("container:"):
        return Files(*(os.path.join(folder, name) for name in NAMES))
    texts = (
        resolv.hostname_file(bundle.hostname(record)),
        _hosts(record, places, linked),
        _resolv_conf(engine, record, places),
    )
    for name, text in zip(NAMES, texts, strict=True):
        write_atomic(os.path.join(folder, name), text.encode(), mode=0o644, durable=False)
    return Files(*(os.path.join(folder, name) for name in NAMES))


def place(engine: Engine, record: ContainerRecord) -> str:
    """The folder that has them: a shared network means shared names."""
    owner = record.request.host_config.network_mode.partition("container:")[2]
    return engine.settings.folders.bundle(owner or record.id)


def _hosts(
    record: ContainerRecord,
    places: tuple[EndpointRecord, ...],
    linked: Sequence[tuple[str, str]],
) -> str:
    host = record.request.host_config
    gateway = next((place.gateway for place in places if place.default_route), "")
    extra = [resolv.parse_extra_host(text, gateway) for text in host.extra_hosts or []]
    if host.network_mode == "host":
        return resolv.host_mode_hosts(_text("/etc/hosts"), extra)
    short, rest = _own_name(record)
    return resolv.hosts(
        [*extra, *linked], addresses=_addresses(places), hostname=short, domain=rest
    )


def _own_name(record: ContainerRecord) -> tuple[str, str]:
    """Host name and domain."""
    name, domain = bundle.hostname(record), record.request.domainname
    short, _, rest = f"{name}.{domain}".strip(".").partition(".")
    return short, rest


def _addresses(places: Iterable[EndpointRecord]) -> list[str]:
    return [each for place in places for each in (place.address, place.address6) if each]


def follow(
    engine: Engine,
    record: ContainerRecord,
    before: tuple[EndpointRecord, ...],
    now: tuple[EndpointRecord, ...],
) -> None:
    """A running container's networks have changed. The files are mounted: written in place.

    Of its hosts file only our own lines change; it may have written there itself.
    """
    folder = place(engine, record)
    short, rest = _own_name(record)
    path = os.path.join(folder, "hosts")
    text = resolv.hosts_changed(
        _text(path), _addresses(before), _addresses(now), hostname=short, domain=rest
    )
    _rewrite(path, text)
    resolved = [engine.networking.names.serves(record, each) for each in (before, now)]
    if resolved[0] != resolved[1]:
        _rewrite(os.path.join(folder, "resolv.conf"), _resolv_conf(engine, record, now))


def _rewrite(path: str, text: str) -> None:
    with open(path, "r+b") as file:
        file.write(text.encode())
        file.truncate()


def _resolv_conf(
    engine: Engine, record: ContainerRecord, places: tuple[EndpointRecord, ...]
) -> str:
    text = _host_resolv_conf(record)
    served = engine.networking.names.serves(record, places)
    return resolv.embedded_resolv_conf(text) if served else text


def _host_resolv_conf(record: ContainerRecord) -> str:
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
