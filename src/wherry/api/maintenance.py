"""Routes of our own, below /wherry: what a prune would take, and whether everything fits."""

from typing import Final

from aiohttp import web

from wherry.api.answers import json_answer
from wherry.api.call import Call
from wherry.api.routes import Route
from wherry.engine import fsck, volumes
from wherry.engine.containers import prune as containers
from wherry.engine.engine import Engine
from wherry.engine.images import remove as images
from wherry.engine.networks import removal as networks


async def prunable_containers(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /wherry/prune/containers: what the POST to /containers/prune would answer."""
    return json_answer(await containers.prune(engine, call.filters(), dry_run=True))


async def prunable_images(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /wherry/prune/images."""
    return json_answer(await images.prune(engine, call.filters(), dry_run=True))


async def prunable_volumes(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /wherry/prune/volumes."""
    old = call.version < (1, 42)
    pruned = await volumes.prune(engine, call.filters(), all_by_default=old, dry_run=True)
    return json_answer(pruned)


async def prunable_networks(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /wherry/prune/networks."""
    return json_answer(await networks.prune(engine, call.filters(), dry_run=True))


async def check(engine: Engine, _call: Call) -> web.StreamResponse:
    """GET /wherry/fsck: what is inconsistent."""
    return json_answer(fsck.Report(await fsck.check(engine)))


async def repair(engine: Engine, _call: Call) -> web.StreamResponse:
    """POST /wherry/fsck: the same, and what can be set right is."""
    return json_answer(fsck.Report(await fsck.check(engine, repair=True)))


ROUTES: Final = [
    Route("GET", "/wherry/prune/containers", prunable_containers),
    Route("GET", "/wherry/prune/images", prunable_images),
    Route("GET", "/wherry/prune/volumes", prunable_volumes),
    Route("GET", "/wherry/prune/networks", prunable_networks),
    Route("GET", "/wherry/fsck", check),
    Route("POST", "/wherry/fsck", repair),
]
