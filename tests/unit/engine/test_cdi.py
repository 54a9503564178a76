"""Devices by file: what a request means, and what it adds to a container."""

import json
from pathlib import Path
from typing import Any

import pytest

from wherry.dockerapi.host_config import DeviceRequest
from wherry.engine import cdi
from wherry.engine.cdi import Edits
from wherry.kit.errors import InvalidInput

GPUS = [f"{cdi.GPU}={name}" for name in ("0", "1", "all")]
GPU = [["gpu"]]
SPEC: dict[str, Any] = {
    "process": {"env": ["A=1"], "user": {"uid": 0, "gid": 0}},
    "mounts": [],
    "linux": {"devices": [], "resources": {"devices": [{"allow": False, "access": "rwm"}]}},
}
DESCRIPTION = {
    "cdiVersion": "0.6.0",
    "kind": "acme.com/thing",
    "containerEdits": {"env": ["COMMON=1"]},
    "devices": [
        {"name": "a", "containerEdits": {
            "env": ["THING=a"],
            "deviceNodes": [{"path": "/dev/thing", "hostPath": "/dev/null", "permissions": "r"}],
            "mounts": [{"hostPath": "/usr", "containerPath": "/acme"}],
            "hooks": [{"hookName": "createContainer", "path": "/bin/true", "args": ["true"]}],
        }},
        {"name": "b", "containerEdits": {"env": ["THING=b"]}},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        (DeviceRequest("cdi", device_ids=["acme.com/thing=a"]), ["acme.com/thing=a"]),
        (DeviceRequest("", count=-1, capabilities=GPU), GPUS[2:]),
        (DeviceRequest("", count=1, capabilities=GPU), GPUS[:1]),
        (DeviceRequest("nvidia", count=2, capabilities=[["gpu", "compute"]]), GPUS[:2]),
        (DeviceRequest("nvidia", device_ids=["1"], capabilities=GPU), GPUS[1:2]),
    ],
)
def test_what_a_request_means(request_: DeviceRequest, names: list[str]) -> None:
    assert cdi.wanted([request_, request_], ["acme.com/thing=a", *GPUS]) == names


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (
            DeviceRequest("", count=-1, capabilities=GPU),
            'could not select device driver "" with capabilities: [[gpu]]',
        ),
        (
            DeviceRequest("other", capabilities=[["a", "b"], ["c"]]),
            'could not select device driver "other" with capabilities: [[a b] [c]]',
        ),
        (
            DeviceRequest("cdi", device_ids=["x.y/z=1", "x.y/z=2"]),
            "CDI device injection failed: unresolvable CDI devices x.y/z=1, x.y/z=2",
        ),
    ],
)
def test_what_cannot_be_had(request_: DeviceRequest, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        cdi.wanted([request_], [])
    assert str(caught.value) == text


@pytest.fixture
def known(tmp_path: Path) -> dict[str, cdi.Offered]:
    (tmp_path / "acme.json").write_text(json.dumps(DESCRIPTION))
    return cdi.offered([str(tmp_path), f"{tmp_path}/nowhere"])


def test_devices_are_found_by_their_full_names(known: dict[str, cdi.Offered]) -> None:
    assert list(known) == ["acme.com/thing=a", "acme.com/thing=b"]


def test_a_later_folder_wins(tmp_path: Path) -> None:
    for folder, value in (("one", "1"), ("two", "2")):
        (tmp_path / folder).mkdir()
        edits = {"env": [f"N={value}"]}
        text = {"cdiVersion": "0.5.0", "kind": "a.b/c", "devices": [
            {"name": "x", "containerEdits": edits}]}  # fmt: skip
        (tmp_path / folder / "d.json").write_text(json.dumps(text))
    found = cdi.offered([f"{tmp_path}/one", f"{tmp_path}/two"])
    assert found["a.b/c=x"].edits.env == ["N=2"]


def test_yaml_too(tmp_path: Path) -> None:
    text = "cdiVersion: 0.6.0\nkind: a.b/c\ndevices:\n- name: x\n  containerEdits: {env: [A=1]}\n"
    (tmp_path / "d.yaml").write_text(text)
    assert cdi.offered([str(tmp_path)])["a.b/c=x"].edits == Edits(env=["A=1"])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "x"}', '{"cdiVersion": 1}'])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"broken\.json"):
        cdi.offered([str(tmp_path)])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "away.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match=r"away\.json: No such file"):
        cdi.offered([str(tmp_path)])


def test_edits_go_into_the_specification(known: dict[str, cdi.Offered]) -> None:
    edits = cdi.edits_of(["acme.com/thing=a", "acme.com/thing=b"], known)
    spec = cdi.applied(SPEC, edits, make_nodes=True)
    assert spec["process"]["env"] == ["A=1", "COMMON=1", "THING=a", "THING=b"]
    (device,) = spec["linux"]["devices"]
    assert (device["path"], device["type"], device["major"], device["minor"]) == (
        "/dev/thing", "c", 1, 3,
    )  # fmt: skip
    rule = {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "r"}
    assert spec["linux"]["resources"]["devices"][-1] == rule
    assert spec["mounts"] == [
        {"destination": "/acme", "source": "/usr", "type": "bind",
         "options": ["rbind", "ro", "nosuid", "nodev"]}
    ]  # fmt: skip
    assert spec["hooks"] == {
        "createContainer": [{"path": "/bin/true", "args": ["true"], "env": []}]
    }
    assert SPEC["process"]["env"] == ["A=1"]


def test_where_no_node_can_be_made_it_is_bound(known: dict[str, cdi.Offered]) -> None:
    edits = cdi.edits_of(["acme.com/thing=a"], known)
    spec = cdi.applied(SPEC, edits, make_nodes=False)
    assert spec["linux"]["devices"] == []
    assert spec["mounts"][-1]["source"] == "/dev/null"


def test_a_device_that_the_host_does_not_have() -> None:
    edits = Edits(device_nodes=[cdi.DeviceNode("/dev/nosuch")])
    with pytest.raises(InvalidInput, match="/dev/nosuch: no such file"):
        cdi.applied(SPEC, [edits], make_nodes=True)
