"""What a transfer says of itself, in the words docker's clients draw bars from."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from wherry.kit.ids import short_id
from wherry.oci import digest as digests
from wherry.oci.digest import Digest

PULLING: Final = "Pulling fs layer"
WAITING: Final = "Waiting"
DOWNLOADING: Final = "Downloading"
VERIFYING: Final = "Verifying Checksum"
DOWNLOADED: Final = "Download complete"
EXTRACTING: Final = "Extracting"
PULLED: Final = "Pull complete"
EXISTS: Final = "Already exists"
PREPARING: Final = "Preparing"
PUSHING: Final = "Pushing"
PUSHED: Final = "Pushed"
PUSH_EXISTS: Final = "Layer already exists"
SKIPPED: Final = "Skipped foreign layer"

_INTERVAL: Final = 0.1


class Progress(NamedTuple):
    """One step. `current` and `total` are bytes, 0 where they mean nothing."""

    id: str
    """The first twelve digits of the layer's digest; `` for what concerns the whole image."""
    status: str
    current: int = 0
    total: int = 0


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """For callers who do not want to know."""


class Meter:
    """Reports one layer's bytes, ten times a second at most and always the last."""

    def __init__(self, report: Report, digest: Digest, total: int) -> None:
        """`total` in bytes."""
        self._report, self._total = report, total
        self._id = short_id(digests.hex_of(digest))
        self._next = 0.0

    def say(self, status: str) -> None:
        """A state without numbers."""
        self._report(Progress(self._id, status))

    def count(self, status: str, current: int) -> None:
        """Bytes so far; left out where the last report is fresh."""
        now = time.monotonic()
        if now >= self._next or current == self._total:
            self._next = now + _INTERVAL
            self._report(Progress(self._id, status, current, self._total))
