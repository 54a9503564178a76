"""Netlink: messages, attributes, and a socket that turns the kernel's refusals into OSError.

Format: `struct nlmsghdr` and `struct nlattr` of <linux/netlink.h>, native byte order, everything
padded to four bytes. What a message means is the business of `rtnetlink` and `nftables`.
"""

import os
import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

ROUTE = 0
NETFILTER = 12

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP = 0x300
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_DUMP_INTR = 0x10
_NLM_F_CAPPED = 0x100
_NLM_F_ACK_TLVS = 0x200
_NLMSGERR_ATTR_MSG = 1
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF

_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_RECEIVE = 1 << 17
_SO_SNDBUFFORCE = 32
_LITTLE = sys.byteorder == "little"


class Message(NamedTuple):
    """One request. `text` says in words what it wants, for errors."""

    type: int
    flags: int
    payload: bytes
    text: str


class Reply(NamedTuple):
    """One message of the kernel, without its header."""

    type: int
    payload: bytes


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute: length, type, value, padding."""
    length = 4 + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | _NESTED, b"".join(attributes))


def text_attribute(kind: int, value: str) -> bytes:
    """A string attribute with its closing zero."""
    return attribute(kind, value.encode() + b"\0")


def attributes(data: bytes | memoryview, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """The attributes in a message's tail; the nested and byte order bits are taken off."""
    at, end = start, len(data)
    while at + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < 4 or at + length > end:
            raise ValueError(f"netlink attribute at byte {at} claims {length} of {end - at} bytes")
        yield kind & _TYPE_MASK, bytes(data[at + 4 : at + length])
        at += (length + 3) & ~3


def as_text(value: bytes) -> str:
    """A string attribute's text."""
    return value.split(b"\0", 1)[0].decode("utf-8", "replace")


class NetlinkSocket:
    """A netlink socket. It acts on the network namespace it was opened in, wherever it is used.

    Not for use by two threads at once. Raises OSError naming the request and the kernel's
    extended text for what the kernel refuses.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._sequence = 0
        for option in (_NETLINK_EXT_ACK, _NETLINK_CAP_ACK):
            sock.setsockopt(_SOL_NETLINK, option, 1)

    @classmethod
    def open(cls, protocol: int = ROUTE) -> "NetlinkSocket":
        """A socket in the calling thread's network namespace."""
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        return cls(socket.socket(socket.AF_NETLINK, kind, protocol))

    @classmethod
    def from_descriptor(cls, descriptor: int, protocol: int = ROUTE) -> "NetlinkSocket":
        """Work through a socket opened elsewhere; the descriptor stays the caller's."""
        kept = os.dup(descriptor)
        return cls(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol, fileno=kept))

    def close(self) -> None:
        """Give the descriptor back."""
        self._socket.close()

    def __enter__(self) -> "NetlinkSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(self, *messages: Message) -> None:
        """All messages in one send; each is answered. The first refusal is raised.

        The kernel works through them in order and goes on after one that it refused.
        """
        waiting = self._send(messages, NLM_F_ACK)
        refusal: OSError | None = None
        while waiting:
            for sequence, kind, flags, payload in self._receive():
                if kind == _NLMSG_ERROR and sequence in waiting:
                    error = _refusal(waiting.pop(sequence), flags, payload)
                    refusal = refusal or error
        if refusal is not None:
            raise refusal

    def batch(self, messages: Sequence[Message]) -> None:
        """Messages that the kernel takes as a whole or not at all. Raises the first refusal.

        The kernel works while we send (netlink to the kernel is synchronous), so what is to be
        read is there when the send returns, and silence means success.
        """
        names = self._send(messages, 0)
        while True:
            try:
                frames = list(self._receive(socket.MSG_DONTWAIT))
            except BlockingIOError:
                return
            for sequence, kind, flags, payload in frames:
                if kind == _NLMSG_ERROR:
                    refusal = _refusal(names.get(sequence, "netlink batch"), flags, payload)
                    if refusal is not None:
                        raise refusal

    def ask(self, message: Message) -> list[Reply]:
        """A request that is answered by messages (a look-up of one object)."""
        waiting = self._send((message,), NLM_F_ACK)
        replies: list[Reply] = []
        while waiting:
            for sequence, kind, flags, payload in self._receive():
                if sequence not in waiting:
                    continue
                if kind != _NLMSG_ERROR:
                    replies.append(Reply(kind, payload))
                elif error := _refusal(waiting.pop(sequence), flags, payload):
                    raise error
        return replies

    def dump(self, message: Message) -> list[Reply]:
        """Everything of a kind. Asked again when it changed while it was read."""
        for _ in range(20):
            replies, interrupted = self._dump_once(message)
            if not interrupted:
                break
        return replies

    def _dump_once(self, message: Message) -> tuple[list[Reply], bool]:
        (sequence,) = self._send((message,), NLM_F_DUMP)
        replies: list[Reply] = []
        interrupted = False
        while True:
            for answered, kind, flags, payload in self._receive():
                if answered != sequence:
                    continue
                interrupted |= bool(flags & _NLM_F_DUMP_INTR)
                if kind in (_NLMSG_ERROR, _NLMSG_DONE):
                    refusal = _refusal(message.text, flags, payload) if len(payload) >= 4 else None
                    if refusal is not None:
                        raise refusal
                    return replies, interrupted
                replies.append(Reply(kind, payload))

    def _send(self, messages: Iterable[Message], flags: int) -> dict[int, str]:
        parts: list[bytes] = []
        names: dict[int, str] = {}
        for message in messages:
            self._sequence = self._sequence % 0x7FFFFFFF + 1
            names[self._sequence] = message.text
            parts.append(_frame(message, flags, self._sequence))
        data = b"".join(parts)
        self._make_room(len(data))
        self._socket.sendto(data, (0, 0))
        return names

    def _make_room(self, size: int) -> None:
        """A message must fit the send buffer whole; what goes beyond the limit needs privilege."""
        if size < 100_000:
            return
        for option in (_SO_SNDBUFFORCE, socket.SO_SNDBUF):
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, option, size + 4096)
                return
            except PermissionError:
                continue

    def _receive(self, flags: int = 0) -> Iterator[tuple[int, int, int, bytes]]:
        data = self._socket.recv(_RECEIVE, flags)
        at = 0
        while at + _HEADER.size <= len(data):
            length, kind, message_flags, sequence, _ = _HEADER.unpack_from(data, at)
            if length < _HEADER.size:
                raise ValueError(f"netlink message of {length} bytes")
            yield sequence, kind, message_flags, data[at + _HEADER.size : at + length]
            at += (length + 3) & ~3


def _frame(message: Message, flags: int, sequence: int) -> bytes:
    length = _HEADER.size + len(message.payload)
    head = _HEADER.pack(length, message.type, message.flags | flags | NLM_F_REQUEST, sequence, 0)
    return head + message.payload + bytes(-length % 4)


def _refusal(text: str, flags: int, payload: bytes) -> OSError | None:
    """The error in an NLMSG_ERROR (0 is an acknowledgement, hence None) or NLMSG_DONE."""
    code = -int.from_bytes(payload[:4], "little" if _LITTLE else "big", signed=True)
    if code <= 0:
        return None
    reason = _extended_text(flags, payload)
    return OSError(code, f"{text}: {os.strerror(code).lower()}{f' ({reason})' if reason else ''}")


def _extended_text(flags: int, payload: bytes) -> str:
    """The kernel's own words (NETLINK_EXT_ACK), behind the copy of our header."""
    if not flags & _NLM_F_ACK_TLVS or len(payload) < 4 + _HEADER.size:
        return ""
    length = _HEADER.unpack_from(payload, 4)[0]
    start = 4 + (_HEADER.size if flags & _NLM_F_CAPPED else (length + 3) & ~3)
    for kind, value in attributes(payload, start):
        if kind == _NLMSGERR_ATTR_MSG:
            return as_text(value)
    return ""
