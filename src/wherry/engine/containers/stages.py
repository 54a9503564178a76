"""Stages of copies under way: noted beside the container, so that a crash leaves none inside it."""

import contextlib
import json
import logging
import os
import secrets
from collections.abc import Iterator

from wherry.engine.containers import tree
from wherry.engine.containers.container import Container
from wherry.engine.engine import Engine
from wherry.kit.errors import WherryError
from wherry.kit.files import read_optional, write_atomic
from wherry.layer import staged
from wherry.layer.staged import Announce

log = logging.getLogger(__name__)
_FOLDER = "stages"


@contextlib.contextmanager
def noted(bundle: str) -> Iterator[Announce]:
    """Takes one announcement; the note is gone with the end of the block."""
    path = os.path.join(bundle, _FOLDER, secrets.token_hex(6))

    def note(folder: str, name: str) -> None:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        write_atomic(path, json.dumps([folder, name]).encode())

    try:
        yield note
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


async def clean(engine: Engine, container: Container) -> None:
    """Remove the stages of copies that a dead daemon has begun."""
    folder = os.path.join(engine.settings.folders.bundle(container.id), _FOLDER)
    if os.path.isdir(folder):
        await engine.lanes.long(_clean, engine, container, folder)


def _clean(engine: Engine, container: Container, folder: str) -> None:
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        note = read_optional(path)
        try:
            if note and not name.endswith(".tmp"):
                with tree.opened(engine, container) as root:
                    staged.discard(root, *json.loads(note))
        except (WherryError, OSError) as error:  # the note stays: it is tried again next time
            log.warning("a copy's stage in container %s is left there: %s", container.id, error)
            continue
        os.unlink(path)
