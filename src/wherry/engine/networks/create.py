"""POST /networks/create."""

from collections.abc import Container, Iterable

import msgspec

from wherry.dockerapi.networks import Ipam, IpamPool, NetworkCreated, NetworkCreateRequest
from wherry.engine.engine import Engine
from wherry.engine.networks import options, pools
from wherry.engine.networks.record import BUILTIN, NetworkRecord, happened
from wherry.kit import clock, failpoints
from wherry.kit.errors import Conflict, InvalidInput, NotFound, NotPermitted, Unsupported
from wherry.kit.ids import new_id
from wherry.network import ipam
from wherry.network.driver import Network
from wherry.network.ipam import IpamState

DRIVERS = ("bridge", "macvlan", "ipvlan")
_OVERLAP = "Pool overlaps with other one on this address space"


async def create(engine: Engine, request: NetworkCreateRequest) -> NetworkCreated:
    """Make a network. Raises InvalidInput, Conflict, NotPermitted, NotFound, Unsupported."""
    networking = engine.networking
    async with networking.addresses.unchanged():
        check(request, networking.book)
        record = planned(request, used_subnets(engine))
        networking.driver(record.network).validate(record.network)
        _check_bridge_name(engine, record.network)
        await networking.book.keep(record)
        failpoints.reach("network-create.after-ledger")
        try:
            await networking.prepare(record.network)
        except BaseException:
            await _taken_back(engine, record)
            raise
        await engine.journal.commit([], happened(record, "create"))
    return NetworkCreated(record.network.id)


async def _taken_back(engine: Engine, record: NetworkRecord) -> None:
    try:
        await engine.networking.dismantle(record.network)
    finally:
        await engine.networking.book.forget(record)


def used_subnets(engine: Engine) -> tuple[list[str], list[str]]:
    """Subnets of our networks, and those of routes."""
    routes = pools.used_by_host(engine.settings.engine_netns)
    return engine.networking.book.subnets(), routes


def check(request: NetworkCreateRequest, known: Container[object]) -> None:
    """What can be told from the request alone, and whether the name is free."""
    name, driver = request.name, request.driver or "bridge"
    if not name.strip():
        raise InvalidInput(f"invalid name: {name}")
    if name in (*BUILTIN, "default"):
        raise NotPermitted(f"operation is not permitted on predefined {name} network ")
    if name in known:
        raise Conflict(f"network with name {name} already exists")
    if request.ingress:
        raise NotPermitted("Ingress network can only be global scope network")
    if request.scope not in ("", "local"):
        raise NotPermitted(
            f"cannot create a {request.scope} scoped network when swarm is not active"
        )
    if request.config_only or (request.config_from and request.config_from.network):
        raise Unsupported("configurations of networks (ConfigOnly, ConfigFrom) are not offered")
    if driver in ("host", "null"):
        raise NotPermitted(f'only one instance of "{driver}" network is allowed')
    if driver == "overlay":
        raise NotPermitted("cannot create an overlay network when swarm is not active")
    if driver not in DRIVERS:
        raise NotFound(f'plugin "{driver}" not found')
    if request.enable_ipv4 is False:
        raise Unsupported("networks without IPv4 (EnableIPv4=false) are not offered")


def planned(
    request: NetworkCreateRequest, used: tuple[Iterable[str], Iterable[str]]
) -> NetworkRecord:
    """The network that the request means; `used`: subnets of networks, and of routes. Pure.

    Raises InvalidInput, NotPermitted (overlap), Unavailable (no pool is left).
    """
    id = new_id()
    ours, routes = list(used[0]), list(used[1])
    pool, pool6 = _pools(request)
    state = _state(pool, ours) if pool else ipam.new_state(str(ipam.choose_pool([*ours, *routes])))
    state6 = _state(pool6, ours) if pool6 and request.enable_ipv6 else None
    if request.enable_ipv6 and state6 is None:
        state6 = ipam.new_state(_unique_local(id))
    network = Network(
        id=id,
        name=request.name,
        driver=request.driver or "bridge",
        subnet=state.subnet,
        gateway=state.gateway,
        internal=request.internal,
        subnet6=state6.subnet if state6 else "",
        gateway6=state6.gateway if state6 else "",
    )
    network = msgspec.structs.replace(network, **_fields(request, id))
    return NetworkRecord(
        network,
        clock.now(),
        state,
        state6,
        asked=_shown(request, pool, state, state6),
        configured=tuple(each.subnet for each in (pool, pool6) if each),
    )


def _fields(request: NetworkCreateRequest, id: str) -> dict[str, object]:
    if (request.driver or "bridge") == "bridge":
        return options.bridge_fields(request, id)
    return options.parent_fields(request, id)


def _pools(request: NetworkCreateRequest) -> tuple[IpamPool | None, IpamPool | None]:
    """The IPv4 and the IPv6 part of the request. Raises InvalidInput, NotFound, Unsupported."""
    asked = request.ipam
    if asked is None:
        return None, None
    if asked.driver not in ("", "default", "null"):
        raise NotFound(f'plugin "{asked.driver}" not found')
    found: dict[int, IpamPool] = {}
    for pool in asked.config or []:
        if pool == IpamPool():
            continue
        version = ipam.parse_subnet(pool.subnet).version
        if version in found:
            raise Unsupported(f"several IPv{version} subnets in one network are not offered")
        found[version] = pool
    return found.get(4), found.get(6)


def _state(pool: IpamPool, used: Iterable[str]) -> IpamState:
    if ipam.overlapping(pool.subnet, used):
        raise NotPermitted(_OVERLAP)
    reserved = (pool.auxiliary_addresses or {}).values()
    return ipam.new_state(pool.subnet, pool.gateway, pool.ip_range, reserved)


def _unique_local(id: str) -> str:
    """A /64 below fd00::/8 made from the network's id (RFC 4193: random)."""
    return f"fd{id[:2]}:{id[2:6]}:{id[6:10]}:{id[10:14]}::/64"


def _shown(
    request: NetworkCreateRequest, pool: IpamPool | None, state: IpamState, state6: IpamState | None
) -> NetworkCreateRequest:
    """The request as inspect shows it: with the pools that were chosen for it in front."""
    given = (request.ipam.config if request.ipam else None) or []
    config = [each for each in given if each != IpamPool()]
    if pool is None:
        config.insert(0, IpamPool(subnet=state.subnet, gateway=state.gateway))
    if state6 and not any(":" in each.subnet for each in config):
        config.append(IpamPool(subnet=state6.subnet, gateway=state6.gateway))
    asked = request.ipam or Ipam()
    shown = msgspec.structs.replace(asked, driver=asked.driver or "default", config=config)
    return msgspec.structs.replace(request, ipam=shown)


def _check_bridge_name(engine: Engine, wanted: Network) -> None:
    """Raises Conflict where another network has the link."""
    for record in engine.networking.book.all():
        other = record.network
        if wanted.bridge and other.bridge == wanted.bridge:
            raise Conflict(
                f"network {other.id} ({other.bridge}) conflicts with network {wanted.id} "
                f"({wanted.bridge}): networks have same bridge name"
            )
