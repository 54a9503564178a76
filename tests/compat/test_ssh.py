"""`ssh://`: Docker's command line and ours, to dockerd and to our engine, through a real sshd."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat import nodes, sshd
from tests.compat.nodes import DOCKER, WHERRY, Node
from tests.compat.sshd import Server
from tests.compat.terminal import use_a_shell

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(nodes.missing()), reason=nodes.missing()),
    pytest.mark.skipif(bool(sshd.missing()), reason=sshd.missing()),
]
CLIENTS = pytest.mark.parametrize("program", [DOCKER, WHERRY], ids=["docker", "wherry"])
NO_NET = ("--network", "none")


class Far(Node):
    """An engine, and the sshd of its machine."""

    def __new__(cls, node: Node, server: Server) -> "Far":
        made = super().__new__(cls, *node)
        made.server = server
        return made

    server: Server

    @property
    def by_ssh(self) -> dict[str, str]:
        return nodes.environment(DOCKER_HOST=self.server.url, PATH=self.server.path)


@pytest.fixture(scope="module", params=["root", "plain", "dockerd"])
def far(request: pytest.FixtureRequest) -> Iterator[Far]:
    """On the engine's machine there is only the command line that belongs to the engine.

    Docker's asks for `docker` there: on ours that is a link to wherry.
    """
    with nodes.node(request.param) as running:
        programs = {"docker": f'exec {DOCKER[0]} "$@"'}
        if request.param != "dockerd":
            programs = {"wherry": sshd.wherry(), "docker": sshd.wherry()}
        with sshd.server(programs, {"DOCKER_HOST": running.host}) as server:
            yield Far(running, server)


@CLIENTS
def test_much_data_both_ways_and_an_end(far: Far, program: tuple[str, ...]) -> None:
    data = os.urandom(2 << 20)
    words = [*program, "run", "--rm", "-i", *NO_NET, "busybox", "sh", "-c", "cat; echo; echo end"]
    done = subprocess.run(words, env=far.by_ssh, input=data, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == data + b"\nend\n"


@CLIENTS
def test_a_shell_at_a_terminal(far: Far, program: tuple[str, ...]) -> None:
    use_a_shell(program, far.by_ssh)


@CLIENTS
def test_exit_codes_and_copies(far: Far, program: tuple[str, ...], tmp_path: Path) -> None:
    name = far.run("run", "-d", *NO_NET, "busybox", "sleep", "1000").strip()
    try:
        nodes.run([*program, "exec", name, "sh", "-c", "exit 3"], far.by_ssh, 3)
        nodes.run([*program, "cp", f"{name}:/etc/passwd", str(tmp_path / "p")], far.by_ssh)
        assert (tmp_path / "p").read_text().startswith("root:")
    finally:
        far.run("rm", "-f", name)


def test_a_signal_is_the_containers(far: Far) -> None:
    script = "trap 'echo got it; exit 33' INT; echo ready; while :; do sleep 0.1; done"
    words = [*WHERRY, "run", "--rm", *NO_NET, "busybox", "sh", "-c", script]
    with subprocess.Popen(
        words, env=far.by_ssh, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: ssh gets it too
        assert process.stdout.read() == "got it\n"
        assert process.wait(20) == 33


def test_a_socket_that_is_named(far: Far) -> None:
    env = {**far.by_ssh, "DOCKER_HOST": f"{far.server.url}{far.folder}/s"}
    assert "busybox" in nodes.run([*WHERRY, "images"], env)
    wrong = {**far.by_ssh, "DOCKER_HOST": f"{far.server.url}/nope"}
    assert "/nope" in nodes.run([*WHERRY, "images"], wrong, 1)


def test_ssh_says_why_not(far: Far, tmp_path: Path) -> None:
    nobody = far.server.url.replace("root@", "nobody-at-all@")
    said = nodes.run([*WHERRY, "ps"], {**far.by_ssh, "DOCKER_HOST": nobody}, 1)
    assert "Permission denied" in said
    assert "nobody-at-all@" in said
    sshd.script(tmp_path / "bin/ssh", "echo broken pipe dream >&2; exit 255")
    env = {**far.by_ssh, "PATH": f"{tmp_path}/bin"}
    assert "broken pipe dream" in nodes.run([*WHERRY, "ps"], env, 1)
    assert "cannot start ssh" in nodes.run([*WHERRY, "ps"], {**far.by_ssh, "PATH": "/nope"}, 1)


def test_nothing_stays_behind(far: Far) -> None:
    words = [*WHERRY, "events"]
    with subprocess.Popen(words, env=far.by_ssh, stdout=subprocess.PIPE) as process:
        time.sleep(1)
        process.kill()
    until = time.monotonic() + 10
    while _dialling(far):
        assert time.monotonic() < until, _dialling(far)
        time.sleep(0.1)


def _dialling(far: Far) -> list[str]:
    """Processes of the far side's command line, and the ssh that belongs to them."""
    found = []
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace")
            if "dial-stdio" in words and str(far.folder.name) in words + environment:
                found.append(words)
    return found
