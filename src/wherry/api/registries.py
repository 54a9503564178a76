"""Images and registries: push, search, what a registry has, and logins."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from wherry.api import answers
from wherry.api.answers import json_answer
from wherry.api.call import Call
from wherry.api.platforms import check_offered, wanted_platform
from wherry.api.routes import Route
from wherry.api.telling import told
from wherry.dockerapi.progress import AuxMessage, ProgressMessage, progress_message
from wherry.dockerapi.system import LoginAnswer
from wherry.engine.engine import Engine
from wherry.engine.images import registries
from wherry.engine.images.inspect import inspect
from wherry.engine.images.push import Told, push
from wherry.kit.errors import InvalidInput
from wherry.oci import reference as references
from wherry.oci.reference import Reference
from wherry.remote.credentials import Credentials, from_header


def credentials_of(call: Call) -> Credentials | None:
    """None where there are none, or broken ones: dockerd then goes without."""
    try:
        found = from_header(call.headers.get("X-Registry-Auth", ""))
    except InvalidInput:
        return None
    return None if found.empty else found


async def push_image(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /images/{name}/push: the tag, or all of the repository."""
    reference = _pushed_reference(call)
    if call.version < (1, 42) and not call.headers.get("X-Registry-Auth"):
        raise InvalidInput("Bad parameters and missing X-Registry-Auth: EOF")
    wanted = wanted_platform(call, since=46)
    if wanted is not None:
        check_offered(call.name, wanted, await inspect(engine, reference.familiar))

    async def work(tell: Callable[[ProgressMessage | AuxMessage], None]) -> None:
        said = Told(
            lambda step: tell(progress_message(*step)), lambda result: tell(AuxMessage(result))
        )
        await push(engine, reference, credentials_of(call), said)

    return await answers.json_lines(call, told(work), eager=True)


def _pushed_reference(call: Call) -> Reference:
    found = references.parse(call.name)
    if found.digest is not None:
        raise InvalidInput("cannot push a digest reference")
    return found.with_tag(call.text("tag")) if call.text("tag") else found


async def search_images(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /images/search."""
    found = await registries.search(
        engine, call.text("term"), call.integer("limit"), call.filters(), credentials_of(call)
    )
    return json_answer(found)


async def describe_image(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /distribution/{name}/json."""
    return json_answer(await registries.describe(engine, call.name, credentials_of(call)))


async def login(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /auth."""
    await registries.login(engine, await call.json(Credentials))
    return json_answer(LoginAnswer())


ROUTES: Final = [
    Route("GET", "/images/search", search_images),
    Route("POST", "/images/{name}/push", push_image, stops_with_client=True),
    Route("GET", "/distribution/{name}/json", describe_image),
    Route("POST", "/auth", login),
]
