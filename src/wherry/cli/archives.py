"""Tar archives from and to files, standard input and standard output."""

import os
from collections.abc import Iterable, Iterator

from wherry.cli.command import Failed
from wherry.cli.session import is_terminal, write_all

BLOCK = 1 << 20


def blocks(path: str) -> Iterator[bytes]:
    """A file's bytes, or standard input's where the path is empty or `-`. Raises Failed."""
    if path in ("", "-"):
        yield from _read(0)
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Failed(f"open {path}: {(error.strerror or '').lower()}") from error
    try:
        yield from _read(descriptor)
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> Iterator[bytes]:
    while data := os.read(descriptor, BLOCK):
        yield data


def check_readable(path: str) -> None:
    """Raises Failed where there is no such file."""
    if path not in ("", "-") and not os.path.exists(path):
        raise Failed(f"open {path}: no such file or directory")


def refuse_terminal(verb: str) -> None:
    """A terminal is no place for an archive. Raises Failed."""
    if is_terminal(1):
        raise Failed(f"cowardly refusing to {verb} to a terminal. Use the -o flag or redirect")


def write_out(pieces: Iterable[bytes], path: str) -> None:
    """Pieces to a file that appears only when it is whole, or to standard output."""
    if not path:
        for piece in pieces:
            write_all(1, piece)
        return
    if os.path.exists(path) and not os.path.isfile(path):
        _write_into(path, pieces)
        return
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise Failed(f'invalid output path: directory "{folder}" does not exist')
    temporary = os.path.join(folder, f".{os.path.basename(path)}.{os.getpid()}.tmp")
    try:
        _write_into(temporary, pieces)
        os.rename(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _write_into(path: str, pieces: Iterable[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for piece in pieces:
            write_all(descriptor, piece)
    finally:
        os.close(descriptor)
