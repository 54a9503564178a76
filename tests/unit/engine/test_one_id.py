"""The profile of containers that have one id."""

from wherry.engine.spec.facts import Host
from wherry.engine.spec.one_id import with_one_id
from wherry.runtime import seccomp, seccomp_default
from wherry.runtime.seccomp_profile import NOTIFY, parse_profile

HOST = Host((6, 1), "amd64", "single", "none", frozenset())
SOCKET = "/run/x/ids.sock"


def default() -> dict[str, object]:
    return seccomp_default.default_profile(frozenset(), (6, 1), "amd64")


def actions(profile: dict[str, object], name: str) -> set[object]:
    rules = profile["syscalls"]
    assert isinstance(rules, list)
    return {rule["action"] for rule in rules if name in rule["names"]}


def test_identity_is_asked_for_and_owners_are_not() -> None:
    made = with_one_id(default(), HOST, SOCKET)
    assert actions(made, "setresuid") == {"SCMP_ACT_NOTIFY"}
    assert actions(made, "fchownat") == {"SCMP_ACT_ERRNO"}
    assert made["listenerPath"] == SOCKET
    parsed = parse_profile(made)
    assert any(rule.action == NOTIFY for rule in parsed.rules)
    assert seccomp.compile_profile(parsed)


def test_of_setns_only_user_namespaces_are_open() -> None:
    rules = with_one_id(default(), HOST, SOCKET)["syscalls"]
    assert isinstance(rules, list)
    setns = [rule for rule in rules if "setns" in rule["names"]]
    assert [rule["args"] for rule in setns] == [
        [{"index": 1, "op": "SCMP_CMP_EQ", "value": 0x10000000}]
    ]


def test_without_support_calls_are_answered_with_success() -> None:
    for host in (HOST._replace(kernel=(5, 4)), HOST._replace(architecture="arm64")):
        made = with_one_id(default(), host, SOCKET)
        assert actions(made, "setresuid") == {"SCMP_ACT_ERRNO"}
        assert "listenerPath" not in made


def test_a_listener_of_the_users_own_stays() -> None:
    own: dict[str, object] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": "/mine",
        "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}],
    }
    made = with_one_id(own, HOST, SOCKET)
    assert made["listenerPath"] == "/mine"
    assert actions(made, "setuid") == {"SCMP_ACT_ERRNO"}


def test_unconfined_is_still_filtered() -> None:
    made = with_one_id(None, HOST, SOCKET)
    assert made["defaultAction"] == "SCMP_ACT_ALLOW"
    assert actions(made, "setuid") == {"SCMP_ACT_NOTIFY"}
