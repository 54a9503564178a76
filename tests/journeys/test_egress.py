"""Egress rules by the command line: what a container reaches, also while the daemon is dead."""

import contextlib
import json
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.journeys.engine import Engine, engine, kill_daemon, start_daemon
from tests.journeys.ports import free_port
from wherry.network.outbound import host_address
from wherry.testing.dns import NameServer, reply

LOCAL_SERVER = "127.0.0.77"


@pytest.fixture(scope="module")
def host() -> Iterator[Engine]:
    with engine() as here:
        yield here


@contextlib.contextmanager
def greeting() -> Iterator[int]:
    """A TCP server of the host's on every address; its port."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        stopped = threading.Event()
        server.settimeout(0.1)

        def serve() -> None:
            while not stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    client, _ = server.accept()
                    with client:
                        client.sendall(b"hello\n")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stopped.set()
            thread.join()


def start(host: Engine, name: str, *options: str) -> str:
    words = ("run", "-d", "--name", name, *options, "busybox", "sleep", "1000")
    return host.out(*words)


def reach(host: Engine, name: str, address: str, port: int) -> str:
    """What a server says to a container, or nothing."""
    script = f"busybox nc {address} {port} </dev/null 2>/dev/null || true"
    return host.out("exec", name, "sh", "-c", script)


def test_addresses_and_a_dead_daemon(host: Engine) -> None:
    address = host_address()
    with greeting() as good, greeting() as bad:
        rules = ("--egress", f"allow={address}:{good}", "--egress", "default=deny")
        id = start(host, "strict", *rules)
        start(host, "free")
        assert reach(host, "strict", address, good) == "hello"
        assert reach(host, "strict", address, bad) == ""
        assert reach(host, "free", address, bad) == "hello"
        kill_daemon(host)
        start_daemon(host)
        assert reach(host, "strict", address, good) == "hello"
        assert reach(host, "strict", address, bad) == ""
        labels = json.loads(host.out("inspect", "-f", "{{json .Config.Labels}}", "strict"))
        assert labels == {"wherry.egress": f"allow={address}:{good} default=deny"}
        assert ("tcp", address, str(bad)) in denials(host, id)
        host.run("restart", "-t", "0", "strict")
        assert reach(host, "strict", address, bad) == ""
        host.run("rm", "-f", "strict", "free")
        start(host, "after")
        assert reach(host, "after", address, bad) == "hello"
        host.run("rm", "-f", "after")


def test_rules_and_ports_are_kept_when_daemon_and_network_process_die(host: Engine) -> None:
    address, published = host_address(), free_port()
    serve = "while true; do echo inside | busybox nc -l -p 80; done"
    with greeting() as good, greeting() as bad:
        options = ("--egress", f"allow={address}:{good}", "-p", f"{published}:80")
        words = ("run", "-d", "--name", "kept", *options, "busybox", "sh", "-c", serve)
        host.out(*words)
        kill_daemon(host)
        with open(f"{host.folder}/x/net/wherry-net.json") as file:
            os.kill(json.load(file)["pid"], signal.SIGKILL)
        assert published_says(published) == ""
        start_daemon(host)
        assert reach(host, "kept", address, bad) == ""
        assert reach(host, "kept", address, good) == "hello"
        assert published_says(published) == "inside\n"
        host.run("rm", "-f", "kept")


def published_says(port: int) -> str:
    """What a published port says, or nothing."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as sock:
        return sock.recv(100).decode()
    return ""


def test_rules_follow_a_container_through_its_networks(host: Engine) -> None:
    if not shutil.which("docker"):
        pytest.skip("needs docker")
    docker, address = host._replace(client=("docker",)), host_address()
    with greeting() as good, greeting() as bad:
        docker.run("network", "create", "more")
        start(host, "moved", "--egress", f"allow={address}:{good}")
        for words in (("connect", "more", "moved"), ("disconnect", "bridge", "moved")):
            docker.run("network", *words)
            assert reach(host, "moved", address, good) == "hello"
            assert reach(host, "moved", address, bad) == ""
        host.run("rm", "-f", "moved")
        docker.run("network", "rm", "more")


def denials(host: Engine, id: str) -> set[tuple[str, str, str]]:
    """The events of denials so far."""
    words = ("--since", "1h", "--until", "0s", "--filter", "event=egress-denied")
    lines = host.out("events", *words, "--format", "{{json .}}").splitlines()
    found = [json.loads(line) for line in lines]
    told = [each["Actor"]["Attributes"] for each in found if each["Actor"]["ID"] == id]
    return {
        (one["protocol"], one.get("address", one.get("target", "")), one["port"]) for one in told
    }


def test_names(host: Engine) -> None:
    if os.geteuid() != 0:
        pytest.skip("a name server at port 53 needs root")
    address = host_address()
    with greeting() as port, NameServer(-1, LOCAL_SERVER, lambda asked, _: reply(asked, address)):
        rules = ("--egress", f"allow=good.example:{port}", "--dns", LOCAL_SERVER)
        id = start(host, "named", *rules)
        assert reach(host, "named", address, port) == ""
        assert reach(host, "named", "bad.example", port) == ""
        assert reach(host, "named", "good.example", port) == "hello"
        assert ("dns", "bad.example", "53") in denials(host, id)
        host.run("rm", "-f", "named")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--egress", "allow=?"), "invalid egress target '?'"),
        (("--egress", "permit=x"), "invalid egress rule 'permit=x'"),
        (("--label", "wherry.egress=default=maybe"), "invalid egress rule 'default=maybe'"),
        (("--egress", "default=deny", "--network", "host"), "cannot be kept in network host"),
    ],
)
def test_rules_that_cannot_be_kept(host: Engine, options: tuple[str, ...], text: str) -> None:
    assert text in host.run("create", *options, "busybox", code=1).stderr
