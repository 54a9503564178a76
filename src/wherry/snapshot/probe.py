"""Program: does overlayfs work here? Run in a process of its own: `-m wherry.snapshot.probe DIR`.

Prints a reason, or nothing where all works. It tries what images need, not only the mount: a
file of a lower layer changed and deleted, a lower directory removed and made again.
"""

import os
import sys

from wherry.linux.mount import MNT_DETACH, MS_PRIVATE, MS_REC, Mount, attach, mount, umount2
from wherry.linux.namespace import CLONE_NEWNS, unshare
from wherry.snapshot.overlay import FIXED_OPTIONS, lower_options


def _prepare(folder: str) -> tuple[str, ...]:
    for name in ("lower/dir", "lower/dir2", "lower2", "upper", "work", "merged"):
        os.makedirs(f"{folder}/{name}", exist_ok=True)
    for name in ("lower/file", "lower/dir/inner", "lower/dir2/inner"):
        with open(f"{folder}/{name}", "w", encoding="ascii") as file:
            file.write("lower")
    lowers = lower_options([f"{folder}/lower", f"{folder}/lower2"])
    return (*lowers, f"upperdir={folder}/upper", f"workdir={folder}/work", *FIXED_OPTIONS)


def _use(merged: str) -> None:
    with open(f"{merged}/file", "a", encoding="ascii") as file:
        file.write(" and more")
    os.unlink(f"{merged}/dir/inner")
    os.rmdir(f"{merged}/dir")
    os.unlink(f"{merged}/dir2/inner")
    os.rmdir(f"{merged}/dir2")
    os.mkdir(f"{merged}/dir2")
    os.unlink(f"{merged}/file")
    if os.listdir(f"{merged}/dir2") or os.path.exists(f"{merged}/dir"):
        raise OSError(0, "deleted files of a lower layer come back", merged)


def main(folder: str, userxattr: bool) -> str:
    """The reason why overlayfs cannot be used for directories in `folder`; empty: it can."""
    try:
        unshare(CLONE_NEWNS)
        mount(None, "/", None, MS_REC | MS_PRIVATE)
        options = _prepare(folder)
        more = ("userxattr",) if userxattr else ()
        attach(Mount("overlay", "overlay", (*options, *more)), f"{folder}/merged")
        try:
            _use(f"{folder}/merged")
        finally:
            umount2(f"{folder}/merged", MNT_DETACH)
    except OSError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1], sys.argv[2] == "userxattr"))
