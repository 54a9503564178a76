"""What the options before the command say, given to every command."""

import os
from typing import NamedTuple

from wherry.kit.errors import NotFound
from wherry.runtime.commands.arguments import Syntax
from wherry.runtime.commands.journal import Journal

SYNTAX = Syntax(
    values=("root", "log", "log-format", "rootless", "criu"),
    switches=("debug", "systemd-cgroup", "help", "version"),
    aliases={"h": "help", "v": "version"},
    most=-1,
)


FILTERS = "@filters"


class Setting(NamedTuple):
    """The state root and the log."""

    root: str
    journal: Journal

    @property
    def filter_cache(self) -> str:
        """Where compiled seccomp programs are kept: a name that no container can have."""
        return f"{self.root}/{FILTERS}"


def default_root() -> str:
    """/run/wherry-runtime for root, below XDG_RUNTIME_DIR for others. Raises NotFound."""
    if os.geteuid() == 0 and not os.environ.get("XDG_RUNTIME_DIR"):
        return "/run/wherry-runtime"
    folder = os.environ.get("XDG_RUNTIME_DIR")
    if not folder:
        raise NotFound("XDG_RUNTIME_DIR is not set: say where to keep state by --root")
    return f"{folder}/wherry-runtime"
