"""Files in and out of containers: `docker cp`."""

from base64 import standard_b64encode
from typing import Final

from aiohttp import web

from wherry.api import answers
from wherry.api.answers import empty
from wherry.api.call import Call
from wherry.api.routes import Route
from wherry.dockerapi.container_answers import PathStat
from wherry.dockerapi.encode import encode_json
from wherry.engine.containers import archive
from wherry.engine.engine import Engine
from wherry.kit.errors import InvalidInput, NotFound


def _path(call: Call) -> str:
    path = call.text("path")
    if not path:
        raise InvalidInput("bad parameter: pathcannot be empty")  # dockerd's text, letter by letter
    return path


def _stat_header(stat: PathStat) -> dict[str, str]:
    text = standard_b64encode(encode_json(stat)[:-1]).decode()
    return {"X-Docker-Container-Path-Stat": text}


async def stat_path(engine: Engine, call: Call) -> web.StreamResponse:
    """HEAD /containers/{name}/archive."""
    stat = await archive.stat(engine, call.name, _path(call))
    return web.Response(headers=answers.COMMON | _stat_header(stat))


async def get_archive(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /containers/{name}/archive: a tar of the path. `wherry.exact` is ours."""
    exact = call.flag("wherry.exact")
    stat, pieces = await archive.get(engine, call.name, _path(call), exact=exact)
    return await answers.stream(call, pieces, answers.TAR, **_stat_header(stat))


async def put_archive(engine: Engine, call: Call) -> web.StreamResponse:
    """PUT /containers/{name}/archive: extract the body's tar below the path.

    `wherry.staged` is ours: all of it, or nothing.
    """
    assert call.request is not None
    await archive.put(
        engine,
        call.name,
        _path(call),
        call.request.content.iter_any(),
        archive.Extraction(
            call.flag("noOverwriteDirNonDir"),
            call.flag("copyUIDGID"),
            call.flag("wherry.staged"),
        ),
    )
    return empty(200)


async def old_copy(_engine: Engine, _call: Call) -> web.StreamResponse:
    """POST /containers/{name}/copy, which API 1.24 removed and nobody has missed."""
    raise NotFound("page not found")


ROUTES: Final = [
    Route("HEAD", "/containers/{name}/archive", stat_path),
    Route("GET", "/containers/{name}/archive", get_archive, stops_with_client=True),
    Route("PUT", "/containers/{name}/archive", put_archive),
    Route("POST", "/containers/{name}/copy", old_copy),
]
