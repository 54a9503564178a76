"""Which devices a container may use: v1's list and v2's eBPF program.

The rules of `linux.resources.devices` apply in their order, the last that fits an access decides,
and what no rule fits is allowed. Like runc we add the devices that every container has; no rules
at all leave the cgroup as it is.
"""

from wherry.linux.bpf import ebpf
from wherry.runtime.resources import DeviceRule

_ALWAYS = (
    DeviceRule(True, "c", None, None, "m"),
    DeviceRule(True, "b", None, None, "m"),
    DeviceRule(True, "c", 1, 3),  # null
    DeviceRule(True, "c", 1, 5),  # zero
    DeviceRule(True, "c", 1, 7),  # full
    DeviceRule(True, "c", 1, 8),  # random
    DeviceRule(True, "c", 1, 9),  # urandom
    DeviceRule(True, "c", 5, 0),  # tty
    DeviceRule(True, "c", 5, 2),  # ptmx
    DeviceRule(True, "c", 136, None),  # pts
)
"""Making any node is allowed, using it is not: the way of Docker and runc."""


def effective(rules: tuple[DeviceRule, ...]) -> tuple[DeviceRule, ...]:
    """The rules with those that every container has; none stays none.

    A rule for everything makes all before it void.
    """
    if not rules:
        return ()
    kept: list[DeviceRule] = []
    for rule in (*rules, *_ALWAYS):
        if _is_total(rule):
            kept = []
        kept.append(rule)
    return tuple(kept)


def _is_total(rule: DeviceRule) -> bool:
    numbers = rule.major is None and rule.minor is None
    return rule.type == "a" and numbers and rule.access == "rwm"


def list_lines(rules: tuple[DeviceRule, ...]) -> list[tuple[str, str]]:
    """(file, line) for v1, to be written one by one.

    Type `a` exists in v1's files for everything only, so other rules of that type are written
    once for character and once for block devices.
    """
    lines: list[tuple[str, str]] = []
    for rule in effective(rules):
        file = "devices.allow" if rule.allow else "devices.deny"
        if _is_total(rule):
            lines.append((file, "a"))
            continue
        for kind in "cb" if rule.type == "a" else rule.type:
            numbers = f"{_number(rule.major)}:{_number(rule.minor)}"
            lines.append((file, f"{kind} {numbers} {rule.access}"))
    return lines


def _number(value: int | None) -> str:
    return "*" if value is None else str(value)


_KINDS = {"b": 1, "c": 2}  # BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_DEV_CHAR
_ACCESS = {"m": 1, "r": 2, "w": 4}  # BPF_DEVCG_ACC_*
_EVERY_ACCESS = 7
_LOAD_WORD, _COPY, _SET, _AND, _SHIFT_RIGHT, _EXIT = 0x61, 0xBC, 0xB4, 0x54, 0x74, 0x95
_SKIP_IF_EQUAL, _SKIP_UNLESS_EQUAL = 0x15, 0x55
_RESULT, _CONTEXT, _KIND, _WANTED, _MAJOR, _MINOR, _SCRATCH = 0, 1, 2, 3, 4, 5, 6


def device_program(rules: tuple[DeviceRule, ...]) -> bytes:
    """An eBPF program (BPF_PROG_TYPE_CGROUP_DEVICE) that answers 1 for allowed, 0 for refused.

    Its context is struct bpf_cgroup_dev_ctx: access << 16 | kind, major, minor. An access may be
    of several kinds at once (open for reading and writing): the rules are tested from the last to
    the first, each takes away what it allows, and nothing left means allowed.
    """
    code = [
        ebpf(_LOAD_WORD, _KIND, _CONTEXT, 0),
        ebpf(_COPY, _WANTED, _KIND),
        ebpf(_AND, _KIND, value=0xFFFF),
        ebpf(_SHIFT_RIGHT, _WANTED, value=16),
        ebpf(_LOAD_WORD, _MAJOR, _CONTEXT, 4),
        ebpf(_LOAD_WORD, _MINOR, _CONTEXT, 8),
    ]
    chosen = effective(rules)
    for rule in reversed(chosen):
        code += _rule_code(rule)
    if not chosen or not _is_total(chosen[0]):  # the verifier refuses code that is never reached
        code += _answer(True)
    return b"".join(code)


def _rule_code(rule: DeviceRule) -> list[bytes]:
    tests = [
        (register, wanted)
        for register, wanted in (
            (_KIND, _KINDS.get(rule.type)),
            (_MAJOR, rule.major),
            (_MINOR, rule.minor),
        )
        if wanted is not None
    ]
    action = _action_code(rule)
    code = []
    for at, (register, wanted) in enumerate(tests):
        past = len(tests) - at - 1 + len(action)
        code.append(ebpf(_SKIP_UNLESS_EQUAL, register, offset=past, value=wanted))
    return code + action


def _action_code(rule: DeviceRule) -> list[bytes]:
    mask = sum(_ACCESS[letter] for letter in rule.access)
    answer = _answer(rule.allow)
    if mask == _EVERY_ACCESS:
        return answer
    if rule.allow:
        return [
            ebpf(_AND, _WANTED, value=_EVERY_ACCESS & ~mask),
            ebpf(_SKIP_UNLESS_EQUAL, _WANTED, offset=len(answer)),
            *answer,
        ]
    return [
        ebpf(_COPY, _SCRATCH, _WANTED),
        ebpf(_AND, _SCRATCH, value=mask),
        ebpf(_SKIP_IF_EQUAL, _SCRATCH, offset=len(answer)),
        *answer,
    ]


def _answer(allowed: bool) -> list[bytes]:
    return [ebpf(_SET, _RESULT, value=int(allowed)), ebpf(_EXIT)]
