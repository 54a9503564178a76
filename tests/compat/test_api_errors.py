"""The same wrong request to dockerd 20.10 and to our engine: the same status, the same words.

Where dockerd calls a client's mistake its own fault (500), ours is 400: `CLIENTS_FAULT`.
"""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat import oracle
from wherry.api.application import application
from wherry.api.server import UnixListener
from wherry.engine import opening
from wherry.engine.settings import EngineSettings

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not oracle.is_here(), reason="needs root, dockerd and busybox"),
]
Answer = tuple[int, str]


def ask(path: str, method: str, target: str, body: bytes | None = None) -> Answer:
    """Status and message; an answer that is no error has its status only."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(path)
        connection = http.client.HTTPConnection("docker")
        connection.sock = sock
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        return response.status, _message(response) if response.status >= 400 else ""


def _message(response: http.client.HTTPResponse) -> str:
    text = response.read().decode()
    try:
        return str(json.loads(text)["message"])
    except ValueError:
        return text


class Served(threading.Thread):
    """Our engine in a loop of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = str(folder / "w.sock")
        self.settings = EngineSettings(str(folder / "root"), str(folder / "exec"))
        self.loop = asyncio.new_event_loop()
        self.up = threading.Event()
        self.down: asyncio.Event | None = None

    def run(self) -> None:
        self.loop.run_until_complete(self._serve())
        self.loop.close()

    async def _serve(self) -> None:
        self.down = asyncio.Event()
        engine = await opening.open_engine(self.settings, "real")
        server = application(engine)
        await server.listen(UnixListener(self.path))
        self.up.set()
        await self.down.wait()
        await server.close()
        await opening.close(engine)

    def stop(self) -> None:
        assert self.down is not None
        self.loop.call_soon_threadsafe(self.down.set)
        self.join(20)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The sockets of dockerd and of our engine, each with an image and a container `c1`."""
    ours = Served(tmp_path_factory.mktemp("w"))
    ours.start()
    assert ours.up.wait(30)
    try:
        with oracle.dockerd() as host:
            theirs = host.removeprefix("unix://")
            archive = Path(theirs).parent / "busybox.tar"
            for path in (theirs, ours.path):
                oracle.docker(f"unix://{path}", "import", str(archive), "bb:1")
                body = b'{"Image":"bb:1","Cmd":["sh"],"HostConfig":{"NetworkMode":"none"}}'
                assert ask(path, "POST", "/containers/create?name=c1", body)[0] == 201
                assert ask(path, "POST", "/containers/create?name=c2", body)[0] == 201
            yield theirs, ours.path
    finally:
        ours.stop()


SAME = [
    ("GET", "/nope", None),
    ("GET", "/v1.999/info", None),
    ("GET", "/containers/nope/json", None),
    ("GET", "/v1.23/containers/nope/json", None),
    ("POST", "/containers/nope/start", None),
    ("POST", "/containers/nope/stop", None),
    ("POST", "/containers/nope/wait", None),
    ("POST", "/containers/nope/attach", None),
    ("POST", "/containers/nope/exec", b'{"Cmd":["x"]}'),
    ("DELETE", "/containers/nope", None),
    ("GET", "/containers/nope/logs?stdout=1", None),
    ("GET", "/containers/nope/top", None),
    ("GET", "/containers/nope/changes", None),
    ("GET", "/containers/nope/archive?path=/", None),
    ("GET", "/containers/nope/stats?stream=0", None),
    ("GET", "/containers/c1/logs", None),
    ("GET", "/containers/c1/archive", None),
    ("HEAD", "/containers/c1/archive", None),
    ("GET", "/containers/json?filters=%7B%22nope%22:%5B%22a%22%5D%7D", None),
    ("GET", "/images/json?filters=%7B%22nope%22:%5B%22a%22%5D%7D", None),
    ("POST", "/containers/c1/kill?signal=FOO", None),
    ("POST", "/containers/c1/stop", None),
    ("POST", "/containers/c1/resize?h=x&w=1", None),
    ("POST", "/containers/c1/exec", b"{}"),
    ("POST", "/containers/c1/exec", b""),
    ("POST", "/containers/c1/rename?name=", None),
    ("GET", "/containers/c1/changes", None),
    ("POST", "/exec/nope/start", b"{}"),
    ("GET", "/exec/nope/json", None),
    ("POST", "/exec/nope/resize?h=1&w=1", None),
    ("POST", "/containers/create", b"{}"),
    ("POST", "/containers/create", b"null"),
    ("POST", "/containers/create", b'{"Image":"nope"}'),
    ("POST", "/containers/create", b'{"Image":"bb:1","HostConfig":{"Memory":1}}'),
    ("POST", "/containers/create?name=n", b'{"Image":"bb:1","Cmd":["x"]}'),
    ("POST", "/containers/create?name=a/b", b'{"Image":"bb:1","Cmd":["x"]}'),
    ("POST", "/containers/create", b'{"Image":"bb:1"}'),
    ("DELETE", "/images/nope", None),
    ("GET", "/images/nope/history", None),
    ("POST", "/images/nope/tag?repo=a", None),
    ("GET", "/volumes/nope", None),
    ("DELETE", "/volumes/nope", None),
    ("GET", "/networks/nope", None),
    ("DELETE", "/networks/none", None),
    ("GET", "/events?since=2&until=1", None),
    ("POST", "/containers/prune?filters=%7B%22nope%22:%5B%22a%22%5D%7D", None),
    ("POST", "/containers/c1/pause", None),
]


@pytest.mark.parametrize(("method", "target", "body"), SAME)
def test_the_same_answer(
    both: tuple[str, str], method: str, target: str, body: bytes | None
) -> None:
    theirs, ours = both
    wanted = ask(theirs, method, target, body)
    found = ask(ours, method, target, body)
    if target == "/v1.999/info":
        found = (found[0], found[1].replace("1.51", "1.41"))
    assert _without_ids(found) == _without_ids(wanted)


def _without_ids(answer: Answer) -> Answer:
    words = answer[1].removesuffix(":latest").split()  # dockerd spells out the default tag
    return answer[0], " ".join("ID" if len(word.strip('".')) == 64 else word for word in words)


CLIENTS_FAULT = [
    ("POST", "/containers/create", b"{"),
    ("POST", "/containers/create", b'{"Image":5}'),
    ("POST", "/containers/create", b'{"HostConfig":{"Memory":1e30}}'),
    ("GET", "/containers/json?limit=x", None),
    ("GET", "/containers/json?filters=x", None),
    ("POST", "/containers/c1/stop?t=x", None),
    ("POST", "/images/bb:1/tag?repo=UPPER", None),
    ("GET", "/events?since=x", None),
    ("GET", "/containers/c1/logs?stdout=1&since=x", None),
    ("POST", "/containers/c1/update", b"{"),
    ("POST", "/volumes/create", b"["),
    ("POST", "/networks/create", b"["),
    ("POST", "/commit?container=c1", b"["),
]


@pytest.mark.parametrize(("method", "target", "body"), CLIENTS_FAULT)
def test_a_clients_mistake_is_never_our_fault(
    both: tuple[str, str], method: str, target: str, body: bytes | None
) -> None:
    theirs, ours = both
    assert ask(theirs, method, target, body)[0] >= 400
    assert ask(ours, method, target, body)[0] == 400


def test_nothing_is_left_of_what_was_refused(both: tuple[str, str]) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(both[1])
        connection = http.client.HTTPConnection("docker")
        connection.sock = sock
        connection.request("GET", "/containers/json?all=1")
        names = {one["Names"][0] for one in json.loads(connection.getresponse().read())}
    assert names == {"/c1", "/c2"}
