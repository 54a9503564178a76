"""The daily work, with the real docker command line and with ours, on one engine."""

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.terminal import Terminal
from tests.journeys.engine import PROGRAM, Engine, engine
from tests.journeys.ports import free_port, page_of
from wherry.content.files import FileStore
from wherry.oci import reference
from wherry.remote.remote import Remote
from wherry.remote.settings import Settings
from wherry.testing import images, registry

NONE = ("--network", "none")
FOREVER = ("sh", "-c", "echo one; echo two >&2; exec sleep 1000")
CLIENTS = {"wherry": tuple(PROGRAM), "docker": ("docker",)}


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    with engine() as here:
        yield here


@pytest.fixture(params=CLIENTS)
def host(request: pytest.FixtureRequest, running: Engine) -> Iterator[Engine]:
    """The engine by one of the two clients; each test ends without containers."""
    client = CLIENTS[request.param]
    if not shutil.which(client[0]):
        pytest.skip(f"needs {client[0]}")
    here = running._replace(client=client)
    yield here
    for name in here.out("ps", "-aq").split():
        here.run("rm", "-f", name)


def sh(host: Engine, script: str, *options: str) -> str:
    """What a short-lived container says."""
    return host.out("run", "--rm", *NONE, *options, "busybox", "sh", "-c", script)


def start(host: Engine, name: str, *options: str) -> str:
    host.run("run", "-d", "--name", name, *NONE, *options, "busybox", *FOREVER)
    return name


def comes(host: Engine, wanted: str, *words: str) -> None:
    """Wait until a command says it."""
    until = time.monotonic() + 20
    while wanted not in (said := host.out(*words)):
        assert time.monotonic() < until, f"{wanted!r} does not come: {said}"
        time.sleep(0.05)


def test_options_of_run(host: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine\n")
    os.chmod(tmp_path, 0o755)
    script = "echo $A; pwd; id -u; cat /v/file; hostname"
    options = ("-e", "A=b", "-w", "/tmp", "-u", "1000", "-v", f"{tmp_path}:/v:ro", "-h", "there")
    assert sh(host, script, *options).split() == ["b", "/tmp", "1000", "mine", "there"]
    assert sh(
        host, "touch /x 2>&1; touch /t/x && echo ok", "--read-only", "--tmpfs", "/t"
    ).endswith("Read-only file system\nok")
    assert sh(host, "echo $$", "--init") != "1"


def test_capabilities_and_security(host: Engine) -> None:
    show = "grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status | cut -f2"
    assert sh(host, show).split() == ["00000000a80425fb", "0", "2"]
    dropped = sh(host, show, "--cap-drop", "ALL", "--cap-add", "NET_RAW")
    assert dropped.split()[0] == f"{1 << 13:016x}"
    assert sh(host, show, "--security-opt", "no-new-privileges").split()[1] == "1"
    if os.geteuid() == 0:  # with one id the calls for owners are always answered
        assert sh(host, show, "--security-opt", "seccomp=unconfined").split()[2] == "0"


@pytest.mark.root
def test_limits(host: Engine) -> None:
    if os.geteuid() != 0:
        pytest.skip("limits need cgroups")
    v1 = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.shares cpu/cpu.cfs_quota_us"
    v2 = "cat /sys/fs/cgroup/memory.max"
    limits = ("-m", "64m", "--cpus", "0.5", "-c", "512", "--pids-limit", "50")
    said = sh(host, f"({v1}) 2>/dev/null || {v2}", *limits).split()
    assert said[0] == str(64 << 20)
    if len(said) == 3:
        assert said[1:] == ["512", "50000"]


def test_a_life(host: Engine) -> None:
    start(host, "web", "-l", "tier=web")
    assert host.out("ps", "--format", "{{.Names}} {{.Image}}") == "web busybox"
    comes(host, "one", "logs", "web")
    assert host.run("logs", "web").stderr == "two\n"
    assert "sleep 1000" in host.out("top", "web")
    assert host.out("stats", "--no-stream", "--format", "{{.Name}}", "web") == "web"
    assert host.out("exec", "web", "id", "-u") == "0"
    assert host.out("exec", "-u", "1000", "web", "id", "-u") == "1000"
    host.run("exec", "web", "sh", "-c", "exit 3", code=3)
    host.run("exec", "web", "touch", "/new")
    assert "A /new" in host.out("diff", "web").splitlines()
    host.run("rename", "web", "site")
    host.run("restart", "-t", "0", "site")
    assert host.out("inspect", "-f", "{{.State.Status}} {{.Name}}", "site") == "running /site"
    host.run("stop", "-t", "0", "site")
    assert host.out("wait", "site") == "137"
    host.run("start", "site")
    host.run("kill", "site")
    comes(host, "exited 137", "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "site")
    host.run("rm", "site")
    assert host.out("ps", "-aq") == ""


@pytest.mark.root
def test_pause(host: Engine) -> None:
    if os.geteuid() != 0:
        pytest.skip("the freezer is root's")
    start(host, "web")
    host.run("pause", "web")
    assert "(Paused)" in host.out("ps")
    host.run("exec", "web", "true", code=1)
    host.run("unpause", "web")
    assert host.out("exec", "web", "echo", "back") == "back"


def test_logs_are_followed_to_the_end(host: Engine) -> None:
    script = "for i in 1 2 3; do echo $i; sleep 0.2; done; exit 4"
    host.run("run", "-d", "--name", "count", *NONE, "busybox", "sh", "-c", script)
    assert host.out("logs", "-f", "count") == "1\n2\n3"
    assert host.out("wait", "count") == "4"


def test_files_both_ways(host: Engine, tmp_path: Path) -> None:
    start(host, "web")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/file").write_text("hello\n")
    host.run("cp", str(tmp_path / "in"), "web:/tmp/there")
    assert host.out("exec", "web", "cat", "/tmp/there/file") == "hello"
    host.run("cp", "web:/tmp/there/file", str(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "hello\n"


def test_images(host: Engine, tmp_path: Path) -> None:
    start(host, "web")
    host.run("exec", "web", "sh", "-c", "echo mark >/mark")
    host.run("commit", "web", "made:1")
    host.run("save", "-o", str(tmp_path / "made.tar"), "made:1")
    host.run("rmi", "made:1")
    assert host.out("images", "-q", "made") == ""
    assert host.out("load", "-i", str(tmp_path / "made.tar")).endswith("made:1")
    assert "made" in host.out("images")
    assert host.out("run", "--rm", *NONE, "made:1", "cat", "/mark") == "mark"
    host.run("export", "-o", str(tmp_path / "fs.tar"), "web")
    host.run("import", "-c", "ENV A=b", str(tmp_path / "fs.tar"), "flat:1")
    env = json.loads(host.out("image", "inspect", "-f", "{{json .Config.Env}}", "flat:1"))
    assert "A=b" in env
    host.run("rmi", "made:1", "flat:1")


@pytest.mark.skipif(not registry.available(), reason="needs docker-registry")
def test_pull(host: Engine, tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    image = images.busybox_image(store)

    async def push(name: str) -> None:
        async with Remote(Settings()) as remote:
            await remote.push(reference.parse(name), image.digest, store)

    with registry.docker_registry() as there:
        name = there.reference("sample:1")
        asyncio.run(push(name))
        host.run("pull", name)
        assert host.out("run", "--rm", *NONE, name, "echo", "pulled") == "pulled"
        assert str(image.digest) in host.out("images", "--digests")
        host.run("rmi", name)


def test_a_published_port(host: Engine) -> None:
    port = free_port()
    page = "mkdir /w; echo page >/w/index.html; exec busybox httpd -f -p 80 -h /w"
    publish = ("-p", f"127.0.0.1:{port}:80")
    host.run("run", "-d", "--name", "web", *publish, "busybox", "sh", "-c", page)
    assert host.out("port", "web", "80") == f"127.0.0.1:{port}"
    until = time.monotonic() + 10
    while (said := page_of(port)) != b"page\n":
        assert time.monotonic() < until, said
        time.sleep(0.1)


def test_at_a_terminal(host: Engine) -> None:
    words = [*host.client, "run", "-it", "--name", "shell", *NONE, "busybox", "sh"]
    with Terminal(words, host.environment) as terminal:
        terminal.expect("/ # ")
        script = "until [ \"$(stty size)\" = '40 120' ]; do sleep 0.1; done; echo it fi''ts\r"
        terminal.type(script)
        for _ in range(10):  # a client may show the prompt before it listens for the size
            terminal.resize(40, 120)
            time.sleep(0.2)
        terminal.expect("it fits\r\n")
        terminal.type("A=kept\r\x10\x11")
        assert terminal.end() == 0
        assert terminal.is_restored()
    with Terminal([*host.client, "exec", "-it", "shell", "sh"], host.environment) as terminal:
        terminal.expect("/ # ")
        terminal.type("tty; exit 6\r")
        terminal.expect("/dev/pts/")
        assert terminal.end() == 6
    with Terminal([*host.client, "attach", "shell"], host.environment) as terminal:
        terminal.type("echo $A\r")
        terminal.expect("kept\r\n")
        terminal.type("exit 4\r")
        assert terminal.end() == 4
    assert host.out("wait", "shell") == "4"


def test_standard_input_ends_with_its_client(host: Engine) -> None:
    host.run("create", "-i", "--name", "cat", *NONE, "busybox", "cat")
    assert host.run("start", "-ai", "cat", input=b"through\n").stdout == "through\n"
    assert host.out("wait", "cat") == "0"


def test_attach_to_streams(host: Engine) -> None:
    start(host, "web")
    with subprocess.Popen([*host.client, "attach", "web"], env=host.environment) as client:
        time.sleep(1)
        host.run("kill", "web")
        assert client.wait(20) == 137


def test_events(host: Engine) -> None:
    since = str(time.time())
    start(host, "web")
    host.run("kill", "web")
    host.run("rm", "web")
    words = ("--since", since, "--until", str(time.time() + 0.5), "-f", "container=web")
    said = host.out("events", *words, "--format", "{{.Action}}").split()
    assert [word for word in said if word in ("create", "start", "kill", "die", "destroy")] == [
        "create", "start", "kill", "die", "destroy",
    ]  # fmt: skip
