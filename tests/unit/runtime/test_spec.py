"""config.json: what is read, and how what is wrong is told."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.kit.errors import InvalidInput, NotFound, Unsupported, WherryError
from wherry.linux.namespace import IdMap
from wherry.runtime import spec
from wherry.runtime.commands.template import example
from wherry.runtime.spec_types import Namespace, Rlimit


def document() -> dict[str, Any]:
    return copy.deepcopy(example(rootless=False))


def test_the_example_is_read_whole() -> None:
    read = spec.parse(document())
    assert read.process is not None
    assert read.process.args == ("sh",)
    assert read.process.terminal
    assert read.process.rlimits == (Rlimit("RLIMIT_NOFILE", 1024, 1024),)
    assert read.root.readonly
    assert read.linux.namespace("net") == Namespace("net")
    assert read.linux.namespace("user") is None
    assert "/proc/kcore" in read.linux.masked_paths


def test_the_rootless_example_maps_one_id() -> None:
    read = spec.parse(example(rootless=True))
    assert [line.size for line in read.linux.uid_maps] == [1]


def at(value: dict[str, Any], path: str, new: object) -> dict[str, Any]:
    target: Any = value
    *parents, last = path.split(".")
    for name in parents:
        target = target[int(name)] if isinstance(target, list) else target.setdefault(name, {})
    if isinstance(target, list):
        target[int(last)] = new
    else:
        target[last] = new
    return value


WRONG = [
    ("ociVersion", "banana", "ociVersion"),
    ("ociVersion", None, "ociVersion: required"),
    ("root", None, "root: required"),
    ("root.path", "", "root.path"),
    ("root.path", 5, "root.path: want a string, not a number"),
    ("root.path", "a\0b", "root.path: a NUL"),
    ("process.args", [], "process.args: at least one"),
    ("process.args", "sh", "process.args: want a list"),
    ("process.args", ["sh", 1], r"process.args\[1\]: want a string"),
    ("process.cwd", "tmp", "process.cwd: 'tmp' is not absolute"),
    ("process.user.uid", -1, "process.user.uid: -1 is not within"),
    ("process.user.uid", 2**32, "process.user.uid"),
    ("process.user.uid", 1.5, "process.user.uid"),
    ("process.user.uid", True, "process.user.uid: want a whole number, not a truth value"),
    ("process.user.additionalGids", [-1], r"process.user.additionalGids\[0\]"),
    ("process.terminal", "yes", "process.terminal: want true or false"),
    ("process.oomScoreAdj", 1001, "process.oomScoreAdj"),
    ("process.rlimits.0.type", "RLIMIT_X", r"process.rlimits\[0\].type: unknown limit"),
    ("process.rlimits.0.soft", 4096, r"process.rlimits\[0\]: soft 4096 is above"),
    ("mounts.0.destination", "", r"mounts\[0\].destination"),
    ("mounts.0", 3, r"mounts\[0\]: want an object"),
    ("mounts.0", None, r"mounts\[0\]: want an object, not null"),
    ("mounts.0.uidMappings", [{"containerID": 0, "hostID": 0, "size": 1}], "go together"),
    ("hooks.prestart", [{"path": "x"}], r"hooks.prestart\[0\].path: 'x' is not absolute"),
    ("hooks.poststop", [{"path": "/x", "timeout": 0}], r"hooks.poststop\[0\].timeout"),
    ("linux.namespaces.0.type", "fun", r"linux.namespaces\[0\].type: unknown namespace"),
    ("linux.namespaces.0.type", "mount", "a second mount namespace"),
    ("linux.namespaces.0.path", "x", "not absolute"),
    ("linux.maskedPaths", ["proc"], "linux.maskedPaths: 'proc' is not absolute"),
    ("linux.rootfsPropagation", "loud", "linux.rootfsPropagation: 'loud' is not one of"),
    ("linux.uidMappings", [{"containerID": 0, "hostID": 0, "size": 1}], "without a user"),
    ("linux.timeOffsets.monotonic", {"secs": 1}, "need a new time namespace"),
    ("linux.devices", [{"type": "x", "path": "/dev/x"}], r"linux.devices\[0\].type"),
    ("linux.devices", [{"type": "c", "path": "/dev/x"}], r"linux.devices\[0\].major: required"),
    ("linux.seccomp", [], "linux.seccomp: want an object"),
    ("linux.personality", {"domain": "BSD"}, "linux.personality.domain"),
]


@pytest.mark.parametrize(("path", "value", "text"), WRONG)
def test_errors_name_the_json_path(path: str, value: object, text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        spec.parse(at(document(), path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("ociVersion", "2.0.0"),
        ("linux.netDevices", {"eth0": {}}),
        ("linux.intelRdt", {"closID": "x"}),
        ("linux.personality", {"domain": "LINUX", "flags": ["X"]}),
        ("vm", {}),
        ("linux.namespaces", [{"type": "pid"}]),
    ],
)
def test_what_cannot_be_done_is_unsupported(path: str, value: object) -> None:
    with pytest.raises(Unsupported):
        spec.parse(at(document(), path, value))


def test_unknown_properties_are_ignored() -> None:
    assert spec.parse(at(document(), "process.someday", 1)) == spec.parse(document())


def test_a_new_user_namespace_needs_maps() -> None:
    value = document()
    value["linux"]["namespaces"].append({"type": "user"})
    with pytest.raises(InvalidInput, match="uidMappings"):
        spec.parse(value)
    value["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 5, "size": 2}]
    value["linux"]["gidMappings"] = value["linux"]["uidMappings"]
    assert spec.parse(value).linux.uid_maps == (IdMap(0, 5, 2),)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
PLACES = [
    *(f"process.{key}" for key in ("user", "args", "env", "capabilities", "rlimits", "scheduler")),
    *(f"linux.{key}" for key in ("namespaces", "devices", "sysctl", "seccomp", "timeOffsets")),
    "process", "mounts", "hooks", "hooks.prestart", "root", "annotations", "linux",
]  # fmt: skip


@given(st.sampled_from(PLACES), JSON)
def test_any_json_gives_a_spec_or_our_own_error(place: str, value: object) -> None:
    try:
        spec.parse(at(document(), place, value))
    except WherryError as error:
        assert str(error)


def test_files_that_are_no_json(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"config\.json: no such file"):
        spec.load(str(tmp_path))
    path = tmp_path / "config.json"
    for text in ("", "{", "[" * 100_000, "\xff"):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(InvalidInput, match="not JSON"):
            spec.load(str(tmp_path))
    path.write_text(json.dumps(document()))
    assert spec.load(str(tmp_path)).hostname == "wherry"


def test_an_absurd_size_is_refused(tmp_path: Path) -> None:
    with open(tmp_path / "config.json", "wb") as file:
        file.truncate(spec.MAX_CONFIG_BYTES + 1)
    with pytest.raises(InvalidInput, match="larger than"):
        spec.load(str(tmp_path))


def test_a_process_by_itself() -> None:
    process = spec.parse_process({"args": ["ls"], "cwd": "/", "user": {"uid": 3, "gid": 4}})
    assert (process.user.uid, process.user.gid) == (3, 4)
