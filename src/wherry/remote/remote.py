"""Registries as the engine sees them: references in, blobs in a store out, and back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self, TypeVar

import aiohttp

from wherry.kit.errors import WherryError
from wherry.oci.blobs import BlobStore
from wherry.oci.digest import Digest
from wherry.oci.manifest import Descriptor
from wherry.oci.platform import Platform, host
from wherry.oci.reference import DEFAULT_DOMAIN, Reference
from wherry.remote import catalog, manifests
from wherry.remote import pull as pulls
from wherry.remote import push as pushes
from wherry.remote.credentials import ANONYMOUS, Credentials
from wherry.remote.describe import Described, describe
from wherry.remote.endpoints import Endpoint, lookup
from wherry.remote.errors import LoginRequired, RegistryUnavailable, for_pull
from wherry.remote.manifests import Resolution
from wherry.remote.pull import Options, Pulled
from wherry.remote.push import Pushed, PushOptions
from wherry.remote.search import HUB_INDEX, Hit, search
from wherry.remote.settings import Settings
from wherry.remote.tokens import Tokens
from wherry.remote.transport import NoConnection, Registry, Request

Result = TypeVar("Result")
_READ_BUFFER = 1 << 20


class Remote:
    """The client; `async with Remote(settings) as remote`. Connections and tokens are shared.

    All methods raise NoConnection or RegistryUnavailable, RateLimited, LoginRequired,
    AccessDenied; further ones are named with each.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        """Nothing is opened yet."""
        self.settings = settings or Settings()
        self._session: aiohttp.ClientSession | None = None
        self._tokens: Tokens | None = None
        self._answered: dict[str, Endpoint] = {}

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # aiohttp closes its transports in the loop's next round
            self._session = None

    async def head(self, reference: Reference, credentials: Credentials = ANONYMOUS) -> Descriptor:
        """What a tag points at now, without counting as a pull.

        Raises ManifestUnknown, RepositoryUnknown, PullDenied, Unsupported.
        """
        named = reference.with_default_tag()
        return await self._pulling(named, credentials, lambda at: manifests.head(at, named))

    async def resolve(
        self,
        reference: Reference,
        platform: Platform | None = None,
        credentials: Credentials = ANONYMOUS,
    ) -> Resolution:
        """The chain from a tag to a platform's manifest. Raises as `head`, VerificationFailed."""
        named, wanted = reference.with_default_tag(), platform or host()
        return await self._pulling(
            named, credentials, lambda at: manifests.resolve(at, named, wanted)
        )

    async def pull(
        self,
        reference: Reference,
        store: BlobStore,
        options: Options | None = None,
        credentials: Credentials = ANONYMOUS,
    ) -> Pulled:
        """Have an image in the store. What is there is not fetched, what is partial is resumed.

        Give a leased store where a collector may run. Raises as `resolve`, BlobUnknown, and what
        the store raises.
        """
        named, how = reference.with_default_tag(), options or Options()
        return await self._pulling(named, credentials, lambda at: pulls.pull(at, named, store, how))

    async def push(
        self,
        reference: Reference,
        target: Digest,
        store: BlobStore,
        options: PushOptions | None = None,
        credentials: Credentials = ANONYMOUS,
    ) -> Pushed:
        """Send a manifest or index with all below it, and tag it. Raises NotFound (store)."""
        named, how = reference.with_default_tag(), options or PushOptions()
        return await self._each(
            named.domain,
            credentials,
            lambda at: pushes.push(at, named, target, store, how),
            mirrors=False,
        )

    async def tags(
        self, reference: Reference, credentials: Credentials = ANONYMOUS
    ) -> tuple[str, ...]:
        """All tags of a repository. Raises RepositoryUnknown, PullDenied."""
        return await self._pulling(
            reference, credentials, lambda at: catalog.tags(at, reference.path)
        )

    async def repositories(
        self, domain: str, credentials: Credentials = ANONYMOUS
    ) -> tuple[str, ...]:
        """All repositories of a registry that lists them (Docker Hub does not)."""
        return await self._each(domain, credentials, catalog.repositories)

    async def login(self, domain: str, credentials: Credentials) -> None:
        """Find out whether a registry takes the credentials. Raises LoginRequired."""

        async def ask(registry: Registry) -> None:
            try:
                async with registry.open(Request("GET", "/v2/")):
                    return
            except LoginRequired as error:
                raise LoginRequired(
                    f"login attempt to {registry.endpoint.url}/v2/ failed with status: "
                    "401 Unauthorized"
                ) from error

        await self._each(domain, credentials, ask, mirrors=False)

    async def describe(
        self, reference: Reference, credentials: Credentials = ANONYMOUS
    ) -> Described:
        """What a reference points at, and for which platforms. Raises as `head`."""
        named = reference.with_default_tag()
        return await self._each(named.domain, credentials, lambda at: describe(at, named))

    async def search(
        self, domain: str, term: str, limit: int, credentials: Credentials = ANONYMOUS
    ) -> tuple[Hit, ...]:
        """Repositories of a registry that can be searched, as Docker Hub can."""
        index = HUB_INDEX if domain == DEFAULT_DOMAIN else domain
        return await self._each(
            index, credentials, lambda at: search(at, term, limit), mirrors=False
        )

    async def _pulling(
        self,
        reference: Reference,
        credentials: Credentials,
        action: Callable[[Registry], Awaitable[Result]],
    ) -> Result:
        try:
            return await self._each(reference.domain, credentials, action)
        except WherryError as error:
            raise for_pull(error, reference) from error

    async def _each(
        self,
        domain: str,
        credentials: Credentials,
        action: Callable[[Registry], Awaitable[Result]],
        *,
        mirrors: bool = True,
    ) -> Result:
        """The action at the first endpoint that can do it.

        Any trouble with a mirror leads on to the next. A registry itself is left only where it
        could not be talked to: plain HTTP after TLS failed, never after TLS worked.
        """
        problem: WherryError = RegistryUnavailable(f"no endpoints found for {domain}")
        async for registry in self._registries(domain, credentials, mirrors):
            try:
                result = await action(registry)
            except WherryError as error:
                silent = isinstance(error, NoConnection) and not registry.answered
                if not (silent or registry.endpoint.mirror):
                    raise
                problem = error
            else:
                self._answered[domain] = registry.endpoint
                return result
        raise problem

    async def _registries(
        self, domain: str, credentials: Credentials, mirrors: bool
    ) -> AsyncIterator[Registry]:
        """A scheme that worked before comes first; credentials are not for mirrors."""
        session, tokens = self._open()
        known = self._answered.get(domain)
        endpoints = [one for one in lookup(domain, self.settings) if mirrors or not one.mirror]
        for one in sorted(endpoints, key=lambda one: not one.mirror and one != known):
            shown = ANONYMOUS if one.mirror else credentials
            yield Registry(session, tokens, self.settings, one, shown)

    def _open(self) -> tuple[aiohttp.ClientSession, Tokens]:
        if self._session is None or self._tokens is None:
            limits = aiohttp.ClientTimeout(
                total=None,
                sock_connect=self.settings.connect_timeout,
                sock_read=self.settings.read_timeout,
            )
            self._session = aiohttp.ClientSession(
                auto_decompress=False,  # digests are of the bytes as they come
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self.settings.agent, "Accept-Encoding": "identity"},
                read_bufsize=_READ_BUFFER,
                timeout=limits,
            )
            self._tokens = Tokens(self._session, self.settings)
        return self._session, self._tokens
