"""Networks: list and inspect. Those of one's own come with a later release, and say so."""

from typing import Final

from aiohttp import web

from wherry.api import versions
from wherry.api.answers import json_answer, tree_answer
from wherry.api.call import Call
from wherry.api.routes import Route
from wherry.dockerapi.endpoints import ConnectRequest, DisconnectRequest
from wherry.dockerapi.filters import NETWORKS_PRUNE
from wherry.dockerapi.networks import NetworkCreateRequest, NetworksPruned
from wherry.engine import networks
from wherry.engine.engine import Engine
from wherry.kit.errors import InvalidInput, NotPermitted, Unsupported


async def list_networks(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /networks."""
    found = await networks.list_networks(engine, call.filters())
    return tree_answer([versions.network(each, call.version) for each in found])


async def inspect_network(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /networks/{name}."""
    return tree_answer(versions.network(await networks.inspect(engine, call.name), call.version))


async def create_network(_engine: Engine, call: Call) -> web.StreamResponse:
    """POST /networks/create."""
    asked = await call.json(NetworkCreateRequest)
    if not asked.name:
        raise InvalidInput("invalid network name: name is empty")
    raise Unsupported(
        f"cannot create network {asked.name}: networks beside bridge, host and none are not"
        " offered yet"
    )


async def remove_network(engine: Engine, call: Call) -> web.StreamResponse:
    """DELETE /networks/{name}."""
    found = await networks.inspect(engine, call.name)
    if found.name in networks.BUILTIN:
        raise NotPermitted(f"{found.name} is a pre-defined network and cannot be removed")
    raise Unsupported(f"removing network {found.name} is not offered yet")


async def connect(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /networks/{name}/connect."""
    asked = await call.json(ConnectRequest)
    await networks.inspect(engine, call.name)
    raise Unsupported(f"connecting {asked.container} to a further network is not offered yet")


async def disconnect(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /networks/{name}/disconnect."""
    asked = await call.json(DisconnectRequest)
    await networks.inspect(engine, call.name)
    raise Unsupported(f"disconnecting {asked.container} from a network is not offered yet")


async def prune_networks(_engine: Engine, call: Call) -> web.StreamResponse:
    """POST /networks/prune: only networks of one's own could be pruned, and there are none."""
    call.filters(NETWORKS_PRUNE)
    return json_answer(NetworksPruned())


ROUTES: Final = [
    Route("GET", "/networks", list_networks),
    Route("GET", "/networks/", list_networks),
    Route("POST", "/networks/create", create_network),
    Route("POST", "/networks/prune", prune_networks),
    Route("POST", "/networks/{name}/connect", connect),
    Route("POST", "/networks/{name}/disconnect", disconnect),
    Route("GET", "/networks/{name}", inspect_network),
    Route("DELETE", "/networks/{name}", remove_network),
]
