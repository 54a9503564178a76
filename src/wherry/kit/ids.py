"""Identifiers: 64 lower-case hexadecimal digits from the kernel's random source."""

import os

HEX = frozenset("0123456789abcdef")
SHORT = 12


def new_id() -> str:
    """A fresh 64-digit id; never one that reads as a number, as Docker promises for hostnames."""
    while True:
        candidate = os.urandom(32).hex()
        if not candidate[:SHORT].isdigit():
            return candidate


def short_id(full: str) -> str:
    """The first twelve digits, the form people see."""
    return full[:SHORT]


def is_id(text: str) -> bool:
    """Whether the text is a full 64-digit id."""
    return len(text) == 64 and HEX.issuperset(text)
