"""Images as archives (load, save, import), and from registries (pull)."""

from collections.abc import AsyncIterator, Callable
from typing import Final

from aiohttp import web

from wherry.api import answers
from wherry.api.call import Call
from wherry.api.platforms import check_offered, wanted_platform
from wherry.api.registries import credentials_of
from wherry.api.routes import Route
from wherry.api.telling import told
from wherry.dockerapi.progress import ProgressMessage, progress_message
from wherry.engine.engine import Engine
from wherry.engine.images import archives
from wherry.engine.images import import_ as importing
from wherry.engine.images.inspect import inspect
from wherry.engine.images.pull import pull, pull_all
from wherry.kit.errors import Unsupported
from wherry.oci import digest as digests
from wherry.oci import platform as platforms
from wherry.oci import reference as references
from wherry.oci.reference import Reference


def uploaded(call: Call) -> AsyncIterator[bytes]:
    """The body as it arrives."""
    assert call.request is not None
    return call.request.content.iter_any()


async def load_images(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /images/load."""
    wanted = wanted_platform(call, since=48)
    if wanted is not None and not platforms.matches(engine.settings.platform, wanted):
        raise Unsupported(f"images for {wanted} cannot be loaded on {engine.settings.platform}")

    async def work(tell: Callable[[ProgressMessage], None]) -> None:
        await archives.load(engine, uploaded(call), lambda line: tell(ProgressMessage(stream=line)))

    return await answers.json_lines(call, told(work), eager=True)


async def save_image(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /images/{name}/get."""
    return await _save(engine, call, [call.name])


async def save_images(engine: Engine, call: Call) -> web.StreamResponse:
    """GET /images/get."""
    return await _save(engine, call, [name for name in call.texts("names") if name])


async def _save(engine: Engine, call: Call, names: list[str]) -> web.StreamResponse:
    wanted = wanted_platform(call, since=48)
    if wanted is not None:
        for name in names:
            check_offered(name, wanted, await inspect(engine, name))
    return await answers.stream(call, archives.save(engine, names), answers.TAR)


async def create_image(engine: Engine, call: Call) -> web.StreamResponse:
    """POST /images/create: pull with `fromImage`, import without."""
    if call.text("fromImage"):
        return await _pull(engine, call)
    return await _import(engine, call)


async def _pull(engine: Engine, call: Call) -> web.StreamResponse:
    reference = _pulled_reference(call.text("fromImage"), call.text("tag"))
    text = call.text("platform") if call.version >= (1, 32) else ""
    platform = platforms.parse(text) if text else None

    every = reference.tag is None and reference.digest is None

    async def work(tell: Callable[[ProgressMessage], None]) -> None:
        fetch = pull_all if every else pull
        await fetch(
            engine,
            reference,
            platform,
            credentials_of(call),
            lambda step: tell(progress_message(*step)),
        )

    return await answers.json_lines(call, told(work))


def _pulled_reference(image: str, tag: str) -> Reference:
    found = references.parse(image)
    if tag.startswith("sha256:"):
        return found._replace(tag=None, digest=digests.parse(tag))
    return found.with_tag(tag) if tag else found


async def _import(engine: Engine, call: Call) -> web.StreamResponse:
    what = importing.wanted(
        call.text("repo"),
        call.text("tag"),
        call.text("message"),
        list(call.texts("changes")),
        call.text("platform") if call.version >= (1, 32) else "",
        engine.settings.platform,
    )
    source = call.text("fromSrc")
    if source == "-":
        return await answers.json_lines(call, _importing(engine, call, what))
    return await answers.json_lines(call, _downloading(engine, source, what))


async def _importing(
    engine: Engine, call: Call, what: importing.Wanted
) -> AsyncIterator[ProgressMessage]:
    record = await importing.import_image(engine, uploaded(call), what)
    yield ProgressMessage(status=record.id)


async def _downloading(
    engine: Engine, source: str, what: importing.Wanted
) -> AsyncIterator[ProgressMessage]:
    async with importing.downloaded(engine, source) as chunks:
        yield ProgressMessage(status=f"Downloading from {importing.full_url(source)}")
        record = await importing.import_image(engine, chunks, what)
        yield ProgressMessage(status=record.id)


ROUTES: Final = [
    Route("POST", "/images/create", create_image, stops_with_client=True),
    Route("POST", "/images/load", load_images, stops_with_client=True),
    Route("GET", "/images/get", save_images, stops_with_client=True),
    Route("GET", "/images/{name}/get", save_image, stops_with_client=True),
]
