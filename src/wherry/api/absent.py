"""Parts of Docker's API that this engine does not have, told in the way clients understand."""

from typing import Final

from aiohttp import web

from wherry.api.answers import json_answer
from wherry.api.call import Call
from wherry.api.routes import Route
from wherry.engine.engine import Engine
from wherry.kit.errors import Unavailable, Unsupported

_SWARM: Final = (
    "/swarm",
    "/swarm/unlockkey",
    "/nodes",
    "/services",
    "/tasks",
    "/secrets",
    "/configs",
)


async def no_plugins(_engine: Engine, _call: Call) -> web.StreamResponse:
    """GET /plugins: there are none."""
    return json_answer([])


async def no_swarm(_engine: Engine, _call: Call) -> web.StreamResponse:
    """Clients take 503 for a node outside a swarm, and go on."""
    raise Unavailable("This node is not a swarm manager. wherry has no swarm mode.")


async def not_yet(_engine: Engine, call: Call) -> web.StreamResponse:
    """Known, and not offered."""
    raise Unsupported(f"{call.method} {call.path} is not offered by this engine yet")


ROUTES: Final = [
    Route("GET", "/plugins", no_plugins),
    *(Route("GET", path, no_swarm) for path in _SWARM),
    Route("POST", "/swarm/init", not_yet),
    Route("POST", "/swarm/join", not_yet),
    Route("POST", "/swarm/leave", no_swarm),
    Route("POST", "/build", not_yet),
    Route("POST", "/build/prune", not_yet),
    Route("POST", "/session", not_yet),
    Route("POST", "/grpc", not_yet),
]
