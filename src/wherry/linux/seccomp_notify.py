"""Seccomp user notifications (seccomp_unotify(2), kernel 5.0; descriptors from 5.9)."""

import errno
import fcntl
import struct
from typing import NamedTuple

_RECEIVE, _SEND, _ADD_DESCRIPTOR = 0xC0502100, 0xC0182101, 0x40182103
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")
_DESCRIPTOR = struct.Struct("=QIIII")


class Notification(NamedTuple):
    """A call that waits for an answer; `thread` as our pid namespace numbers it."""

    id: int
    thread: int
    number: int
    audit_arch: int
    arguments: tuple[int, ...]


def receive(listener: int) -> Notification | None:
    """The next call; None where the caller was interrupted meanwhile. Raises OSError."""
    buffer = bytearray(_NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, buffer)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINTR):
            return None
        raise
    id, thread, _, number, audit_arch, _, *arguments = _NOTIFICATION.unpack(buffer)
    return Notification(id, thread, number, audit_arch, tuple(arguments))


def answer(listener: int, id: int, error: int = 0) -> None:
    """Let the call end with 0 or an error number; a caller that is gone is fine."""
    _control(listener, _SEND, _ANSWER.pack(id, 0, -error, 0))


def let_pass(listener: int, id: int) -> None:
    """Have the kernel do what was asked (5.5); what is decided by arguments in memory may not."""
    _control(listener, _SEND, _ANSWER.pack(id, 0, 0, 1))


def add_descriptor(listener: int, id: int, descriptor: int) -> int:
    """Give the caller a copy of a descriptor; its number there, -1 if the call is gone."""
    return _control(listener, _ADD_DESCRIPTOR, _DESCRIPTOR.pack(id, 0, descriptor, 0, 0))


def _control(listener: int, request: int, content: bytes) -> int:
    try:
        result: int = fcntl.ioctl(listener, request, bytearray(content))
        return result
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINPROGRESS):
            return -1
        raise
