"""The real docker CLI and docker-py against the server with routes of the test's own."""

import asyncio
import shutil
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import docker
import pytest
from aiohttp import web

from wherry.api import answers, versions
from wherry.api.call import Call
from wherry.api.dispatch import Dispatcher
from wherry.api.hijack import Hijacked
from wherry.api.routes import HijackRoute, Route
from wherry.api.server import ApiServer, UnixListener
from wherry.dockerapi.container_answers import ContainerInspect, State
from wherry.dockerapi.containers import ContainerConfig
from wherry.dockerapi.execs import ExecInspect
from wherry.dockerapi.images import ImageId
from wherry.dockerapi.streams import STDERR, STDOUT, frame
from wherry.dockerapi.system import Version

pytestmark = pytest.mark.skipif(shutil.which("docker") is None, reason="no docker command line")

ID = "c" * 64


class Echo:
    """Answers each line of stdin on stdout, then says goodbye on stderr."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def serve(self, sock: socket.socket, leftover: bytes) -> None:
        thread = threading.Thread(target=self._serve, args=(sock, leftover))
        thread.start()
        self.threads.append(thread)

    def _serve(self, sock: socket.socket, leftover: bytes) -> None:
        with sock:
            sock.setblocking(True)
            data = leftover or sock.recv(65536)
            while data:
                sock.sendall(frame(STDOUT, b"got " + data))
                data = sock.recv(65536)
            sock.sendall(frame(STDERR, b"bye\n"))


async def ping(echo: Echo, call: Call) -> web.StreamResponse:
    return web.Response(body=b"", headers=answers.COMMON | {"Content-Length": "0"})


async def version(echo: Echo, call: Call) -> web.StreamResponse:
    return answers.json_answer(Version(version="1", api_version="1.51", min_api_version="1.12"))


async def inspect(echo: Echo, call: Call) -> web.StreamResponse:
    config = ContainerConfig(open_stdin=True, attach_stdin=True)
    found = ContainerInspect(ID, state=State("running", running=True), config=config)
    return answers.tree_answer(versions.container(found, call.version))


async def create_exec(echo: Echo, call: Call) -> web.StreamResponse:
    return answers.json_answer(ImageId("e" * 64), status=201)


async def inspect_exec(echo: Echo, call: Call) -> web.StreamResponse:
    return answers.json_answer(ExecInspect("e" * 64, exit_code=7))


async def wait(echo: Echo, call: Call) -> web.StreamResponse:
    return answers.json_answer({"StatusCode": 0})


async def stream(echo: Echo, call: Call, hijacked: Hijacked) -> None:
    echo.serve(*await hijacked.take(multiplexed=True))


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[str]:
    echo = Echo()
    routes = [
        Route("GET", "/_ping", ping),
        Route("HEAD", "/_ping", ping),
        Route("GET", "/version", version),
        Route("GET", "/containers/{name}/json", inspect),
        Route("POST", "/containers/{name}/exec", create_exec),
        Route("POST", "/containers/{name}/wait", wait),
        Route("GET", "/exec/{name}/json", inspect_exec),
    ]
    hijacks = [
        HijackRoute("POST", "/containers/{name}/attach", stream, raw_errors=True),
        HijackRoute("POST", "/exec/{name}/start", stream),
    ]
    server = ApiServer(Dispatcher(echo, routes, hijacks))
    path = str(tmp_path / "d.sock")
    await server.listen(UnixListener(path))
    yield f"unix://{path}"
    await server.close()
    for thread in echo.threads:
        await asyncio.to_thread(thread.join, 5)
        assert not thread.is_alive()


async def run_docker(host: str, *args: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        "docker",
        "-H",
        host,
        *args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(stdin), 20)
    assert process.returncode is not None
    return process.returncode, out, err


async def test_exec_carries_stdin_and_both_outputs(host: str) -> None:
    code, out, err = await run_docker(host, "exec", "-i", "c", "cat", stdin=b"hello\n")
    assert (code, out, err) == (7, b"got hello\n", b"bye\n")


async def test_attach_carries_stdin_and_both_outputs(host: str) -> None:
    code, out, err = await run_docker(host, "attach", "c", stdin=b"hello\n")
    assert (code, out, err) == (0, b"got hello\n", b"bye\n")


async def test_large_streams_are_whole(host: str) -> None:
    payload = bytes(range(256)) * 20_000
    code, out, err = await run_docker(host, "exec", "-i", "c", "cat", stdin=payload)
    assert (code, err) == (7, b"bye\n")
    assert out.replace(b"got ", b"") == payload


async def test_the_version_is_negotiated_and_may_be_forced(host: str) -> None:
    code, out, _ = await run_docker(host, "version", "--format", "{{.Server.APIVersion}}")
    assert (code, out) == (0, b"1.51\n")


async def test_docker_py_execs_and_attaches(host: str) -> None:
    def work() -> None:
        client = docker.APIClient(host, version="1.41")
        made = client.exec_create("c", ["cat"])
        sock = client.exec_start(made["Id"], socket=True)._sock
        sock.sendall(b"hi")
        assert sock.recv(100) == frame(STDOUT, b"got hi")
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == frame(STDERR, b"bye\n")
        # the same pooled client goes on
        assert client.inspect_container("c")["Id"] == ID
        attached = client.attach_socket("c", {"stdin": 1, "stdout": 1, "stream": 1})._sock
        attached.sendall(b"there")
        assert attached.recv(100) == frame(STDOUT, b"got there")
        attached.shutdown(socket.SHUT_WR)
        assert attached.recv(100) == frame(STDERR, b"bye\n")
        client.close()

    await asyncio.to_thread(work)
