"""One file by its URL: not from a registry, and without credentials."""

import contextlib
import urllib.parse
from collections.abc import AsyncIterator

import aiohttp

from wherry.kit.errors import InvalidInput, NotFound, Unavailable, WherryError
from wherry.remote.endpoints import proxy_for
from wherry.remote.settings import Settings

SCHEMES = ("http", "https")


def full_url(text: str) -> str:
    """As dockerd, a host without a scheme is asked by http. Raises InvalidInput."""
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError as error:
        raise InvalidInput(f"invalid URL {text!r}: {error}") from error
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise InvalidInput(f"invalid URL {text!r}: want http://HOST/… or https://HOST/…")
    return url


@contextlib.asynccontextmanager
async def download(text: str, settings: Settings) -> AsyncIterator[AsyncIterator[bytes]]:
    """The bytes, once the server has agreed to send them.

    Raises InvalidInput (the URL, or a status from 400 to 499), NotFound (404), Unavailable; the
    latter from the iterator too, where the connection ends early.
    """
    url = full_url(text)
    limits = aiohttp.ClientTimeout(
        total=None, sock_connect=settings.connect_timeout, sock_read=settings.read_timeout
    )
    try:
        async with (
            aiohttp.ClientSession(timeout=limits, auto_decompress=False) as session,
            session.get(url, proxy=proxy_for(url)) as response,
        ):
            _check(response)
            yield _chunks(response, url)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"download {url}: {str(error) or 'timed out'}") from error


def _check(response: aiohttp.ClientResponse) -> None:
    if response.status >= 400:
        kind: type[WherryError] = Unavailable if response.status >= 500 else InvalidInput
        kind = NotFound if response.status == 404 else kind
        raise kind(f"failed to GET {response.url} with status {response.status} {response.reason}")


async def _chunks(response: aiohttp.ClientResponse, url: str) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"download {url}: {str(error) or 'timed out'}") from error
