"""`USER` and `--user`: names from the image's own passwd and group files → numbers. Pure.

Rules of Docker: `user`, `uid`, `user:group`, `uid:gid` and mixtures; a number needs no entry; a
user's supplementary groups count only where no group was given. The primary group is always a
supplementary one too: a program that drops it by setgid must not escape a file's denial to it
(CVE-2022-36109).
"""

from collections.abc import Iterable

from wherry.engine.spec.facts import User
from wherry.kit.errors import InvalidInput

MAX_ID = (1 << 31) - 1


def resolve(text: str, passwd: str, group: str, group_add: Iterable[str] = ()) -> User:
    """Raises InvalidInput with the text that dockerd's runtime gives."""
    name, _, group_name = text.partition(":")
    uid, gid, login = _user(name or "0", passwd)
    groups: tuple[int, ...] = ()
    if group_name:
        gid = _group(group_name, group)
    else:
        groups = tuple(_memberships(login, group))
    added = tuple(_group(each, group, "Unable") for each in group_add)
    return User(uid, gid, tuple(dict.fromkeys((gid, *groups, *added))))


def _user(name: str, passwd: str) -> tuple[int, int, str]:
    by_number: tuple[int, int, str] | None = None
    for fields in _rows(passwd, 4):
        if not (fields[2].isdigit() and fields[3].isdigit()):
            continue
        found = (int(fields[2]), int(fields[3]), fields[0])
        if fields[0] == name:
            return found
        if fields[2] == name and by_number is None:
            by_number = found
    if by_number is not None:
        return by_number
    if not name.isdigit():
        raise InvalidInput(f"unable to find user {name}: no matching entries in passwd file")
    return _checked(int(name)), 0, ""


def _group(name: str, group: str, unable: str = "unable") -> int:
    for fields in _rows(group, 3):
        if fields[0] == name and fields[2].isdigit():
            return int(fields[2])
    if not name.isdigit():
        raise InvalidInput(f"{unable} to find group {name}: no matching entries in group file")
    return _checked(int(name))


def _checked(number: int) -> int:
    if number > MAX_ID:
        raise InvalidInput(f"uids and gids must be in range 0-{MAX_ID}")
    return number


def _memberships(login: str, group: str) -> Iterable[int]:
    if not login:
        return
    for fields in _rows(group, 4):
        if login in fields[3].split(",") and fields[2].isdigit():
            yield int(fields[2])


def home(uid: int, passwd: str) -> str:
    """The home directory of a user id; `/` where there is none."""
    for fields in _rows(passwd, 6):
        if fields[2] == str(uid):
            return fields[5] or "/"
    return "/"


def _rows(text: str, width: int) -> Iterable[list[str]]:
    for line in text.splitlines():
        fields = line.strip().split(":")
        if len(fields) >= width and not line.startswith("#"):
            yield fields
