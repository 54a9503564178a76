"""Networks as inspect and list show them."""

from wherry.dockerapi.filters import NETWORKS, Filters
from wherry.dockerapi.networks import EndpointResource, Ipam, IpamPool, NetworkResource
from wherry.engine.engine import Engine
from wherry.engine.networks.record import NetworkRecord
from wherry.kit.clock import rfc3339
from wherry.kit.errors import InvalidInput, NotFound

_BRIDGE = "com.docker.network.bridge"


async def inspect(engine: Engine, ref: str, scope: str = "") -> NetworkResource:
    """Raises NotFound, InvalidInput."""
    record = engine.networking.book.find(ref)
    if scope not in ("", "local"):
        raise NotFound(f"network {ref} not found")
    return _answer(engine, record, containers=True)


async def list_networks(
    engine: Engine, filters: Filters, *, containers: bool = False
) -> list[NetworkResource]:
    """Raises InvalidInput for filters that make no sense."""
    filters.check(NETWORKS)
    for kind in filters.get("type"):
        if kind not in ("builtin", "custom"):
            raise InvalidInput(f"invalid filter: 'type'='{kind}'")
    return [
        _answer(engine, record, containers=containers)
        for record in engine.networking.book.all()
        if _selected(engine, record, filters)
    ]


def _selected(engine: Engine, record: NetworkRecord, filters: Filters) -> bool:
    network = record.network
    kind = "builtin" if record.builtin else "custom"
    dangling = _dangling(filters)
    return (
        filters.match("name", network.name)
        and filters.match("id", network.id)
        and filters.exact("driver", network.driver)
        and ("type" not in filters or kind in filters.get("type"))
        and filters.exact("scope", "local")
        and filters.labels("label", record.asked.labels or {})
        and (dangling is None or dangling == (kind == "custom" and not _endpoints(engine, record)))
    )


def _dangling(filters: Filters) -> bool | None:
    """Whether unused ones are asked for, None: all. Raises InvalidInput, with dockerd's texts."""
    wanted = filters.get("dangling")
    if not wanted:
        return None
    if len(wanted) > 1:
        raise InvalidInput('got more than one value for filter key "dangling"')
    if wanted[0] not in ("1", "true", "0", "false"):
        raise InvalidInput(
            'invalid value for filter \'dangling\', must be "true" (or "1"), or "false" (or "0")'
        )
    return wanted[0] in ("1", "true")


def _endpoints(engine: Engine, record: NetworkRecord) -> dict[str, EndpointResource]:
    return {
        container.id: EndpointResource(
            name=container.record.name,
            endpoint_id=place.endpoint_id,
            mac_address=place.mac,
            ipv4_address=_with_prefix(place.address, place.prefix),
            ipv6_address=_with_prefix(place.address6, place.prefix6),
        )
        for container in engine.containers
        if container.running
        for place in container.record.endpoints
        if place.network_id == record.network.id
    }


def _with_prefix(address: str, prefix: int) -> str:
    return f"{address}/{prefix}" if address else ""


def _answer(engine: Engine, record: NetworkRecord, *, containers: bool) -> NetworkResource:
    network, asked = record.network, record.asked
    return NetworkResource(
        name=network.name,
        id=network.id,
        created=rfc3339(record.created),
        driver=network.driver,
        enable_ipv6=bool(network.subnet6),
        ipam=_ipam(record),
        internal=network.internal,
        attachable=asked.attachable,
        containers=_endpoints(engine, record) if containers else {},
        options=_options(record),
        labels=asked.labels or {},
    )


def _ipam(record: NetworkRecord) -> Ipam:
    if record.asked.ipam is not None:
        return record.asked.ipam
    network = record.network
    pools = [IpamPool(subnet=network.subnet, gateway=network.gateway)] if network.subnet else []
    return Ipam(config=pools)


def _options(record: NetworkRecord) -> dict[str, str]:
    """What was asked for; for the default bridge what dockerd shows, with our values."""
    network = record.network
    if not record.builtin or network.driver != "bridge":
        return record.asked.options or {}
    return {
        f"{_BRIDGE}.default_bridge": "true",
        f"{_BRIDGE}.enable_icc": str(network.inter_container).lower(),
        f"{_BRIDGE}.enable_ip_masquerade": str(network.masquerade).lower(),
        f"{_BRIDGE}.host_binding_ipv4": network.host_binding_ip or "0.0.0.0",
        f"{_BRIDGE}.name": network.bridge,
        "com.docker.network.driver.mtu": str(network.mtu or 1500),
    }
