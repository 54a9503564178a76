"""Who a process with one id becomes."""

import errno

import pytest

from wherry.monitor.id_calls import AUDIT_ARCH, KEEP, Ids, Verdict, judge

ALL, NONE = (1 << 41) - 1, 0
SETUID, SETGID, SETREUID, SETRESUID, SETRESGID = 105, 106, 113, 117, 119
ROOT = Ids(0, 0)


def decide(number: int, *arguments: int, now: Ids = ROOT, effective: int = ALL) -> Verdict:
    return judge(number, AUDIT_ARCH, (*arguments, 7, 7, 7), now, effective)


@pytest.mark.parametrize(
    ("number", "arguments", "become"),
    [
        (SETUID, (33,), Ids(33, 0)),
        (SETGID, (33,), Ids(0, 33)),
        (SETREUID, (33, 33), Ids(33, 0)),
        (SETRESUID, (33, 33, 33), Ids(33, 0)),
        (SETRESGID, (33, 33, 33), Ids(0, 33)),
    ],
)
def test_root_becomes_somebody_for_good(
    number: int, arguments: tuple[int, ...], become: Ids
) -> None:
    assert decide(number, *arguments) == Verdict(become)


def test_who_keeps_an_old_id_may_return() -> None:
    assert decide(SETREUID, 33, KEEP) == Verdict(Ids(33, 0), may_return=True)
    assert decide(SETRESUID, 33, 33, 0) == Verdict(Ids(33, 0), may_return=True)
    back = decide(SETRESUID, KEEP, 0, KEEP, now=Ids(33, 0))
    assert back == Verdict(ROOT, may_return=True)


def test_an_effective_id_of_root_is_only_said_to_change() -> None:
    assert decide(SETRESUID, KEEP, 33, KEEP) == Verdict()
    assert decide(SETREUID, 0, 33) == Verdict()


def test_what_is_so_already_needs_no_right() -> None:
    assert decide(SETUID, 33, now=Ids(33, 33), effective=NONE) == Verdict()
    assert decide(SETRESUID, KEEP, KEEP, KEEP, effective=NONE) == Verdict()


def test_others_need_the_capability() -> None:
    refused = Verdict(error=errno.EPERM)
    assert decide(SETUID, 0, now=Ids(33, 33), effective=NONE) == refused
    assert decide(SETRESUID, KEEP, 0, KEEP, now=Ids(33, 33), effective=NONE) == refused
    assert decide(SETGID, 5, effective=1 << 7) == refused
    assert decide(SETGID, 5, effective=1 << 6) == Verdict(Ids(0, 5))


def test_ids_are_32_bits_wide() -> None:
    assert decide(SETUID, (7 << 32) | 33) == Verdict(Ids(33, 0))


def test_other_abis_are_answered_with_success() -> None:
    assert judge(213, 0x40000003, (33,), ROOT, ALL) == Verdict()
    assert decide(1 << 30 | SETUID, 33) == Verdict()
