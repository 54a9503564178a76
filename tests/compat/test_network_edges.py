"""Networks beside dockerd: filters of the list, and containers whose network has gone."""

import json
import urllib.parse
from collections.abc import Iterator

import pytest

from tests.compat import pair, probe_image
from tests.compat.asking import Answer, ask
from tests.compat.pair import Daemon, Pair

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(pair.missing()), reason=pair.missing() or "-"),
]


@pytest.fixture(scope="module")
def listed(daemons: Pair) -> Iterator[Pair]:
    """Both with the same networks, a container in `n2`."""
    bodies = ({"Name": "n1", "Labels": {"a": "b", "c": ""}}, {"Name": "n2", "Labels": {"a": "x"}})
    for daemon in daemons.both:
        for body in (*bodies, {"Name": "n3"}, {"Name": "N12"}):
            assert ask(daemon, "POST", "/networks/create", body).status == 201
    yield daemons
    for daemon in daemons.both:
        daemon.must("network", "prune", "-f")


def names(daemon: Daemon, filters: object) -> object:
    """The names of the networks that are listed, or what was said instead."""
    text = filters if isinstance(filters, str) else json.dumps(filters)
    answer = ask(daemon, "GET", f"/networks?filters={urllib.parse.quote(text)}")
    return sorted(each["Name"] for each in answer.body) if answer.status == 200 else answer


FILTERS = [
    {"driver": ["bridge"]}, {"driver": ["bri"]}, {"driver": ["host", "null"]}, {"driver": ["no"]},
    {"label": ["a"]}, {"label": ["a=b"]}, {"label": ["a", "c"]}, {"label": ["a=b", "a=x"]},
    {"label": ["a="]}, {"label": ["c="]}, {"label": {"a=b": False}}, {"label": ["nosuch"]},
    {"name": ["n"]}, {"name": ["^n1$"]}, {"name": ["n1", "n2"]}, {"name": ["1"]}, {"name": ["("]},
    {"name": [""]}, {"name": ["N1"]}, {"id": ["zz"]},
    {"scope": ["local"]}, {"scope": ["loc"]}, {"scope": ["swarm"]}, {"scope": ["local", "swarm"]},
    {"type": ["custom"]}, {"type": ["builtin"]}, {"type": ["custom", "builtin"]}, {"type": []},
    {"dangling": ["true"]}, {"dangling": ["0"]}, {"dangling": ["true", "false"]},
    {"dangling": ["foo"]}, {"dangling": []}, {"dangling": ["t"]}, {"dangling": ["TRUE"]},
    {"nosuch": ["x"]}, {"nosuch": []}, {"type": ["builtin"], "dangling": ["true"]},
    {"driver": ["bridge"], "type": ["custom"], "name": ["n"], "label": ["a"]},
    "null", '{"name":null}', "{}",
]  # fmt: skip


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_filters_select_what_dockerd_selects(listed: Pair, filters: object) -> None:
    theirs, ours = (names(each, filters) for each in listed.both)
    assert ours == theirs


@pytest.mark.parametrize("filters", ["{", "[]", '{"name":"n1"}', {"type": ["nosuch"]}], ids=str)
def test_filters_that_make_no_sense_are_the_clients_mistake(listed: Pair, filters: object) -> None:
    theirs, ours = (names(each, filters) for each in listed.both)
    assert isinstance(theirs, Answer) and isinstance(ours, Answer)
    assert (theirs.status, ours.status) == (500, 400)


def test_ids_are_found_by_any_part(listed: Pair) -> None:
    for daemon in listed.both:
        id = ask(daemon, "GET", "/networks/n1").body["Id"]
        assert names(daemon, {"id": [id[:20]]}) == ["n1"]
        assert names(daemon, {"id": [id[5:30]]}) == ["n1"]
        assert names(daemon, {"id": [f"^{id[:20]}"], "name": ["n2"]}) == []


QUERIES = ("verbose=foo", "verbose=yes", "verbose=", "verbose=1", "verbose=False", "verbose=t",
           "scope=foo", "scope=local", "scope=swarm")  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_inspect_is_as_strict_as_dockerds(listed: Pair, query: str) -> None:
    theirs, ours = (ask(each, "GET", f"/networks/n1?{query}") for each in listed.both)
    assert ours.status == theirs.status
    assert ours.body.get("message") == theirs.body.get("message")


# containers that do not run, and networks that are gone


@pytest.fixture
def fresh(daemons: Pair) -> Iterator[Pair]:
    yield daemons
    for daemon in daemons.both:
        if left := daemon.docker("ps", "-aq").stdout.split():
            daemon.must("rm", "-f", *left)
        daemon.must("network", "prune", "-f")


def create(daemon: Daemon, name: str, network: str) -> str:
    settings = {network: {"Aliases": ["al"]}}
    body = {
        "Image": probe_image.PLAIN,
        "Cmd": ["sleep", "1000"],
        "HostConfig": {"NetworkMode": network},
        "NetworkingConfig": {"EndpointsConfig": settings},
    }
    made = ask(daemon, "POST", f"/containers/create?name={name}", body)
    assert made.status == 201, made
    return str(made.body["Id"])


def disconnect(daemon: Daemon, network: str, container: str, *, force: bool = False) -> Answer:
    body = {"Container": container, "Force": force}
    return ask(daemon, "POST", f"/networks/{network}/disconnect", body)


def joined(daemon: Daemon, name: str) -> dict[str, list[str] | None]:
    """The container's networks, with its aliases there."""
    found = ask(daemon, "GET", f"/containers/{name}/json").body
    networks, short = found["NetworkSettings"]["Networks"], found["Id"][:12]
    return {
        network: each["Aliases"] and [name.replace(short, "<short>") for name in each["Aliases"]]
        for network, each in networks.items()
    }


def test_a_stopped_container_leaves_a_network_that_is_gone(fresh: Pair) -> None:
    seen = []
    for daemon in fresh.both:
        daemon.must("network", "create", "m1")
        daemon.must("network", "create", "m3")
        create(daemon, "cc", "m1")
        daemon.must("network", "rm", "m1")
        steps: list[object] = [disconnect(daemon, "m1", "nosuch")]
        steps.append(ask(daemon, "POST", "/containers/cc/start").status)
        steps.append(ask(daemon, "POST", "/networks/m3/connect", {"Container": "cc"}))
        steps.append(set(joined(daemon, "cc")))
        steps.append(disconnect(daemon, "m1", "cc"))
        steps.append(joined(daemon, "cc"))
        steps.append(ask(daemon, "POST", "/containers/cc/start"))
        steps.append(disconnect(daemon, "nosuch", "cc"))
        seen.append(steps)
    assert seen[1] == seen[0]
    assert set(seen[1][5]) == {"m3"}  # type: ignore[call-overload]


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(("network", "who"), [
    ("m2", "cc"), ("m3", "cc"), ("gone", "cc"), ("m2", "nosuch"), ("gone", "nosuch"),
    ("host", "cc"), ("none", "cc"),
])  # fmt: skip
def test_disconnecting_by_force_and_without(
    fresh: Pair, network: str, who: str, force: bool, running: bool
) -> None:
    seen = []
    for daemon in fresh.both:
        daemon.must("network", "create", "m2")
        daemon.must("network", "create", "m3")
        id = create(daemon, "cc", "m2")
        if running:
            daemon.must("start", "cc")
        done = disconnect(daemon, network, who, force=force)
        text = done.body["message"].replace(id, "<id>") if done.body else ""
        # 500 is dockerd's, for what is the client's mistake
        seen.append((400 if done.status == 500 else done.status, text, joined(daemon, "cc")))
    assert seen[1] == seen[0]


def test_aliases_from_creation_to_the_second_start(fresh: Pair) -> None:
    seen = []
    for daemon in fresh.both:
        daemon.must("network", "create", "m2")
        daemon.must("network", "create", "m3")
        create(daemon, "cc", "m2")
        steps = [joined(daemon, "cc")]
        daemon.must("network", "connect", "--alias", "q", "m3", "cc")
        for words in ((), ("start",), ("stop", "-t", "0"), ("start",)):
            if words:
                daemon.must(*words, "cc")
            steps.append(joined(daemon, "cc"))
        seen.append(steps)
    assert seen[1] == seen[0]
    assert seen[1][0] == {"m2": ["al"]}
