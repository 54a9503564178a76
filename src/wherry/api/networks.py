"""Networks: create, list, inspect, connect, disconnect, remove, prune."""

from typing import Final

from aiohttp import web

from wherry.api import versions
from wherry.api.answers import empty, json_answer, tree_answer
from wherry.api.call import Call
from wherry.api.routes import Route
from wherry.dockerapi.endpoints import ConnectRequest, DisconnectRequest
from wherry.dockerapi.filters import NETWORKS_PRUNE
from wherry.dockerapi.networks import NetworkCreateRequest
from wherry.engine.engine import Engine
from wherry.engine.networks import answers, create, removal
from wherry.engine.networks import connect as connecting
from wherry.engine.networks.options import boolean
from wherry.kit.errors import InvalidInput


async def list_networks(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /networks. Before 1.28 with their containers."""
    detailed = call.version < (1, 28)
    found = await answers.list_networks(engine, call.filters(), containers=detailed)
    return tree_answer([versions.network(each, call.version) for each in found])


async def inspect_network(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /networks/{name}. `verbose` tells of services, which there are none of."""
    _check_boolean("verbose", call.text("verbose"))
    found = await answers.inspect(engine, call.name, call.text("scope"))
    return tree_answer(versions.network(found, call.version))


def _check_boolean(name: str, text: str) -> None:
    """Here dockerd is strict. Raises InvalidInput."""
    try:
        boolean({name: text}, name, default=False)
    except InvalidInput as error:
        raise InvalidInput(
            f'invalid value for {name}: {text}: strconv.ParseBool: parsing "{text}": invalid syntax'
        ) from error


async def create_network(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /networks/create. A name that is taken is a conflict, as since API 1.44."""
    asked = await call.json(NetworkCreateRequest)
    return json_answer(await create.create(engine, asked), status=201)


async def remove_network(engine: Engine, call: Call) -> web.StreamResponse:
    """DELETE /networks/{name}."""
    await removal.remove(engine, call.name)
    return empty(204)


async def connect(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /networks/{name}/connect."""
    asked = await call.json(ConnectRequest)
    await connecting.connect(engine, call.name, asked.container, asked.endpoint_config)
    return empty(200)


async def disconnect(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /networks/{name}/disconnect."""
    asked = await call.json(DisconnectRequest)
    await connecting.disconnect(engine, call.name, asked.container, force=asked.force)
    return empty(200)


async def prune_networks(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /networks/prune."""
    return json_answer(await removal.prune(engine, call.filters(NETWORKS_PRUNE)))


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
