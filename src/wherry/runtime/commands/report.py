"""state, list, ps: what there is."""

import json
import sys

from wherry.kit.errors import InvalidInput
from wherry.runtime import lifecycle
from wherry.runtime.commands.arguments import Syntax, read
from wherry.runtime.commands.setting import Setting
from wherry.runtime.hooks import run_program
from wherry.runtime.state import State

_PS = "/bin/ps"


def command_state(setting: Setting, words: list[str]) -> int:
    """The container's state as JSON."""
    container = lifecycle.state(setting.root, read(words, Syntax()).word(0, "container id"))
    sys.stdout.write(json.dumps(container.to_json(), indent=2) + "\n")
    return 0


def command_list(setting: Setting, words: list[str]) -> int:
    """All containers of this root."""
    syntax = Syntax(("format",), ("quiet",), {"f": "format", "q": "quiet"}, most=0)
    arguments = read(words, syntax)
    form = arguments.value("format", "table")
    if form not in ("table", "json"):
        raise InvalidInput(f"--format: {form!r} is neither table nor json")
    found = lifecycle.listed(setting.root)
    if arguments.has("quiet"):
        text = "".join(f"{container.id}\n" for container in found)
    elif form == "json":
        text = json.dumps([container.to_json() for container in found]) + "\n"
    else:
        text = _table(found)
    sys.stdout.write(text)
    return 0


def _table(found: list[State]) -> str:
    rows = [["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]]
    for container in found:
        document = container.to_json()
        keys = ("id", "pid", "status", "bundle", "created", "owner")
        rows.append([str(document[key]) for key in keys])
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return "".join(_row(row, widths) for row in rows)


def _row(cells: list[str], widths: list[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "   ".join(padded).rstrip() + "\n"


def command_ps(setting: Setting, words: list[str]) -> int:
    """The container's processes, by ps(1) or as a list of pids."""
    arguments = read(words, Syntax(("format",), (), {"f": "format"}, most=-1), interspersed=False)
    pids = lifecycle.processes(setting.root, arguments.word(0, "container id"))
    form = arguments.value("format", "table")
    if form == "json":
        sys.stdout.write(json.dumps(pids) + "\n")
        return 0
    if form != "table":
        raise InvalidInput(f"--format: {form!r} is neither table nor json")
    sys.stdout.write(_only(pids, _run_ps(arguments.words[1:] or ["-ef"])))
    return 0


def _run_ps(options: list[str]) -> str:
    status, output = run_program(_PS, ("ps", *options), ("PATH=/usr/bin:/bin",))
    if status:
        raise InvalidInput(f"ps {' '.join(options)}: {output.strip()}")
    return output


def _only(pids: list[int], text: str) -> str:
    """The lines of ps's output that are about these processes. Raises InvalidInput."""
    lines = text.splitlines()
    heads = lines[0].split() if lines else []
    if "PID" not in heads:
        raise InvalidInput("ps prints no PID column with these options")
    column = heads.index("PID")
    wanted = {str(pid) for pid in pids}
    kept = [line for line in lines[1:] if line.split()[column : column + 1][0] in wanted]
    return "".join(f"{line}\n" for line in (lines[0], *kept))
