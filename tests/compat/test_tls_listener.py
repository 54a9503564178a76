"""Our daemon behind mutual TLS, with Docker's command line, docker-py and ours as clients."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.compat import nodes
from tests.compat.nodes import DOCKER, WHERRY, Node
from tests.compat.terminal import use_a_shell

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(nodes.missing()), reason=nodes.missing())]
CLIENTS = pytest.mark.parametrize("program", [DOCKER, WHERRY], ids=["docker", "wherry"])
NO_NET = ("--network", "none")


@pytest.fixture(scope="module", params=["root", "plain"])
def here(request: pytest.FixtureRequest) -> Iterator[Node]:
    with nodes.node(request.param) as running:
        yield running


def run(here: Node, program: tuple[str, ...], *words: str, input: bytes = b"") -> str:
    return nodes.run([*program, *words], here.secured, input=input)


@CLIENTS
def test_much_data_both_ways_and_an_end(here: Node, program: tuple[str, ...]) -> None:
    data = os.urandom(4 << 20)
    words = [*program, "run", "--rm", "-i", *NO_NET, "busybox", "sh", "-c", "cat; echo; echo end"]
    done = subprocess.run(words, env=here.secured, input=data, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == data + b"\nend\n"


@CLIENTS
def test_exec_ends_before_its_input_does(here: Node, program: tuple[str, ...]) -> None:
    with running(here) as name:
        words = [*program, "exec", "-i", name, "sh", "-c", "head -c 3; echo; exit 7"]
        done = subprocess.run(
            words, env=here.secured, input=b"abc" * (4 << 20), capture_output=True, timeout=60
        )
        assert (done.returncode, done.stdout) == (7, b"abc\n"), done.stderr


@CLIENTS
def test_a_shell_at_a_terminal(here: Node, program: tuple[str, ...]) -> None:
    use_a_shell(program, here.secured)


@CLIENTS
def test_attach_logs_and_files(here: Node, program: tuple[str, ...], tmp_path: Path) -> None:
    script = "read line; echo got $line; for i in 1 2 3; do echo $i; done"
    name = run(here, program, "create", "-i", *NO_NET, "busybox", "sh", "-c", script).strip()
    try:
        assert "got it" in run(here, program, "start", "-ai", name, input=b"it\n")
        assert run(here, program, "logs", "-f", name).split()[-3:] == ["1", "2", "3"]
        run(here, program, "cp", f"{name}:/etc/passwd", str(tmp_path / "p"))
        assert (tmp_path / "p").read_text().startswith("root:")
    finally:
        run(here, program, "rm", "-f", name)


@CLIENTS
def test_strangers(here: Node, program: tuple[str, ...], tmp_path: Path) -> None:
    nodes.run([*WHERRY, "tls", "init", "--dir", f"{tmp_path}/tls", "h"], nodes.environment())
    stranger = tmp_path / "tls/client"
    unknown = {**here.secured, "DOCKER_CERT_PATH": str(stranger)}
    assert "certificate" in nodes.run([*program, "ps"], unknown, 1)
    (stranger / "ca.pem").write_bytes((here.certificates / "ca.pem").read_bytes())
    assert nodes.run([*program, "ps"], unknown, 1)
    plain = {**here.secured, "DOCKER_TLS_VERIFY": ""}
    assert "HTTPS server" in nodes.run([*program, "ps"], plain, 1)


def test_docker_py(here: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):  # requests puts them first
        monkeypatch.delenv(name, raising=False)
    at = here.certificates
    config = docker.tls.TLSConfig(
        client_cert=(str(at / "cert.pem"), str(at / "key.pem")), ca_cert=str(at / "ca.pem"),
        verify=True,
    )  # fmt: skip
    client = docker.DockerClient(base_url=f"tcp://{here.address}", tls=config)
    said = client.containers.run("busybox", ["echo", "hello"], network_mode="none", remove=True)
    assert said == b"hello\n"
    client.close()


@contextlib.contextmanager
def running(here: Node) -> Iterator[str]:
    name = here.run("run", "-d", *NO_NET, "busybox", "sleep", "1000").strip()
    try:
        yield name
    finally:
        here.run("rm", "-f", name)
