"""Signals by name and number."""

import signal

import pytest

from wherry.kit.errors import InvalidInput
from wherry.runtime.commands.life import parse_signal


@pytest.mark.parametrize(
    ("text", "number"),
    [("9", 9), ("KILL", 9), ("sigterm", 15), ("SIGHUP", 1), ("SIGRTMIN+3", 37), ("64", 64)],
)
def test_signals(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize("text", ["", "0", "65", "FUN", "SIG_IGN", "SIG", "-9", "KILL+x", "1e3"])
def test_what_is_no_signal(text: str) -> None:
    with pytest.raises(InvalidInput, match="unknown signal"):
        parse_signal(text)


def test_every_signal_of_this_machine() -> None:
    for number in signal.Signals:
        assert parse_signal(number.name) == number
