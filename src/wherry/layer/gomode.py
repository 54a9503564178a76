"""Go's os.FileMode numbers, which Docker's X-Docker-Container-Path-Stat header carries.

Source: Go, package io/fs, constants ModeDir … ModeSticky.
"""

import stat

DIR = 1 << 31
SYMLINK = 1 << 27
DEVICE = 1 << 26
NAMED_PIPE = 1 << 25
SOCKET = 1 << 24
SETUID = 1 << 23
SETGID = 1 << 22
CHAR_DEVICE = 1 << 21
STICKY = 1 << 20

_KINDS = {
    stat.S_IFDIR: DIR,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFBLK: DEVICE,
    stat.S_IFCHR: DEVICE | CHAR_DEVICE,
    stat.S_IFIFO: NAMED_PIPE,
    stat.S_IFSOCK: SOCKET,
}
_BITS = ((stat.S_ISUID, SETUID), (stat.S_ISGID, SETGID), (stat.S_ISVTX, STICKY))


def from_mode(mode: int) -> int:
    """st_mode → os.FileMode."""
    number = mode & 0o777 | _KINDS.get(stat.S_IFMT(mode), 0)
    for bit, go_bit in _BITS:
        number |= go_bit if mode & bit else 0
    return number
