"""The daemon dies while a copy is complete in its stage but not in its place."""

import os
from pathlib import Path

import pytest

from tests.journeys.engine import BUSYBOX, engine, kill_daemon, start_daemon

pytestmark = pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs busybox-static")


def test_a_stage_is_removed_by_the_next_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    with engine() as host:
        forever = ("--network", "none", "busybox", "sleep", "1000")
        host.run("run", "-d", "--name", "here", *forever)
        host.run("create", "--name", "there", *forever)
        kill_daemon(host)
        monkeypatch.setenv("WHERRY_FAILPOINTS", "cp.staged=kill")
        for target in ("here", "there"):
            start_daemon(host)
            said = host.run("cp", "here:/etc/passwd", f"{target}:/etc/copied", code=1).stderr
            assert f"target {target}:/etc/copied" in said
            host.daemons[-1].wait(10)
        monkeypatch.delenv("WHERRY_FAILPOINTS")
        start_daemon(host)
        for name in ("here", "there"):
            host.run("export", "-o", str(host.folder / "fs.tar"), name)
            assert b".wherry-cp-" not in (host.folder / "fs.tar").read_bytes()
            assert b"copied" not in (host.folder / "fs.tar").read_bytes()
        assert list(Path(host.folder).glob("root/containers/*/stages/*")) == []
        host.run("cp", "here:/etc/passwd", "there:/etc/copied")
        host.run("cp", "there:/etc/copied", "-")
