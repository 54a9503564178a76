"""A small registry in this process, with switches for what real ones do wrong."""

import asyncio
import base64
import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web

from wherry.oci import blobs
from wherry.oci import manifest as manifests
from wherry.oci.blobs import BlobStore
from wherry.oci.digest import Digest

USER, PASSWORD = "wherry", "aboard"
_RANGE = re.compile(r"bytes=(\d+)-")
_DIGEST = "Docker-Content-Digest"


@dataclass
class Faults:
    """What goes wrong; all may be changed while the registry runs."""

    basic: bool = False
    """Want USER and PASSWORD."""
    bearer: bool = False
    """Want a token from `/token`; anonymous ones may pull unless `private`."""
    private: bool = False
    refresh_token: str = ""
    """Accepted by POST to `/token`."""
    token_uses: int = 1_000_000
    """How often a token is good."""
    refuse: list[int] = field(default_factory=list)
    """Statuses to answer the next requests (but tokens) with."""
    retry_after: str = "0"
    cut_after: list[int] = field(default_factory=list)
    """For each of the next blob answers: bytes after which the connection is cut."""
    ranges: bool = True
    """Whether Range is understood."""
    wrong_range: bool = False
    """Answer 206 with another part than asked."""
    lie: set[str] = field(default_factory=set)
    """Digests for which other bytes of the same length come."""
    grow: set[str] = field(default_factory=set)
    """Digests for which more bytes come than announced, without a length."""
    lying_header: str = ""
    """Docker-Content-Digest of manifests."""
    no_head: bool = False
    no_header: bool = False
    content_type: str = ""
    redirect: str = ""
    """Base URL to which blobs are redirected."""
    missing: set[str] = field(default_factory=set)
    """Blobs that are answered 404 here."""
    delay: float = 0.0
    """Seconds before each blob."""
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    """Blobs that are sent only after something happened."""
    page: int = 1000
    """Most tags in one answer."""
    cut_uploads: int = 0
    """How many of the next uploads are cut in their middle."""
    stored_digest: str = ""
    """What pushed manifests are said to have become."""
    no_location: bool = False


class FaultyRegistry:
    """Serves what `add` gave it; use `async with running(registry) as host`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.asked: list[str] = []
        """`METHOD path` of all requests."""
        self.headers: list[dict[str, str]] = []
        self.uploads: dict[str, bytes] = {}
        self.uses: Counter[str] = Counter()
        self.busiest = 0
        self._active = 0
        self.host = ""

    def add(self, name: str, tag: str, store: BlobStore, target: Digest) -> None:
        """Offer a manifest or index of a store, with all below it."""
        data = blobs.read(store, target, manifests.MAX_MANIFEST_BYTES)
        media_type = manifests.media_type_of(data)
        self.manifests[name, tag] = self.manifests[name, target] = (data, media_type)
        value = manifests.decode(data, media_type)
        if isinstance(value, manifests.Index):
            for entry in value.manifests:
                self.add(name, entry.digest, store, entry.digest)
            return
        for blob in (value.config, *value.layers):
            with store.open(blob.digest) as file:
                self.blobs[blob.digest] = file.read()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Every request comes here."""
        self.asked.append(f"{request.method} {request.path}")
        self.headers.append(dict(request.headers))
        if request.path == "/token":
            return await self._token(request)
        if self.faults.refuse:
            status = self.faults.refuse.pop(0)
            return _error(status, "X", {"Retry-After": self.faults.retry_after})
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        return await self._serve(request)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.path in ("/v2/", "/v2"):
            return web.json_response({})
        if request.path.endswith("/tags/list"):
            return self._tags(request, request.path.removeprefix("/v2/").removesuffix("/tags/list"))
        upload = re.fullmatch(r"/v2/(.+)/blobs/uploads/([0-9]*)", request.path)
        if upload is not None:
            return await self._upload(request, upload[2])
        match = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/]+)", request.path)
        if match is None:
            return _error(404, "NAME_UNKNOWN")
        if match[2] == "manifests" and request.method == "PUT":
            return await self._put(request, match[1], match[3])
        if match[2] == "manifests":
            return self._manifest(request, match[1], match[3])
        self._active += 1
        self.busiest = max(self.busiest, self._active)
        try:
            await asyncio.sleep(self.faults.delay)
            if match[3] in self.faults.held:
                await self.faults.held[match[3]].wait()
            return await self._blob(request, match[3])
        finally:
            self._active -= 1

    def _refusal(self, request: web.Request) -> web.Response | None:
        shown = request.headers.get("Authorization", "")
        if self.faults.basic and shown != _basic():
            return _error(401, "UNAUTHORIZED", {"WWW-Authenticate": 'Basic realm="test"'})
        if not self.faults.bearer:
            return None
        token = shown.removeprefix("Bearer ")
        self.uses[token] += 1
        if token.startswith("token-") and self.uses[token] <= self.faults.token_uses:
            if self.faults.private and token.startswith("token-anonymous"):
                return self._challenge(request, ', error="insufficient_scope"')
            return None
        return self._challenge(request, ', error="invalid_token"' if shown else "")

    def _challenge(self, request: web.Request, more: str) -> web.Response:
        name = request.path.split("/")[2:-2]
        scope = f"repository:{'/'.join(name)}:pull"
        realm = f"http://{self.host}/token"
        value = f'Bearer realm="{realm}",service="test, it",scope="{scope}"{more}'
        return _error(401, "UNAUTHORIZED", {"WWW-Authenticate": value})

    async def _token(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            form = await request.post()
            if form.get("refresh_token") != self.faults.refresh_token:
                return _error(401, "UNAUTHORIZED")
            return web.json_response({"access_token": f"token-refreshed-{len(self.asked)}"})
        shown = request.headers.get("Authorization", "")
        if shown and shown != _basic():
            body = {"details": "incorrect username or password"}
            return web.json_response(body, status=401)
        who = USER if shown else "anonymous"
        return web.json_response({"token": f"token-{who}-{len(self.asked)}", "expires_in": 300})

    def _manifest(self, request: web.Request, name: str, what: str) -> web.Response:
        found = self.manifests.get((name, what))
        if self.faults.no_head and request.method == "HEAD":
            return web.Response(status=405)
        if not any(key[0] == name for key in self.manifests):
            return _error(404, "NAME_UNKNOWN", message="repository name not known to registry")
        if found is None:
            return _error(404, "MANIFEST_UNKNOWN", message="manifest unknown")
        data, media_type = found
        if what in self.faults.lie:
            data = data[:-1] + b" "
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        headers = {} if self.faults.no_header else {_DIGEST: self.faults.lying_header or digest}
        headers["Content-Type"] = self.faults.content_type or media_type
        return web.Response(body=data, headers=headers)

    def _tags(self, request: web.Request, name: str) -> web.Response:
        """Pages are chained by Link headers, as the specification has it."""
        tags = sorted(tag for repository, tag in self.manifests if repository == name)
        if not tags:
            return _error(404, "NAME_UNKNOWN", message="repository name not known to registry")
        rest = [tag for tag in tags if tag > request.query.get("last", "")]
        page = rest[: self.faults.page]
        more = len(rest) > len(page)
        link = f'<{request.path}?n=1&last={page[-1]}>; rel="next"' if more else ""
        headers = {"Link": link} if link else {}
        return web.json_response({"name": name, "tags": page}, headers=headers)

    async def _upload(self, request: web.Request, number: str) -> web.Response:
        """POST begins, PATCH adds, PUT ends; the bytes are checked as real registries do."""
        if request.method == "POST":
            number = str(len(self.uploads) + 1)
            self.uploads[number] = b""
        if self.faults.cut_uploads and request.method != "POST":
            self.faults.cut_uploads -= 1
            await request.content.readany()
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        self.uploads[number] += await request.read()
        if request.method == "PUT":
            digest = "sha256:" + hashlib.sha256(self.uploads[number]).hexdigest()
            if digest != request.query["digest"]:
                return _error(400, "DIGEST_INVALID", message="digest did not match")
            self.blobs[digest] = self.uploads[number]
            return web.Response(status=201, headers={_DIGEST: digest})
        where = {} if self.faults.no_location else {"Location": f"{number}?state=x"}
        if request.method == "POST" and not self.faults.no_location:
            where = {"Location": f"{request.path}{number}?state=x"}
        return web.Response(status=202, headers=where)

    async def _put(self, request: web.Request, name: str, what: str) -> web.Response:
        data = await request.read()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        for key in (what, digest):
            self.manifests[name, key] = (data, request.headers["Content-Type"])
        stored = self.faults.stored_digest or digest
        return web.Response(status=201, headers={_DIGEST: stored})

    async def _blob(self, request: web.Request, digest: str) -> web.StreamResponse:
        if self.faults.redirect:
            raise web.HTTPTemporaryRedirect(f"{self.faults.redirect}{request.path}?signed=1")
        data = self.blobs.get(digest)
        if data is None or digest in self.faults.missing:
            return _error(404, "BLOB_UNKNOWN", message="blob unknown to registry")
        if request.method == "HEAD":
            return web.Response(headers={"Content-Length": str(len(data))})
        if digest in self.faults.lie:
            data = bytes(byte ^ 1 for byte in data)
        if digest in self.faults.grow:
            return await self._send(request, web.StreamResponse(), data * 2, None)
        return await self._part(request, data)

    async def _part(self, request: web.Request, data: bytes) -> web.StreamResponse:
        start = 0
        wanted = _RANGE.match(request.headers.get("Range", ""))
        if wanted and self.faults.ranges:
            start = int(wanted[1]) - (1 if self.faults.wrong_range else 0)
        response = web.StreamResponse(status=206 if start else 200)
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        cut = self.faults.cut_after.pop(0) if self.faults.cut_after else None
        response.content_length = len(data) - start
        return await self._send(request, response, data[start:], cut)

    async def _send(
        self, request: web.Request, response: web.StreamResponse, data: bytes, cut: int | None
    ) -> web.StreamResponse:
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            await response.write(data[:cut])
            if cut is not None and request.transport is not None:
                await asyncio.sleep(0.02)
                request.transport.abort()
        return response


@contextlib.asynccontextmanager
async def running(registry: FaultyRegistry) -> AsyncIterator[str]:
    """Serve on a free loopback port; the value is `127.0.0.1:PORT`."""
    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{path:.*}", registry.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    registry.host = f"127.0.0.1:{port}"
    try:
        yield registry.host
    finally:
        await runner.cleanup()


def _basic() -> str:
    return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def _error(
    status: int, code: str, headers: dict[str, str] | None = None, message: str = ""
) -> web.Response:
    body = {"errors": [{"code": code, "message": message}]} if code != "X" else {}
    return web.json_response(body, status=status, headers=headers)
