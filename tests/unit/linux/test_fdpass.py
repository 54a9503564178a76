"""Descriptors over sockets."""

import os
import socket

import pytest

from wherry.linux import fdpass


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_descriptors_arrive_close_on_exec(kind: int) -> None:
    left, right = socket.socketpair(socket.AF_UNIX, kind)
    read, write = os.pipe()
    with left, right:
        fdpass.send(left, b"hello", [read, write])
        data, fds = fdpass.receive(right)
        assert data == b"hello"
        assert not any(os.get_inheritable(descriptor) for descriptor in fds)
        os.write(fds[1], b"through")
        assert os.read(fds[0], 10) == b"through"
    for descriptor in (read, write, *fds):
        os.close(descriptor)


def test_end_of_file_is_empty() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    left.close()
    with right:
        assert fdpass.receive(right) == (b"", [])


def test_a_message_that_is_too_long_leaks_nothing() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = os.listdir("/proc/self/fd")
    with left, right:
        fdpass.send(left, b"x" * 100, [0])
        with pytest.raises(OSError, match="larger than 10"):
            fdpass.receive(right, 10)
        assert os.listdir("/proc/self/fd") == before


def test_a_peer_that_is_gone_is_an_error_and_no_signal() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    right.close()
    with left, pytest.raises(BrokenPipeError):
        fdpass.send(left, b"x")
