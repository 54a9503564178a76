"""System routes beside dockerd: what a node without a swarm says, plugins, events."""

import json
import time

import pytest

from tests.compat.asking import ask, both
from tests.compat.pair import Daemon, Pair

WITHOUT_SWARM = [
    "GET /swarm", "POST /swarm/leave", "POST /swarm/leave?force=1", "GET /swarm/unlockkey",
    "GET /nodes", "GET /nodes/x", "DELETE /nodes/x",
    "GET /services", "GET /services/x", "DELETE /services/x", "GET /services/x/logs?stdout=1",
    "GET /tasks", "GET /tasks/x", "GET /tasks/x/logs?stdout=1",
    "GET /secrets", "GET /secrets/x", "DELETE /secrets/x",
    "GET /configs", "GET /configs/x", "DELETE /configs/x",
    "GET /plugins", "GET /plugins/x/json", "DELETE /plugins/x",
    "POST /plugins/x/enable?timeout=3", "POST /plugins/x/disable",
]  # fmt: skip
WITH_BODY = [
    "POST /swarm/update?version=1", "POST /swarm/unlock", "POST /nodes/x/update?version=1",
    "POST /services/create", "POST /services/x/update?version=1", "POST /secrets/create",
    "POST /configs/create",
]  # fmt: skip


@pytest.mark.parametrize("line", WITHOUT_SWARM)
def test_a_node_without_a_swarm_and_without_plugins(daemons: Pair, line: str) -> None:
    method, _, path = line.partition(" ")
    both(daemons, method, path)


@pytest.mark.parametrize("line", WITH_BODY)
def test_changes_of_a_swarm(daemons: Pair, line: str) -> None:
    method, _, path = line.partition(" ")
    both(daemons, method, path, {})


def happenings(daemon: Daemon, since: float, filters: str = "") -> list[tuple[object, ...]]:
    """Type, action and the names of the attributes of what happened."""
    path = f"/events?since={since:.9f}&until={time.time():.9f}{filters}"
    answer = ask(daemon, "GET", path)
    items = answer.body if isinstance(answer.body, str) else ""
    lines = [json.loads(line) for line in items.splitlines()]
    if isinstance(answer.body, dict):
        lines = [answer.body]
    return [
        (each["Type"], each["Action"], tuple(sorted(each["Actor"]["Attributes"]))) for each in lines
    ]


def work(daemon: Daemon) -> None:
    daemon.must("volume", "create", "ev")
    daemon.must("tag", "plain", "ev:1")
    daemon.must("run", "--name", "evc", "-v", "ev:/m:ro", "plain", "true")
    daemon.must("rm", "evc")
    daemon.must("rmi", "ev:1")
    daemon.must("save", "plain", "-o", f"{daemon.folder}/saved.tar")
    daemon.must("load", "-qi", f"{daemon.folder}/saved.tar")
    daemon.must("volume", "rm", "ev")
    for kind in ("volume", "image", "container"):
        daemon.must(kind, "prune", "-f")


FILTERS = {
    "": "",
    "type": "image",
    "event": "prune",
    "volume": "ev",
    "container": "evc",
    "image": "plain",
    "scope": "local",
}


def test_events_of_all_kinds(daemons: Pair) -> None:
    began = {}
    for daemon in daemons.both:
        began[daemon.name] = time.time()
        work(daemon)
    for name, value in FILTERS.items():
        query = f'&filters={{"{name}":["{value}"]}}' if name else ""
        theirs, ours = (
            sorted(set(map(str, happenings(each, began[each.name], query))))
            for each in daemons.both
        )
        assert ours == theirs, name


def test_past_events_without_since(daemons: Pair) -> None:
    for daemon in daemons.both:
        daemon.must("tag", "plain", "past:1")
        daemon.must("rmi", "past:1")
        path = f'/events?until={time.time():.9f}&filters={{"event":["untag"]}}'
        assert ask(daemon, "GET", path).body, daemon.name
