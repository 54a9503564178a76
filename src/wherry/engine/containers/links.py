"""`--link` on the default bridge: variables, names in /etc/hosts. Old, and still much used.

On other networks a link is an alias in the network's endpoint settings, and resolved by name.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.ports import parse_port
from wherry.engine.engine import Engine
from wherry.engine.records import ContainerRecord, LinkRecord
from wherry.kit.errors import Conflict, InvalidInput, NotFound

DEFAULT_NETWORKS = ("", "default", "bridge")
_NOT_PASSED_ON = ("HOME", "PATH")
_UNLINKED = ("host", "none")


class Linked(NamedTuple):
    """A container that another one is linked to, as it runs now. Ports are (number, protocol)."""

    alias: str
    name: str
    hostname: str
    address: str
    environment: tuple[str, ...] = ()
    ports: tuple[tuple[int, str], ...] = ()


def parse(text: str) -> tuple[str, str]:
    """`NAME[:ALIAS]`, or `/NAME:/OWNER/ALIAS` as inspect shows it. Raises InvalidInput."""
    if not text:
        raise InvalidInput("empty string specified for links")
    name, colon, alias = text.partition(":")
    if ":" in alias:
        raise InvalidInput(f"bad format for links: {text}")
    if not colon:
        return name, name
    if name.startswith("/"):
        return name[1:], alias.rpartition("/")[2]
    return name, alias


def resolved(engine: Engine, asked: ContainerCreateRequest) -> tuple[LinkRecord, ...]:
    """The links of a new container. Raises InvalidInput."""
    host = asked.host_config
    if not host.links or host.network_mode not in (*DEFAULT_NETWORKS, *_UNLINKED):
        return ()
    if host.network_mode == "host":
        raise InvalidInput(
            "conflicting options: host type networking can't be used with links. "
            "This would result in undefined behavior"
        )
    return tuple(_resolved(engine, *parse(text)) for text in host.links)


def _resolved(engine: Engine, name: str, alias: str) -> LinkRecord:
    try:
        other = engine.containers.find(name)
    except NotFound as error:
        raise InvalidInput(f"could not get container for {name}: {error}") from error
    if other.record.request.host_config.network_mode == "host":
        raise InvalidInput(
            "conflicting options: host type networking can't be used with links. "
            "This would result in undefined behavior"
        )
    return LinkRecord(other.id, other.record.name, alias)


def shown(record: ContainerRecord) -> list[str] | None:
    """HostConfig.Links of inspect."""
    return [f"/{link.name}:/{record.name}/{link.alias}" for link in record.links] or None


async def remove(engine: Engine, text: str) -> None:
    """Forget `OWNER/ALIAS`; a running owner keeps what it has got of it.

    Raises NotFound, InvalidInput.
    """
    name, slash, alias = text.strip("/").rpartition("/")
    if not slash:
        raise InvalidInput("Conflict, cannot remove the default link name of the container")
    container = engine.containers.find(name)
    async with container.lock:
        without = _without(container.record, alias)
        if without == container.record:
            raise InvalidInput(f"Could not get parent for /{name}/{alias}: it has no such link")
        await engine.containers.update(container, without)


def _without(record: ContainerRecord, alias: str) -> ContainerRecord:
    host = record.request.host_config
    asked = [text for text in host.links or [] if parse(text)[1] != alias]
    request = msgspec.structs.replace(
        record.request, host_config=msgspec.structs.replace(host, links=asked or None)
    )
    kept = tuple(link for link in record.links if link.alias != alias)
    return msgspec.structs.replace(record, links=kept, request=request)


def linked(engine: Engine, record: ContainerRecord) -> tuple[Linked, ...]:
    """What the links lead to now. Raises Conflict where it does not run."""
    if record.request.host_config.network_mode not in DEFAULT_NETWORKS:
        return ()
    return tuple(_linked(engine, record, link) for link in record.links)


def _linked(engine: Engine, owner: ContainerRecord, link: LinkRecord) -> Linked:
    try:
        other = engine.containers.find(link.container)
    except NotFound:
        other = None
    if other is None or not other.running:
        raise Conflict(
            f"Cannot link to a non running container: /{link.name} AS /{owner.name}/{link.alias}"
        )
    record = other.record
    address = next((each.address for each in record.endpoints if each.network == "bridge"), "")
    if not address:
        raise InvalidInput(
            f"Cannot link to /{record.name}, as it does not belong to the default network"
        )
    ports = [parse_port(text) for text in record.request.exposed_ports or {}]
    return Linked(
        alias=link.alias,
        name=record.name,
        hostname=record.request.hostname,
        address=address,
        environment=tuple(record.request.env or ()),
        ports=tuple((each.number, each.protocol) for each in ports),
    )


def host_entries(found: Iterable[Linked]) -> list[tuple[str, str]]:
    """(names, address) for /etc/hosts."""
    return [(_names(each), each.address) for each in found]


def _names(each: Linked) -> str:
    names = [each.alias, each.hostname] + [each.name] * (each.name != each.alias)
    return " ".join(names)


def environment(owner: str, found: Iterable[Linked]) -> list[str]:
    """The variables of all links, named as Docker has always named them."""
    return [entry for each in found for entry in _variables(owner, each)]


def _variables(owner: str, each: Linked) -> list[str]:
    prefix = each.alias.upper().replace("-", "_")
    ports = sorted(each.ports, key=lambda port: (port[0], port[1] != "tcp"))
    result = []
    if ports:
        result.append(f"{prefix}_PORT={_url(each, *ports[0])}")
    for run in _runs(ports):
        result += _range(prefix, each, run)
    for number, protocol in ports:
        result += _single(prefix, each, number, protocol)
    result.append(f"{prefix}_NAME=/{owner}/{each.alias}")
    for entry in each.environment:
        name, equals, _ = entry.partition("=")
        if equals and name not in _NOT_PASSED_ON:
            result.append(f"{prefix}_ENV_{entry}")
    return result


def _url(each: Linked, number: int, protocol: str) -> str:
    return f"{protocol}://{each.address}:{number}"


def _single(prefix: str, each: Linked, number: int, protocol: str) -> list[str]:
    name = f"{prefix}_PORT_{number}_{protocol.upper()}"
    return [
        f"{name}={_url(each, number, protocol)}",
        f"{name}_ADDR={each.address}",
        f"{name}_PORT={number}",
        f"{name}_PROTO={protocol}",
    ]


def _range(prefix: str, each: Linked, run: list[tuple[int, str]]) -> list[str]:
    (first, protocol), (last, _) = run[0], run[-1]
    name = f"{prefix}_PORT_{first}_{protocol.upper()}"
    return [
        f"{name}_START={_url(each, first, protocol)}",
        f"{name}_ADDR={each.address}",
        f"{name}_PROTO={protocol}",
        f"{name}_PORT_START={first}",
        f"{name}_END={_url(each, last, protocol)}",
        f"{name}_PORT_END={last}",
    ]


def _runs(ports: list[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    """Ports that follow each other, as Docker finds them: three or more, whatever the protocol.

    The count goes up by one with each port, so one that is there twice leaves room for a gap.
    """
    runs, at = [], 0
    while at < len(ports):
        end = at + 1
        while end < len(ports) and ports[end][0] <= ports[at][0] + end - at:
            end += 1
        long_enough = end - at > 2
        if long_enough:
            runs.append(ports[at:end])
        at = end if long_enough else at + 1
    return runs
