"""The server with routes of the test's own, on real sockets."""

import asyncio
import json
import os
import socket
import ssl
import stat
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from wherry.api import answers
from wherry.api.call import JSON_LIMIT, Call
from wherry.api.dispatch import Dispatcher
from wherry.api.hijack import Hijacked
from wherry.api.routes import HijackRoute, Route
from wherry.api.server import ApiServer, TcpListener, UnixListener, bind_unix
from wherry.api.websocket import WebSocketConnection
from wherry.dockerapi.execs import ExecStartRequest
from wherry.kit.errors import Conflict, NotFound


class Bench:
    """The engine of these tests: what handlers saw and did."""

    def __init__(self) -> None:
        self.finished: list[str] = []
        self.cancelled: list[str] = []
        self.release = asyncio.Event()
        self.taken: list[tuple[socket.socket, bytes]] = []


async def ping(bench: Bench, call: Call) -> web.StreamResponse:
    return answers.json_answer({"name": call.name, "version": str(call.version)})


async def echo_json(bench: Bench, call: Call) -> web.StreamResponse:
    return answers.json_answer(await call.json(ExecStartRequest))


async def fail(bench: Bench, call: Call) -> web.StreamResponse:
    if call.text("how") == "conflict":
        raise Conflict("it is in the way")
    raise ZeroDivisionError("boom")


async def slow(bench: Bench, call: Call) -> web.StreamResponse:
    try:
        await bench.release.wait()
    except asyncio.CancelledError:
        bench.cancelled.append(call.path)
        raise
    bench.finished.append(call.path)
    return answers.empty()


async def count(bench: Bench, call: Call) -> web.StreamResponse:
    async def values() -> AsyncIterator[object]:
        for number in range(int(call.text("n"))):
            yield {"n": number}
        if call.flag("fail"):
            raise NotFound("ran out of numbers")

    return await answers.json_lines(call, values())


async def ticks(bench: Bench, call: Call) -> web.StreamResponse:
    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick"
                await asyncio.sleep(0.01)
        finally:
            bench.cancelled.append("generator")

    return await answers.stream(call, pieces(), "text/plain")


async def upload(bench: Bench, call: Call) -> web.StreamResponse:
    assert call.request is not None
    size = 0
    async for piece in call.request.content.iter_any():
        size += len(piece)
    return answers.json_answer({"size": size})


async def attach(bench: Bench, call: Call, hijacked: Hijacked) -> None:
    if call.name == "nope":
        raise NotFound("No such container: nope")
    bench.taken.append(await hijacked.take(multiplexed=True))


async def exec_start(bench: Bench, call: Call, hijacked: Hijacked) -> None:
    request = await call.json(ExecStartRequest)
    if request.detach:
        await hijacked.answer("200 OK", answers.JSON, b"")
        return
    bench.taken.append(await hijacked.take())


async def websocket(bench: Bench, call: Call) -> web.StreamResponse:
    connection = WebSocketConnection(call)
    bench.taken.append(await connection.take())
    assert connection.pair is not None
    connection.pair.close()
    await connection.response.close()
    return connection.response


ROUTES: list[Route[Bench]] = [
    Route("GET", "/things/{name}/json", ping),
    Route("POST", "/echo", echo_json),
    Route("GET", "/fail", fail),
    Route("POST", "/slow", slow),
    Route("GET", "/stream", slow, stops_with_client=True),
    Route("GET", "/count", count),
    Route("POST", "/upload", upload),
    Route("GET", "/websocket", websocket, stops_with_client=True),
    Route("GET", "/ticks", ticks, stops_with_client=True),
]
HIJACKS: list[HijackRoute[Bench]] = [
    HijackRoute("POST", "/containers/{name}/attach", attach, raw_errors=True),
    HijackRoute("POST", "/exec/{name}/start", exec_start),
]


@pytest.fixture
async def bench() -> Bench:
    return Bench()


@pytest.fixture
async def server(bench: Bench) -> AsyncIterator[ApiServer]:
    server = ApiServer(Dispatcher(bench, ROUTES, HIJACKS))
    yield server
    bench.release.set()
    await server.close()
    for sock, _ in bench.taken:
        sock.close()


@pytest.fixture
async def path(server: ApiServer, tmp_path: Path) -> str:
    path = str(tmp_path / "d.sock")
    await server.listen(UnixListener(path))
    return path


class Client:
    """A raw connection: what it sends and what comes back, byte for byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, path: str) -> "Client":
        return cls(*await asyncio.open_unix_connection(path))

    async def request(self, line: str, body: bytes = b"", **headers: str) -> tuple[str, bytes]:
        if body:
            headers.setdefault("Content-Length", str(len(body)))
            headers.setdefault("Content-Type", "application/json")
        self.send(line, body, **headers)
        head = await self.head()
        return head, await self.body(head)

    def send(self, line: str, body: bytes = b"", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{line} HTTP/1.1", "Host: d", *(f"{a}: {b}" for a, b in named.items())]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def head(self) -> str:
        return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def body(self, head: str) -> bytes:
        if "Transfer-Encoding: chunked" in head:
            return await self._chunks()
        for line in head.split("\r\n"):
            if line.lower().startswith("content-length:"):
                return await self.reader.readexactly(int(line.split(":")[1]))
        return b""

    async def _chunks(self) -> bytes:
        whole = b""
        while size := int(await self.reader.readline(), 16):
            whole += await self.reader.readexactly(size)
            await self.reader.readline()
        await self.reader.readline()
        return whole

    async def close(self) -> None:
        self.writer.close()


async def settle(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@pytest.mark.parametrize("left_out", [None, *HANDSHAKE])
async def test_what_is_no_websocket_handshake_is_refused(
    path: str, bench: Bench, left_out: str | None
) -> None:
    client = await Client.open(path)
    headers = {name: value for name, value in HANDSHAKE.items() if name != left_out}
    head, body = await client.request("GET /websocket", **headers)
    if left_out is None:
        assert head.startswith("HTTP/1.1 101 ")
        assert len(bench.taken) == 1
    else:
        assert head.startswith("HTTP/1.1 400 ")
        assert "not a websocket handshake" in json.loads(body)["message"]
        assert bench.taken == []
    await client.close()


async def test_routes_with_and_without_a_version(path: str) -> None:
    client = await Client.open(path)
    for prefix, version in (("", "1.51"), ("/v1.12", "1.12"), ("/v1.41", "1.41")):
        head, body = await client.request(f"GET {prefix}/things/a/b%2Fc/json")
        assert head.startswith("HTTP/1.1 200 OK")
        assert json.loads(body) == {"name": "a/b/c", "version": version}
        for line in ("Api-Version: 1.51", "Docker-Experimental: false", "Ostype: linux"):
            assert line in head
        assert "Server: wherry/" in head and "Content-Type: application/json\r\n" in head
    await client.close()


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        (
            "GET /v1.99/things/a/json",
            400,
            "client version 1.99 is too new. Maximum supported API version is 1.51",
        ),
        ("GET /vx/things/a/json", 404, "page not found"),
        ("GET /nope", 404, "page not found"),
        ("DELETE /things/a/json", 404, "page not found"),
        ("GET /things//json", 404, "page not found"),
        ("GET /fail?how=conflict", 409, "it is in the way"),
        ("GET /count?n=0&fail=1", 404, "ran out of numbers"),
    ],
)
async def test_errors_are_messages(path: str, line: str, status: int, message: str) -> None:
    client = await Client.open(path)
    head, body = await client.request(line)
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert json.loads(body) == {"message": message}
    await client.close()


@pytest.mark.parametrize("version", ["1.1", "1.23"])
async def test_before_1_24_errors_are_text(path: str, version: str) -> None:
    client = await Client.open(path)
    head, body = await client.request(f"GET /v{version}/fail?how=conflict")
    assert "Content-Type: text/plain; charset=utf-8" in head
    assert b"{" not in body
    await client.close()


async def test_what_nobody_foresaw_is_500_and_logged(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = await Client.open(path)
    head, body = await client.request("GET /fail")
    message = json.loads(body)["message"]
    assert head.startswith("HTTP/1.1 500 ")
    assert message.startswith("ZeroDivisionError: boom (request ")
    assert message.split("request ")[1].split(" ")[0] in caplog.text
    await client.close()


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"{", "application/json", "unexpected EOF"),
        (b"{}", "text/plain", "Content-Type specified (text/plain) must be 'application/json'"),
        (b"{}", "", "Content-Type specified () must be 'application/json'"),
        (b'{"Tty":1}', "application/json", None),
    ],
)
async def test_bad_bodies_are_the_clients_error(
    path: str, body: bytes, kind: str, message: str | None
) -> None:
    client = await Client.open(path)
    head, answer = await client.request("POST /echo", body, **{"Content-Type": kind})
    assert head.startswith("HTTP/1.1 400 ")
    assert message in (None, json.loads(answer)["message"])
    await client.close()


async def test_a_chunked_body_is_read(path: str) -> None:
    client = await Client.open(path)
    client.send(
        "POST /echo",
        b'5\r\n{"Tty\r\n7;x=y\r\n":true}\r\n0\r\n\r\n',
        Transfer_Encoding="chunked",
        Content_Type="application/json",
    )
    head = await client.head()
    assert json.loads(await client.body(head))["Tty"] is True
    # and the connection goes on behind it
    assert (await client.request("GET /things/x/json"))[0].startswith("HTTP/1.1 200")
    await client.close()


@pytest.mark.parametrize("announced", [True, False])
async def test_an_enormous_json_body_is_refused_without_being_kept(
    path: str, announced: bool
) -> None:
    client = await Client.open(path)
    piece = b"x" * (1 << 20)
    if announced:
        client.send("POST /echo", Content_Length=str(256 << 20), Content_Type="application/json")
    else:
        client.send("POST /echo", Transfer_Encoding="chunked", Content_Type="application/json")

    async def blast() -> None:
        for _ in range(256):
            framed = piece if announced else b"%x\r\n%s\r\n" % (len(piece), piece)
            client.writer.write(framed)
            await client.writer.drain()
        if not announced:
            client.writer.write(b"0\r\n\r\n")

    before = _peak_kib()
    sending = asyncio.create_task(blast())
    head = await client.head()
    assert head.startswith("HTTP/1.1 400 ")
    assert f"larger than {JSON_LIMIT} bytes" in (await client.body(head)).decode()
    await asyncio.gather(sending, return_exceptions=True)
    assert _peak_kib() - before < 64 << 10
    await client.close()


def _peak_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    raise AssertionError("no VmHWM")


async def test_a_large_upload_passes_through(path: str) -> None:
    client = await Client.open(path)
    head, body = await client.request("POST /upload", b"z" * (20 << 20))
    assert head.startswith("HTTP/1.1 200") and json.loads(body) == {"size": 20 << 20}
    await client.close()


async def test_a_broken_chunked_body_is_the_clients_error(path: str) -> None:
    client = await Client.open(path)
    client.send("POST /upload", b"5\r\nab", Transfer_Encoding="chunked")
    client.writer.write(b"cde\r\nzz\r\n")
    assert " 400 Bad Request" in (await client.head()).split("\r\n")[0]
    await client.close()


async def test_lines_come_one_by_one_and_a_late_error_is_a_line(path: str) -> None:
    client = await Client.open(path)
    head, body = await client.request("GET /count?n=2&fail=yes")
    assert head.startswith("HTTP/1.1 200")
    lines = [json.loads(line) for line in body.split(b"\r\n") if line]
    assert lines == [
        {"n": 0},
        {"n": 1},
        {"errorDetail": {"message": "ran out of numbers"}, "error": "ran out of numbers"},
    ]
    await client.close()


async def test_streams_stop_with_their_client_and_other_work_does_not(
    path: str, bench: Bench
) -> None:
    streaming, working = await Client.open(path), await Client.open(path)
    streaming.send("GET /stream")
    working.send("POST /slow")
    await asyncio.sleep(0.05)
    await streaming.close()
    await working.close()
    await settle(lambda: bench.cancelled == ["/stream"])
    bench.release.set()
    await settle(lambda: bench.finished == ["/slow"])


async def test_a_stream_is_closed_as_soon_as_its_client_leaves(path: str, bench: Bench) -> None:
    client = await Client.open(path)
    client.send("GET /ticks")
    await client.head()
    await client.reader.readexactly(20)
    await client.close()
    await settle(lambda: bench.cancelled == ["generator"])


async def pump(bench: Bench) -> tuple[socket.socket, bytes]:
    await settle(lambda: bool(bench.taken))
    return bench.taken[-1]


@pytest.mark.parametrize("upgrade", [True, False])
@pytest.mark.parametrize("cut", [0, 40, 10_000])
async def test_a_hijacked_socket_carries_all_bytes_both_ways(
    path: str, bench: Bench, upgrade: bool, cut: int
) -> None:
    """Also those that come in the same read as the head, or before the answer."""
    client = await Client.open(path)
    extra = {"Upgrade": "tcp", "Connection": "Upgrade"} if upgrade else {}
    heads = "".join(f"{name}: {value}\r\n" for name, value in extra.items())
    text = f"POST /v1.41/containers/c/attach?stdin=1 HTTP/1.1\r\nHost: d\r\n{heads}\r\n".encode()
    text += b"early bytes"
    client.writer.write(text[:cut])
    await asyncio.sleep(0.01)
    client.writer.write(text[cut:])
    head = await client.head()
    wanted = "HTTP/1.1 101 UPGRADED" if upgrade else "HTTP/1.1 200 OK"
    assert head.startswith(wanted)
    assert "Content-Type: application/vnd.docker.raw-stream\r\n" in head
    sock, leftover = await pump(bench)
    loop = asyncio.get_running_loop()
    while len(leftover) < len(b"early bytes"):
        leftover += await loop.sock_recv(sock, 100)
    assert leftover == b"early bytes"
    await loop.sock_sendall(sock, b"out")
    assert await client.reader.readexactly(3) == b"out"
    client.writer.write(b"in")
    assert await loop.sock_recv(sock, 10) == b"in"
    client.writer.write_eof()
    assert await loop.sock_recv(sock, 10) == b""
    await loop.sock_sendall(sock, b"after the half-close")
    sock.close()
    assert await client.reader.read() == b"after the half-close"
    await client.close()


async def test_the_content_type_tells_of_frames_since_1_42(path: str, bench: Bench) -> None:
    for version, kind in (("1.41", "raw-stream"), ("1.42", "multiplexed-stream")):
        client = await Client.open(path)
        client.send(f"POST /v{version}/containers/c/attach", Upgrade="tcp")
        assert f"Content-Type: application/vnd.docker.{kind}\r\n" in await client.head()
        await client.close()


async def test_a_connection_may_be_hijacked_after_ordinary_requests(
    path: str, bench: Bench
) -> None:
    client = await Client.open(path)
    assert (await client.request("GET /things/x/json"))[0].startswith("HTTP/1.1 200")
    assert (await client.request("POST /echo", b"{}"))[0].startswith("HTTP/1.1 200")
    client.send(
        "POST /exec/e/start", b"{}hello", Content_Length="2", Content_Type="application/json"
    )
    assert (await client.head()).startswith("HTTP/1.1 200 OK")
    sock, leftover = await pump(bench)
    assert leftover == b"hello"
    sock.close()
    assert await client.reader.read() == b""
    await client.close()


async def test_a_chunked_exec_body_ends_where_its_stream_begins(path: str, bench: Bench) -> None:
    client = await Client.open(path)
    client.send(
        "POST /exec/e/start",
        b'4\r\n{"Tt\r\n8\r\ny":true}\r\n0\r\n\r\nstream',
        Transfer_Encoding="chunked",
        Content_Type="application/json",
    )
    assert (await client.head()).startswith("HTTP/1.1 200 OK")
    assert (await pump(bench))[1] == b"stream"
    await client.close()


async def test_a_refused_attach_is_bare_text_and_closes(path: str, bench: Bench) -> None:
    client = await Client.open(path)
    client.send("POST /containers/nope/attach", Upgrade="tcp", Connection="Upgrade")
    head = await client.head()
    assert head.startswith("HTTP/1.1 404 Not Found")
    assert await client.reader.read() == b"No such container: nope\r\n"
    await client.close()


@pytest.mark.parametrize(
    ("line", "body", "status"),
    [
        ("POST /v1.99/exec/e/start", b"{}", 400),
        ("POST /exec/e/start", b"{", 400),
        ("POST /exec/e/start", b'{"Detach":true}', 200),
    ],
)
async def test_an_exec_that_takes_no_stream_gets_an_ordinary_answer(
    path: str, line: str, body: bytes, status: int
) -> None:
    client = await Client.open(path)
    head, answer = await client.request(line, body)
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert not answer or "message" in json.loads(answer)
    await client.close()


async def test_a_flood_before_the_stream_is_held_up_by_the_kernel(path: str, bench: Bench) -> None:
    client = await Client.open(path)
    client.send("POST /containers/c/attach", b"x" * (4 << 20), Upgrade="tcp")
    await client.head()
    sock, leftover = await pump(bench)
    loop, size = asyncio.get_running_loop(), len(leftover)
    assert size <= 1 << 20
    while size < 4 << 20:
        size += len(await loop.sock_recv(sock, 1 << 20))
    assert size == 4 << 20
    await client.close()


async def test_the_socket_file(path: str, server: ApiServer) -> None:
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    with pytest.raises(Conflict, match="another server answers"):
        bind_unix(path)
    await server.close()
    assert not Path(path).exists()


def test_a_stale_socket_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    bind_unix(path).close()
    bind_unix(path).close()
    os.unlink(path)
    Path(path).write_text("precious")
    with pytest.raises(Conflict, match="no socket"):
        bind_unix(path)
    assert Path(path).read_text() == "precious"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1:99"}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "[::1]:99"}, 200),
        ({"Host": socket.gethostname()}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost", "Origin": "http://evil.example"}, 403),
    ],
)
async def test_tcp_checks_host_and_origin(
    server: ApiServer, headers: dict[str, str], status: int
) -> None:
    sock = await server.listen(TcpListener("127.0.0.1", 0))
    reader, writer = await asyncio.open_connection(*sock.getsockname())
    for target in ("GET /things/a/json", "POST /exec/e/start"):
        if target.startswith("POST") and status == 200:
            continue
        lines = [f"{target} HTTP/1.1", *(f"{a}: {b}" for a, b in headers.items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 %d " % status)
        await Client(reader, writer).body("Content-Length: 0")
        break
    writer.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    out = tmp_path / "cert.pem"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        f" -subj /CN=localhost -addext subjectAltName=DNS:localhost"
        f" -keyout {tmp_path}/key.pem -out {out}",
        shell=True,
        check=True,
        capture_output=True,
    )
    return out


async def test_over_tls_the_stream_is_relayed(
    server: ApiServer, bench: Bench, certificate: Path
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.parent / "key.pem")
    listening = await server.listen(TcpListener("127.0.0.1", 0, tls=context))
    trusting = ssl.create_default_context(cafile=str(certificate))
    client = Client(
        *await asyncio.open_connection(
            *listening.getsockname(), ssl=trusting, server_hostname="localhost"
        )
    )
    line = "POST /containers/c/attach HTTP/1.1\r\nHost: localhost\r\nUpgrade: tcp\r\n\r\nearly"
    client.writer.write(line.encode())
    assert (await client.head()).startswith("HTTP/1.1 101 ")
    sock, leftover = await pump(bench)
    loop = asyncio.get_running_loop()
    payload = os.urandom(3 << 20)
    client.writer.write(payload)
    received = bytearray(leftover)
    while len(received) < len(payload) + 5:
        received += await loop.sock_recv(sock, 1 << 20)
    assert received == b"early" + payload
    sending = asyncio.create_task(loop.sock_sendall(sock, payload))
    assert await client.reader.readexactly(len(payload)) == payload
    await sending
    sock.close()
    assert await client.reader.read() == b""
    await client.close()
