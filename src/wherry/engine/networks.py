"""Networks: list and inspect. Making further ones is not offered yet."""

from wherry.dockerapi.filters import NETWORKS, Filters
from wherry.dockerapi.networks import EndpointResource, Ipam, IpamPool, NetworkResource
from wherry.engine.engine import Engine
from wherry.engine.networking import NetworkRecord
from wherry.kit.clock import rfc3339

BUILTIN = ("bridge", "host", "none")


async def inspect(engine: Engine, ref: str) -> NetworkResource:
    """Raises NotFound, InvalidInput."""
    return _answer(engine, engine.networking.find(ref), containers=True)


async def list_networks(engine: Engine, filters: Filters) -> list[NetworkResource]:
    """Raises InvalidInput for filters that make no sense."""
    filters.check(NETWORKS)
    return [
        _answer(engine, record, containers=False)
        for record in engine.networking.all()
        if _selected(engine, record, filters)
    ]


def _selected(engine: Engine, record: NetworkRecord, filters: Filters) -> bool:
    network = record.network
    kind = "builtin" if network.name in BUILTIN else "custom"
    dangling = filters.boolean("dangling", False) if "dangling" in filters else None
    unused = kind == "custom" and not _endpoints(engine, record)
    return (
        filters.match("name", network.name)
        and filters.prefix("id", network.id)
        and filters.exact("driver", network.driver)
        and filters.exact("type", kind)
        and filters.exact("scope", "local")
        and filters.labels("label", {})
        and (dangling is None or dangling == unused)
    )


def _endpoints(engine: Engine, record: NetworkRecord) -> dict[str, EndpointResource]:
    return {
        container.id: EndpointResource(
            name=container.record.name,
            endpoint_id=place.endpoint_id,
            mac_address=place.mac,
            ipv4_address=f"{place.address}/{place.prefix}" if place.address else "",
        )
        for container in engine.containers
        if container.running
        for place in container.record.endpoints
        if place.network_id == record.network.id
    }


def _answer(engine: Engine, record: NetworkRecord, *, containers: bool) -> NetworkResource:
    network = record.network
    pools = [IpamPool(subnet=network.subnet, gateway=network.gateway)] if network.subnet else []
    return NetworkResource(
        name=network.name,
        id=network.id,
        created=rfc3339(record.created),
        driver=network.driver,
        ipam=Ipam(config=pools),
        internal=network.internal,
        containers=_endpoints(engine, record) if containers else {},
        options=_options(record),
    )


def _options(record: NetworkRecord) -> dict[str, str]:
    """The options dockerd shows for its default bridge, with our values."""
    network = record.network
    if network.driver != "bridge":
        return {}
    prefix = "com.docker.network.bridge"
    return {
        f"{prefix}.default_bridge": str(network.name == "bridge").lower(),
        f"{prefix}.enable_icc": str(network.inter_container).lower(),
        f"{prefix}.enable_ip_masquerade": str(network.masquerade).lower(),
        f"{prefix}.host_binding_ipv4": network.host_binding_ip or "0.0.0.0",
        f"{prefix}.name": network.bridge,
        "com.docker.network.driver.mtu": str(network.mtu or 1500),
    }
