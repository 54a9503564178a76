"""Session keyrings (keyrings(7)): a container must not see those of whoever started it."""

from wherry.linux.libc import encode, syscall

_JOIN_SESSION_KEYRING = 1
_SETPERM = 5
_PERMISSIONS = 0x3F1B0000  # possessor all, user view, read, search, link


def join_session(name: str) -> None:
    """Join the named session keyring of our user, made where it is missing. Raises OSError."""
    key = syscall("keyctl", _JOIN_SESSION_KEYRING, encode(name), 0, 0, 0)
    syscall("keyctl", _SETPERM, key, _PERMISSIONS, 0, 0)
