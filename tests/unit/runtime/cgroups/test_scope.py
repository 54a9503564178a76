"""Delegated groups for plain users."""

import os
from pathlib import Path

import pytest

from wherry.kit.errors import Unsupported
from wherry.linux.cgroup.layout import Hierarchy, Layout
from wherry.runtime.cgroups.scope import delegation_command, is_delegated, settle

V1 = Layout((Hierarchy(1, frozenset({"memory"}), "/m", ""),), None)
V2 = Layout((), Hierarchy(2, frozenset(), "/sys/fs/cgroup", "user/a.scope"))


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "run/systemd").mkdir(parents=True)
    (tmp_path / "run/systemd/private").touch()
    (tmp_path / "systemd-run").touch(0o755)
    environment = {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "PATH": f"/nowhere:{tmp_path}"}
    command = delegation_command(["wherry", "daemon"], V2, environment)
    assert command == [
        *(f"{tmp_path}/systemd-run", "--user", "--scope", "--quiet", "--collect"),
        *("--property=Delegate=yes", "--", "wherry", "daemon"),
    ]
    environment["PATH"] = "/nowhere"
    with pytest.raises(Unsupported, match=r"systemd-run is not in \$PATH"):
        delegation_command(["wherry"], V2, environment)


def test_no_delegation() -> None:
    with pytest.raises(Unsupported, match="cgroup v1 cannot be delegated"):
        delegation_command(["wherry"], V1, {})
    with pytest.raises(Unsupported, match="enable-linger"):
        delegation_command(["wherry"], V2, {"XDG_RUNTIME_DIR": "/nowhere"})


def test_delegated_or_not(tmp_path: Path) -> None:
    (tmp_path / "user/a.scope").mkdir(parents=True)
    layout = Layout((), Hierarchy(2, frozenset(), str(tmp_path), "user/a.scope"))
    assert not is_delegated(V1)
    assert not is_delegated(layout)
    for name in ("cgroup.procs", "cgroup.subtree_control"):
        (tmp_path / "user" / name).touch()
    assert is_delegated(layout)
    top = Layout((), Hierarchy(2, frozenset(), str(tmp_path), ""))
    assert not is_delegated(top)


def test_settling_moves_the_scopes_processes_down(tmp_path: Path) -> None:
    (tmp_path / "user/a.scope/engine").mkdir(parents=True)
    (tmp_path / "user/a.scope/cgroup.procs").write_text(f"{os.getpid()}\n")
    (tmp_path / "user/a.scope/engine/cgroup.procs").touch()
    layout = Layout((), Hierarchy(2, frozenset(), str(tmp_path), "user/a.scope"))
    settled = settle(layout)
    assert settled.unified is not None
    assert settled.unified.own == "user/a.scope/engine"
    moved = (tmp_path / "user/a.scope/engine/cgroup.procs").read_text()
    assert moved == str(os.getpid())
