"""A new volume takes over what the image has at its place."""

import os

from wherry.linux.copytree import copy_tree


def copy_up(source_fd: int, volume_path: str) -> int:
    """Copy a directory's content, owner and mode into a volume that is empty.

    Returns the count of files copied; 0 where the volume already has content (then nothing at
    all is changed). Raises OSError.
    """
    target = os.open(volume_path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if os.listdir(target):
            return 0
        return copy_tree(source_fd, target)
    finally:
        os.close(target)
