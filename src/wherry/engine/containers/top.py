"""GET /containers/{id}/top: the host's `ps`, cut down to the container's processes."""

import subprocess

from wherry.dockerapi.container_answers import TopAnswer
from wherry.engine.containers.cgroup import placed
from wherry.engine.engine import Engine
from wherry.kit.errors import Conflict, InvalidInput, PreconditionFailed

SECONDS = 10


async def top(engine: Engine, ref: str, ps_args: str) -> TopAnswer:
    """Raises Conflict where it does not run, InvalidInput for arguments that ps refuses."""
    container = engine.containers.find(ref)
    if not container.running:
        raise Conflict(f"Container {container.id} is not running")
    if container.state.status == "restarting":
        raise Conflict(f"Container {container.id} is restarting")
    pids = await engine.lanes.files(placed(engine, container).pids)
    text = await engine.lanes.files(_ps, ps_args.split() or ["-ef"])
    return selected(text, set(pids))


def _ps(arguments: list[str]) -> str:
    try:
        done = subprocess.run(
            ["ps", *arguments], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except FileNotFoundError:
        raise PreconditionFailed(
            "top needs the host's ps program (Debian: apt-get install procps)"
        ) from None
    if done.returncode:
        raise InvalidInput(f"ps: {done.stderr.strip().partition(chr(10))[0]}")
    return done.stdout


def selected(text: str, pids: set[int]) -> TopAnswer:
    """The titles, and the lines of these processes. Raises InvalidInput without a PID column."""
    lines = text.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise InvalidInput("Couldn't find PID field in ps output")
    at = titles.index("PID")
    rows = []
    for line in lines[1:]:
        fields = line.split(None, len(titles) - 1)
        if len(fields) > at and fields[at].isdigit() and int(fields[at]) in pids:
            rows.append(tuple(fields))
    return TopAnswer(tuple(rows), tuple(titles))
