"""Containers seen from outside: what changed, what runs, what it uses, what it may use."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from wherry.api import answers, old_requests, versions
from wherry.api.answers import json_answer, tree_answer
from wherry.api.call import Call
from wherry.api.closing import closing
from wherry.api.routes import Route
from wherry.dockerapi.container_answers import UpdateAnswer
from wherry.dockerapi.containers import UpdateRequest
from wherry.dockerapi.encode import encode_tree
from wherry.dockerapi.stats import Stats
from wherry.dockerapi.version import ApiVersion
from wherry.engine.containers import changes as differences
from wherry.engine.containers.prune import prune
from wherry.engine.containers.stats import stats
from wherry.engine.containers.top import top
from wherry.engine.containers.update import update
from wherry.engine.engine import Engine


async def container_changes(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /containers/{name}/changes."""
    return json_answer(await differences.changes(engine, call.name) or None)


async def export_container(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /containers/{name}/export: a tar of the whole root file system."""
    pieces = await differences.export(engine, call.name)
    return await answers.stream(call, pieces, "application/octet-stream")


async def container_top(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /containers/{name}/top."""
    return json_answer(await top(engine, call.name, call.text("ps_args")))


async def container_stats(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /containers/{name}/stats: one sample, or one a second until the client goes."""
    streamed = call.flag("stream", default=True)
    one_shot = call.version >= (1, 41) and call.flag("one-shot")
    samples = await stats(engine, call.name, streamed, one_shot)
    if not streamed:
        async with closing(samples):
            return tree_answer(versions.stats(await anext(samples), call.version))
    return await answers.stream(call, _sample_lines(samples, call.version), answers.JSON)


async def _sample_lines(samples: AsyncIterator[Stats], version: ApiVersion) -> AsyncIterator[bytes]:
    async with closing(samples):
        async for sample in samples:
            yield encode_tree(versions.stats(sample, version))


async def update_container(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /containers/{name}/update."""
    asked = old_requests.update(await call.json(UpdateRequest), call.version)
    return json_answer(UpdateAnswer(tuple(await update(engine, call.name, asked)) or None))


async def prune_containers(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /containers/prune."""
    return json_answer(await prune(engine, call.filters()))


ROUTES: Final = [
    Route("GET", "/containers/{name}/changes", container_changes),
    Route("GET", "/containers/{name}/export", export_container, stops_with_client=True),
    Route("GET", "/containers/{name}/top", container_top),
    Route("GET", "/containers/{name}/stats", container_stats, stops_with_client=True),
    Route("POST", "/containers/{name}/update", update_container),
    Route("POST", "/containers/prune", prune_containers),
]
