"""Throw-away network namespaces: one plays the host, one the world beyond it, others containers.

A namespace lives as long as a descriptor on it (or a socket in it) is open, so nothing is left
behind when a test fails.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from wherry.linux import namespace, netns, rtnetlink
from wherry.linux.netlink import NetlinkSocket
from wherry.linux.rtnetlink import VethEnd
from wherry.network.driver import Sandbox

T = TypeVar("T")
HOST, WORLD = "10.9.0.1", "10.9.0.2"
PATIENCE = 5.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks `root` and `plain` are kept here."""
    for item in items:
        if "system/network" not in str(item.path):
            continue
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))


def in_thread(work: Callable[[], T]) -> T:
    """The result of work done in a thread of its own, which may change its namespaces."""
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def _new_namespace() -> int:
    namespace.unshare(netns.CLONE_NEWNET)
    with NetlinkSocket.open() as route:
        route.request(rtnetlink.up_by_name_message("lo"))
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Playground:
    """A host with an uplink to a world, and a folder for the network process."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []
        self.host, self.world = self.namespace(), self.namespace()
        self.folder = tempfile.mkdtemp(prefix="wherry-net-")
        with self.route(self.host) as route:
            route.request(rtnetlink.veth_message(VethEnd("up0"), VethEnd("eth0", "", self.world)))
            self.address(self.host, "up0", HOST)
            self.address(self.world, "eth0", WORLD)

    def namespace(self) -> int:
        """A fresh namespace with loopback up."""
        descriptor = in_thread(_new_namespace)
        self._descriptors.append(descriptor)
        return descriptor

    def sandbox(self) -> Sandbox:
        """A namespace as a monitor hands it over: with an rtnetlink socket from inside."""
        where = self.namespace()
        inside = netns.inside(where, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
        descriptor = inside.detach()
        self._descriptors.append(descriptor)
        return Sandbox(where, descriptor, os.getpid())

    def route(self, where: int) -> NetlinkSocket:
        """An rtnetlink socket in a namespace."""
        return netns.inside(where, NetlinkSocket.open)

    def address(self, where: int, link: str, address: str) -> None:
        """An address on a link, which goes up."""
        with self.route(where) as route:
            found = rtnetlink.link(route, link)
            assert found is not None
            route.request(
                rtnetlink.address_message(found.ifindex, address, 24),
                rtnetlink.up_by_name_message(link),
            )

    def run(self, story: Callable[[], Coroutine[Any, Any, T]], where: int | None = None) -> T:
        """An asyncio story told on the host (or elsewhere); processes it starts live there too."""

        def work() -> T:
            netns.enter(self.host if where is None else where)
            return asyncio.run(story())

        return in_thread(work)

    def close(self) -> None:
        """The network process ends; the namespaces follow their descriptors."""
        stop_process(self.folder)
        for descriptor in self._descriptors:
            os.close(descriptor)


def process_id(folder: str) -> int:
    """The network process's pid, from its identity file."""
    with open(os.path.join(folder, "wherry-net.json")) as file:
        return int(json.load(file)["pid"])


def stop_process(folder: str) -> None:
    """End what a failed test left."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(process_id(folder), signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def playground() -> Iterator[Playground]:
    made = Playground()
    yield made
    made.close()


class Server:
    """A TCP or UDP server that tells each client where it comes from."""

    family = socket.AF_INET

    def __init__(self, where: int, port: int, kind: int = socket.SOCK_STREAM) -> None:
        self._stream = kind == socket.SOCK_STREAM
        self._socket = _socket(where, self.family, kind)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("::" if self.family == socket.AF_INET6 else "0.0.0.0", port))
        self._socket.settimeout(0.1)
        if self._stream:
            self._socket.listen()
        self.port: int = self._socket.getsockname()[1]
        self._stopping = False
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                if self._stream:
                    client, address = self._socket.accept()
                    with client:
                        client.sendall(address[0].encode())
                else:
                    _, address = self._socket.recvfrom(2000)
                    self._socket.sendto(address[0].encode(), address)

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._thread.join()
        self._socket.close()


def ask(
    where: int,
    address: str,
    port: int,
    *,
    kind: int = socket.SOCK_STREAM,
    patience: float = PATIENCE,
) -> str:
    """What a server answers: our address as it sees it; or the error's name. -1: from here."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with _socket(where, family, kind) as sock:
        sock.settimeout(patience)
        try:
            sock.connect((address, port))
            if kind == socket.SOCK_DGRAM:
                sock.send(b"who am I?")
            return sock.recv(100).decode() or "closed"
        except OSError as error:
            return type(error).__name__


def _socket(where: int, family: int, kind: int) -> socket.socket:
    if where < 0:
        return socket.socket(family, kind)
    return netns.inside(where, lambda: socket.socket(family, kind))
