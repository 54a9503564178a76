"""A file system of its own for a run: fresh, with a journal, the same for both engines.

The state of a machine's root disk (mass deletes long ago, a journal or none) changes the cost of
making a file by a factor of ten; a new file system in a file does not know that past.
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator

SIZE = 8 << 30
"""Bytes, sparse."""


@contextlib.contextmanager
def fresh_disk() -> Iterator[str]:
    """A folder on the new file system; unmounted and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as folder:
        image, place = f"{folder}/disk", f"{folder}/mnt"
        with open(image, "wb") as file:
            file.truncate(SIZE)
        os.mkdir(place)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, place], check=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", place], check=True)
