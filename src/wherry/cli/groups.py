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
        "prune": Entry("container.prune", "Remove all stopped containers"),
        "inspect": Entry("system.inspect", "Display detailed information", "container"),
    },
    aliases={"ps": "ls", "list": "ls"},
)
image = Group(
    "image",
    "Manage images",
    {
        **{
            name: COMMANDS[name]
            for name in ("history", "import", "load", "pull", "push", "save", "tag")
        },
        "ls": COMMANDS["images"],
        "prune": Entry("image.prune", "Remove unused images"),
        "rm": COMMANDS["rmi"],
        "inspect": Entry("system.inspect", "Display detailed information", "image"),
    },
    aliases={"list": "ls", "remove": "rm"},
)
network = Group(
    "network",
    "Manage networks",
    {
        "connect": Entry("network.connect", "Connect a container to a network"),
        "create": Entry("network.create", "Create a network"),
        "disconnect": Entry("network.disconnect", "Disconnect a container from a network"),
        "inspect": Entry("system.inspect", "Display detailed information", "network"),
        "ls": Entry("network.list", "List networks"),
        "prune": Entry("network.prune", "Remove all unused networks"),
        "rm": Entry("network.remove", "Remove one or more networks"),
    },
    aliases={"list": "ls", "remove": "rm"},
)
volume = Group(
    "volume",
    "Manage volumes",
    {
        "create": Entry("volume.create", "Create a volume"),
        "inspect": Entry("system.inspect", "Display detailed information", "volume"),
        "ls": Entry("volume.list", "List volumes"),
        "prune": Entry("volume.prune", "Remove unused local volumes"),
        "rm": Entry("volume.remove", "Remove one or more volumes"),
    },
    aliases={"list": "ls", "remove": "rm"},
)
system = Group(
    "system",
    "Manage the engine",
    {
        "dial-stdio": Entry("system.dial_stdio", "", hidden=True),
        "df": Entry("system.usage", "Show disk usage"),
        "prune": Entry("system.prune", "Remove unused data"),
        "events": COMMANDS["events"],
        "fsck": Entry("system.fsck", "Check that what the engine keeps is consistent"),
        "info": COMMANDS["info"],
    },
)
