"""The record of a container."""

import json
import os
from pathlib import Path

import pytest

from wherry.kit.errors import Conflict, Corrupt, InvalidInput, NotFound
from wherry.linux import process
from wherry.runtime import state
from wherry.runtime.request import check_id
from wherry.runtime.state import Record


def record(pid: int = 0, start_time: int = 1) -> Record:
    return Record(
        id="c1",
        version="1.2.0",
        bundle="/b",
        rootfs="/b/rootfs",
        pid=pid or os.getpid(),
        start_time=start_time,
        boot_id=process.boot_id(),
        created=1_700_000_000_000_000_000,
        owner="0",
        cgroup={"version": 0, "init": None},
        rootless=True,
        annotations={"a": "b"},
    )


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = state.make_folder(str(tmp_path), "c1")
    state.save(folder, record())
    assert state.load(str(tmp_path), "c1") == record()


def test_an_id_is_taken_once(tmp_path: Path) -> None:
    state.make_folder(str(tmp_path), "c1")
    with pytest.raises(Conflict, match="already exists: c1"):
        state.make_folder(str(tmp_path), "c1")
    state.remove_folder(str(tmp_path), "c1")
    state.remove_folder(str(tmp_path), "c1")
    state.make_folder(str(tmp_path), "c1")


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "../x", "a b", "a\n", "x" * 1025, "ä"])
def test_ids_that_are_no_folder_names(text: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="invalid container id"):
        check_id(text)
    with pytest.raises(InvalidInput):
        state.load(str(tmp_path), text)


def test_missing_and_broken_records(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="container does not exist: c1"):
        state.load(str(tmp_path), "c1")
    folder = state.make_folder(str(tmp_path), "c1")
    with pytest.raises(NotFound):
        state.load(str(tmp_path), "c1")
    for text in ("{", "{}", "[]", json.dumps(record()._asdict() | {"more": 1})):
        Path(folder, "state.json").write_text(text)
        with pytest.raises(Corrupt):
            state.load(str(tmp_path), "c1")


def test_a_reused_pid_is_a_stopped_container(tmp_path: Path) -> None:
    mine = process.start_time(os.getpid())
    assert state.status_of(str(tmp_path), record(start_time=mine)) == "running"
    assert state.status_of(str(tmp_path), record(start_time=mine + 1)) == "stopped"
    other_boot = record(start_time=mine)._replace(boot_id="another")
    assert state.status_of(str(tmp_path), other_boot) == "stopped"


def test_the_public_form() -> None:
    document = state.describe(record(), "running").to_json()
    assert document["ociVersion"] == "1.2.0"
    assert document["created"] == "2023-11-14T22:13:20Z"
    assert document["annotations"] == {"a": "b"}
    assert state.describe(record(), "stopped").to_json()["pid"] == 0
