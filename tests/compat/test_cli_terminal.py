"""Interactive use: Docker's command line and ours do the same at a terminal."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.compat import oracle
from tests.compat.terminal import Terminal

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not oracle.is_here(), reason="needs root and dockerd 20.10"),
]

WHERRY = [sys.executable, "-c", "import sys; from wherry.cli.main import main; sys.exit(main())"]
BOTH = pytest.mark.parametrize("program", [[oracle.DOCKER], WHERRY], ids=["docker", "wherry"])
DETACH = "\x10\x11"
PROMPT = "/ # "


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with oracle.dockerd() as address:
        yield address


@pytest.fixture
def box(host: str) -> Iterator[str]:
    """A container with a shell at a terminal."""
    words = ("run", "-dit", "--name", "box", "--network", "none", "busybox", "sh")
    oracle.docker(host, *words)
    yield "box"
    oracle.docker(host, "rm", "-f", "box", check=False)


def at_terminal(program: list[str], host: str, *words: str) -> Terminal:
    return Terminal([*program, *words], environment(host))


def environment(host: str) -> dict[str, str]:
    return {**os.environ, "DOCKER_HOST": host, "WHERRY_HOST": host}


@BOTH
def test_a_shell(program: list[str], host: str) -> None:
    words = ("run", "--rm", "-it", "--network", "none", "busybox", "sh")
    with at_terminal(program, host, *words) as terminal:
        terminal.expect(PROMPT)
        terminal.type("echo $((40+2))\r")
        terminal.expect("42\r\n")
        terminal.type("exit 5\r")
        assert terminal.end() == 5
        assert terminal.is_restored()


@BOTH
def test_the_size_of_the_window(program: list[str], host: str) -> None:
    words = ("run", "--rm", "-it", "--network", "none", "busybox", "sh")
    with at_terminal(program, host, *words) as terminal:
        terminal.expect(PROMPT)
        terminal.type("stty size </dev/tty\r")
        terminal.expect("24 80\r\n")
        terminal.resize(30, 101)
        time.sleep(0.5)
        terminal.type("stty size </dev/tty\r")
        terminal.expect("30 101\r\n")
        terminal.type("exit\r")
        assert terminal.end() == 0


@BOTH
def test_interrupt_goes_to_the_container(program: list[str], host: str) -> None:
    words = ("run", "--rm", "-it", "--network", "none", "busybox", "sh")
    with at_terminal(program, host, *words) as terminal:
        terminal.expect(PROMPT)
        terminal.type("sleep 1000\r")
        time.sleep(0.5)
        terminal.type("\x03")
        terminal.expect(PROMPT)
        terminal.type("exit 7\r")
        assert terminal.end() == 7


@BOTH
def test_detach_from_run(program: list[str], host: str) -> None:
    words = ("run", "-it", "--name", "left", "--network", "none", "busybox", "sh")
    try:
        with at_terminal(program, host, *words) as terminal:
            terminal.expect(PROMPT)
            terminal.type(DETACH)
            assert terminal.end() == 0
            assert terminal.is_restored()
        state = oracle.docker(host, "inspect", "-f", "{{.State.Running}}", "left").stdout
        assert state == "true\n"
    finally:
        oracle.docker(host, "rm", "-f", "left", check=False)


@BOTH
def test_detach_from_attach(program: list[str], host: str, box: str) -> None:
    with at_terminal(program, host, "attach", box) as terminal:
        terminal.type("echo h''i\r")
        terminal.expect("hi\r\n")
        terminal.type(DETACH)
        assert terminal.end() == 1
        assert "read escape sequence" in terminal.seen
        assert terminal.is_restored()


@BOTH
def test_detach_from_exec(program: list[str], host: str, box: str) -> None:
    with at_terminal(program, host, "exec", "-it", box, "sh") as terminal:
        terminal.expect(PROMPT)
        terminal.type(DETACH)
        assert terminal.end() == 1
        assert "read escape sequence" in terminal.seen
        assert terminal.is_restored()


@BOTH
def test_an_exec_that_fails_says_only_why(program: list[str], host: str, box: str) -> None:
    with at_terminal(program, host, "exec", "-it", box, "/missing") as terminal:
        terminal.type("typed ahead\r")
        assert terminal.end() == 126
        assert "no such file or directory" in terminal.seen
        assert "reset" not in terminal.seen


@BOTH
def test_other_detach_keys(program: list[str], host: str, box: str) -> None:
    words = ("exec", "-it", "--detach-keys", "ctrl-a,x", box, "cat")
    with at_terminal(program, host, *words) as terminal:
        terminal.type("one\x01y two\r")
        terminal.expect("one\x01y two\r\n")
        terminal.type("\x01x")
        assert terminal.end() == 1


@BOTH
def test_attach_ends_with_the_container(program: list[str], host: str, box: str) -> None:
    with at_terminal(program, host, "attach", box) as terminal:
        terminal.type("exit 3\r")
        assert terminal.end() == 3
        assert terminal.is_restored()


@BOTH
def test_start_interactively(program: list[str], host: str, box: str) -> None:
    oracle.docker(host, "kill", box)
    with at_terminal(program, host, "start", "-ai", box) as terminal:
        terminal.expect(PROMPT)
        terminal.type("exit 4\r")
        assert terminal.end() == 4


def test_the_terminal_is_restored_when_we_are_killed(host: str, box: str) -> None:
    with at_terminal(WHERRY, host, "exec", "-it", box, "sh") as terminal:
        terminal.expect(PROMPT)
        assert not terminal.is_restored()
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 128 + signal.SIGTERM
        assert terminal.is_restored()


def test_the_terminal_is_restored_when_the_container_is_killed(host: str, box: str) -> None:
    with at_terminal(WHERRY, host, "attach", box) as terminal:
        terminal.type("\r")
        terminal.expect(PROMPT)
        oracle.docker(host, "kill", box)
        assert terminal.end() == 137
        assert terminal.is_restored()


@BOTH
def test_signals_reach_the_container(program: list[str], host: str) -> None:
    script = "trap 'echo got it; exit 33' TERM; echo ready; while :; do sleep 0.1; done"
    words = ["run", "--rm", "--network", "none", "busybox", "sh", "-c", script]
    with subprocess.Popen(
        [*program, *words], env=environment(host), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "got it\n"
        assert process.wait(20) == 33


@BOTH
def test_much_data_both_ways(program: list[str], host: str) -> None:
    """More than all buffers hold, through a container that writes what it reads."""
    data = os.urandom(1 << 20) * 8
    words = ["run", "--rm", "-i", "--network", "none", "busybox", "cat"]
    done = subprocess.run(
        [*program, *words], env=environment(host), input=data, capture_output=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout == data


@BOTH
def test_only_input_is_attached(program: list[str], host: str) -> None:
    words = ["run", "--rm", "-i", "-a", "stdin", "--network", "none", "busybox", "cat"]
    done = subprocess.run(
        [*program, *words], env=environment(host), input=b"x", capture_output=True, timeout=60
    )
    assert done.returncode == 0
    assert re.fullmatch(rb"[0-9a-f]{64}\n", done.stdout)


@BOTH
def test_a_closed_reader_ends_logs(program: list[str], host: str, box: str) -> None:
    script = "while echo line; do :; done >/proc/1/fd/1 & sleep 1"
    oracle.docker(host, "exec", box, "sh", "-c", script)
    with subprocess.Popen(
        [*program, "logs", "-f", box], env=environment(host), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(20) != 0
