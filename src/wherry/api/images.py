"""Images: list, inspect, history, tag, remove, prune; archives are in `image_archives`."""

from typing import Final

from aiohttp import web

from wherry.api import versions
from wherry.api.answers import empty, json_answer, tree_answer
from wherry.api.call import Call
from wherry.api.platforms import check_offered, wanted_platform
from wherry.api.routes import Route
from wherry.dockerapi.containers import CommitRequest
from wherry.dockerapi.filters import Filters
from wherry.dockerapi.images import ImageId
from wherry.engine.engine import Engine
from wherry.engine.images import inspect, listing, remove, tag
from wherry.engine.images.commit import commit
from wherry.kit.errors import InvalidInput


async def list_images(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /images/json."""
    filters = call.filters()
    old = call.text("filter") if call.version < (1, 41) else ""
    if old:
        filters = Filters({**filters.values, "reference": (*filters.get("reference"), old)})
    shown = listing.Shown(
        shared_size=call.version >= (1, 42) and call.flag("shared-size"),
        descriptor=call.version >= (1, 48),
        manifests=call.version >= (1, 47) and call.flag("manifests"),
    )
    found = await listing.list_images(engine, filters, shown)
    return tree_answer(versions.image_summaries(found, call.version))


async def inspect_image(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /images/{name}/json."""
    wanted = wanted_platform(call, since=49)
    manifests = call.version >= (1, 48) and call.flag("manifests")
    if wanted is not None and manifests:
        raise InvalidInput("conflicting options: manifests and platform options cannot both be set")
    found = await inspect.inspect(engine, call.name, manifests)
    check_offered(call.name, wanted, found)
    return tree_answer(versions.image(found, call.version))


async def image_history(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /images/{name}/history."""
    wanted = wanted_platform(call, since=48)
    if wanted is not None:
        check_offered(call.name, wanted, await inspect.inspect(engine, call.name))
    return json_answer(await inspect.history(engine, call.name))


async def tag_image(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /images/{name}/tag."""
    await tag.tag(engine, call.name, call.text("repo"), call.text("tag"))
    return empty(201)


async def remove_image(engine: Engine, call: Call) -> web.StreamResponse:
    """DELETE /images/{name}."""
    if not call.name.strip():
        raise InvalidInput("image name cannot be blank")
    gone = await remove.remove(engine, call.name, call.flag("force"), call.flag("noprune"))
    return json_answer(gone)


async def prune_images(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /images/prune."""
    return json_answer(await remove.prune(engine, call.filters()))


async def commit_container(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /commit; the container is paused meanwhile unless `pause` says no."""
    config = await call.json_or_default(CommitRequest, CommitRequest())
    record = await commit(
        engine,
        call.text("container"),
        repository=call.text("repo"),
        tag=call.text("tag"),
        comment=call.text("comment"),
        author=call.text("author"),
        changes=list(call.texts("changes")),
        config=None if config == CommitRequest() else config,
        pause=call.flag("pause") if call.text("pause") else call.version >= (1, 13),
    )
    return json_answer(ImageId(record.id), status=201)


ROUTES: Final = [
    Route("GET", "/images/json", list_images),
    Route("GET", "/images/{name}/history", image_history),
    Route("GET", "/images/{name}/json", inspect_image),
    Route("POST", "/images/{name}/tag", tag_image),
    Route("POST", "/images/prune", prune_images),
    Route("POST", "/commit", commit_container),
    Route("DELETE", "/images/{name}", remove_image),
]
