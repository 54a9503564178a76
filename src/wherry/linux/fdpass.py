"""Descriptors over unix sockets (SCM_RIGHTS, unix(7)); they arrive close-on-exec."""

import errno
import os
import socket
import struct
from collections.abc import Sequence

MAX_MESSAGE = 1 << 16
MAX_DESCRIPTORS = 253  # SCM_MAX_FD in the kernel
_ONE = struct.calcsize("i")


def send(sock: socket.socket, data: bytes, fds: Sequence[int] = ()) -> None:
    """Send one message with descriptors; on a stream socket the rest follows without them.

    `data` must not be empty where descriptors are sent. Raises OSError.
    """
    ancillary = []
    if fds:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))]
    sent = sock.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)
    if sent < len(data):
        sock.sendall(data[sent:])


def receive(sock: socket.socket, limit: int = MAX_MESSAGE) -> tuple[bytes, list[int]]:
    """One message and its descriptors; `b""` means that the other side has closed.

    Raises OSError EMSGSIZE where the message or its descriptors did not fit (none is leaked).
    """
    space = socket.CMSG_SPACE(MAX_DESCRIPTORS * _ONE)
    data, ancillary, flags, _ = sock.recvmsg(limit, space, socket.MSG_CMSG_CLOEXEC)
    fds: list[int] = []
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            count = len(payload) // _ONE
            fds.extend(struct.unpack(f"{count}i", payload[: count * _ONE]))
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        for descriptor in fds:
            os.close(descriptor)
        raise OSError(errno.EMSGSIZE, f"a message larger than {limit} bytes was cut")
    return data, fds
