"""The client against a small real server on a unix socket."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wherry.client import containers, images
from wherry.client.client import Client
from wherry.client.endpoint import Endpoint
from wherry.kit import errors

PING = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK"


class Server:
    """Answers requests in order; each answer is bytes, whatever was asked."""

    def __init__(self, path: Path, answers: list[bytes]) -> None:
        self.asked: list[bytes] = []
        self.connections = 0
        self._answers = answers
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while self._answers:
            connection, _ = self._listener.accept()
            self.connections += 1
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        while self._answers:
            asked = _request(connection)
            if not asked:
                return
            self.asked.append(asked)
            answer = self._answers.pop(0)
            connection.sendall(answer)
            if b"Connection: close" in answer or b" 101 " in answer:
                return

    def close(self) -> None:
        self._thread.join(10)
        self._listener.close()


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0
    )
    ended: Callable[[], bool] = lambda: (  # noqa: E731 — two kinds of end
        body.endswith(b"0\r\n\r\n") if b"chunked" in head else len(body) >= length
    )
    while not ended():
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def json_answer(status: str, body: bytes, extra: bytes = b"") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode()
    return head + extra + b"\r\n" + body


@contextmanager
def serving(path: Path, *answers: bytes) -> Iterator[tuple[Server, Client]]:
    server = Server(path / "s", [*answers])
    client = Client(Endpoint(path=str(path / "s")))
    try:
        yield server, client
    finally:
        client.close()
        server.close()


@pytest.fixture(autouse=True)
def no_forced_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_API_VERSION", raising=False)


def test_one_connection_serves_many_requests(tmp_path: Path) -> None:
    answers = (PING, json_answer("200 OK", b"[]"), json_answer("200 OK", b"null"))
    with serving(tmp_path, *answers) as (server, client):
        assert containers.listing(client, stopped=True, filters={"name": ["a"]}) == []
        assert images.listing(client) == []
    assert server.connections == 1
    first = server.asked[1].split(b"\r\n")[0].decode()
    assert first.startswith("GET /v1.41/containers/json?all=1&filters=%7B%22name%22")


def test_a_closed_connection_is_opened_anew(tmp_path: Path) -> None:
    closing = json_answer("200 OK", b"[]", b"Connection: close\r\n")
    with serving(tmp_path, PING, closing, json_answer("200 OK", b"[]")) as (server, client):
        containers.listing(client)
        containers.listing(client)
    assert server.connections == 2


@pytest.mark.parametrize(
    ("told", "used"), [("1.41", "1.41"), ("1.99", "1.51"), ("1.12", "1.12"), ("", "1.24")]
)
def test_version_negotiation(told: str, used: str, tmp_path: Path) -> None:
    extra = f"Api-Version: {told}\r\n".encode() if told else b""
    with serving(tmp_path, json_answer("200 OK", b"OK", extra)) as (_, client):
        assert client.version == used


def test_a_forced_version_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_API_VERSION", "1.30")
    with serving(tmp_path, json_answer("200 OK", b"[]")) as (server, client):
        containers.listing(client)
    assert server.asked[0].startswith(b"GET /v1.30/containers/json ")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidInput),
        (401, errors.Unauthenticated),
        (403, errors.NotPermitted),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (418, errors.InvalidInput),
        (500, errors.Internal),
        (501, errors.Unsupported),
        (503, errors.Unavailable),
        (599, errors.Internal),
    ],
)
def test_failed_answers_are_errors(
    status: int, kind: type[errors.WherryError], tmp_path: Path
) -> None:
    refused = json_answer(f"{status} Why", b'{"message":"no such thing"}\n')
    with serving(tmp_path, PING, refused) as (_, client):
        with pytest.raises(kind) as caught:
            containers.inspect(client, "x")
        assert str(caught.value) == "Error response from daemon: no such thing"


@pytest.mark.parametrize(
    ("body", "said"), [(b"plain words\n", "plain words"), (b"", "Bad"), (b'"text"', "text")]
)
def test_failed_answers_without_a_message(body: bytes, said: str, tmp_path: Path) -> None:
    with serving(tmp_path, PING, json_answer("400 Bad", body)) as (_, client):
        with pytest.raises(errors.InvalidInput) as caught:
            containers.inspect(client, "x")
        assert str(caught.value) == f"Error response from daemon: {said}"


def test_a_hijacked_connection_keeps_early_bytes(tmp_path: Path) -> None:
    upgraded = (
        b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
        b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly"
    )
    closing = PING.replace(b"Content", b"Connection: close\r\nContent")
    with serving(tmp_path, closing, upgraded) as (server, client):
        stream = containers.attach(client, "x", containers.Streams(stdin=True))
        received = stream.leftover
        while data := stream.socket.recv(100):
            received += data
        assert received == b"early"
        assert stream.media_type == "application/vnd.docker.raw-stream"
        stream.socket.close()
    head = server.asked[1].decode()
    assert head.startswith("POST /v1.41/containers/x/attach?stderr=1&stdin=1&stdout=1&stream=1 ")
    assert "Upgrade: tcp" in head


def test_a_stream_of_bytes_goes_out_in_chunks(tmp_path: Path) -> None:
    done = json_answer("200 OK", b'{"stream":"Loaded"}')
    with serving(tmp_path, PING, done) as (server, client):
        found = list(images.load(client, iter([b"abc", b"", b"defg"]), quiet=True))
    assert [item.text("stream") for item in found] == ["Loaded"]
    assert server.asked[1].endswith(b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")


def test_no_engine_is_said_clearly(tmp_path: Path) -> None:
    client = Client(Endpoint(path=str(tmp_path / "nope")))
    with pytest.raises(errors.Unavailable, match="is the wherry daemon running"):
        containers.listing(client)
