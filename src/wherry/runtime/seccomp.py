"""Seccomp filters: the `linux.seccomp` object compiled to classic BPF in pure Python.

The program looks at the architecture, then finds the call's number in a balanced tree over ranges
of numbers with the same answer, then compares arguments where the answer depends on them. Docker's
default profile takes about 310 instructions for its three ABIs (90 for x86-64 alone), some ten of
them a call, and 2 ms; the bytes depend on nothing but the profile, so callers keep them.

Answers where the specification is silent (as runc and libseccomp give them):

- a foreign architecture kills the thread;
- an unconditional rule beats conditional ones, the first of several wins; among conditional ones
  those that compare for equality come first;
- unless the default action lets calls through, numbers above the highest that the profile names
  get ENOSYS, so that programs fall back to older calls on newer kernels;
- 32-bit ABIs compare the low halves of arguments only;
- a rule for `socket` and the like also covers i386's `socketcall` and `ipc`. There the arguments
  are out of sight (in memory), so a conditional rule is carried over only if it is stricter than
  the default.
"""

from wherry.linux import bpf, syscalls
from wherry.linux.bpf import Assembler, Label
from wherry.linux.syscalls import Abi
from wherry.runtime.seccomp_arguments import Choice, choose
from wherry.runtime.seccomp_profile import (
    ALLOW,
    ERRNO,
    KILL_PROCESS,
    KILL_THREAD,
    LOG,
    NOTIFY,
    TRACE,
    TRAP,
    Condition,
    Profile,
    Rule,
    parse_profile,
)

ENOSYS = ERRNO | 38
_LOW = 0xFFFFFFFF
_ACTION = 0xFFFF0000
_STRICTEST_FIRST = (KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, NOTIFY, TRACE, LOG, ALLOW)

Answer = int | Choice
"""SECCOMP_RET_* with data, or what depends on the arguments."""

Pieces = list[tuple[int, Answer]]
"""The line of numbers cut at first values; each piece reaches to the next one's start."""

_SOCKETCALL = (
    "socket bind connect listen accept getsockname getpeername socketpair send recv sendto "
    "recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg"
).split()
_IPC = {
    "semop": 1,
    "semget": 2,
    "semctl": 3,
    "semtimedop": 4,
    "msgsnd": 11,
    "msgrcv": 12,
    "msgget": 13,
    "msgctl": 14,
    "shmat": 21,
    "shmdt": 22,
    "shmget": 23,
    "shmctl": 24,
}


def compile(profile: object) -> bytes:
    """The BPF program of a `linux.seccomp` object. Raises InvalidInput, Unsupported."""
    return compile_profile(parse_profile(profile))


def compile_profile(profile: Profile) -> bytes:
    """The BPF program of a parsed profile. Raises InvalidInput if it is too long."""
    assembler = Assembler()
    groups: dict[int, list[Abi]] = {}
    for abi in profile.abis:
        groups.setdefault(abi.audit_arch, []).append(abi)
    entry = assembler.answer(KILL_THREAD)
    for audit_arch, abis in reversed(groups.items()):
        pieces = _pieces(profile, audit_arch, abis)
        places = {answer: _place(assembler, answer) for _, answer in pieces}
        tree = bpf.select(assembler, [(first, places[answer]) for first, answer in pieces])
        entry = assembler.if_equal(audit_arch, assembler.load(bpf.NUMBER, tree), entry)
    return assembler.finish(assembler.load(bpf.ARCHITECTURE, entry))


def load(program: bytes, flags: int = 0) -> int | None:
    """Put the filter on this thread for good; `flags` as in Profile.

    Needs CAP_SYS_ADMIN or no_new_privs. Where two filters answer with an error the one loaded last
    decides. Returns the notification descriptor if flags ask for one. Raises OSError, Unsupported.
    """
    return bpf.load_seccomp(program, flags)


def _place(assembler: Assembler, answer: Answer) -> Label:
    return assembler.answer(answer) if isinstance(answer, int) else choose(assembler, answer)


def _pieces(profile: Profile, audit_arch: int, abis: list[Abi]) -> Pieces:
    """The answers for every number that this architecture can carry."""
    if audit_arch != syscalls.X86_64.audit_arch:
        return _merged(_abi_pieces(profile, abis[0]))
    pieces: Pieces = [(0, KILL_THREAD)]
    if syscalls.X86_64 in abis:
        pieces = _abi_pieces(profile, syscalls.X86_64)
    bit = syscalls.X32.number_bit
    if syscalls.X32 in abis:
        pieces += _abi_pieces(profile, syscalls.X32)
    else:  # -1 is what a tracer writes to skip a call: no ABI's number
        pieces += [(bit, KILL_THREAD), (_LOW, profile.default)]
    return _merged(pieces)


def _abi_pieces(profile: Profile, abi: Abi) -> Pieces:
    numbers = syscalls.numbers(abi)
    answers = _answers(profile, abi, numbers)
    pieces: Pieces = [(abi.number_bit, profile.default)]
    for number in sorted(answers):
        if pieces[-1][0] == number:
            pieces.pop()
        pieces += [(number, answers[number]), (number + 1, profile.default)]
    named = [numbers.get(name, 0) for rule in profile.rules for name in rule.names]
    highest = max([*named, *answers], default=0)
    if highest and profile.default & _ACTION not in (ALLOW, LOG, TRACE):
        pieces = [piece for piece in pieces if piece[0] <= highest] + [(highest + 1, ENOSYS)]
    return pieces


def _merged(pieces: Pieces) -> Pieces:
    merged = pieces[:1]
    for piece in pieces[1:]:
        if piece[1] != merged[-1][1]:
            merged.append(piece)
    return merged


def _answers(profile: Profile, abi: Abi, numbers: dict[str, int]) -> dict[int, Answer]:
    """What is not the default: by number."""
    always: dict[int, int] = {}
    depends: dict[int, list[Rule]] = {}
    for rule in profile.rules:
        if rule.action == profile.default:
            continue
        for number, conditions in _targets(rule, abi, numbers, profile.default):
            if conditions:
                found = Rule((), rule.action, conditions)
                if found not in depends.setdefault(number, []):
                    depends[number].append(found)
            else:
                always.setdefault(number, rule.action)
    choices = {
        number: Choice(tuple(sorted(rules, key=_is_inexact)), profile.default, abi.wide)
        for number, rules in depends.items()
    }
    return choices | always


def _is_inexact(rule: Rule) -> bool:
    return any(condition.operator != "EQ" for condition in rule.conditions)


def _targets(
    rule: Rule, abi: Abi, numbers: dict[str, int], default: int
) -> list[tuple[int, tuple[Condition, ...]]]:
    """The numbers that a rule is about, each with the conditions that apply there."""
    targets = [(numbers[name], rule.conditions) for name in rule.names if name in numbers]
    if abi is syscalls.I386 and (not rule.conditions or _stricter(rule.action, default)):
        for name in rule.names:
            if name in _SOCKETCALL:
                which = Condition(0, "EQ", _SOCKETCALL.index(name) + 1)
                targets.append((numbers["socketcall"], (which,)))
            if name in _IPC:  # the upper half of ipc's first argument is a version
                which = Condition(0, "MASKED_EQ", _IPC[name], 0xFFFF)
                targets.append((numbers["ipc"], (which,)))
    return targets


def _stricter(action: int, than: int) -> bool:
    order = _STRICTEST_FIRST
    return order.index(action & _ACTION) < order.index(than & _ACTION)
