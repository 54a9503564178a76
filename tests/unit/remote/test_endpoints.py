"""Names to URLs, challenges, errors, TLS, tokens."""

import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from wherry.kit.errors import InvalidInput, NotFound, NotPermitted, Unsupported
from wherry.oci import reference as references
from wherry.oci.manifest import OCI_MANIFEST
from wherry.remote import challenge, endpoints, errors
from wherry.remote.challenge import Challenge
from wherry.remote.credentials import ANONYMOUS, Credentials
from wherry.remote.endpoints import Endpoint, lookup
from wherry.remote.errors import RateLimited, RegistryUnavailable
from wherry.remote.manifests import head
from wherry.remote.remote import Remote
from wherry.remote.settings import Settings
from wherry.remote.tokens import Tokens
from wherry.remote.transport import NoConnection, Registry


def test_docker_hub_and_its_mirrors() -> None:
    assert lookup("docker.io", Settings()) == (Endpoint("https://registry-1.docker.io"),)
    settings = Settings(mirrors=("https://m.example/hub/", "127.0.0.1:5000", "n.example"))
    assert lookup("docker.io", settings) == (
        Endpoint("https://m.example/hub", True, True),
        Endpoint("https://127.0.0.1:5000", False, True),
        Endpoint("https://n.example", True, True),
        Endpoint("https://registry-1.docker.io"),
    )
    assert lookup("r.example", settings) == (Endpoint("https://r.example"),)


@pytest.mark.parametrize("mirror", ["https://", "http://u:p@h", "https://h/?x", ""])
def test_broken_mirrors(mirror: str) -> None:
    with pytest.raises(InvalidInput, match="invalid mirror"):
        lookup("docker.io", Settings(mirrors=(mirror,)))


@pytest.mark.parametrize(
    ("domain", "insecure"),
    [
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("localhost", True),
        ("localhost:5000", True),
        ("r.example", False),
        ("r.example:5000", True),
        ("s.example:99", True),
        ("10.1.2.3:5000", True),
        ("10.2.2.3:5000", False),
        ("127.example.com", False),
        ("localhost.example", False),
    ],
)
def test_who_may_come_without_tls(domain: str, insecure: bool) -> None:
    settings = Settings(insecure=("r.example:5000", "s.example", "10.1.0.0/16"))
    found = lookup(domain, settings)
    assert found[0].url == f"https://{domain}"
    assert found[0].secure is not insecure
    assert (len(found) == 2) is insecure
    if insecure:
        assert found[1].url == f"http://{domain}"


def test_proxies_are_not_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "near.example")
    assert endpoints.proxy_for("https://far.example/v2/") == "http://proxy.example:3128"
    assert endpoints.proxy_for("https://near.example/v2/") is None
    assert endpoints.proxy_for("https://127.0.0.1:5000/v2/") is None


def test_challenges() -> None:
    text = 'Bearer realm="https://a/t?x=\\"y\\"",service=s, scope="r:a/b:pull,push" , error="e"'
    assert challenge.parse([text, "Basic realm=plain"]) == [
        Challenge(
            "bearer",
            {
                "realm": 'https://a/t?x="y"',
                "service": "s",
                "scope": "r:a/b:pull,push",
                "error": "e",
            },
        ),
        Challenge("basic", {"realm": "plain"}),
    ]
    assert challenge.parse(['Basic realm="x", Bearer realm="y"']) == [
        Challenge("basic", {"realm": "x"}),
        Challenge("bearer", {"realm": "y"}),
    ]
    assert challenge.parse(["", "???", '="']) == []


@given(st.text(max_size=80))
def test_no_challenge_breaks_the_reader(text: str) -> None:
    challenge.parse([text])


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (
            404,
            b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}',
            errors.ManifestUnknown,
            "manifest unknown: manifest unknown",
        ),
        (401, b"", errors.LoginRequired, "unauthorized: authentication required"),
        (401, b'{"details":"no way"}', errors.LoginRequired, "unauthorized: no way"),
        (403, b"<html>", errors.AccessDenied, "denied: requested access to the resource is denied"),
        (429, b"", RateLimited, "toomanyrequests: too many requests"),
        (405, b"", Unsupported, "unsupported: The operation is unsupported."),
        (404, b"gone", NotFound, "error parsing HTTP 404 response body: 'gone'"),
        (418, b"tea", InvalidInput, "error parsing HTTP 418 response body: 'tea'"),
        (502, b"\xff", RegistryUnavailable, "received unexpected HTTP status: 502 Bad Gateway"),
        (400, b'{"errors":[{"code":"TAG_INVALID"}]}', InvalidInput, "tag invalid: TAG_INVALID"),
    ],
)
def test_errors(status: int, body: bytes, kind: type[Exception], text: str) -> None:
    error = errors.from_response(status, "Bad Gateway", body)
    assert type(error) is kind
    assert str(error) == text


async def token(realm: str, url: str, who: Credentials) -> str:
    async with aiohttp.ClientSession() as session:
        tokens = Tokens(session, Settings())
        asked = Challenge("bearer", {"realm": realm})
        return await tokens.get(Endpoint(url), asked, ("repository:x:pull",), who)


async def test_a_password_is_not_sent_in_the_clear_for_a_registry_with_tls() -> None:
    who = Credentials("u", "p")
    with pytest.raises(NotPermitted, match="unencrypted"):
        await token("http://auth.invalid/t", "https://r.example", who)
    with pytest.raises(RegistryUnavailable, match="no usable realm"):
        await token("ftp://auth.invalid/t", "https://r.example", who)
    with pytest.raises(RegistryUnavailable, match="no usable realm"):
        await token("", "https://r.example", who)
    given = await token("", "https://r.example", Credentials(registry_token="given"))
    assert given == "given"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    keys = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    files = ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", *keys, *subject, *files], check=True, capture_output=True
    )
    return folder


async def answer(request: web.Request) -> web.Response:
    """HEAD is answered, GET is cut off."""
    if request.method == "HEAD":
        digest = "sha256:" + "0" * 64
        headers = {"Docker-Content-Digest": digest, "Content-Type": OCI_MANIFEST}
        return web.Response(body=b"x", headers=headers)
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


@pytest.fixture
async def with_tls(certificate: Path) -> AsyncIterator[str]:
    """A registry by https only; the value is `localhost:PORT`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    application = web.Application()
    application.router.add_route("*", "/v2/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "localhost", 0, ssl_context=context).start()
    yield f"localhost:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_never_plain_after_tls_worked(with_tls: str) -> None:
    async with Remote(Settings(delay=0.01)) as remote:
        reference = references.parse(f"{with_tls}/app:1")
        await remote.head(reference)  # loopback needs no good certificate
        with pytest.raises(NoConnection, match=r'^GET "https://'):
            await remote.resolve(reference)


async def test_certificates_are_checked_with_what_the_folder_adds(
    with_tls: str, certificate: Path, tmp_path: Path
) -> None:
    reference = references.parse(f"{with_tls}/app:1")
    endpoint = Endpoint(f"https://{with_tls}")
    settings = Settings(certificates=str(tmp_path))
    async with aiohttp.ClientSession() as session:
        tokens = Tokens(session, settings)
        with pytest.raises(NoConnection, match=r"certificate verify failed"):
            await head(Registry(session, tokens, settings, endpoint, ANONYMOUS), reference)
        (tmp_path / with_tls).mkdir()
        (tmp_path / with_tls / "ca.crt").write_bytes((certificate / "cert.pem").read_bytes())
        found = await head(Registry(session, tokens, settings, endpoint, ANONYMOUS), reference)
    assert found.size == 1
