"""Detach keys and raw mode."""

import os
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.cli import terminal
from wherry.cli.terminal import DetachWatch
from wherry.kit.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", b"\x10\x11"),
        ("ctrl-p,ctrl-q", b"\x10\x11"),
        ("ctrl-a", b"\x01"),
        ("a,b", b"ab"),
        ("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", b"\x00\x1b\x1c\x1d\x1e\x1f"),
    ],
)
def test_sequences(text: str, keys: bytes) -> None:
    assert terminal.detach_sequence(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-é", "ab", "ctrl-p,", "ctrl-1"])
def test_sequences_that_no_key_gives(text: str) -> None:
    with pytest.raises(InvalidInput):
        terminal.detach_sequence(text)


@given(st.lists(st.binary(max_size=6)), st.sampled_from([b"\x10\x11", b"ab", b"a"]))
def test_nothing_is_lost_before_the_sequence(pieces: list[bytes], keys: bytes) -> None:
    """What is passed on, and what is held back, is all that came before the sequence."""
    watch = DetachWatch(keys)
    typed = b"".join(pieces)
    passed, found = b"", False
    for piece in pieces:
        more, found = watch.feed(piece)
        passed += more
        if found:
            break
    assert found == (keys in typed)
    if found:
        assert passed == typed[: typed.index(keys)]
    else:
        held = len(typed) - len(passed)
        assert typed.startswith(passed)
        assert held < len(keys)
        assert typed[len(passed) :] == keys[:held]


def test_raw_mode_ends_with_its_block() -> None:
    outer, inner = os.openpty()
    try:
        before = termios.tcgetattr(inner)
        with pytest.raises(KeyError), terminal.raw(inner):
            assert not termios.tcgetattr(inner)[3] & termios.ECHO
            raise KeyError
        assert termios.tcgetattr(inner) == before
    finally:
        os.close(outer)
        os.close(inner)


def test_what_is_no_terminal_has_no_size() -> None:
    reading, writing = os.pipe()
    try:
        assert terminal.size_of(reading) == (0, 0)
        with terminal.raw(reading):
            pass
    finally:
        os.close(reading)
        os.close(writing)
