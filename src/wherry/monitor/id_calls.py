"""What a change of user or group means where there is one id only: pure decisions.

A process has one user and one group here, never a real one beside an effective one. A change of
root's effective id alone is answered with success and not made: it makes no difference to files,
and will be taken back. Any other change is made, by another user namespace.
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
    """Become somebody, or just answer with an error number (0: success).

    `may_return`: the process keeps the right to change its ids until its next program.
    """

    become: Ids | None = None
    may_return: bool = False
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
    if count == 1 or wanted[0] not in (KEEP, own):
        return Verdict(now._replace(**{kind: wanted[0]}), _keeps(wanted))
    if own == 0:  # root for a while as somebody else
        return Verdict()
    return Verdict(now._replace(**{kind: others.pop()}), may_return=True)


def _keeps(wanted: list[int]) -> bool:
    """Whether the old id stays beside the new one, so that the process may go back.

    setreuid(2) changes the saved id to the effective one wherever it sets the real one.
    """
    return any(id != wanted[0] for id in wanted[1:])
