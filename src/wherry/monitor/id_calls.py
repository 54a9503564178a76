"""What a change of user or group means where there is one id only: pure decisions.

A process has one user and one group here, never a real one beside an effective one. So a change
that can be taken back (an effective id alone) is answered with success and not made: with one id
it makes no difference to files. A change for good is made, by another user namespace.
"""

import errno
from typing import NamedTuple

KEEP = 0xFFFFFFFF
"""-1 as the kernel's 32-bit id: leave this one as it is."""

_CALLS = {  # x86-64: number → (kind, how many ids)
    105: ("uid", 1),
    106: ("gid", 1),
    113: ("uid", 2),
    114: ("gid", 2),
    117: ("uid", 3),
    119: ("gid", 3),
}
AUDIT_ARCH = 0xC000003E
_CAPABILITY = {"uid": 7, "gid": 6}  # CAP_SETUID, CAP_SETGID


class Ids(NamedTuple):
    """Who a process is, by the only ids that its user namespace has."""

    uid: int
    gid: int


class Verdict(NamedTuple):
    """Become somebody, or just answer with an error number (0: success)."""

    become: Ids | None = None
    error: int = 0


def judge(
    number: int, audit_arch: int, arguments: tuple[int, ...], now: Ids, effective: int
) -> Verdict:
    """The kernel's rules (setresuid(2), …) for one id; `effective` are the capabilities held."""
    call = _CALLS.get(number) if audit_arch == AUDIT_ARCH else None
    if call is None:
        return Verdict()  # of an ABI whose registers we do not know
    kind, count = call
    wanted = [argument & KEEP for argument in arguments[:count]]
    own = now.uid if kind == "uid" else now.gid
    others = {id for id in wanted if id not in (KEEP, own)}
    if not others:
        return Verdict()
    if not effective >> _CAPABILITY[kind] & 1:
        return Verdict(error=errno.EPERM)
    id = _for_good(wanted, own)
    return Verdict() if id is None else Verdict(now._replace(**{kind: id}))


def _for_good(wanted: list[int], own: int) -> int | None:
    """The id that is left when the call was made as asked; None where the old one stays too."""
    if len(wanted) == 2:  # with the real id the saved one changes as well
        real, effective = wanted
        if real == KEEP or effective == own:
            return None
        return real if effective == KEEP else effective
    return wanted[0] if len(set(wanted)) == 1 else None
