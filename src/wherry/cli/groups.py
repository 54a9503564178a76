"""`wherry container …`, `wherry image …`, `wherry system …`: the same commands, by noun."""

from wherry.cli.command import Entry, Group
from wherry.cli.main import COMMANDS

_CONTAINER = (
    "attach", "commit", "cp", "create", "diff", "exec", "export", "kill", "logs", "pause", "port",
    "rename", "restart", "rm", "run", "start", "stats", "stop", "top", "unpause", "update", "wait",
)  # fmt: skip

container = Group(
    "container",
    "Manage containers",
    {
        **{name: COMMANDS[name] for name in _CONTAINER},
        "ls": COMMANDS["ps"],
        "inspect": Entry("system.inspect", "Display detailed information", "container"),
    },
    aliases={"ps": "ls", "list": "ls"},
)
image = Group(
    "image",
    "Manage images",
    {
        **{name: COMMANDS[name] for name in ("history", "import", "load", "pull", "save", "tag")},
        "ls": COMMANDS["images"],
        "rm": COMMANDS["rmi"],
        "inspect": Entry("system.inspect", "Display detailed information", "image"),
    },
    aliases={"list": "ls", "remove": "rm"},
)
system = Group(
    "system",
    "Manage the engine",
    {
        "dial-stdio": Entry("system.dial_stdio", "", hidden=True),
        "df": Entry("system.usage", "Show disk usage"),
        "events": COMMANDS["events"],
        "info": COMMANDS["info"],
    },
)
