"""Docker's own form of seccomp profiles (files given to --security-opt) made plain.

Docker lets a rule depend on capabilities, processor and kernel (`includes`, `excludes`) and lists
architectures in `archMap`. Here these are decided, and what is left is runtime-spec's
`linux.seccomp`. Errors are InvalidInput.
"""

import re
from typing import NamedTuple

from wherry.kit.errors import InvalidInput

_NATIVE = {"amd64": "SCMP_ARCH_X86_64", "386": "SCMP_ARCH_X86", "arm64": "SCMP_ARCH_AARCH64"}
_DOCKER_NAMES = {"386": "x86"}  # what archs are called in includes and excludes
_VERSION = re.compile(r"(\d+)\.(\d+)")
_PLAIN = ("names", "action", "errnoRet", "args")
_KEPT = ("defaultAction", "defaultErrnoRet", "flags", "listenerPath", "listenerMetadata")


class Facts(NamedTuple):
    """What a rule may depend on; `architecture` as in image configurations (amd64, arm64)."""

    capabilities: frozenset[str]
    kernel: tuple[int, int]
    architecture: str


def resolve(profile: object, facts: Facts) -> dict[str, object]:
    """Docker's profile → `linux.seccomp`. Raises InvalidInput."""
    node = _object(profile, "profile")
    if node.get("architectures") and node.get("archMap"):
        raise InvalidInput("seccomp profile: use either 'architectures' or 'archMap', not both")
    plain = {key: node[key] for key in _KEPT if key in node}
    plain["architectures"] = node.get("architectures") or _architectures(node, facts)
    plain["syscalls"] = [
        _rule(_object(item, f"syscalls[{at}]"), at)
        for at, item in enumerate(_list(node, "syscalls", "profile"))
        if _applies(_object(item, f"syscalls[{at}]"), facts, f"syscalls[{at}]")
    ]
    return plain


def _architectures(node: dict[str, object], facts: Facts) -> list[object]:
    native = _NATIVE.get(facts.architecture)
    for at, item in enumerate(_list(node, "archMap", "profile")):
        entry = _object(item, f"archMap[{at}]")
        if entry.get("architecture") == native:
            return [native, *_list(entry, "subArchitectures", f"archMap[{at}]")]
    return []


def _rule(item: dict[str, object], at: int) -> dict[str, object]:
    plain = {key: item[key] for key in _PLAIN if item.get(key) is not None}
    name = item.get("name")
    if name:
        if plain.get("names"):
            raise InvalidInput(
                f"seccomp profile: syscalls[{at}]: use either 'name' or 'names', not both"
            )
        plain["names"] = [name]
    return plain


def _applies(item: dict[str, object], facts: Facts, path: str) -> bool:
    excludes = _object(item.get("excludes") or {}, f"{path}.excludes")
    includes = _object(item.get("includes") or {}, f"{path}.includes")
    architecture = _DOCKER_NAMES.get(facts.architecture, facts.architecture)
    if architecture in _list(excludes, "arches", path):
        return False
    if any(name in facts.capabilities for name in _list(excludes, "caps", path)):
        return False
    if "minKernel" in excludes and facts.kernel >= _kernel(excludes, f"{path}.excludes"):
        return False
    wanted = _list(includes, "arches", path)
    if wanted and architecture not in wanted:
        return False
    if any(name not in facts.capabilities for name in _list(includes, "caps", path)):
        return False
    return "minKernel" not in includes or facts.kernel >= _kernel(includes, f"{path}.includes")


def _kernel(node: dict[str, object], path: str) -> tuple[int, int]:
    match = _VERSION.fullmatch(str(node["minKernel"]))
    if match is None:
        raise InvalidInput(f"seccomp profile: {path}.minKernel: expected 4.8, not {node!r}")
    return int(match[1]), int(match[2])


def _object(value: object, path: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InvalidInput(f"seccomp profile: {path}: expected an object, got {value!r}")
    return value


def _list(node: dict[str, object], key: str, path: str) -> list[object]:
    found = node.get(key)
    if found is not None and not isinstance(found, list):
        raise InvalidInput(f"seccomp profile: {path}.{key}: expected a list, got {found!r}")
    return found or []
