"""Parts of Docker's API that this engine does not have, told as a dockerd tells it that has none.

Clients take 503 for a node outside a swarm, and 404 for a plugin that is not there, and go on.
"""

from typing import Final

from aiohttp import web

from wherry.api.answers import json_answer
from wherry.api.call import Call
from wherry.api.routes import Route
from wherry.dockerapi.images import BuildCachePruned
from wherry.engine.engine import Engine
from wherry.engine.volumes import NO_SWARM
from wherry.kit.errors import NotFound, Unavailable, Unsupported

_MANAGERS: Final = ("nodes", "services", "tasks", "secrets", "configs")


async def no_plugins(_engine: Engine, _call: Call) -> web.StreamResponse:
    """GET /plugins and /plugins/privileges: there are none."""
    return json_answer([])


async def no_such_plugin(_engine: Engine, call: Call) -> web.StreamResponse:
    """Any plugin is one that is not there."""
    raise NotFound(f'plugin "{call.name}" not found')


async def plugin_timeout(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /plugins/{name}/enable: the time is read before the plugin is looked for."""
    call.required("timeout")
    return await no_such_plugin(engine, call)


async def no_manager(_engine: Engine, _call: Call) -> web.StreamResponse:
    """What only a manager of a swarm can do."""
    raise Unavailable(NO_SWARM)


async def no_member(_engine: Engine, _call: Call) -> web.StreamResponse:
    """POST /swarm/leave."""
    raise Unavailable("This node is not part of a swarm")


async def no_swarm(_engine: Engine, _call: Call) -> web.StreamResponse:
    """POST /swarm/init and /swarm/join."""
    raise Unsupported("this engine has no swarm mode")


async def not_yet(_engine: Engine, call: Call) -> web.StreamResponse:
    """Known, and not offered."""
    raise Unsupported(f"{call.method} {call.path} is not offered by this engine yet")


def _of_managers() -> list[Route[Engine]]:
    """A name may hold slashes, so these cover all that is below it."""
    return [
        Route(method, path, no_manager)
        for kind in _MANAGERS
        for method, path in (
            ("GET", f"/{kind}"),
            ("GET", f"/{kind}/{{name}}"),
            ("POST", f"/{kind}/{{name}}"),
            ("DELETE", f"/{kind}/{{name}}"),
        )
    ]


async def prune_builds(_engine: Engine, call: Call) -> web.StreamResponse:
    """POST /build/prune: without builds there is nothing that they could have left."""
    call.filters()
    return json_answer(BuildCachePruned())


ROUTES: Final = [
    Route("GET", "/plugins", no_plugins),
    Route("GET", "/plugins/privileges", no_plugins),
    Route("POST", "/plugins/pull", not_yet),
    Route("POST", "/plugins/create", not_yet),
    Route("GET", "/plugins/{name}/json", no_such_plugin),
    Route("POST", "/plugins/{name}/enable", plugin_timeout),
    *(
        Route("POST", f"/plugins/{{name}}/{verb}", no_such_plugin)
        for verb in ("disable", "upgrade", "set", "push")
    ),
    Route("DELETE", "/plugins/{name}", no_such_plugin),
    Route("GET", "/swarm", no_manager),
    Route("GET", "/swarm/unlockkey", no_manager),
    Route("POST", "/swarm/unlock", no_manager),
    Route("POST", "/swarm/update", no_manager),
    Route("POST", "/swarm/leave", no_member),
    Route("POST", "/swarm/init", no_swarm),
    Route("POST", "/swarm/join", no_swarm),
    *_of_managers(),
    Route("POST", "/build", not_yet),
    Route("POST", "/build/prune", prune_builds),
    Route("POST", "/build/cancel", not_yet),
    Route("POST", "/session", not_yet),
    Route("POST", "/grpc", not_yet),
]
