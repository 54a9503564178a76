"""The seccomp profile of a container that has a single id."""

from wherry.engine.spec.facts import Host
from wherry.linux.namespace import CLONE_NEWUSER
from wherry.runtime import seccomp_default, seccomp_one_id

_NOTIFY = "SCMP_ACT_NOTIFY"
_KERNEL = (5, 9)
"""The first in which a seccomp listener may give the caller a descriptor."""

Rule = dict[str, object]
Profile = dict[str, object]


def with_one_id(profile: Profile | None, host: Host, ids_socket: str) -> Profile:
    """Changes of owner answer success and do nothing; those of identity are made, if possible.

    They would fail with EINVAL, and with them apt, nginx and every entrypoint that drops
    privileges. `wherry.runtime.seccomp_one_id` has the rules; here they replace the profile's own
    for the same calls. Who the process becomes is decided at `ids_socket`
    (`wherry.monitor.id_server`), which has it join another user namespace: for that one kind of
    namespace setns is allowed. A profile with a listener of its own keeps that instead.
    """
    default = seccomp_default.default_profile(frozenset(), (5, 0), host.architecture)
    base = profile or {"defaultAction": "SCMP_ACT_ALLOW", "architectures": default["architectures"]}
    able = host.architecture == "amd64" and host.kernel >= _KERNEL
    served = bool(ids_socket) and able and not _listens(base)
    own = _own_rules(served=served)
    names = {name for rule in own for name in _names(rule)}
    kept = [
        {**rule, "names": left}
        for rule in _rules(base)
        if (left := [name for name in _names(rule) if name not in names])
    ]
    rules = [*kept, *own, *seccomp_one_id.real_files()]
    if not served:
        return {**base, "syscalls": rules}
    return {**base, "syscalls": [*rules, _join_user_namespace()], "listenerPath": ids_socket}


def _own_rules(*, served: bool) -> list[Rule]:
    rules = _rules(seccomp_one_id.one_id_profile([]))
    if not served:
        return rules
    asked: Rule = {"names": list(seccomp_one_id.IDENTITY), "action": _NOTIFY}
    kept = [
        {**rule, "names": [name for name in _names(rule) if name not in seccomp_one_id.IDENTITY]}
        for rule in rules
    ]
    return [*kept, asked]


def _join_user_namespace() -> Rule:
    return {
        "names": ["setns"],
        "action": "SCMP_ACT_ALLOW",
        "args": [{"index": 1, "op": "SCMP_CMP_EQ", "value": CLONE_NEWUSER}],
    }


def _listens(profile: Profile) -> bool:
    return any(rule.get("action") == _NOTIFY for rule in _rules(profile))


def _rules(profile: Profile) -> list[Rule]:
    rules = profile.get("syscalls")
    return rules if isinstance(rules, list) else []


def _names(rule: Rule) -> list[str]:
    names = rule.get("names")
    return names if isinstance(names, list) else []
