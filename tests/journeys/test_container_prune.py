"""`wherry container prune`: asked, told beforehand, done."""

import os

import pytest

from tests.journeys.engine import BUSYBOX, engine

pytestmark = pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs busybox-static")


def test_prune() -> None:
    with engine() as host:
        host.run("create", "--name", "stopped", "--network", "none", "busybox")
        assert "Would be deleted" in host.out("container", "prune", "--dry-run")
        host.run("container", "prune")  # nobody said yes
        assert host.out("ps", "-aq")
        said = host.run("container", "prune", input=b"y\n").stdout
        assert "WARNING! This will remove all stopped containers." in said
        assert host.out("ps", "-aq") == ""
        host.run("create", "--name", "stopped", "--network", "none", "busybox")
        host.run("system", "prune", "-f")
        assert host.out("ps", "-aq") == ""
