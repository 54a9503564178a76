"""What the engine asks registries on a client's behalf: logins, searches, descriptions."""

import msgspec

from wherry.dockerapi.filters import SEARCH, Filters
from wherry.dockerapi.images import DistributionInspect, SearchResult
from wherry.engine.engine import Engine
from wherry.kit.errors import InvalidInput
from wherry.oci import reference as references
from wherry.oci.reference import DEFAULT_DOMAIN
from wherry.remote.credentials import ANONYMOUS, Credentials, registry_of
from wherry.remote.search import Hit

LIMIT = 25
MOST = 100


async def login(engine: Engine, credentials: Credentials) -> None:
    """Raises LoginRequired where the registry does not take them, RegistryUnavailable."""
    domain = registry_of(credentials.server) if credentials.server else DEFAULT_DOMAIN
    shown = msgspec.structs.replace(credentials, server="")
    await engine.remote.login(domain, shown)


async def search(
    engine: Engine,
    term: str,
    limit: int | None,
    filters: Filters,
    credentials: Credentials | None,
) -> list[SearchResult]:
    """Repositories whose names or descriptions match. Raises InvalidInput, RegistryUnavailable."""
    filters.check(SEARCH)
    wanted = LIMIT if limit is None else limit
    if not 1 <= wanted <= MOST:
        raise InvalidInput(f"Limit {wanted} is outside the range of [1, {MOST}]")
    selects = _selector(filters)
    domain, name = _split(term)
    hits = await engine.remote.search(domain, name, wanted, credentials or ANONYMOUS)
    return [
        SearchResult(
            star_count=hit.star_count,
            is_official=hit.is_official,
            name=hit.name,
            is_automated=hit.is_automated,
            description=hit.description or "",
        )
        for hit in hits
        if selects(hit)
    ]


def _split(term: str) -> tuple[str, str]:
    """`host/name`, as in a reference."""
    head, slash, tail = term.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        return head, tail
    return DEFAULT_DOMAIN, term.removeprefix("library/")


class _Selector(msgspec.Struct, frozen=True):
    stars: int
    official: bool | None
    automated: bool | None

    def __call__(self, hit: Hit) -> bool:
        return (
            hit.star_count >= self.stars
            and self.official in (None, hit.is_official)
            and self.automated in (None, hit.is_automated)
        )


def _selector(filters: Filters) -> _Selector:
    stars = [_number(text) for text in filters.get("stars")]
    return _Selector(
        max(stars, default=0), _flag(filters, "is-official"), _flag(filters, "is-automated")
    )


def _number(text: str) -> int:
    if not text.isdigit():
        raise InvalidInput(f"Invalid filter 'stars=[{text}]'")
    return int(text)


def _flag(filters: Filters, name: str) -> bool | None:
    return filters.boolean(name, False) if name in filters else None


async def describe(
    engine: Engine, name: str, credentials: Credentials | None
) -> DistributionInspect:
    """What a registry has under a name. Raises InvalidInput, NotFound, RegistryUnavailable."""
    found = await engine.remote.describe(references.parse(name), credentials or ANONYMOUS)
    return DistributionInspect(found.descriptor, found.platforms)
