"""Lines of JSON that tell how far a long work is. Counts are bytes."""

from typing import ClassVar, Final

import msgspec

from wherry.dockerapi.names import go_name
from wherry.kit.units import human_size

_BAR: Final = 50
"""Characters of the bar in `progress`."""


class ProgressDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """Numbers for a bar; empty where there are none."""

    current: int = 0
    total: int = 0


class PushResult(msgspec.Struct, frozen=True, rename=go_name):
    """What a registry has after a push; `size` is that of the manifest."""

    tag: str
    digest: str
    size: int


class AuxMessage(msgspec.Struct, frozen=True, rename={"detail": "progressDetail"}):
    """A line for programs."""

    aux: PushResult
    detail: ProgressDetail = ProgressDetail()


class ProgressMessage(msgspec.Struct, frozen=True, rename={"detail": "progressDetail"}):
    """One step. `id` is the layer it is about; `stream` a text to print as it is."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(
        ("stream", "status", "detail", "progress", "id")
    )

    stream: str = ""
    status: str = ""
    detail: ProgressDetail | None = None
    progress: str = ""
    id: str = ""


def progress_message(id: str, status: str, current: int = 0, total: int = 0) -> ProgressMessage:
    """A step of one layer, or without an id a text about the whole."""
    if status.startswith("Pulling from ") or not (id or current or total):
        return ProgressMessage(status=status, id=id)  # a text about the whole image
    return ProgressMessage(
        status=status,
        detail=ProgressDetail(current, total),
        progress=progress_text(current, total),
        id=id,
    )


def progress_text(current: int, total: int) -> str:
    """The bar that old clients print: `[====>   ]  1.2MB/3.4MB`."""
    if current <= 0 and total <= 0:
        return ""
    if total <= 0:
        return f"{human_size(current):>8}"
    done = min(_BAR, int(current / total * 100) // 2)
    numbers = f"{human_size(current):>8}"
    if current <= total:
        numbers += f"/{human_size(total)}"
    return f"[{'=' * done}>{' ' * (_BAR - done)}] {numbers}"
