"""Descriptors of a child."""

import os
from collections.abc import Callable

import pytest

from wherry.kit.errors import InvalidInput
from wherry.runtime import streams


def in_child(check: Callable[[], bool]) -> bool:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if check() else 2
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1] == 0


def test_streams_may_be_given_crosswise() -> None:
    read, write = os.pipe()

    def check() -> bool:
        os.dup2(write, 0)
        os.dup2(read, 1)
        streams.take((1, 0, 0), 0, [])
        os.write(1, b"x")
        return os.read(0, 1) == b"x" and os.get_inheritable(0) and os.get_inheritable(2)

    assert in_child(check)
    os.close(read)
    os.close(write)


def test_all_but_what_is_kept_is_closed() -> None:
    extra = os.open("/dev/null", os.O_RDONLY)
    kept = os.open("/dev/null", os.O_RDONLY)

    def check() -> bool:
        streams.take(None, 0, [kept])
        try:
            os.fstat(extra)
        except OSError:
            return bool(os.fstat(kept))
        return False

    assert in_child(check)
    os.close(extra)
    os.close(kept)


def test_a_closed_standard_stream_becomes_the_null_device() -> None:
    def check() -> bool:
        os.close(0)
        os.close(2)
        streams.take(None, 0, [])
        null = os.makedev(1, 3)
        return os.fstat(0).st_rdev == null and os.fstat(2).st_rdev == null

    assert in_child(check)


def test_preserved_descriptors_have_to_be_open() -> None:
    streams.check_preserved(0)
    with pytest.raises(InvalidInput, match="is not open"):
        streams.check_preserved(4000)
