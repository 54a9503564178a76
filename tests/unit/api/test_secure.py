"""TLS connections: certificates that are asked for, and directions that end on their own."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from wherry.api.secure import Gate
from wherry.cli.command import Failed
from wherry.cli.session import Session
from wherry.cli.tls import certificates
from wherry.cli.tls.init import command, renewal
from wherry.client.endpoint import Choice
from wherry.daemon.tls import TlsFlags, context
from wherry.kit.errors import InvalidInput


class Echo(asyncio.Protocol):
    """Sends back what came, but only after the client has ended its direction."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.held = bytearray()

    def data_received(self, data: bytes) -> None:
        self.held += data
        self.transport.pause_reading()  # as a stream does that is relayed
        asyncio.get_running_loop().call_soon(self.transport.resume_reading)

    def eof_received(self) -> bool:
        self.transport.write(bytes(self.held) + b" end")
        self.transport.close()
        return True


def run(line: object, words: list[str], folder: Path) -> None:
    callback = getattr(line, "callback")  # noqa: B009
    callback(Session(Choice()), words, dir=str(folder), days=2, client="me")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    run(command, ["127.0.0.1", "host.example"], tmp_path / "tls")
    return tmp_path / "tls"


@pytest.fixture
async def address(made: Path) -> AsyncIterator[tuple[str, int]]:
    files = (f"{made}/ca.pem", f"{made}/server-cert.pem", f"{made}/server-key.pem")
    secured = context(TlsFlags(False, True, *files))
    assert secured is not None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Gate(secured, Echo), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()
    server.close()
    await server.wait_closed()


def trusting(folder: Path, *, certificate: bool = True) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(folder / "client/ca.pem"))
    if certificate:
        made.load_cert_chain(folder / "client/cert.pem", folder / "client/key.pem")
    return made


def by_fin(address: tuple[str, int], client: ssl.SSLContext, data: bytes) -> bytes:
    with (
        socket.create_connection(address, 10) as raw,
        client.wrap_socket(raw, server_hostname="127.0.0.1") as stream,
    ):
        stream.sendall(data)
        socket.socket.shutdown(stream, socket.SHUT_WR)
        return b"".join(iter(lambda: stream.recv(1 << 20), b""))


def by_close_notify(address: tuple[str, int], client: ssl.SSLContext, data: bytes) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with socket.create_connection(address, 10) as raw:

        def until_done(step: Callable[[], bytes | None]) -> bytes | None:
            while True:
                try:
                    return step()
                except ssl.SSLZeroReturnError:
                    return b""
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(1 << 16))

        until_done(tls.do_handshake)
        tls.write(data)
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.unwrap()
        return b"".join(iter(lambda: until_done(lambda: tls.read(1 << 16)) or b"", b""))


@pytest.mark.parametrize("way", [by_fin, by_close_notify])
async def test_the_answer_comes_after_the_clients_end(
    address: tuple[str, int], made: Path, way: object
) -> None:
    data = os.urandom(10_000)  # one write of the client's
    call = by_fin if way is by_fin else by_close_notify
    assert await asyncio.to_thread(call, address, trusting(made), data) == data + b" end"


async def test_much_data(address: tuple[str, int], made: Path) -> None:
    data = os.urandom(5 << 20)
    assert await asyncio.to_thread(by_fin, address, trusting(made), data) == data + b" end"


async def test_strangers_stay_outside(address: tuple[str, int], made: Path, tmp_path: Path) -> None:
    run(command, ["127.0.0.1"], tmp_path / "other")
    none = trusting(made, certificate=False)
    with pytest.raises(OSError):  # the alert, or the reset that came behind it
        await asyncio.to_thread(by_fin, address, none, b"x")
    wrong = trusting(made, certificate=False)
    wrong.load_cert_chain(tmp_path / "other/client/cert.pem", tmp_path / "other/client/key.pem")
    with pytest.raises(OSError):
        await asyncio.to_thread(by_fin, address, wrong, b"x")
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.to_thread(by_fin, address, trusting(tmp_path / "other"), b"x")
    server_as_client = trusting(made, certificate=False)
    server_as_client.load_cert_chain(made / "server-cert.pem", made / "server-key.pem")
    with pytest.raises(OSError):
        await asyncio.to_thread(by_fin, address, server_as_client, b"x")


async def test_plain_http_is_told(address: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert b"HTTPS server" in answer
    writer.close()


def test_files_of_init(made: Path, tmp_path: Path) -> None:
    for name in ("ca-key.pem", "server-key.pem", "client/key.pem"):
        assert (made / name).stat().st_mode & 0o777 == 0o600
    hosts = certificates.hosts_of((made / "server-cert.pem").read_bytes())
    assert hosts == ["127.0.0.1", "host.example", "localhost", "::1"]
    before = {path: path.read_bytes() for path in made.rglob("*.pem")}
    with pytest.raises(Failed, match="not overwritten"):
        run(command, ["other"], made)
    assert {path: path.read_bytes() for path in made.rglob("*.pem")} == before
    with pytest.raises(Failed, match="no host name"):
        run(command, ["a/b"], tmp_path / "none")
    assert not (tmp_path / "none").exists()


async def test_renewed_certificates_are_of_the_same_authority(
    address: tuple[str, int], made: Path
) -> None:
    old = (made / "client/cert.pem").read_bytes()
    authority = (made / "ca.pem").read_bytes()
    run(renewal, [], made)
    assert (made / "client/cert.pem").read_bytes() != old
    assert (made / "ca.pem").read_bytes() == authority
    assert await asyncio.to_thread(by_fin, address, trusting(made), b"x") == b"x end"
    hosts = certificates.hosts_of((made / "server-cert.pem").read_bytes())
    assert hosts == ["127.0.0.1", "host.example", "localhost", "::1"]


def test_what_is_wrong_with_the_daemons_files_is_said(made: Path, tmp_path: Path) -> None:
    ca, cert, key = (f"{made}/{name}" for name in ("ca.pem", "server-cert.pem", "server-key.pem"))
    assert context(TlsFlags()) is None
    with pytest.raises(InvalidInput, match=r"nope\.pem: no such file"):
        context(TlsFlags(True, False, "", f"{tmp_path}/nope.pem", key))
    with pytest.raises(InvalidInput, match="do not fit"):
        context(TlsFlags(True, False, "", ca, key))
    (tmp_path / "junk").write_text("junk")
    with pytest.raises(InvalidInput, match=r"--tlscacert .*junk"):
        context(TlsFlags(False, True, f"{tmp_path}/junk", cert, key))
