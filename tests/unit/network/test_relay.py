"""The TCP relay on loopback: bytes, half-close, reset, refusal, many at once."""

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from wherry.network.inside import Inside
from wherry.network.listeners import StreamListener
from wherry.network.loop import Loop

SIZE = 8 << 20


class Bench:
    """A relay from one loopback port to another, its loop in a thread."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(10)
        self.loop = Loop()
        front = socket.create_server(("127.0.0.1", 0))
        front.setblocking(False)
        self.front = front.getsockname()
        self.listener = StreamListener(self.loop, front, Inside(-1), self.server.getsockname())
        self.thread = threading.Thread(target=self.loop.run)
        self.thread.start()

    def connect(self) -> tuple[socket.socket, socket.socket]:
        client = socket.create_connection(self.front, timeout=10)
        server, _ = self.server.accept()
        server.settimeout(10)
        return client, server

    def stop(self) -> None:
        self.loop.stop()
        if self.thread.is_alive():
            with contextlib.suppress(OSError), socket.socket() as wake:
                wake.connect(self.front)
        self.thread.join()
        self.listener.close()

    def close(self) -> None:
        self.stop()
        self.server.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def read_all(sock: socket.socket) -> bytes:
    parts = []
    while data := sock.recv(1 << 16):
        parts.append(data)
    return b"".join(parts)


def test_bytes_arrive_both_ways_and_ends_are_passed_on(bench: Bench) -> None:
    client, server = bench.connect()
    payload = os.urandom(SIZE)
    sender = threading.Thread(
        target=lambda: (client.sendall(payload), client.shutdown(socket.SHUT_WR))
    )
    sender.start()
    assert read_all(server) == payload
    sender.join()
    server.sendall(b"after the end of the request")
    server.close()
    assert read_all(client) == b"after the end of the request"
    client.close()


def test_a_slow_reader_holds_up_only_itself(bench: Bench) -> None:
    slow, slow_server = bench.connect()
    slow_server.setblocking(False)
    sent = 0
    try:
        while True:
            sent += slow_server.send(bytes(1 << 16))
    except BlockingIOError:
        pass
    quick, quick_server = bench.connect()
    quick.sendall(b"ping")
    assert quick_server.recv(10) == b"ping"
    slow_server.setblocking(True)
    slow_server.shutdown(socket.SHUT_WR)
    assert len(read_all(slow)) == sent
    for sock in (slow, slow_server, quick, quick_server):
        sock.close()


def test_a_reset_is_passed_on_as_a_reset(bench: Bench) -> None:
    client, server = bench.connect()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server.close()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    client.close()


def test_a_refused_target_is_a_reset(bench: Bench) -> None:
    bench.server.close()
    with socket.socket() as client, pytest.raises(OSError) as caught:
        client.connect(bench.front)
        while True:
            client.sendall(b"x")
    assert caught.value.errno in (errno.ECONNRESET, errno.EPIPE)


def test_closed_connections_leave_no_descriptor(bench: Bench) -> None:
    pair = bench.connect()
    for sock in pair:
        sock.close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        client, server = bench.connect()
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        server.sendall(b"y")
        assert client.recv(1) == b"y"
        client.close()
        assert read_all(server) == b""
        server.close()
    client, server = bench.connect()  # the loop has dealt with the others when this answers
    client.sendall(b"x")
    server.recv(1)
    assert len(os.listdir("/proc/self/fd")) <= before + 4 + 2 * 3
    client.close()
    server.close()


def test_closing_the_port_ends_its_connections(bench: Bench) -> None:
    client, server = bench.connect()
    bench.stop()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    client.close()
    server.close()
