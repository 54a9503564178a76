"""The protocol of snapshotters.

A snapshot is *active* (writable: a container's, or a layer while it is unpacked), a *view*
(read-only, short-lived) or *committed* (a layer, never changed again). Active ones and views are
named by a key, committed ones by a name; both share one name space.

    prepare("unpack-1", None)          # room for the lowest layer
    layer.apply(..., fill("unpack-1"))
    layer.sync(root)
    commit("sha256:…", "unpack-1")     # now it can be a parent
    prepare(container_id, "sha256:…")  # → mounts for the container's root

A crash at any point leaves the old or the new state, and garbage that `recover` removes.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

from wherry.linux.mount import Mount
from wherry.linux.tree import Usage

Kind = Literal["active", "view", "committed"]
Style = Literal["trusted", "user", "copy"]
"""How deletions are written in a snapshot's own directory; `layer` speaks of the same three."""


class Info(NamedTuple):
    """What is known of a snapshot. `parent` is a committed snapshot's name."""

    name: str
    parent: str | None
    kind: Kind


class Difference(NamedTuple):
    """Where a snapshot's changes are found: arguments for `layer.diff`.

    upper: its own directory; lowers: those below, uppermost first (one full tree for `copy`).
    """

    upper: str
    lowers: tuple[str, ...]
    style: Style


class Snapshotter(Protocol):
    """Stacks of file trees. All methods may be called from several threads."""

    @property
    def style(self) -> Style:
        """How `layer.apply` has to write whiteouts into what `fill` returns."""
        ...

    def prepare(self, key: str, parent: str | None) -> tuple[Mount, ...]:
        """Make an active snapshot. Raises Conflict (key taken), NotFound (no such parent)."""
        ...

    def view(self, key: str, parent: str) -> tuple[Mount, ...]:
        """Make a read-only snapshot of a committed one."""
        ...

    def mounts(self, key: str) -> tuple[Mount, ...]:
        """How to mount an active snapshot or a view. Raises NotFound, Conflict (committed)."""
        ...

    def fill(self, key: str) -> str:
        """The directory into which a layer's own files are unpacked."""
        ...

    def adopt(self, key: str, parent: str, *, like_parent: bool) -> None:
        """Put an active snapshot that has no parent on one.

        For what was unpacked before its place was known. like_parent: the root directory takes
        the parent's owner and mode. Raises NotFound, Conflict, Unsupported (full copies).
        """
        ...

    def commit(self, name: str, key: str) -> None:
        """An active snapshot becomes a committed one; its files must be durable before."""
        ...

    def difference(self, key: str) -> Difference:
        """Where the changes relative to the parent are."""
        ...

    def stat(self, key: str) -> Info:
        """Raises NotFound."""
        ...

    def usage(self, key: str) -> Usage:
        """What the snapshot's own files take, parents not counted."""
        ...

    def remove(self, key: str) -> None:
        """Raises NotFound, Conflict (another snapshot is based on it, or it is mounted)."""
        ...

    def walk(self) -> Iterator[Info]:
        """All snapshots, in no order."""
        ...

    def recover(self) -> int:
        """Remove what a crash left behind; how many things that were."""
        ...
