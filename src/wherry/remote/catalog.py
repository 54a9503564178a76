"""Lists that registries keep: tags of a repository, repositories of a registry."""

import msgspec

from wherry.kit.errors import InvalidInput
from wherry.remote.errors import RegistryUnavailable
from wherry.remote.transport import Registry, Request

_PAGE = 1000
_MOST_BYTES = 16 << 20
_MOST_PAGES = 10_000


class _Page(msgspec.Struct):
    tags: list[str] | None = None
    repositories: list[str] | None = None


async def tags(registry: Registry, path: str) -> tuple[str, ...]:
    """All tags (distribution-spec, Content Discovery). Raises RepositoryUnknown."""
    scopes = (f"repository:{path}:pull",)
    pages = await _pages(registry, f"/v2/{path}/tags/list?n={_PAGE}", scopes)
    return tuple(tag for page in pages for tag in page.tags or ())


async def repositories(registry: Registry) -> tuple[str, ...]:
    """All repositories, where the registry tells."""
    pages = await _pages(registry, f"/v2/_catalog?n={_PAGE}", ("registry:catalog:*",))
    return tuple(name for page in pages for name in page.repositories or ())


async def _pages(registry: Registry, url: str, scopes: tuple[str, ...]) -> list[_Page]:
    """Follow `Link: <…>; rel="next"` to the end."""
    found: list[_Page] = []
    for _ in range(_MOST_PAGES):
        async with registry.open(Request("GET", url, scopes)) as response:
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > _MOST_BYTES:
                    raise InvalidInput(f"{registry.endpoint.host}: list is too long")
            found.append(_decode(registry, bytes(body)))
            following = response.links.get("next")
        if following is None:
            return found
        url = str(following["url"])
    raise InvalidInput(f"{registry.endpoint.host}: list does not end")


def _decode(registry: Registry, body: bytes) -> _Page:
    try:
        return msgspec.json.decode(body, type=_Page)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RegistryUnavailable(f"{registry.endpoint.host}: broken list: {error}") from error
