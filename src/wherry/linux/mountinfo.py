"""/proc/PID/mountinfo as values (proc(5)). Costly on busy machines: not on the start path."""

import re
from typing import NamedTuple

_ESCAPE = re.compile(r"\\([0-7]{3})")


class MountPoint(NamedTuple):
    """One line: a mount in the reader's mount namespace."""

    id: int
    parent: int
    device: str
    """`major:minor`."""
    root: str
    target: str
    options: tuple[str, ...]
    """Of this mount; the superblock's are `super_options`."""
    tags: tuple[str, ...]
    """Propagation: `shared:N`, `master:N`, `propagate_from:N`, `unbindable`."""
    fstype: str
    source: str
    super_options: tuple[str, ...]


def parse(text: str) -> list[MountPoint]:
    """All lines of a mountinfo file."""
    return [_parse_line(line) for line in text.splitlines()]


def _parse_line(line: str) -> MountPoint:
    head, _, tail = line.partition(" - ")
    left, right = head.split(" "), tail.split(" ")
    return MountPoint(
        id=int(left[0]),
        parent=int(left[1]),
        device=left[2],
        root=unescape(left[3]),
        target=unescape(left[4]),
        options=tuple(left[5].split(",")),
        tags=tuple(left[6:]),
        fstype=right[0],
        source=unescape(right[1]) if len(right) > 1 else "",
        super_options=tuple(right[2].split(",")) if len(right) > 2 else (),
    )


def unescape(text: str) -> str:
    r"""Undo the kernel's octal escapes (`\040` is a space)."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)


def read(pid: int | str = "self") -> list[MountPoint]:
    """The mounts that a process sees. Raises OSError."""
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return parse(file.read())
