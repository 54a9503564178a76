"""Carrying out plans in a directory."""

from pathlib import Path

import pytest

from wherry.kit.errors import Unsupported
from wherry.linux.cgroup.directory import Directory
from wherry.runtime.cgroups.writes import Write, carry_out


def test_values_go_into_their_files(tmp_path: Path) -> None:
    (tmp_path / "pids.max").touch()
    (tmp_path / "io.weight").touch()
    other = Write("io", "io.weight", "7")
    with Directory.open(str(tmp_path), "") as group:
        carry_out(
            group,
            [
                Write("pids", "pids.max", "5"),
                Write("io", "io.bfq.weight", "6", instead=other),
                Write("cpu", "cpu.max.burst", "1", optional=True),
            ],
        )
    assert (tmp_path / "pids.max").read_text() == "5"
    assert (tmp_path / "io.weight").read_text() == "7"
    assert not (tmp_path / "cpu.max.burst").exists()


def test_a_missing_control_is_named(tmp_path: Path) -> None:
    with (
        Directory.open(str(tmp_path), "") as group,
        pytest.raises(Unsupported, match=r"no .*/memory\.max, which '5' was asked for"),
    ):
        carry_out(group, [Write("memory", "memory.max", "5")])
