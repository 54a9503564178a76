"""The life of one project on one engine, told as facts that can be compared between engines."""

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.compat.asking import ask
from tests.compat.comparing import flatten
from tests.compat.pair import Daemon

PROJECTS = Path(__file__).parent / "projects"
PATIENCE = 15.0


class Project(NamedTuple):
    """A folder of `projects`, and what is done with it besides `up`, `ps`, `logs` and `down`."""

    name: str
    flags: tuple[str, ...] = ()
    """Between `docker-compose` and the command."""
    first: str = "web"
    """A service that is worked with."""
    run: tuple[str, ...] = ()
    """Words after `run --rm -T`."""
    scale: str = ""
    more: tuple[str, ...] = ()
    """More command lines, before `down`."""
    without_v1: str = ""
    """Why 1.29 is not asked."""


class Compose(NamedTuple):
    """A program with an engine."""

    program: str
    daemon: Daemon
    project: Project

    def __call__(self, *words: str) -> "subprocess.CompletedProcess[str]":
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "COMPOSE_"))}
        environment = {
            **kept,
            "DOCKER_HOST": f"unix://{self.daemon.socket}",
            "COMPOSE_PROJECT_NAME": self.project.name,
            "DOCKER_CONFIG": "/nonexistent",
            "PYTHONWARNINGS": "ignore",
        }
        return subprocess.run(
            [self.program, *self.project.flags, *words],
            cwd=PROJECTS / self.project.name, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=100,
        )  # fmt: skip

    def told(self, *words: str) -> str:
        """Exit code and what is printed; must not be a fault of the engine."""
        done = self(*words)
        assert "500 Internal" not in done.stderr, (self.daemon.name, words, done.stderr)
        return f"{done.returncode}\n{done.stdout}{done.stderr if done.returncode else ''}"

    def must(self, *words: str) -> str:
        done = self(*words)
        assert done.returncode == 0, f"{self.daemon.name}: {words}: {done.stdout}{done.stderr}"
        return done.stdout


class Left(NamedTuple):
    """What an engine holds: nothing of a project may be in it in the end."""

    containers: frozenset[str]
    networks: frozenset[str]
    volumes: frozenset[str]
    links: frozenset[str]
    rules: frozenset[str]


def warm(daemon: Daemon) -> None:
    """What an engine makes once, with its first network and port, is made."""
    daemon.must("network", "create", "warm")
    for network in ("warm", "bridge"):
        daemon.must("run", "--rm", "--network", network, "-p", "80", "shop-web", "true")
    daemon.must("network", "rm", "warm")


def run(program: str, daemon: Daemon, project: Project, *, old: bool) -> dict[str, str]:
    """All of it: the facts."""
    compose = Compose(program, daemon, project)
    before = left(daemon)
    try:
        facts = _life(compose, old)
    except BaseException:
        compose("down", "-v", "--remove-orphans", "-t", "1")
        raise
    compose.must("down", "-v", "--remove-orphans", "-t", "2")
    until = time.monotonic() + PATIENCE
    while True:  # the kernel ends links of namespaces a moment later
        more = [a - b for a, b in zip(left(daemon), before, strict=True)]
        volumes = more.pop(2)
        if not any(more) or time.monotonic() > until:
            break
        time.sleep(0.1)
    assert not any(more), (daemon.name, more)
    return {**facts, "volumes that compose forgot": str(len(volumes))}


def _life(compose: Compose, old: bool) -> dict[str, str]:
    project = compose.project
    compose.must("up", "-d")
    _settle(compose)
    ids = _ids(compose)
    facts = _state(compose)
    compose.must("up", "-d")
    _settle(compose)
    assert _ids(compose) == ids, f"{compose.daemon.name}: the second up changed something"
    facts |= _told(compose, old)
    if project.scale:
        words = ("--scale", f"{project.scale}=3", "--no-recreate")
        compose.must("up", "-d", *words)
        facts |= {f"scaled.{key}": value for key, value in _state(compose).items()}
        compose.must("up", "-d", "--scale", f"{project.scale}=1", "--no-recreate")
        facts["scaled down"] = str(len(_ids(compose)))
    for line in project.more:
        facts[f"more {line}"] = _hidden(compose, compose.told(*line.split()))
    compose.must("restart", "-t", "1", project.first)
    facts |= {f"restarted.{key}": value for key, value in _state(compose).items()}
    return facts


def _settle(compose: Compose) -> None:
    """Wait for those that are restarted a few times, and for checks that are at it."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        listed = _listed(compose, "/containers/json")
        states = [
            ask(compose.daemon, "GET", f"/containers/{each['Id']}/json").body for each in listed
        ]
        if not any(_in_motion(document) for document in states):
            return
        time.sleep(0.1)


def _in_motion(document: dict[str, Any]) -> bool:
    if document["State"].get("Health", {}).get("Status") == "starting":
        return True
    policy, state = document["HostConfig"]["RestartPolicy"]["Name"], document["State"]
    tried = document["RestartCount"] == document["HostConfig"]["RestartPolicy"]["MaximumRetryCount"]
    return policy == "on-failure" and (not tried or state["Running"] or state["Restarting"])


def _told(compose: Compose, old: bool) -> dict[str, str]:
    """What its commands print."""
    project = compose.project
    lines = [("exec", "-T", project.first, "sh", "-c", "id; hostname | wc -c; env | sort; echo $0")]
    lines += [("run", "--rm", "-T", *project.run)] if project.run else []
    lines += [("ps", "-q"), ("config", "--services"), ("top", project.first)]
    facts = {" ".join(line[:4]): compose.told(*line) for line in lines}
    facts["config --services"] = "\n".join(sorted(facts["config --services"].splitlines()))
    log = [" ".join(line.split()) for line in compose.told("logs", "--no-color").splitlines()]
    facts["logs"] = "\n".join(sorted(line for line in log if not line.startswith("Attaching")))
    if not old:
        listed = compose.must("ps", "-a", "--format", "json")
        for each in map(json.loads, listed.splitlines()):
            facts[f"ps.{each['Name']}"] = f"{each['State']} {each['Health']} {each['Ports']}"
    facts["top " + project.first] = facts["top " + project.first].split("\n")[0]
    return {key: _hidden(compose, value) for key, value in facts.items()}


def _labelled(project: str) -> str:
    return json.dumps({"label": [f"com.docker.compose.project={project}"]})


def _listed(compose: Compose, path: str) -> list[dict[str, Any]]:
    query = f"filters={_quoted(_labelled(compose.project.name))}"
    found = ask(compose.daemon, "GET", f"{path}?all=1&{query}").body
    listed: list[dict[str, Any]] = found["Volumes"] or [] if path == "/volumes" else found
    return listed


def _quoted(text: str) -> str:
    return text.replace('"', "%22").replace(" ", "%20").replace("{", "%7B").replace("}", "%7D")


def _ids(compose: Compose) -> set[str]:
    return {each["Id"] for each in _listed(compose, "/containers/json")}


def _state(compose: Compose) -> dict[str, str]:
    """Containers, networks and volumes as inspect shows them."""
    facts: dict[str, str] = {}
    for each in _listed(compose, "/containers/json"):
        name = each["Names"][0].strip("/")
        document = ask(compose.daemon, "GET", f"/containers/{each['Id']}/json").body
        facts |= flatten(_kept(document), f"container.{name}")
    for each in _listed(compose, "/networks"):
        document = ask(compose.daemon, "GET", f"/networks/{each['Id']}").body
        document["Containers"] = sorted(c["Name"] for c in document["Containers"].values())
        facts |= flatten(document, f"network.{each['Name']}")
    for each in _listed(compose, "/volumes"):
        facts |= flatten(each, f"volume.{each['Name']}")
    return {_hidden(compose, key): _hidden(compose, value) for key, value in facts.items()}


def _kept(document: dict[str, Any]) -> dict[str, Any]:
    """Without order where there is none, and without what the moment decides."""
    document["Mounts"].sort(key=lambda mount: str(mount["Destination"]))
    document["Config"]["Env"] = sorted(document["Config"]["Env"] or [])
    if document["HostConfig"]["Binds"]:
        document["HostConfig"]["Binds"].sort()
    state = document["State"]
    state["Pid"] = bool(state["Pid"])
    if "Health" in state:
        state["Health"] = state["Health"]["Status"] != "unhealthy"
    for network in document["NetworkSettings"]["Networks"].values():
        network["Aliases"] = sorted(network["Aliases"] or [], key=lambda name: (_is_id(name), name))
    if document["HostConfig"].get("Mounts"):
        document["HostConfig"]["Mounts"].sort(key=lambda mount: str(mount["Target"]))
    (document["HostConfig"]["Ulimits"] or []).sort(key=lambda limit: str(limit["Name"]))
    labels = document["Config"]["Labels"]
    for key in labels.keys() & {"com.docker.compose.depends_on"}:
        labels[key] = sorted(labels[key].split(","))
    del document["HostConfig"]["MaskedPaths"]
    if "Health" in state:  # a check may be running
        del document["ExecIDs"]
    return document


def _is_id(name: str) -> bool:
    return re.fullmatch("[0-9a-f]{12}", name) is not None


_HIDDEN = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", "<time>"),
    (r"\b[A-Z][a-z]{2} [ \d]\d \d\d:\d\d\b", "<listed time>"),
    (r"\b[0-9a-f]{64}\b", "<hex>"),
    (r"\b[0-9a-f]{12}\b", "<short>"),
    (r"\b(172\.(1[6-9]|2\d|3[01])|192\.168)\.\d+\.\d+(/16|/20)?\b", "<address>"),
    (r"\b02:42:(ac|c0):[0-9a-f:]+", "<mac>"),
    (r"\b(32[7-9]\d\d|3[3-9]\d\d\d|[45]\d\d\d\d|6[0-5]\d\d\d)\b", "<port>"),
    (r"/docker/|/wherry/", "/<engine>/"),
)


def _hidden(compose: Compose, text: str) -> str:
    text = text.replace(str(compose.daemon.folder), "<folder>")
    for pattern, put in _HIDDEN:
        text = re.sub(pattern, put, text)
    return text


def left(daemon: Daemon) -> Left:
    """Containers, networks, volumes; links of the engine's namespace, and lines of its rules."""
    listed = ask(daemon, "GET", "/containers/json?all=1").body
    inside = ["nsenter", "-t", str(daemon.pid), "-n"]
    links = subprocess.check_output([*inside, "ip", "-o", "link"], text=True)
    rules = subprocess.check_output([*inside, "nft", "-s", "list", "ruleset"], text=True)
    return Left(
        frozenset(each["Id"] for each in listed),
        frozenset(each["Id"] for each in ask(daemon, "GET", "/networks").body),
        frozenset(each["Name"] for each in ask(daemon, "GET", "/volumes").body["Volumes"] or []),
        frozenset(line.split()[1] for line in links.splitlines()),
        frozenset(re.sub(r"packets \d+ bytes \d+|# handle \d+", "", rules).splitlines()),
    )
