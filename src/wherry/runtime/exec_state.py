"""What an exec needs to know of a container, kept apart at its creation.

Reading the whole configuration and finding the compiled filters again takes an exec 2 ms. The file
is `<state_root>/<id>/exec.state`: a line of JSON, then the seccomp programs one after the other.
"""

import json
from typing import NamedTuple

from wherry.kit.errors import Corrupt
from wherry.kit.files import read_optional, write_atomic
from wherry.runtime.filters import Compiled, compile_filters
from wherry.runtime.spec_types import Spec
from wherry.runtime.state import folder_of, load_spec

_FILE = "exec.state"


class ExecState(NamedTuple):
    """`namespaces` are the kinds that the container does not share with its runtime."""

    namespaces: tuple[str, ...]
    personality: str
    filters: Compiled


def of(spec: Spec, filters: Compiled) -> ExecState:
    """The part of a configuration that binds every process of the container."""
    kinds = tuple(entry.kind for entry in spec.linux.namespaces)
    return ExecState(kinds, spec.linux.personality, filters)


def save(folder: str, kept: ExecState) -> None:
    """Into the container's own folder; no fsync: it does not outlive the boot."""
    head = {
        "namespaces": kept.namespaces,
        "personality": kept.personality,
        "programs": [(len(program), flags) for program, flags in kept.filters.programs],
        "listener": kept.filters.listener_path,
        "metadata": kept.filters.metadata,
    }
    programs = b"".join(program for program, _ in kept.filters.programs)
    data = json.dumps(head).encode() + b"\n" + programs
    write_atomic(f"{folder}/{_FILE}", data, durable=False)


def load(state_root: str, container_id: str, cache: str = "") -> ExecState:
    """Raises Corrupt, NotFound. Of a container made without that file the configuration is read."""
    path = f"{folder_of(state_root, container_id)}/{_FILE}"
    data = read_optional(path)
    if data is None:
        spec = load_spec(state_root, container_id)
        return of(spec, compile_filters(spec.linux.seccomp, spec.annotations, cache))
    head, _, programs = data.partition(b"\n")
    try:
        return _parsed(json.loads(head), programs)
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"{path}: {error}") from error


def _parsed(head: dict[str, object], rest: bytes) -> ExecState:
    namespaces, sizes = head["namespaces"], head["programs"]
    assert isinstance(namespaces, list)
    assert isinstance(sizes, list)
    programs = []
    for size, flags in sizes:
        programs.append((rest[:size], int(flags)))
        rest = rest[size:]
    filters = Compiled(tuple(programs), str(head["listener"]), str(head["metadata"]))
    return ExecState(tuple(namespaces), str(head["personality"]), filters)
