"""What a person does in a day with `wherry`, on a real engine."""

import json
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.terminal import Terminal
from tests.journeys.engine import BUSYBOX, PROGRAM, Engine, engine

pytestmark = pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs busybox-static")

FOREVER = ("--network", "none", "busybox", "sh", "-c", "echo one; echo two >&2; sleep 1000")


def names_in(archive: Path) -> list[str]:
    with tarfile.open(archive) as tar:
        return [name.removeprefix("./") for name in tar.getnames()]


@pytest.fixture(scope="module")
def host() -> Iterator[Engine]:
    with engine() as running:
        yield running


@pytest.fixture
def web(host: Engine) -> Iterator[str]:
    host.run("run", "-d", "--name", "web", "-l", "tier=web", *FOREVER)
    yield "web"
    host.run("rm", "-f", "web")


def test_run_and_its_exit_codes(host: Engine) -> None:
    words = ("run", "--rm", "--network", "none", "busybox")
    done = host.run(*words, "sh", "-c", "echo out; echo err >&2; exit 9", code=9)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    assert host.run("run", "--rm", "-i", *words[2:], "cat", input=b"data").stdout == "data"
    assert "nosuch" in host.run(*words, "nosuch", code=127).stderr
    assert "wherry: " in host.run(*words, "/etc", code=126).stderr
    host.run("run", "--nope", "busybox", code=125)
    assert host.out("ps", "-aq") == ""


def test_a_container_from_start_to_end(host: Engine, web: str) -> None:
    assert host.out("ps", "--format", "{{.Names}} {{.Image}} {{.State}}") == "web busybox running"
    logs = host.run("logs", web)
    assert (logs.stdout, logs.stderr) == ("one\n", "two\n")
    assert host.out("exec", "-e", "A=b", "-w", "/tmp", web, "sh", "-c", "echo $A; pwd") == "b\n/tmp"
    host.run("exec", web, "sh", "-c", "exit 3", code=3)
    assert "sleep 1000" in host.out("top", web)
    host.run("stop", "-t", "0", web)
    assert host.out("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", web) == "exited 137"
    assert host.out("wait", web) == "137"
    host.run("start", web)
    host.run("rename", web, "other")
    assert host.out("ps", "-q", "-f", "name=other")
    host.run("rename", "other", web)
    host.run("kill", web)
    assert "(137)" in host.out("ps", "-a", "--format", "{{.Status}}", "-f", "name=web")


def test_files_go_in_and_out(host: Engine, web: str, tmp_path: Path) -> None:
    (tmp_path / "dir/sub").mkdir(parents=True)
    (tmp_path / "dir/sub/file").write_text("hello\n")
    host.run("cp", str(tmp_path / "dir"), f"{web}:/tmp/there")
    assert host.out("exec", web, "cat", "/tmp/there/sub/file") == "hello"
    host.run("cp", f"{web}:/tmp/there/.", str(tmp_path / "back"))
    assert (tmp_path / "back/sub/file").read_text() == "hello\n"
    assert "A /tmp/there/sub/file" in host.out("diff", web).splitlines()
    assert "nope" in host.run("cp", f"{web}:/nope", str(tmp_path), code=1).stderr


def test_an_image_goes_out_and_comes_back(host: Engine, web: str, tmp_path: Path) -> None:
    host.run("exec", web, "sh", "-c", "echo mark >/tmp/mark")
    host.run("commit", "-m", "why", "-c", "ENV A=b", web, "made:1")
    archive = tmp_path / "made.tar"
    host.run("save", "-o", str(archive), "made:1")
    assert "manifest.json" in names_in(archive)
    host.run("rmi", "made:1")
    assert host.out("images", "-q", "made") == ""
    assert host.out("load", "-i", str(archive)) == "Loaded image: made:1"
    words = ("run", "--rm", "--network", "none", "made:1", "sh", "-c", "cat /tmp/mark; echo $A")
    assert host.out(*words) == "mark\nb"
    host.run("tag", "made:1", "made:2")
    tags = host.out("image", "inspect", "-f", "{{json .RepoTags}}", "made:1")
    assert set(json.loads(tags)) == {"made:1", "made:2"}
    assert "why" in host.out("history", "made:1")
    host.run("rmi", "made:1", "made:2")
    listed = tmp_path / "fs.tar"
    host.run("export", "-o", str(listed), web)
    assert "tmp/mark" in names_in(listed)


def test_events_and_numbers(host: Engine) -> None:
    since = str(int(time.time()))
    host.run("run", "--rm", "--name", "told", "--network", "none", "busybox", "true")
    words = (
        "events",
        "--since",
        since,
        "--until",
        str(int(time.time()) + 1),
        "-f",
        "type=container",
    )
    said = host.out(*words, "-f", "container=told", "--format", "{{.Action}}").split()
    steps = ["create", "start", "die", "destroy"]
    assert [word for word in said if word in steps] == steps
    assert int(host.out("info", "-f", "{{.NCPU}}")) == os.cpu_count()
    assert host.out("version", "-f", "{{.Client.Version}}")
    assert host.out("system", "df").startswith("TYPE")


def test_what_is_missing_is_named(host: Engine) -> None:
    for words in (("stop",), ("rm",), ("logs",), ("inspect",), ("exec",), ("start",), ("top",)):
        more = ("ls",) if words == ("exec",) else ()
        assert "nope" in host.run(*words, "nope", *more, code=1).stderr


def test_a_shell_at_a_terminal(host: Engine) -> None:
    words = [*PROGRAM, "run", "--rm", "-it", "--network", "none", "busybox", "sh"]
    with Terminal(words, host.environment) as terminal:
        terminal.expect("/ # ")
        terminal.type("stty size </dev/tty\r")
        terminal.expect("24 80\r\n")
        terminal.resize(40, 120)
        time.sleep(0.5)
        terminal.type("stty size </dev/tty\r")
        terminal.expect("40 120\r\n")
        terminal.type("exit 5\r")
        assert terminal.end() == 5
        assert terminal.is_restored()


def test_detach_and_attach_again(host: Engine) -> None:
    words = [*PROGRAM, "run", "-it", "--name", "shell", "--network", "none", "busybox", "sh"]
    with Terminal(words, host.environment) as terminal:
        terminal.expect("/ # ")
        terminal.type("A=kept\r\x10\x11")
        assert terminal.end() == 0
        assert terminal.is_restored()
    with Terminal([*PROGRAM, "attach", "shell"], host.environment) as terminal:
        terminal.type("echo $A\r")
        terminal.expect("kept\r\n")
        terminal.type("exit 4\r")
        assert terminal.end() == 4
    host.run("rm", "shell")


def test_logs_are_followed(host: Engine) -> None:
    script = "for i in 1 2 3; do echo $i; sleep 0.2; done"
    host.run("run", "-d", "--name", "count", "--network", "none", "busybox", "sh", "-c", script)
    assert host.out("logs", "-f", "count") == "1\n2\n3"
    assert host.out("logs", "-n", "1", "count") == "3"
    host.run("rm", "-f", "count")


def test_our_signals_are_the_containers(host: Engine) -> None:
    script = "trap 'echo got it; exit 33' TERM; echo ready; while :; do sleep 0.1; done"
    words = [*PROGRAM, "run", "--rm", "--network", "none", "busybox", "sh", "-c", script]
    with subprocess.Popen(
        words, env=host.environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "got it\n"
        assert process.wait(20) == 33


def test_much_data_both_ways(host: Engine) -> None:
    data = bytes(range(256)) * 4096 * 8
    words = [*PROGRAM, "run", "--rm", "-i", "--network", "none", "busybox", "cat"]
    done = subprocess.run(
        words, env=host.environment, input=data, capture_output=True, timeout=60, check=True
    )
    assert done.stdout == data
