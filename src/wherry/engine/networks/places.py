"""A container's places in networks: which, what they are called, which one leads out. Pure."""

from collections.abc import Callable, Iterable

import msgspec

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.endpoints import EndpointSettings
from wherry.dockerapi.host_config import HostConfig
from wherry.engine.networks.record import NetworkRecord
from wherry.engine.records import ContainerRecord, EndpointRecord
from wherry.kit.errors import InvalidInput, NotPermitted
from wherry.kit.ids import short_id

ONE_ONLY = ("host", "null")
"""Drivers whose network excludes every other one."""

Find = Callable[[str], NetworkRecord]
Known = Callable[[str], NetworkRecord | None]


def network_name(host: HostConfig) -> str:
    """The network that a mode names; `default` is the bridge."""
    return "bridge" if host.network_mode in ("", "default") else host.network_mode


def planned(request: ContainerCreateRequest, find: Find) -> tuple[EndpointRecord, ...]:
    """The places of a new container, still without addresses: its mode's network first.

    Raises NotFound, InvalidInput (networks that exclude each other).
    """
    main = find(network_name(request.host_config))
    asked = dict(request.networking_config.endpoints_config or {})
    found: dict[str, tuple[NetworkRecord, EndpointSettings]] = {}
    for name, settings in asked.items():
        record = main if name == "default" else find(name)
        found[record.network.id] = (record, settings or EndpointSettings())
    chosen = list(found.values()) or [(main, EndpointSettings())]
    if request.network_disabled:
        chosen = [
            (find("none") if each.network.driver == "bridge" else each, settings)
            for each, settings in chosen[:1]
        ]
    _check_together([main, *(record for record, _ in chosen)])
    chosen.sort(key=lambda pair: (pair[0] is not main, pair[0].network.name))
    places = tuple(place_in(*pair) for pair in chosen)
    if request.mac_address and places and not _mac(places[0]):
        first = with_settings(places[0], mac_address=request.mac_address)
        places = (first, *places[1:])
    return named_links(places)


def with_own_mac(
    record: ContainerRecord, network: NetworkRecord, asked: EndpointSettings
) -> EndpointSettings:
    """The container's own MAC is for its mode's network, also when it comes back to it."""
    mode, mac = record.request.host_config.network_mode, record.request.mac_address
    if asked.mac_address or not mac or mode not in (network.network.name, network.network.id):
        return asked
    return msgspec.structs.replace(asked, mac_address=mac)


def _mac(place: EndpointRecord) -> str:
    return place.settings.mac_address if place.settings else ""


def with_settings(place: EndpointRecord, **changes: object) -> EndpointRecord:
    """The place with other settings."""
    settings = msgspec.structs.replace(place.settings or EndpointSettings(), **changes)
    return msgspec.structs.replace(place, settings=settings)


def _check_together(records: list[NetworkRecord]) -> None:
    """Raises InvalidInput."""
    kinds = {record.network.id: record.network.driver for record in records}
    if len(kinds) < 2:
        return
    if "host" in kinds.values():
        raise InvalidInput(
            "container cannot be disconnected from host network or connected to host network"
        )
    if "null" in kinds.values():
        raise InvalidInput(
            "container cannot be connected to multiple networks with one of the networks in "
            "private (none) mode"
        )


def place_in(record: NetworkRecord, asked: EndpointSettings) -> EndpointRecord:
    """A place with what was asked for, and nothing else of what the client sent."""
    settings = EndpointSettings(
        ipam_config=asked.ipam_config,
        links=asked.links,
        aliases=asked.aliases,
        mac_address=asked.mac_address,
        driver_opts=asked.driver_opts,
        gw_priority=asked.gw_priority,
    )
    return EndpointRecord(record.network.name, record.network.id, settings=settings)


def emptied(place: EndpointRecord) -> EndpointRecord:
    """The place of a container that does not run."""
    return EndpointRecord(
        place.network,
        place.network_id,
        interface=place.interface,
        settings=place.settings,
        named=place.named,
    )


def named_links(places: Iterable[EndpointRecord]) -> tuple[EndpointRecord, ...]:
    """With interface names in order."""
    return tuple(
        msgspec.structs.replace(place, interface=f"eth{number}")
        for number, place in enumerate(places)
    )


def free_link(places: Iterable[EndpointRecord]) -> str:
    """The first interface name that none of the places has."""
    taken = {place.interface for place in places}
    number = 0
    while f"eth{number}" in taken:
        number += 1
    return f"eth{number}"


def check(record: NetworkRecord, settings: EndpointSettings) -> None:
    """What a network does not offer, with dockerd's texts. Raises InvalidInput."""
    wanted = settings.ipam_config
    v4, v6 = (wanted.ipv4_address, wanted.ipv6_address) if wanted else ("", "")
    if not record.user_defined:
        if v4 or v6:
            raise InvalidInput(
                "user specified IP address is supported on user defined networks only"
            )
        if settings.aliases:
            raise InvalidInput(
                "network-scoped alias is supported only for containers in user defined networks"
            )
    for address, version in ((v4, "."), (v6, ":")):
        if address and not any(version in subnet for subnet in record.configured):
            raise InvalidInput(
                "user specified IP address is supported only when connecting to networks with "
                "user configured subnets"
            )


def check_new(record: ContainerRecord, network: NetworkRecord, known: Known) -> None:
    """Whether a container may have one more network; those that are gone exclude none.

    Raises InvalidInput, NotPermitted.
    """
    mode = record.request.host_config.network_mode
    if mode.startswith("container:"):
        raise InvalidInput(
            "container sharing network namespace with another container or host cannot be "
            "connected to any other network"
        )
    others = (known(place.network_id) for place in record.endpoints)
    _check_together([network, *(each for each in others if each is not None)])
    if any(place.network_id == network.network.id for place in record.endpoints):
        raise NotPermitted(
            f"endpoint with name {record.name} already exists in network {network.network.name}"
        )


def routed(places: Iterable[EndpointRecord], find: Find) -> tuple[EndpointRecord, ...]:
    """Which place the default routes lead through, in dockerd's order.

    The highest priority, then networks with both IPv4 and IPv6, then by name. An internal network
    leads nowhere.
    """
    listed = tuple(places)
    open_places = [
        place for place in sorted(listed, key=_rank) if not find(place.network_id).network.internal
    ]
    out = next((place for place in open_places if place.gateway), None)
    out6 = next((place for place in open_places if place.gateway6), None)
    return tuple(
        msgspec.structs.replace(place, default_route=place is out, default_route6=place is out6)
        for place in listed
    )


def _rank(place: EndpointRecord) -> tuple[int, bool, str]:
    priority = place.settings.gw_priority if place.settings else 0
    return -priority, not (place.gateway and place.gateway6), place.network


def dns_names(record: ContainerRecord, place: EndpointRecord) -> tuple[str, ...]:
    """All that a container is called in a user-defined network; its name first."""
    aliases = (place.settings.aliases if place.settings else None) or []
    names = (record.name, *aliases, short_id(record.id), record.request.hostname)
    return tuple(dict.fromkeys(name for name in names if name))


def links(place: EndpointRecord) -> tuple[tuple[str, str], ...]:
    """`CONTAINER[:ALIAS]` of one place, as (alias, container)."""
    found = []
    for text in (place.settings.links if place.settings else None) or []:
        target, _, alias = text.partition(":")
        found.append((alias or target, target.removeprefix("/")))
    return tuple(found)
