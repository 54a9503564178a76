"""The `linux.seccomp` object of config.json as validated values.

Source: runtime-spec, config-linux.md, "Seccomp". Where the specification is silent the answers are
those of runc, which go back to libseccomp:

- names that no table knows are ignored: they belong to other kernels or processors;
- a rule whose action is the default action says nothing;
- several conditions on one argument make several rules (any of them suffices), conditions on
  different arguments must all hold.

Errors are InvalidInput or Unsupported and name the JSON path.
"""

from typing import NamedTuple

from wherry.kit.errors import InvalidInput, Unsupported
from wherry.linux import bpf, syscalls
from wherry.linux.syscalls import Abi

KILL_THREAD, KILL_PROCESS, TRAP, ERRNO = 0x00000000, 0x80000000, 0x00030000, 0x00050000
NOTIFY, TRACE, LOG, ALLOW = 0x7FC00000, 0x7FF00000, 0x7FFC0000, 0x7FFF0000
"""SECCOMP_RET_* of linux/seccomp.h; the low 16 bits are data."""

ACTIONS = {
    "SCMP_ACT_KILL": KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": KILL_PROCESS,
    "SCMP_ACT_TRAP": TRAP,
    "SCMP_ACT_ERRNO": ERRNO,
    "SCMP_ACT_TRACE": TRACE,
    "SCMP_ACT_LOG": LOG,
    "SCMP_ACT_ALLOW": ALLOW,
    "SCMP_ACT_NOTIFY": NOTIFY,
}
OPERATORS = ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")
FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": bpf.FLAG_TSYNC,
    "SECCOMP_FILTER_FLAG_LOG": bpf.FLAG_LOG,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": bpf.FLAG_SPEC_ALLOW,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": bpf.FLAG_WAIT_KILLABLE,
}
_ABIS = {
    "SCMP_ARCH_X86_64": syscalls.X86_64,
    "SCMP_ARCH_X86": syscalls.I386,
    "SCMP_ARCH_X32": syscalls.X32,
    "SCMP_ARCH_AARCH64": syscalls.AARCH64,
    "SCMP_ARCH_ARM": syscalls.ARM,
}
_OTHER_PROCESSORS = (
    "MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X PARISC "
    "PARISC64 RISCV64 LOONGARCH64 M68K SH SHEB"
)
ARCHITECTURES = (*_ABIS, *(f"SCMP_ARCH_{name}" for name in _OTHER_PROCESSORS.split()))
"""Every architecture name that is accepted; one of another processor has no effect here."""

_WORD = (1 << 64) - 1
_EPERM = 1


class Condition(NamedTuple):
    """A comparison of one argument (0-5); `mask` is for MASKED_EQ only."""

    argument: int
    operator: str
    value: int
    mask: int = 0


class Rule(NamedTuple):
    """What to answer (SECCOMP_RET_* with data) to these calls when all conditions hold."""

    names: tuple[str, ...]
    action: int
    conditions: tuple[Condition, ...] = ()


class Profile(NamedTuple):
    """A whole filter; `flags` are SECCOMP_FILTER_FLAG_* for the load."""

    default: int
    abis: tuple[Abi, ...]
    rules: tuple[Rule, ...]
    flags: int
    listener_path: str
    listener_metadata: str


def parse_profile(value: object, path: str = "linux.seccomp") -> Profile:
    """Read the JSON object at `path`. Raises InvalidInput, Unsupported."""
    node = _object(value, path)
    default = _action(node, "defaultAction", "defaultErrnoRet", path)
    profile = Profile(
        default=default,
        abis=_abis(node, path),
        rules=tuple(_rules(node, path)),
        flags=_flags(node, path),
        listener_path=_text(node, "listenerPath", path),
        listener_metadata=_text(node, "listenerMetadata", path),
    )
    return _with_listener(profile, path)


def _with_listener(profile: Profile, path: str) -> Profile:
    if profile.default == NOTIFY:
        raise InvalidInput(f"{path}.defaultAction: SCMP_ACT_NOTIFY cannot be the default")
    notifying = [rule for rule in profile.rules if rule.action == NOTIFY]
    if not notifying:
        return profile
    if any("write" in rule.names for rule in notifying):
        raise InvalidInput(f"{path}: SCMP_ACT_NOTIFY cannot be used for write")
    if not profile.listener_path:
        raise Unsupported(f"{path}: SCMP_ACT_NOTIFY needs listenerPath, a socket that answers")
    # TSYNC and a listener exclude each other in the kernel, and there is one thread anyway
    flags = profile.flags & ~bpf.FLAG_TSYNC | bpf.FLAG_NEW_LISTENER
    return profile._replace(flags=flags)


def _rules(node: dict[str, object], path: str) -> list[Rule]:
    rules: list[Rule] = []
    for at, item in enumerate(_list(node, "syscalls", path)):
        where = f"{path}.syscalls[{at}]"
        call = _object(item, where)
        names = _names(call, where)
        action = _action(call, "action", "errnoRet", where)
        conditions = [
            _condition(_object(each, f"{where}.args[{nth}]"), f"{where}.args[{nth}]")
            for nth, each in enumerate(_list(call, "args", where))
        ]
        rules += _split(names, action, conditions)
    return rules


def _split(names: tuple[str, ...], action: int, conditions: list[Condition]) -> list[Rule]:
    if len({condition.argument for condition in conditions}) == len(conditions):
        return [Rule(names, action, tuple(conditions))]
    return [Rule(names, action, (condition,)) for condition in conditions]


def _names(call: dict[str, object], path: str) -> tuple[str, ...]:
    names = _list(call, "names", path)
    if not names:
        raise InvalidInput(f"{path}.names: at least one system call is needed")
    for name in names:
        if not isinstance(name, str) or not name:
            raise InvalidInput(f"{path}.names: expected names of system calls, got {name!r}")
    return tuple(str(name) for name in names)


def _condition(node: dict[str, object], path: str) -> Condition:
    index = _number(node, "index", path, 5)
    value = _number(node, "value", path, _WORD)
    second = _number(node, "valueTwo", path, _WORD)
    operator = _text(node, "op", path).removeprefix("SCMP_CMP_")
    if operator not in OPERATORS:
        raise InvalidInput(f"{path}.op: {node.get('op')!r} is not a comparison")
    if operator == "MASKED_EQ":  # the mask comes first, the value to compare with second
        return Condition(index, operator, second & value, value)
    return Condition(index, operator, value)


def _action(node: dict[str, object], key: str, errno_key: str, path: str) -> int:
    name = _text(node, key, path)
    action = ACTIONS.get(name)
    if action is None:
        raise InvalidInput(f"{path}.{key}: {name!r} is not a seccomp action")
    if action in (ERRNO, TRACE):
        given = node.get(errno_key) is not None
        return action | (_number(node, errno_key, path, 0xFFFF) if given else _EPERM)
    if node.get(errno_key) is not None:
        raise InvalidInput(f"{path}.{errno_key}: {name} cannot return an error number")
    return action


def _abis(node: dict[str, object], path: str) -> tuple[Abi, ...]:
    abis = [syscalls.native()]
    for name in _list(node, "architectures", path):
        if name not in ARCHITECTURES:
            raise InvalidInput(f"{path}.architectures: {name!r} is not an architecture")
        abi = _ABIS.get(str(name))
        if abi is not None and abi not in abis:
            abis.append(abi)
    return tuple(abis)


def _flags(node: dict[str, object], path: str) -> int:
    flags = 0
    for name in _list(node, "flags", path):
        if name not in FLAGS:
            raise InvalidInput(f"{path}.flags: {name!r} is not a flag")
        flags |= FLAGS[str(name)]
    return flags


def _object(value: object, path: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{path}: expected an object, got {value!r}")
    return value


def _list(node: dict[str, object], key: str, path: str) -> list[object]:
    found = node.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise InvalidInput(f"{path}.{key}: expected a list, got {found!r}")
    return found


def _text(node: dict[str, object], key: str, path: str) -> str:
    found = node.get(key)
    if found is not None and not isinstance(found, str):
        raise InvalidInput(f"{path}.{key}: expected a string, got {found!r}")
    return found or ""


def _number(node: dict[str, object], key: str, path: str, most: int) -> int:
    """A missing number is 0, as in Go's values."""
    found = node.get(key, 0)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= most:
        raise InvalidInput(f"{path}.{key}: expected a number from 0 to {most}, got {found!r}")
    return found
