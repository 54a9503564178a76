"""Searching an index: the first version of the registry API, which only Docker Hub and few have."""

from urllib.parse import urlencode

import msgspec

from wherry.remote.errors import RegistryUnavailable
from wherry.remote.transport import Registry, Request

HUB_INDEX = "index.docker.io"
_MOST_BYTES = 4 << 20


class Hit(msgspec.Struct, frozen=True):
    """One repository that was found."""

    name: str = ""
    description: str | None = ""
    star_count: int = 0
    is_official: bool = False
    is_automated: bool = False


class _Answer(msgspec.Struct):
    results: list[Hit] | None = None


async def search(registry: Registry, term: str, limit: int) -> tuple[Hit, ...]:
    """At most `limit` repositories. Raises RegistryUnavailable where the registry cannot search."""
    url = f"/v1/search?{urlencode({'q': term, 'n': limit})}"
    async with registry.open(Request("GET", url, accept=(200, 404))) as response:
        if response.status == 404:
            raise RegistryUnavailable(
                f"{registry.endpoint.host} cannot be searched: unexpected status code 404"
            )
        data = await response.content.read(_MOST_BYTES)
    try:
        return tuple(msgspec.json.decode(data, type=_Answer).results or ())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RegistryUnavailable(f"{registry.endpoint.host}: broken answer: {error}") from error
