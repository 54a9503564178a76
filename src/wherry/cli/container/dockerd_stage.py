"""A stage on an engine that knows nothing of stages, by its archive route alone.

1. The tar stream goes into a new directory beside its target.
2. A second, short archive has the directories again, and for each file a hard link from its place
   to the staged one: no content moves, and a file in the way is replaced.
3. The stage is removed: a member that has its name and cannot be made (a hard link to nothing).
   dockerd removes what has a member's name before it makes the member.

This works for containers that are stopped, and without any program inside. Between 2's first and
last link some files are new and some old, and a file is missing for the moment between its removal
and its link; each is whole.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator

from wherry.cli.command import Failed
from wherry.cli.container import retar
from wherry.cli.container.retar import Entry, Member
from wherry.client import containers
from wherry.client.client import Client
from wherry.kit.errors import NotFound, WherryError
from wherry.layer import header
from wherry.layer.archive import gathered
from wherry.layer.tarwriter import END, encode
from wherry.layer.tarwriter import Member as Header

PREFIX = ".wherry-cp-"
ATTEMPTS = 5
"""Of the removal: a broken link may be back soon."""


class Stage:
    """One stage. `fill` makes it, moves its content, and removes it, also on failure."""

    def __init__(
        self, client: Client, container: str, folder: str, how: containers.Extraction
    ) -> None:
        self._client = client
        self._container = container
        self._folder = folder
        self._how = how
        self._name = f"{PREFIX}{os.urandom(6).hex()}"
        self._members: list[tuple[str, Member]] = []

    def fill(self, entries: Iterator[Entry], rename: Callable[[str], str]) -> None:
        """Raises what the entries raise, and what the engine answers."""
        try:
            self._put(self._folder, self._staged(entries, rename))
            base, prefix = self._link_place()
            self._put(base, self._links(prefix))
        except BaseException:
            self._discard(quietly=True)
            raise
        self._discard(quietly=False)

    def _put(self, folder: str, pieces: Iterator[bytes]) -> None:
        containers.extract(self._client, self._container, folder, gathered(pieces), self._how)

    def _staged(self, entries: Iterator[Entry], rename: Callable[[str], str]) -> Iterator[bytes]:
        yield encode(Header(self._name + "/", header.DIRECTORY, 0o700, mtime=int(time.time())))

        def below(name: str) -> str:
            return f"{self._name}/{rename(name).lstrip('/')}"

        for member, data in entries:
            self._members.append((rename(member.name), member))
            yield retar.renamed(member, below)
            yield from data
        yield END

    def _link_place(self) -> tuple[str, str]:
        """Where the links are unpacked, and what stands before their names.

        dockerd gives a link its set-id bits back (its chown takes them) only where the target's
        name is right as seen from the container's root.
        """
        special = any(header.number(member.block[100:108]) & 0o6000 for _, member in self._members)
        prefix = self._folder.strip("/")
        return ("/", f"{prefix}/") if special and prefix else (self._folder, "")

    def _links(self, prefix: str) -> Iterator[bytes]:
        for name, member in self._members:
            path = prefix + name.lstrip("/")
            if member.kind == header.DIRECTORY:
                yield retar.named(member, path)
            else:
                yield retar.linked(member, path, f"{prefix}{self._name}/{name.lstrip('/')}")
        yield END

    def _discard(self, *, quietly: bool) -> None:
        """Raises Failed where the stage is still there; `quietly` where that is not the news."""
        target = f"{self._name}/nothing"
        tar = encode(Header(self._name, header.HARD_LINK, link=target)) + END
        for attempt in range(ATTEMPTS):
            with contextlib.closing(self._client.another()) as other:
                with contextlib.suppress(WherryError):
                    how = self._how._replace(replace_folders=True)
                    containers.extract(other, self._container, self._folder, iter([tar]), how)
                if self._is_gone(other):
                    return
            time.sleep(0.2 * attempt)
        if not quietly:
            path = f"{self._folder.rstrip('/')}/{self._name}"
            raise Failed(f"{self._container}:{path} could not be removed; the copy itself is whole")

    def _is_gone(self, client: Client) -> bool:
        path = f"{self._folder.rstrip('/')}/{self._name}"
        try:
            containers.path_stat(client, self._container, path)
        except NotFound:
            return True
        except WherryError:
            return False
        return False
