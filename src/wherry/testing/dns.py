"""A small DNS client and a name server to ask, for tests; apart from the code under test."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import NamedTuple

from wherry.linux import netns

A, PTR, AAAA = 1, 12, 28
PATIENCE = 15.0


class Answer(NamedTuple):
    """The response code, and each answer record's data (addresses as text)."""

    code: int
    data: tuple[str, ...]
    truncated: bool = False


def question(name: str, kind: int = A, identity: int = 0x1234) -> bytes:
    """A query with recursion desired."""
    labels = [label.encode() for label in name.split(".") if label]
    raw = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    return struct.pack(">6H", identity, 0x0100, 1, 0, 0, 0) + raw + struct.pack(">HH", kind, 1)


def read(data: bytes) -> Answer:
    """An answer whose records are named by pointers or in full."""
    flags, questions, count = struct.unpack_from(">3H", data, 2)
    at = 12
    for _ in range(questions):
        _, at = _name(data, at)
        at += 4
    found = []
    for _ in range(count):
        _, at = _name(data, at)
        kind, _, _, size = struct.unpack_from(">HHIH", data, at)
        at += 10
        raw = data[at : at + size]
        if kind == A:
            found.append(socket.inet_ntoa(raw))
        elif kind == AAAA:
            found.append(socket.inet_ntop(socket.AF_INET6, raw))
        else:
            found.append(_name(data, at)[0])
        at += size
    return Answer(flags & 15, tuple(found), bool(flags & 0x0200))


def _name(data: bytes, at: int) -> tuple[str, int]:
    labels: list[str] = []
    while data[at]:
        if data[at] >= 0xC0:
            rest, _ = _name(data, struct.unpack_from(">H", data, at)[0] & 0x3FFF)
            return ".".join([*labels, rest]), at + 2
        labels.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(labels), at + 1


def lookup(where: int, name: str, kind: int = A, *, server: str = "127.0.0.11") -> Answer | str:
    """By datagram, from inside a namespace; an error's name where nobody answers."""
    with netns.inside(where, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(PATIENCE)
        try:
            sock.connect((server, 53))
            sock.send(question(name, kind))
            return read(sock.recv(65535))
        except OSError as error:
            return type(error).__name__


def lookup_tcp(where: int, *names: str) -> list[Answer]:
    """All names over one connection."""
    with netns.inside(where, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.11", 53))
        for name in names:
            data = question(name)
            sock.sendall(struct.pack(">H", len(data)) + data)
        with sock.makefile("rb") as file:
            return [read(file.read(struct.unpack(">H", file.read(2))[0])) for _ in names]


Behaviour = Callable[[bytes, bool], bytes | None]
"""(query, by TCP) → answer, or None for silence."""


def reply(query: bytes, *addresses: str, code: int = 0, truncated: bool = False) -> bytes:
    """An answer of A records with a TTL of 60 seconds."""
    end = query.index(0, 12) + 5
    flags = 0x8180 | code | (0x0200 if truncated else 0)
    head = query[:2] + struct.pack(">5H", flags, 1, len(addresses), 0, 0)
    records = (
        b"\xc0\x0c" + struct.pack(">HHIH", A, 1, 60, 4) + socket.inet_aton(address)
        for address in addresses
    )
    return head + query[12:end] + b"".join(records)


class NameServer:
    """Answers at port 53 of an address in a namespace (-1: here), by datagram and stream."""

    def __init__(self, where: int, address: str, behave: Behaviour) -> None:
        self._behave = behave
        self.asked: list[bytes] = []
        self._stopping = False
        self._datagrams = _open(where, socket.SOCK_DGRAM, address)
        self._streams = _open(where, socket.SOCK_STREAM, address)
        self._streams.listen()
        work = (self._serve_datagrams, self._serve_streams)
        self._threads = [threading.Thread(target=each) for each in work]

    def _serve_datagrams(self) -> None:
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                data, client = self._datagrams.recvfrom(65535)
                self.asked.append(data)
                if (answer := self._behave(data, False)) is not None:
                    self._datagrams.sendto(answer, client)

    def _serve_streams(self) -> None:
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                client, _ = self._streams.accept()
                with client, client.makefile("rb") as file:
                    data = file.read(struct.unpack(">H", file.read(2))[0])
                    self.asked.append(data)
                    if (answer := self._behave(data, True)) is not None:
                        client.sendall(struct.pack(">H", len(answer)) + answer)

    def __enter__(self) -> "NameServer":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        for thread in self._threads:
            thread.join()
        self._datagrams.close()
        self._streams.close()


def _open(where: int, kind: int, address: str) -> socket.socket:
    def make() -> socket.socket:
        sock = socket.socket(socket.AF_INET, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, 53))
        sock.settimeout(0.1)
        return sock

    return make() if where < 0 else netns.inside(where, make)
