"""Compiled seccomp programs kept in a folder: compiling takes milliseconds, and few profiles exist.

A file holds the profile itself beside its program, so an equal checksum of another profile, or
half a file, is a miss and never a wrong filter. The folder has to be ours alone.
"""

import binascii
import json
import os
from collections.abc import Callable

from wherry.kit.files import read_optional, write_atomic

_VERSION = b"wherry seccomp 1\n"  # raise with every change of the compiler's output

Compiled = tuple[bytes, int]
"""Program and load flags."""


def compiled(
    folder: str, profile: dict[str, object], compile_now: Callable[[], Compiled]
) -> Compiled:
    """The program for a profile, from the folder where it is known; no folder, no cache."""
    if not folder:
        return compile_now()
    key = _VERSION + json.dumps(profile, sort_keys=True).encode()
    path = f"{folder}/{binascii.crc32(key):08x}"
    found = _read(path, key)
    if found is not None:
        return found
    made = compile_now()
    os.makedirs(folder, 0o700, exist_ok=True)
    program, flags = made
    data = b"%d %d %d\n" % (len(key), flags, len(program)) + key + program
    write_atomic(path, data, durable=False)
    return made


def _read(path: str, key: bytes) -> Compiled | None:
    data = read_optional(path)
    if data is None:
        return None
    head, _, rest = data.partition(b"\n")
    try:
        key_length, flags, length = (int(word) for word in head.split())
    except ValueError:
        return None
    if rest[:key_length] != key or len(rest) != key_length + length:
        return None
    return rest[key_length:], flags
