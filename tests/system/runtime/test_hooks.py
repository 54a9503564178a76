"""Hooks: order, place, state, failure."""

import json
from pathlib import Path

import pytest

from .conftest import Bundle, Rig

KINDS = "prestart createRuntime createContainer startContainer poststart poststop".split()


def with_hooks(rig: Rig, *args: str) -> tuple[Bundle, Path]:
    """A bundle whose hooks note their names and states in a shared folder."""
    notes = rig.folder / "notes"
    notes.mkdir()
    bundle = rig.bundle(*args)
    bundle.mount("/mnt", "none", str(notes), "bind")
    hooks = {}
    for kind in KINDS:
        place = "/mnt" if kind == "startContainer" else str(notes)
        shell = "/bin/sh"
        text = f"echo {kind} >> {place}/order; cat > {place}/{kind}; readlink /proc/self/ns/mnt"
        text += f" > {place}/{kind}.mnt; ls / > {place}/{kind}.root"
        hooks[kind] = [{"path": shell, "args": ["sh", "-c", text], "env": ["PATH=/bin:/usr/bin"]}]
    bundle.config["hooks"] = hooks
    return bundle, notes


def test_all_hooks_run_in_order_and_place(rig: Rig) -> None:
    bundle, notes = with_hooks(rig, "sh", "-c", "echo program >> /mnt/order; sleep 300")
    pid = rig.start(bundle)
    created = ["prestart", "createRuntime", "createContainer", "startContainer"]
    order = (notes / "order").read_text().split()
    assert order[:4] == created
    assert sorted(order[4:]) in (["poststart"], ["poststart", "program"])
    rig.ok("delete", "--force", "box")
    assert (notes / "order").read_text().split()[-1] == "poststop"
    states = {kind: json.loads((notes / kind).read_text()) for kind in KINDS}
    assert {state["id"] for state in states.values()} == {"box"}
    assert states["prestart"]["status"] == "creating"
    assert states["prestart"]["pid"] == pid
    assert states["poststart"]["status"] == "running"
    assert states["poststop"]["status"] == "stopped"
    namespaces = {kind: (notes / f"{kind}.mnt").read_text() for kind in KINDS}
    assert namespaces["createContainer"] == namespaces["startContainer"]
    assert namespaces["prestart"] == namespaces["createRuntime"] == namespaces["poststop"]
    assert namespaces["prestart"] != namespaces["createContainer"]
    roots = {kind: (notes / f"{kind}.root").read_text().split() for kind in KINDS}
    assert roots["createContainer"] == roots["prestart"]  # before the pivot: the host's paths
    assert "mnt" in roots["startContainer"]
    assert roots["startContainer"] != roots["createContainer"]


@pytest.mark.parametrize("kind", KINDS[:3])
def test_a_hook_that_fails_stops_the_creation(rig: Rig, kind: str) -> None:
    bundle, notes = with_hooks(rig, "true")
    command = {"path": "/bin/sh", "args": ["sh", "-c", "echo why >&2; exit 4"]}
    bundle.config["hooks"][kind] = [command]
    error = rig.fails("create", "-b", bundle.save(), "box")
    assert error == f"error running {kind} hook #0: /bin/sh: exit status 4: why"
    assert rig.ok("list", "-q") == ""
    assert not (notes / "startContainer").exists()


def test_a_start_hook_that_fails_stops_the_start(rig: Rig) -> None:
    bundle, _ = with_hooks(rig, "sleep", "300")
    bundle.config["hooks"]["startContainer"] = [{"path": "/bin/false"}]
    assert "startContainer hook #0" in rig.fails("run", "-b", bundle.save(), "box")
    assert rig.ok("list", "-q") == ""


def test_a_poststart_hook_that_fails_kills_the_container(rig: Rig) -> None:
    bundle, _ = with_hooks(rig, "sleep", "300")
    bundle.config["hooks"]["poststart"] = [{"path": "/bin/false"}]
    assert "poststart hook #0" in rig.fails("run", "-b", bundle.save(), "box")
    assert rig.ok("list", "-q") == ""


def test_a_hook_in_the_container_has_the_containers_rights(rig: Rig) -> None:
    bundle, notes = with_hooks(rig, "sleep", "300")
    text = "cat /proc/self/status > /mnt/status"
    bundle.config["hooks"]["startContainer"] = [
        {"path": "/bin/sh", "args": ["sh", "-c", text], "env": ["PATH=/bin"]}
    ]
    bundle.capabilities("CAP_KILL")
    rig.start(bundle)
    status = (notes / "status").read_text()
    assert "CapBnd:\t0000000000000020\n" in status
    assert "NoNewPrivs:\t1\n" in status


def test_a_hook_that_takes_too_long(rig: Rig) -> None:
    bundle, _ = with_hooks(rig, "true")
    bundle.config["hooks"]["prestart"] = [{"path": "/bin/sleep", "args": ["sleep", "60"],
                                           "timeout": 1}]  # fmt: skip
    assert "killed after 1 seconds" in rig.fails("create", "-b", bundle.save(), "box")
