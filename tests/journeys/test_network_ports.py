"""Published ports of containers in networks of one's own, as root and as a plain user."""

import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.journeys.engine import PROGRAM, Engine, engine
from tests.journeys.ports import free_port, page_of

SERVE = "mkdir -p /w; echo here > /w/index.html; exec busybox httpd -f -p 80 -h /w"


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    with engine() as here:
        here.run("network", "create", "net")
        yield here
        here.run("network", "prune", "-f")


@pytest.fixture
def host(running: Engine) -> Iterator[Engine]:
    yield running
    for name in running.out("ps", "-aq").split():
        running.run("rm", "-f", name)


def web(host: Engine, name: str, *words: str) -> None:
    host.run("run", "-d", "--name", name, "--network", "net", *words, "busybox", "sh", "-c", SERVE)


def ports(host: Engine, name: str) -> list[str]:
    return sorted(host.out("port", name).splitlines())


def page(port: int) -> bytes:
    """The page, once the server inside is up."""
    for _ in range(50):
        if (found := page_of(port)) == b"here\n":
            return found
        time.sleep(0.1)
    return found


def fetched(host: Engine, name: str, address: str, port: int) -> str:
    """What a container gets from a published port by that address."""
    url = f"http://{address}:{port}/"
    words = ("exec", name, "busybox", "wget", "-O-", url)
    for _ in range(10):
        done = subprocess.run(
            [*PROGRAM, *words], env=host.environment, capture_output=True, check=False, timeout=60
        )
        if done.returncode == 0:
            return done.stdout.decode()
        time.sleep(0.2)
    return done.stderr.decode()


def free_ports(count: int) -> int:
    """The first of some free ports in a row."""
    while True:
        first = free_port()
        try:
            for port in range(first, first + count):
                with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
                    tcp.bind(("0.0.0.0", port))
                    udp.bind(("0.0.0.0", port))
        except (OSError, OverflowError):
            continue
        return first


def test_one_of_a_range_is_taken_for_each_container(host: Engine) -> None:
    first = free_ports(2)
    spec = f"{first}-{first + 1}:80"
    for name in ("one", "two"):
        web(host, name, "-p", spec)
    assert [ports(host, name)[0] for name in ("one", "two")] == [
        f"80/tcp -> 0.0.0.0:{port}" for port in (first, first + 1)
    ]
    assert page(first) == page(first + 1) == b"here\n"
    words = ("run", "-d", "--name", "three", "--network", "net", "-p", spec, "busybox", "true")
    said = host.run(*words, code=125).stderr
    assert "allocated" in said


def test_a_range_leads_to_a_range_by_udp(host: Engine) -> None:
    first = free_ports(3)
    words = ("--network", "net", "-p", f"{first}-{first + 2}:9000-9002/udp")
    host.run("run", "-d", "--name", "echo", *words, "busybox", "sleep", "1000")
    assert [line for line in ports(host, "echo") if "0.0.0.0" in line] == [
        f"{9000 + number}/udp -> 0.0.0.0:{first + number}" for number in range(3)
    ]
    for port in range(first, first + 3):  # ours by both protocols of addresses, and by UDP only
        with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            tcp.bind(("0.0.0.0", port))
            with pytest.raises(OSError, match="in use"):
                udp.bind(("0.0.0.0", port))


def test_any_free_port(host: Engine) -> None:
    web(host, "web", "-p", "80")
    (port,) = {int(line.rsplit(":", 1)[1]) for line in ports(host, "web")}
    assert page(port) == b"here\n"


def test_one_address_of_the_host_and_no_other(host: Engine) -> None:
    port = free_port()
    web(host, "web", "-p", f"127.0.0.1:{port}:80")
    assert ports(host, "web") == [f"80/tcp -> 127.0.0.1:{port}"]
    assert page(port) == b"here\n"
    with socket.socket() as sock:
        sock.bind(("127.0.0.2", port))  # is still free


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_all_ipv6_addresses_of_the_host(host: Engine) -> None:
    port = free_port()
    web(host, "web", "-p", f"[::]:{port}:80")
    assert ports(host, "web") == [f"80/tcp -> [::]:{port}"]
    for _ in range(50):
        with socket.socket(socket.AF_INET6) as sock:
            sock.settimeout(5)
            sock.connect(("::1", port))
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            data = b"".join(iter(lambda: sock.recv(1000), b""))
        if data:
            break
        time.sleep(0.1)
    assert data.endswith(b"here\n")
    assert page_of(port) != b"here\n"


def hosts_address() -> str:
    """An address of this host that is not loopback; nothing is sent."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this host has no address but loopback")
        return str(sock.getsockname()[0])


def test_a_container_reaches_published_ports_through_the_hosts_address(host: Engine) -> None:
    port = free_port()
    web(host, "web", "-p", f"{port}:80")
    host.run("run", "-d", "--name", "app", "--network", "net", "busybox", "sleep", "1000")
    address = hosts_address()
    assert page(port) == b"here\n"
    assert fetched(host, "app", address, port) == "here\n"
    assert fetched(host, "web", address, port) == "here\n"


def test_a_container_reaches_published_ports_through_its_gateway(host: Engine) -> None:
    port = free_port()
    web(host, "web", "-p", f"{port}:80")
    host.run("run", "-d", "--name", "app", "--network", "net", "busybox", "sleep", "1000")
    form = '{{(index .NetworkSettings.Networks "net").Gateway}}'
    gateway = host.out("inspect", "-f", form, "app")
    assert page(port) == b"here\n"
    assert fetched(host, "app", gateway, port) == "here\n"
    assert fetched(host, "web", gateway, port) == "here\n"


def test_sctp_is_refused_at_creation(host: Engine) -> None:
    words = ("create", "--network", "net", "-p", "9000:9000/sctp", "busybox", "true")
    assert "sctp is not supported: tcp or udp" in host.run(*words, code=1).stderr
    assert host.out("ps", "-aq") == ""
